"""Judges the events of a test case of rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.detect.engine import Engine
from hullwatch.enrich.names import Names
from hullwatch.fields.audit_event import AuditEvent
from hullwatch.posture.trail import Trail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.events.event import Event
    from hullwatch.rules.loader import Rule, RuleSet


def judging(
    rules: RuleSet, *, every: bool = False, known: Sequence[dict[str, object]] = ()
) -> Callable[[Event], list[Rule]]:
    """Return a function that takes event after event and gives the rules that alert for it.

    Args:
        rules: that judge.
        every: give every rule that matches, not only the first (of those without state).
        known: objects of the cluster that are there before.
    """
    names = Names()
    trail = Trail()
    for one in known:
        trail.inventory.take(one)
    audit = AuditJudge(rules, Counters(), every=every, trail=trail)
    engine = Engine(rules, Counters(), every=every, decide_once=False)  # a case has too few events for a plan to pay

    def judge(event: Event) -> list[Rule]:
        if isinstance(event, AuditEvent):
            matches = audit.matches(dict(event.audit))
            for match in matches:
                if isinstance(match.event, AuditEvent):
                    event.memo.update(match.event.memo)  # the case renders what it has
            return [match.rule for match in matches]
        if event.type.name == "dns":
            names.heard(event.container.full_id, event.params, event.time)
        event.names = names
        return [match.rule for match in engine.matches(event)]

    return judge
