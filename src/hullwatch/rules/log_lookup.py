"""What rules of the source ``container_log`` are loaded with: the fields that a line of a container's log can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.sources.container_logs.line import SOURCE

if TYPE_CHECKING:
    from hullwatch.fields.field import Field, FieldFunction
    from hullwatch.fields.log_event import LogEvent

_LONGEST_INFO = 1024  # characters
_AS_THEY_ARE = ("evt.time", "evt.datetime", "evt.rawtime", "evt.outputtime")
_MORE = frozenset({"evt.num", "evt.type", "evt.type.is", "evt.hostname", "evt.is_async", "evt.count"})
_OF_CONTAINER = frozenset({"container", "k8s"})


def _source(_: LogEvent) -> str:
    return SOURCE


def _plugin(_: LogEvent) -> str:
    return SOURCE


def _info(event: LogEvent) -> str:
    return event.line.text[:_LONGEST_INFO]


_OWN: dict[str, FieldFunction] = {"evt.source": _source, "evt.pluginname": _plugin, "evt.plugininfo": _info}


def from_log(field: Field, _: str | None) -> FieldFunction | None:
    """Return the function of a field that lines of logs have; all other fields are absent."""
    if field.is_log or field.group in _OF_CONTAINER or field.name in _MORE or field.name.startswith(_AS_THEY_ARE):
        return field.function
    return _OWN.get(field.name)
