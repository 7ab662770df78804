"""Sentences for people on standard error."""

from __future__ import annotations

import sys

from hullwatch.formats.escape import escape


def say(sentence: str) -> None:
    """Tell people something on standard error, escaped, as one line; a closed one is no error."""
    say_lines(escape(sentence) + "\n")


def say_lines(text: str) -> None:
    """Write text that is escaped already on standard error; a closed one is no error."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        return
