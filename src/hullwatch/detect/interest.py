"""What the sensor is to send: the events that rules judge, and those that change what their fields say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.detect.narrowing import Narrowing, is_optional, possible_kinds
from hullwatch.events.table import EVENTS
from hullwatch.sources.interest import Interest

if TYPE_CHECKING:
    from hullwatch.detect.plan import Plan
    from hullwatch.rules.loader import RuleSet

_PROGRAM_EVENTS = frozenset(event.name for event in EVENTS if event.layout.name == "program")
"""Events that say themselves what others change, and are always sent but for the failed calls."""


def interest(rules: RuleSet, plan: Plan) -> Interest:
    """Return what the sensor is asked for.

    Args:
        rules: in force.
        plan: of these rules.
    """
    wanted = events_to_send(rules, plan)
    return Interest(wanted, Narrowing(plan).types & wanted, _succeeded(plan) & wanted)


def _succeeded(plan: Plan) -> frozenset[str]:
    """Return the event types of which no condition can match a failed call, though some can match others."""
    kinds = [kind for kind in EVENTS if is_optional(kind)]
    return frozenset(kind.name for kind in kinds if {one.failed for one in possible_kinds(plan, kind.name)} == {False})


def events_to_send(rules: RuleSet, plan: Plan) -> frozenset[str]:
    """Return the names of the events that the sensor is to send.

    Failed execs are many (a shell tries every directory of its path): they are asked for only if a condition is
    left when it is filled in that the call has failed.

    Args:
        rules: in force.
        plan: of these rules.
    """
    judged = {name for name in plan.kinds if possible_kinds(plan, name)}
    for name in _PROGRAM_EVENTS & judged:
        if not any(one.failed for one in possible_kinds(plan, name)):
            judged.remove(name)
    fields: set[str] = set()
    for rule in rules.rules:
        if rule.event_types is not None and rule.event_types <= _PROGRAM_EVENTS:
            continue
        fields |= rule.fields
        fields |= {token.term.name.partition("[")[0] for token in rule.output.fields}
        if rule.stateful is not None:
            fields |= rule.stateful.fields
    return frozenset(judged | {event.name for event in EVENTS if fields.intersection(event.changes)})
