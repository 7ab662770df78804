"""Standard input, output and error where whoever started the command has closed them (``hullwatch ... >&-``)."""

from __future__ import annotations

import os
import sys


def open_what_is_closed() -> None:
    """Open the null device in the place of what is closed: else the next file that is opened would be written over."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which takes the lowest number that is free: this one
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
