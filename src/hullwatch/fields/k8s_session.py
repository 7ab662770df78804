"""Fields of the person behind an exec session (``k8s.session.*``): what the audit log says of who opened it.

An event has none of them: the audit log tells later than the kernel. Alerts get them when they are kept, and those that
were kept before get them when the audit log has told; ``hullwatch alerts`` can ask for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import FieldType, Multiplicity, field

if TYPE_CHECKING:
    from hullwatch.events.event import Event


@field("k8s.session.user", FieldType.CHARBUF)
def user(_: Event) -> str | None:
    """User of Kubernetes who opened the exec session; of alerts that are kept only, not of events."""
    return None


@field("k8s.session.groups", FieldType.CHARBUF, Multiplicity.ANY)
def groups(_: Event) -> tuple[str, ...] | None:
    """Groups of that user; of alerts that are kept only, not of events."""
    return None


@field("k8s.session.impersonated", FieldType.CHARBUF)
def impersonated(_: Event) -> str | None:
    """User as whom that user acted, where it was another; of alerts that are kept only, not of events."""
    return None


@field("k8s.session.sourceip", FieldType.CHARBUF)
def source(_: Event) -> str | None:
    """Address that the session was opened from; of alerts that are kept only, not of events."""
    return None


@field("k8s.session.agent", FieldType.CHARBUF)
def agent(_: Event) -> str | None:
    """Program that it was opened with, as it names itself; of alerts that are kept only, not of events."""
    return None


@field("k8s.session.command", FieldType.CHARBUF)
def command(_: Event) -> str | None:
    """Command that was asked for; of alerts that are kept only, not of events."""
    return None


@field("k8s.session.auditid", FieldType.CHARBUF)
def audit(_: Event) -> str | None:
    """Id of the request in the audit log; of alerts that are kept only, not of events."""
    return None


@field("k8s.session.candidates", FieldType.CHARBUF, Multiplicity.ANY)
def candidates(_: Event) -> tuple[str, ...] | None:
    """Users who may have opened the session, where it cannot be told which; of alerts that are kept only."""
    return None


@field("k8s.session.attached", FieldType.CHARBUF, Multiplicity.ANY)
def attached(_: Event) -> tuple[str, ...] | None:
    """Who was attached to the container's own process then (kubectl attach); of alerts that are kept only."""
    return None


@field("k8s.session.forwarding", FieldType.CHARBUF, Multiplicity.ANY)
def forwarding(_: Event) -> tuple[str, ...] | None:
    """Who forwarded a port of the pod then (kubectl port-forward); of alerts that are kept only."""
    return None
