"""The rules that come with Hullwatch."""

from __future__ import annotations

from hullwatch.config.rules_files import PACK as PACK_FOLDER
from hullwatch.config.rules_files import read_pack
from hullwatch.rules.loader import RulesFile

__all__ = ["PACK_FOLDER", "builtin_files"]


def builtin_files(*sources: str) -> list[RulesFile]:
    """Return the pack's files for some sources, in the order of their names; none: for calls (``syscall``)."""
    return [RulesFile(*file) for source in sources or ("syscall",) for file in read_pack(source)]
