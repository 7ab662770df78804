"""The rules that come with Hullwatch."""

from __future__ import annotations

from pathlib import Path

from hullwatch.rules.loader import RulesFile

PACK_FOLDER = Path(__file__).parent.parent / "packs" / "rules"


def builtin_files() -> list[RulesFile]:
    """Return the pack's files in the order of their names."""
    return [RulesFile(f"packs/rules/{path.name}", path.read_bytes()) for path in sorted(PACK_FOLDER.glob("*.yaml"))]
