"""Events that are made of field values: each field is what the input says it is, and absent if it says nothing.

``from_values`` is the lookup that rules are loaded with to judge such events, ``ValueEvents`` makes them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from hullwatch.enrich.container import HOST, Container
from hullwatch.enrich.process import Program
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME, EventType
from hullwatch.fields.catalogue import catalogue, event_names
from hullwatch.rules.given_values import given
from hullwatch.rules.problem import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.fields.field import Field, FieldFunction, FieldValue
    from hullwatch.sources.field_values import FieldValues

OTHER_TYPE = "other"  # stands for every type that neither Falco nor we know, so that counters stay small
_TIMES = ("evt.rawtime", "evt.rawtime.ns", "evt.time")
_TIME_DIGITS = 19  # of ns since the epoch
_LAYOUT = BY_NAME["container"].layout  # of events that we do not have; nothing reads it
_NETWORKS = {f"fd.{end}net": f"fd.{end}ip" for end in ("", "c", "s", "l", "r")}


class ValueEvent(Event):
    """An event whose fields are given; the rest of it serves alerts and counters.

    Attributes:
        values: by the name that a rule writes: ``proc.name``, ``proc.aname[2]``, ``evt.arg.flags``.
    """

    __slots__ = ("values",)

    values: Mapping[str, FieldValue]


class WrongValueError(ValueError):
    """A field cannot have the value; the message is the sentence."""


def from_values(field: Field, argument: str | None) -> FieldFunction:
    """Return the function that looks a field up among the values of a ``ValueEvent``."""
    names = [field.name]
    if argument is not None:
        forms = {"dot": ("{}.{}",), "bracket": ("{}[{}]",)}.get(field.syntax, ("{}.{}", "{}[{}]"))
        names = [form.format(field.name, argument) for form in forms]
    first, last = names[0], names[-1]

    def read(event: ValueEvent, _: str | None = None) -> FieldValue | None:
        value = event.values.get(first)
        return event.values.get(last) if value is None else value

    return read


class ValueEvents:
    """Makes events from field values, and notes what it does not know.

    Attributes:
        unknown: names that are no field, with the nearest one; at most ``MOST_UNKNOWN``.
    """

    MOST_UNKNOWN = 100

    def __init__(self) -> None:
        """Start without any."""
        self.unknown: dict[str, str] = {}
        self._made = 0

    def make(self, written: FieldValues) -> ValueEvent:
        """Return the event.

        Args:
            written: text, numbers, true and false and lists of them by field; None is an absent field.

        Raises:
            WrongValueError: when a field's type does not have the value.
        """
        values: dict[str, FieldValue] = {}
        for name, value in written.items():
            if value is None:
                continue
            how = given(name)
            if how is None:
                self._note(name)
                continue
            try:
                values[name] = how.read(value)
            except (ValueError, TypeError, OverflowError):
                raise WrongValueError(f"{name} is {how.kind}, and {str(value)[:80]!r} is not") from None
        for network, address in _NETWORKS.items():  # Falco cannot print a network: <IPNET> stands for the address
            if values.get(network) in (b"", (b"",)):
                _complete(values, network, address)
        self._made += 1
        return _event(values, self._made)

    def _note(self, name: str) -> None:
        if name not in self.unknown and len(self.unknown) < self.MOST_UNKNOWN:
            self.unknown[name] = did_you_mean(name[:80], catalogue())


def _complete(values: dict[str, FieldValue], network: str, address: str) -> None:
    """Give a network that could not be printed the address of the same end, or nothing."""
    known = values.get(address)
    how = given(network)
    del values[network]
    if known is not None and how is not None:
        values[network] = how.read(list(known) if isinstance(known, tuple) else known)


def _event(values: Mapping[str, FieldValue], number: int) -> ValueEvent:
    def text(name: str) -> str:
        value = values.get(name)
        return value if isinstance(value, str) else ""

    def whole(*names: str) -> int | None:
        return next((value for name in names if isinstance(value := values.get(name), int)), None)

    stated = whole("evt.num")
    event = ValueEvent(
        number=number if stated is None else stated,
        time=_time(values),
        type=_event_type(text("evt.type")),
        params={},
        process=None,
        container=_container(
            text("container.id"),
            text("container.name"),
            text("container.image.repository"),
            text("container.image.tag"),
        ),
        uid=max(0, whole("user.uid") or 0),
        tid=whole("thread.tid") or 0,
    )
    event.program = _program(text("proc.name"))
    event.values = values
    return event


def _time(values: Mapping[str, FieldValue]) -> int:
    """Return when an event was, ns since the epoch; 0 when nothing says so.

    ``evt.time`` is a text of digits here: Falco's JSON has it as that number.
    """
    for name in _TIMES:
        value = values.get(name)
        if isinstance(value, int):
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _TIME_DIGITS:
            return int(value)
    return 0


@functools.lru_cache(4096)
def _program(name: str) -> Program | None:
    return Program(name) if name else None


@functools.lru_cache(4096)
def _container(short: str, name: str, repository: str, tag: str) -> Container:
    if short in {"", HOST.id}:
        return HOST
    image = f"{repository}:{tag}" if tag else repository
    return Container(id=short, name=name, image=image, image_repository=repository, image_tag=tag)


@functools.lru_cache(4096)
def _event_type(name: str) -> EventType:
    if name in BY_NAME:
        return BY_NAME[name]
    known = name if name in event_names() else OTHER_TYPE
    return EventType(number=0, name=known, index=0, layout=_LAYOUT, category="", doc="")
