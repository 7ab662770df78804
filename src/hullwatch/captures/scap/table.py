"""The event table of .scap files, read from ``tables``: what types of events there are, and how old ones become new."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

TABLES = Path(__file__).with_name("tables")

SIZES = {
    **dict.fromkeys(("INT8", "UINT8", "SIGTYPE", "L4PROTO", "SOCKFAMILY", "FLAGS8", "ENUMFLAGS8"), 1),
    **dict.fromkeys(("INT16", "UINT16", "SYSCALLID", "PORT", "FLAGS16", "ENUMFLAGS16"), 2),
    **dict.fromkeys(("INT32", "UINT32", "FD32", "PID32", "BOOL", "FLAGS32", "ENUMFLAGS32", "UID", "GID"), 4),
    **dict.fromkeys(("SIGSET", "MODE", "IPV4ADDR"), 4),
    **dict.fromkeys(("INT64", "UINT64", "ERRNO", "FD", "PID", "RELTIME", "ABSTIME", "DOUBLE"), 8),
    "IPV6ADDR": 16,
}
"""Bytes of the types of fixed size."""
SIGNED = frozenset({"INT8", "INT16", "INT32", "INT64", "ERRNO", "FD", "PID", "FD32", "PID32"})
TEXTS = frozenset({"CHARBUF", "FSPATH", "FSRELPATH"})
NO_ID = b"\xff\xff\xff\xff"  # of a user or group that is not known
LONG_LENGTHS = "large_payload"  # mark of events whose parameters have lengths of 4 bytes


class Parameter(NamedTuple):
    """A parameter of an event.

    Attributes:
        name: Falco's.
        type: Falco's.
        format: of a number: ``dec``, ``hex``, ``oct`` or nothing.
        names: the set of names of its flags, or of the types that it can have.
        directory: of a path that is relative to another parameter: its index; -1 for others.
    """

    name: str
    type: str
    format: str = ""
    names: str = ""
    directory: int = -1


class EventKind(NamedTuple):
    """A type of events; of each two numbers the even one is the beginning of a call, or an event that is no call.

    Attributes:
        number: in the file.
        name: of the call.
        category: Falco's, as the table has it.
        marks: what the table says of it: ``uses_fd``, ``creates_fd``, ``converted_on_read``, ...
        descriptor: index of the parameter that has the descriptor; -1 without.
        parameters: of the newest version.
        enters: whether it is the beginning of a call, which rules never see.
    """

    number: int
    name: str
    category: str
    marks: frozenset[str]
    descriptor: int
    parameters: tuple[Parameter, ...]
    enters: bool


class Conversion(NamedTuple):
    """What becomes of an event: ``action``, the number of the event that it becomes, and where its values come from."""

    action: str
    number: int
    fill: tuple[str, ...]


class Names(NamedTuple):
    """The names of numbers: ``kind`` says whether each bit has one (``bits``), each number (``enum``) or each type."""

    kind: str
    numbers: dict[str, int]


def _rows(name: str) -> list[list[str]]:
    lines = (TABLES / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def _parameter(written: str) -> Parameter:
    name, kind, form, names, directory = [*written.split(":"), "", "", ""][:5]
    return Parameter(name, kind, form, names, int(directory) if directory else -1)


def _kinds() -> dict[int, EventKind]:
    kinds: dict[int, EventKind] = {}
    rows = _rows("events.tsv")
    numbers = {int(row[0]) for row in rows}
    for number, name, category, marks, descriptor, parameters in rows:
        kinds[int(number)] = EventKind(
            number=int(number),
            name=name,
            category=category,
            marks=frozenset(marks.split(",")) - {""},
            descriptor=int(descriptor) if descriptor else -1,
            parameters=tuple(map(_parameter, parameters.split())),
            enters=int(number) % 2 == 0 and int(number) + 1 in numbers,
        )
    return kinds


def _conversions() -> dict[tuple[int, int], Conversion]:
    return {
        (int(number), int(found)): Conversion(action, int(becomes or 0), tuple(fill.split()))
        for number, found, action, becomes, fill in _rows("conversions.tsv")
    }


def _names() -> dict[str, Names]:
    found: dict[str, Names] = {}
    for name, kind, pairs in _rows("names.tsv"):
        split = (pair.split("=") for pair in pairs.split())
        found[name] = Names(kind, {key: int(number) for key, number in split})
    return found


KINDS = _kinds()
CONVERSIONS = _conversions()
NAMES = _names()
