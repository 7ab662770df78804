"""Sentences for people on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hullwatch.formats.escape import escape

if TYPE_CHECKING:
    from collections.abc import Callable

_log: Callable[[str], object] | None = None


def through(log: Callable[[str], object] | None) -> None:
    """Have what is said on standard error go through a log, which writes it in another form; None: no longer."""
    global _log  # noqa: PLW0603 - a process has one standard error
    _log = log


def say(sentence: str) -> None:
    """Tell people something on standard error, escaped, as one line; a closed one is no error."""
    if _log is not None:
        _log(sentence)
        return
    write_error(escape(sentence) + "\n")


def say_lines(text: str) -> None:
    """Tell people something in several lines that are escaped already; a closed standard error is no error."""
    if _log is not None:
        _log(text)
        return
    write_error(text)


def write_error(text: str) -> None:
    """Write text on standard error as it is; a closed one is no error."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        return
