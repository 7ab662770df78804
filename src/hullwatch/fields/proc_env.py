"""Variables of the environment that programs were started with (``proc.env``, ``proc.aenv``).

Only those are known that rules name in brackets and that the setting ``process.environment`` names. Of a variable
that is there more than once the first counts, as it does for the loader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import field
from hullwatch.fields.proc import ancestors, lineage

if TYPE_CHECKING:
    from hullwatch.enrich.process import Program
    from hullwatch.events.event import Event

VARIABLE_FIELDS = frozenset({"proc.env", "proc.aenv"})


def is_level(argument: str) -> bool:
    """Tell whether an argument of ``proc.aenv`` is the number of an ancestor; anything else is a variable's name."""
    return argument.isascii() and argument.isdecimal()


def _value(program: Program, name: str) -> str | None:
    start = name + "="
    return next((one[len(start) :] for one in program.env if one.startswith(start)), None)


def _text(program: Program) -> str:
    return " ".join(program.env)


@field("proc.env")
def env(event: Event, argument: str | None) -> str | None:
    """Variables of the environment as NAME=value, blank-separated; with a name, its value (empty without)."""
    program = event.program
    if program is None:
        return None
    return _text(program) if argument is None else _value(program, argument) or ""


@field("proc.aenv")
def aenv(event: Event, argument: str | None) -> str | tuple[str, ...] | None:
    """Variables of an ancestor: [1] is the parent; with a name, its value in the nearest that has it, else empty."""
    if event.process is None:
        return None
    if argument is None or is_level(argument):
        return lineage(event, argument if argument is None else argument[:6], _text)
    values = (_value(one.program, argument) for one in ancestors(event.process))
    return next((value for value in values if value is not None), "")
