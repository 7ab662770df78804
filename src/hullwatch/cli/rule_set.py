"""The rules files that a verb works on, in the form that the loader takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.rules.loader import RulesFile


def rules_files(names: Iterable[str]) -> list[RulesFile]:
    """Read the rules files that are named, or return the built-in ones where none is.

    Raises:
        UsageError: as ``hullwatch.config.rules_files`` does.
    """
    from hullwatch.config.rules_files import find, read
    from hullwatch.rules.loader import RulesFile
    from hullwatch.rules.pack import builtin_files

    wanted = list(names)
    if not wanted:
        return builtin_files()
    return [RulesFile(name=str(path), text=read(path)) for path in find(wanted)]
