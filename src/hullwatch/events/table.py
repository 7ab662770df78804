"""The event table as typed objects, read from ``tables``.

One table serves the BPF programs (through ``native/generate_event_table.py``), the decoder and the
reference page, so a record means the same everywhere.
"""

from __future__ import annotations

import struct
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

TABLES = Path(__file__).with_name("tables")

# The header of every record: length of the whole record in bytes (a multiple of 8), event number,
# record flags, time (ns since boot), start of the process (ns since boot), cgroup id, cgroup
# hierarchy (0 = unified), uid, pid, tid, sequence on that CPU, CPU, reserved.
HEADER = struct.Struct("<IHHQQQIIIIIHH")
HEADER_FIELDS = (
    ("length", "u32"),
    ("type", "u16"),
    ("flags", "u16"),
    ("time", "u64"),
    ("process_start", "u64"),
    ("cgroup_id", "u64"),
    ("cgroup_hierarchy", "u32"),
    ("uid", "u32"),
    ("pid", "u32"),
    ("tid", "u32"),
    ("sequence", "u32"),
    ("cpu", "u16"),
    ("reserved", "u16"),
)

_SCALAR_CODES = {(8, False): "Q", (8, True): "q", (4, True): "i", (4, False): "I", (2, False): "H", (1, False): "B"}


class ParameterType(msgspec.Struct, frozen=True):
    """A type of parameter; ``size`` is in bytes, 0 for variable size."""

    size: int
    signed: bool = False
    text: bool = False
    own: bool = False


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of an event; ``own`` marks names that Falco does not have.

    ``path`` says what a path is to the call: the ``name`` that it works on, or ``source`` or ``target``.
    ``format`` is how a number is printed: ``hex``, or as its type and name say. ``hidden`` ones are for the engine, and
    no part of ``evt.args``.
    """

    name: str
    type: str
    own: bool = False
    flags: str = ""
    path: str = ""
    format: str = ""
    hidden: bool = False
    doc: str = ""


class Layout(msgspec.Struct, frozen=True):
    """How a record's parameters lie behind its header.

    ``fixed`` unpacks the scalars and the lengths of the variable-size values; ``scalars`` and
    ``variables`` name them in that order; ``text`` tells which variables are text.
    """

    name: str
    parameters: tuple[Parameter, ...]
    scalars: tuple[str, ...]
    variables: tuple[str, ...]
    text: tuple[bool, ...]
    fixed: struct.Struct


class EventType(msgspec.Struct, frozen=True):
    """One row of the event table.

    ``number`` is Falco's or, from 1000, ours; ``index`` counts the rows from 0 (for counters);
    ``state`` types change what is known of processes: they are sent whatever the rules ask for or, those that
    are a ``syscall``, when the rules use one of the fields that it ``changes``; ``origin`` is ``sensor`` or ``engine``;
    ``is_event`` tells whether rules see it: the others carry state or orders.
    """

    number: int
    name: str
    index: int
    layout: Layout
    category: str
    doc: str
    state: bool = False
    syscall: bool = False
    changes: tuple[str, ...] = ()
    origin: str = "sensor"
    is_event: bool = True


def _layout(row: dict[str, Any], types: dict[str, ParameterType]) -> Layout:
    parameters = tuple(msgspec.convert(item, Parameter) for item in row["parameters"])
    scalars = sorted((p for p in parameters if types[p.type].size), key=lambda p: -types[p.type].size)
    variables = [p for p in parameters if not types[p.type].size]
    codes = "".join(_SCALAR_CODES[types[p.type].size, types[p.type].signed] for p in scalars)
    codes = "<" + codes
    codes += "x" * (struct.calcsize(codes) % 2) + "H" * len(variables)  # as a C compiler aligns them
    codes += "x" * (-struct.calcsize(codes) % 8)
    return Layout(
        name=row["name"],
        parameters=parameters,
        scalars=tuple(p.name for p in scalars),
        variables=tuple(p.name for p in variables),
        text=tuple(types[p.type].text for p in variables),
        fixed=struct.Struct(codes),
    )


def merge(tables: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return one table of several, each with some of its parts."""
    merged: dict[str, Any] = {"types": {}, "flags": {}, "layouts": [], "events": []}
    for table in tables:
        merged["version"] = table.get("version", merged.get("version"))
        for part in ("types", "flags"):
            merged[part] |= table.get(part, {})
        for part in ("layouts", "events"):
            merged[part] += table.get(part, [])
    return merged


def _load() -> tuple[dict[str, ParameterType], dict[str, dict[str, int]], dict[str, Layout], list[EventType], int]:
    raw = merge(tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(TABLES.glob("*.toml")))
    types = {name: msgspec.convert(row, ParameterType) for name, row in raw["types"].items()}
    layouts = {row["name"]: _layout(row, types) for row in raw["layouts"]}
    events: list[EventType] = []
    for row in raw["events"]:
        rest = {key: value for key, value in row.items() if key not in {"numbers", "layout"}}
        rest["is_event"] = row["category"] not in {"internal", "control"}
        rest["changes"] = tuple(rest.get("changes", ()))
        for name, number in row["numbers"].items():
            events.append(EventType(number=number, name=name, index=len(events), layout=layouts[row["layout"]], **rest))
    return types, raw["flags"], layouts, events, raw["version"]


TYPES, FLAGS, LAYOUTS, EVENTS, VERSION = _load()
BY_NUMBER: dict[int, EventType] = {event.number: event for event in EVENTS}
BY_NAME: dict[str, EventType] = {event.name: event for event in EVENTS}
