"""Which events the sensor is to send: those that rules judge, and those that change what their fields say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.events.table import EVENTS

if TYPE_CHECKING:
    from hullwatch.detect.plan import Plan
    from hullwatch.rules.loader import RuleSet

_PROGRAM_EVENTS = frozenset(event.name for event in EVENTS if event.layout.name == "program")
"""Events that say themselves what others change, and are always sent but for the failed calls."""


def events_to_send(rules: RuleSet, plan: Plan) -> frozenset[str]:
    """Return the names of the events that the sensor is to send.

    Failed execs are many (a shell tries every directory of its path): they are asked for only if a condition is
    left when it is filled in that the call has failed.

    Args:
        rules: in force.
        plan: of these rules.
    """
    judged = {name for name, kinds in plan.kinds.items() if any(kinds)}
    for name in _PROGRAM_EVENTS & judged:
        failed = plan.kinds[name][1]
        if failed is None or not failed.entries:
            judged.remove(name)
    fields: set[str] = set()
    for rule in rules.rules:
        if rule.event_types is not None and rule.event_types <= _PROGRAM_EVENTS:
            continue
        fields |= rule.fields
        fields |= {token.term.name.partition("[")[0] for token in rule.output.fields}
        if rule.stateful is not None:
            fields |= rule.stateful.fields
    if "drift" in judged:
        judged.add("mapped_library")  # of which files are compared
    return frozenset(judged | {event.name for event in EVENTS if fields.intersection(event.changes)})
