"""Which events the sensor is to send: those that rules judge, and those that change what their fields say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.events.table import EVENTS

if TYPE_CHECKING:
    from hullwatch.rules.loader import RuleSet

_TELLING_ALL = frozenset(event.name for event in EVENTS if event.layout.name == "program")
"""Events that say themselves what others change."""


def events_to_send(rules: RuleSet, judged: frozenset[str]) -> frozenset[str]:
    """Return the names of the events that the sensor is to send.

    Args:
        rules: in force.
        judged: the event types that at least one condition looks at.
    """
    fields: set[str] = set()
    for rule in rules.rules:
        if rule.event_types is not None and rule.event_types <= _TELLING_ALL:
            continue
        fields |= rule.fields
        fields |= {token.term.name.partition("[")[0] for token in rule.output.fields}
        if rule.stateful is not None:
            fields |= rule.stateful.fields
    return judged | {event.name for event in EVENTS if fields.intersection(event.changes)}
