"""The tables of the formats: where each field of an alert goes, and how bad each priority is.

They are data (``fields.tsv``, ``priorities.tsv``); the page about formats is written from them.
"""

from __future__ import annotations

import functools
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from hullwatch.formats.document import MOST_LISTED, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Target = Literal["ecs", "ocsf", "cef", "leef", "otlp"]
TARGETS: tuple[Target, ...] = ("ecs", "ocsf", "cef", "leef", "otlp")
FIELDS_FILE = Path(__file__).with_name("fields.tsv")
PRIORITIES_FILE = Path(__file__).with_name("priorities.tsv")
NOWHERE = "-"
_MOST_DIGITS = 19  # of a number that receivers take, 64 bits
_HIGHEST_PORT = 65535
_LONGEST_ADDRESS = 45  # characters


class Row(msgspec.Struct, frozen=True):
    """One row of ``fields.tsv``; a place is empty where the format has none."""

    field: str
    type: str
    places: dict[str, str]
    observable: int


class Severity(msgspec.Struct, frozen=True):
    """One row of ``priorities.tsv``."""

    ocsf: int
    ocsf_name: str
    ecs: int
    cef: int
    leef: int
    sarif: str
    otlp: int
    otlp_name: str


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table by the names of its columns; lines with # are for people."""
    lines = [one.split("\t") for one in path.read_text(encoding="utf-8").splitlines() if not one.startswith("#")]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[1:]]


@functools.cache
def rows() -> tuple[Row, ...]:
    """Return the table of fields, in its order."""
    return tuple(
        Row(
            cells["field"],
            cells["type"],
            {target: cells[target] for target in TARGETS if cells[target] != NOWHERE},
            0 if cells["observable"] == NOWHERE else int(cells["observable"]),
        )
        for cells in read(FIELDS_FILE)
    )


@functools.cache
def severities() -> dict[str, Severity]:
    """Return the table of priorities."""
    return {cells.pop("priority"): msgspec.convert(cells, Severity, strict=False) for cells in read(PRIORITIES_FILE)}


def severity(priority: str) -> Severity:
    """Return how bad a priority is; one that is not known counts as a warning."""
    table = severities()
    return table.get(priority) or table["Warning"]


def place(facts: Mapping[str, object], target: Target) -> tuple[dict[str, Any], dict[str, object]]:
    """Return what a format has places for, by the place, and the fields that are left.

    A value that is not of the place's type (a pid that is no number, ...) is left.
    """
    placed: dict[str, Any] = {}
    left = dict(facts)
    for field, where, convert in _plan(target):
        if field not in left:
            continue
        value = convert(left[field])
        if value is None:
            continue
        if where in placed and placed[where] != value and not _is_short_id(field, value, placed[where]):
            continue
        if where in placed:
            del left[field]
            continue
        placed[where] = value
        del left[field]
    return placed, left


def _is_short_id(field: str, value: Any, whole: Any) -> bool:
    return field == "container.id" and str(whole).startswith(str(value))


def nested(placed: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``a.b.c`` as objects within objects."""
    document: dict[str, Any] = {}
    for path, value in placed.items():
        *folders, last = path.split(".")
        inner = document
        for folder in folders:
            inner = cast("dict[str, Any]", inner.setdefault(folder, {}))
        inner[last] = value
    return document


@functools.cache
def _plan(target: Target) -> tuple[tuple[str, str, Callable[[object], Any]], ...]:
    return tuple((row.field, row.places[target], _CONVERT[row.type]) for row in rows() if target in row.places)


def _text(value: object) -> str | None:
    return clean(value) or None


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 10**_MOST_DIGITS // 2 else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _MOST_DIGITS:
        return int(value)
    return None


def _port(value: object) -> int | None:
    number = _number(value)
    return number if number is not None and 0 <= number <= _HIGHEST_PORT else None


def _address(value: object) -> str | None:
    text = str(value)
    if len(text) > _LONGEST_ADDRESS or "%" in text:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value))


def _list(value: object) -> list[str] | None:
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in cast("list[object]", value)[:MOST_LISTED]] or None
    text = _text(value)
    return [text] if text else None


_CONVERT: dict[str, Callable[[object], Any]] = {
    "text": _text,
    "number": _number,
    "port": _port,
    "address": _address,
    "flag": _flag,
    "list": _list,
}
