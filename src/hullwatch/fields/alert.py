"""Fields of alerts (``alert.*``): what a condition over alerts can ask for beside the fields of the alert's output.

An event has none of them, so in a rule a check of one is false; ``alerts/condition.py`` gives them their values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import FieldType, Multiplicity, field

if TYPE_CHECKING:
    from hullwatch.events.event import Event


@field("alert.rule", FieldType.CHARBUF)
def rule(_: Event) -> str | None:
    """Name of the rule that matched; of alerts only, not of events."""
    return None


@field("alert.priority", FieldType.CHARBUF)
def priority(_: Event) -> str | None:
    """Priority by its long name, such as Critical; of alerts only, not of events."""
    return None


@field("alert.tags", FieldType.CHARBUF, Multiplicity.ANY)
def tags(_: Event) -> tuple[str, ...] | None:
    """Tags of the rule; of alerts only, not of events."""
    return None


@field("alert.message", FieldType.CHARBUF)
def message(_: Event) -> str | None:
    """What the rule says, with its values; of alerts only, not of events."""
    return None


@field("alert.hostname", FieldType.CHARBUF)
def hostname(_: Event) -> str | None:
    """Host where it happened; of alerts only, not of events."""
    return None


@field("alert.workload", FieldType.CHARBUF)
def workload(_: Event) -> str | None:
    """What the container is an instance of, such as shop/Deployment/web; of alerts only, not of events."""
    return None


@field("alert.user", FieldType.CHARBUF)
def user(_: Event) -> str | None:
    """Who did it, by login where there was one; of alerts only, not of events."""
    return None
