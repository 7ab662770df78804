"""Every field by name: the facts of ``catalogue.tsv`` joined with the functions that answer."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.events import table
from hullwatch.fields.field import FIELDS, OWN_TYPES, Field, FieldType, Multiplicity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.fields.field import FieldFunction

CATALOGUE_FILE = Path(__file__).with_name("catalogue.tsv")
EVENTS_FILE = Path(__file__).with_name("known_events.tsv")

_MULTIPLICITY_MARKS = {"list": Multiplicity.LIST, "any": Multiplicity.ANY, "ends": Multiplicity.ENDS}


class ParameterFacts(NamedTuple):
    """The type of an event parameter, and how its number is printed: dec, hex, oct or na."""

    type: str
    format: str


def _rows(path: Path) -> list[list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def _join(row: list[str], functions: Mapping[str, FieldFunction]) -> Field:
    name, type_name, argument, syntax, mark_text = row
    marks = set(mark_text.split(","))
    function = functions.get(name)
    return Field(
        name=name,
        type=FieldType(type_name),
        argument=argument,
        syntax=syntax,
        multiplicity=next((_MULTIPLICITY_MARKS[mark] for mark in marks & _MULTIPLICITY_MARKS.keys()), Multiplicity.ONE),
        filter="unfiltered" not in marks,
        printable="unprinted" not in marks,
        beside="alone" not in marks,
        transformable="plain" not in marks,
        deprecated="deprecated" in marks,
        function=function,
        help=_first_line(function) if function is not None else "",
    )


def _first_line(function: FieldFunction) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


@functools.cache
def catalogue() -> Mapping[str, Field]:
    """Return every known field by name, in the catalogue's order, other packages' last."""
    functions = {name: FIELDS.get(name) for name in FIELDS.names()}
    fields = {row[0]: _join(row, functions) for row in _rows(CATALOGUE_FILE)}
    for name, function in functions.items():
        if name not in fields:
            type_, multiplicity, argument = OWN_TYPES.get(name, (FieldType.CHARBUF, Multiplicity.ONE, "none"))
            fields[name] = Field(
                name=name,
                type=type_,
                argument=argument,
                syntax="-" if argument == "none" else "bracket",
                multiplicity=multiplicity,
                function=function,
                help=_first_line(function),
            )
    return fields


def answered() -> frozenset[str]:
    """Return the names of the fields that can have a value here; all others are always absent."""
    return frozenset(name for name, entry in catalogue().items() if entry.function is not None)


@functools.cache
def event_names() -> frozenset[str]:
    """Return every event name that a condition may use: Falco's and our own."""
    known = {row[1] for row in _rows(EVENTS_FILE) if row[0] == "event"}
    return frozenset(known) | produced_event_names()


@functools.cache
def produced_event_names() -> frozenset[str]:
    """Return the names of the events that rules can see here."""
    return frozenset(event.name for event in table.EVENTS if event.is_event)


@functools.cache
def parameters() -> Mapping[str, ParameterFacts]:
    """Return every event parameter name that a condition may use, with its facts."""
    facts = {row[1]: ParameterFacts(row[2], row[3]) for row in _rows(EVENTS_FILE) if row[0] == "parameter"}
    for layout in table.LAYOUTS.values():
        for parameter in layout.parameters:
            facts.setdefault(parameter.name, ParameterFacts(parameter.type, "dec"))
    return facts
