"""How text for people looks on a terminal: its colours and its width."""

from __future__ import annotations

import textwrap

from hullwatch.alerts.mask import CUT
from hullwatch.formats.text import BOLD, DIM, RESET, priority_colour

WIDTH = 110
NARROWEST = 40


class Paint:
    """Colours, or none; and lines that fit.

    Args:
        colour: whether there are any.
        width: columns of a terminal; None: what alerts and processes say stands in one line each.
    """

    def __init__(self, *, colour: bool, width: int | None) -> None:
        """Take what the terminal can do."""
        self._on = colour
        self._width = width

    def prose(self, text: str, first: str = "  ", others: str = "  ") -> list[str]:
        """Return sentences as lines."""
        width = WIDTH if self._width is None else max(NARROWEST, min(self._width, WIDTH))
        return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=others)

    def said(self, text: str) -> list[str]:
        """Return what an alert says, below its step: as lines that fit a terminal, or as one."""
        if self._width is None:
            return [f"      {text}"]
        width = max(NARROWEST, self._width)
        return textwrap.wrap(text, width, initial_indent="      ", subsequent_indent="        ", break_on_hyphens=False)

    def fitted(self, line: str) -> str:
        """Return a line whose parts stand below each other as it fits a terminal: cut."""
        if self._width is None or len(line) <= self._width:
            return line
        return f"{line[: max(NARROWEST, self._width) - len(CUT)]}{CUT}"

    def head(self, text: str) -> str:
        """Return a heading."""
        return f"{BOLD}{text}{RESET}" if self._on else text

    def quiet(self, text: str) -> str:
        """Return what is read last."""
        return f"{DIM}{text}{RESET}" if self._on else text

    def priority(self, priority: str, text: str) -> str:
        """Return a text in the colour of a priority."""
        return f"{priority_colour(priority)}{text}{RESET}" if self._on else text
