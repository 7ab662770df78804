"""What rules of the source ``k8s_audit`` are loaded with: the fields that an event of the Kubernetes API can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.audit_event import SOURCE, AuditEvent

if TYPE_CHECKING:
    from hullwatch.fields.field import Field, FieldFunction

_PLUGIN = "k8saudit"  # Falco's name of what brings such events
_AS_THEY_ARE = ("evt.time", "evt.datetime", "evt.rawtime", "evt.outputtime")
_MORE = frozenset({"evt.num", "evt.type", "evt.type.is", "evt.hostname", "evt.is_async", "evt.count"})


def _source(_: AuditEvent) -> str:
    return SOURCE


def _plugin(_: AuditEvent) -> str:
    return _PLUGIN


def _info(event: AuditEvent) -> str:
    said = (event.audit.get("verb"), event.audit.get("requestURI"))
    return " ".join(str(one) for one in said if isinstance(one, str))


_OWN: dict[str, FieldFunction] = {"evt.source": _source, "evt.pluginname": _plugin, "evt.plugininfo": _info}


def from_audit(field: Field, _: str | None) -> FieldFunction | None:
    """Return the function of a field that events of the API have; all other fields are absent."""
    if field.is_audit or field.name in _MORE or field.name.startswith(_AS_THEY_ARE):
        return field.function
    return _OWN.get(field.name)
