"""Which function answers a field for the events of a .scap file: its own, or the one of our own events."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, TypeVar

from hullwatch.enrich.container import HOST
from hullwatch.fields.field import FieldFunction

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.scap.event import ScapEvent
    from hullwatch.fields.field import Field, FieldValue

Function = TypeVar("Function", bound=FieldFunction)

ANSWERS: dict[str, FieldFunction] = {}
_SHARED_GROUPS = frozenset({"proc", "thread"})
_OF_CONTAINER = frozenset({"container", "k8s"})
_SHARED_EVENT_FIELDS = frozenset(
    {"evt.num", "evt.type", "evt.type.is", "evt.category", "evt.source", "evt.is_async", "evt.cpu", "evt.count"}
)
_TIMES = ("evt.time", "evt.datetime", "evt.rawtime", "evt.outputtime")


def answers(name: str) -> Callable[[Function], Function]:
    """Register the function that answers a field for the events of .scap files.

    As for ``fields.field``, it takes the event and, where the field has one, the argument.
    """

    def store(function: Function) -> Function:
        ANSWERS[name] = function
        return function

    return store


@functools.cache
def _register() -> None:
    """Import the modules that register their functions; they import this one."""
    for name in ("calls", "descriptors", "paths", "threads"):
        importlib.import_module(f"hullwatch.captures.scap.fields_of_{name}")


def _where_known(function: FieldFunction) -> FieldFunction:
    """Return a field of the container, absent for events that belong to no thread and no container."""

    def read(event: ScapEvent, *argument: str | None) -> FieldValue | None:
        return function(event, *argument) if event.thread is not None or event.container is not HOST else None

    return read


def from_scap(field: Field, _: str | None) -> FieldFunction | None:
    """Return the function that reads a field from a ``ScapEvent``: what rules for .scap files are loaded with."""
    _register()
    own = ANSWERS.get(field.name)
    if own is not None:
        return own
    name = field.name
    if field.group in _OF_CONTAINER and field.function is not None:
        return _where_known(field.function)
    shared = field.group in _SHARED_GROUPS or name in _SHARED_EVENT_FIELDS or name.startswith(_TIMES)
    return field.function if shared else None
