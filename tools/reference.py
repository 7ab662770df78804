"""Write the reference pages under ``docs/reference`` from the code.

Usage: ``python -m tools.reference [--check]``; with ``--check`` nothing is written and the exit status is 1 when a
page is not what the code says. A page is a line in ``PAGES``: its file and the function that returns its text.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = ROOT / "docs" / "reference"
NOTE = "<!-- Written by `make docs` from {source}: change that, not this page. -->\n\n"

# File of the page: what it is written from, and ``module:function`` of the function without arguments that returns it.
PAGES: dict[str, tuple[str, str]] = {
    "fields.md": ("src/hullwatch/fields", "tools.reference_fields:page"),
    "formats.md": ("src/hullwatch/formats", "tools.reference_formats:page"),
    "outputs.md": ("src/hullwatch/outputs", "tools.reference_outputs:page"),
    "events.md": ("src/hullwatch/events/tables", "tools.reference_events:page"),
}


def render(name: str) -> str:
    """Return the text that a page should have."""
    source, where = PAGES[name]
    module, _, function = where.partition(":")
    page: Callable[[], str] = getattr(importlib.import_module(module), function)
    return NOTE.format(source=source) + page().rstrip("\n") + "\n"


def outdated() -> list[str]:
    """Return the pages that are missing or say something else than the code."""
    return [
        name
        for name in PAGES
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != render(name)
    ]


def main(arguments: list[str]) -> int:
    """Write what is out of date, or tell it."""
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 2
    pages = outdated()
    for name in pages:
        if arguments:
            print(f"docs/reference/{name} is out of date: run `make docs`.")
            continue
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(render(name), encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 1 if arguments and pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
