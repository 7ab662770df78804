"""What a check finds."""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True):
    """One finding of ``hullwatch doctor``.

    Attributes:
        name: of what was looked at, one or two words.
        status: ``ok``; ``warn``: Hullwatch runs, with less; ``fail``: it does not run, or a part of it.
        sentence: what was found.
        fix: the command that mends it; empty when there is nothing to do, or no single command.
    """

    name: str
    status: Status
    sentence: str
    fix: str = ""
