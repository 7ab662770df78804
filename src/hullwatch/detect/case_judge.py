"""Judges the events of a test case of rules."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from hullwatch.baseline.baseline import Baseline
from hullwatch.baseline.cluster import Span
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.detect.engine import Engine
from hullwatch.detect.log_judge import LogJudge
from hullwatch.enrich.names import Names
from hullwatch.fields.audit_event import AuditEvent
from hullwatch.fields.log_event import LogEvent
from hullwatch.posture.trail import Trail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.events.event import Event
    from hullwatch.rules.loader import Rule, RuleSet


LEARN = FORGET = 365 * 86_400.0  # seconds; a case says itself what is learnt, and for how long
EMERGENCY = "break-glass"  # the account for emergencies in cases


def judging(
    rules: RuleSet, *, every: bool = False, known: Sequence[dict[str, object]] = (), history: Sequence[Event] = ()
) -> Callable[[Event], list[Rule]]:
    """Return a function that takes event after event and gives the rules that alert for it.

    Args:
        rules: that judge.
        every: give every rule that matches, not only the first (of those without state).
        known: objects of the cluster that are there before.
        history: events of before, which nothing is told of: what is ordinary is learnt from them, where there are any.
    """
    names = Names()

    # Each is made when there is something for it: a case has events of one source, as a rule.
    @functools.cache
    def audit() -> AuditJudge:
        trail = Trail()
        for one in known:
            trail.inventory.take(one)
        look = learnt(history).look if history else None
        return AuditJudge(rules, Counters(), every=every, trail=trail, look=look)

    logs = functools.cache(lambda: LogJudge(rules, Counters(), every=every))
    # A case has too few events for a plan to pay.
    engine = functools.cache(lambda: Engine(rules, Counters(), every=every, decide_once=False))

    def judge(event: Event) -> list[Rule]:
        if isinstance(event, AuditEvent):
            matches = audit().matches(dict(event.audit))
            for match in matches:
                if isinstance(match.event, AuditEvent):
                    event.memo.update(match.event.memo)  # the case renders what it has
            return [match.rule for match in matches]
        if isinstance(event, LogEvent):
            return [match.rule for match in logs().matches(event.line)]
        if event.type.name == "dns":
            names.heard(event.container.full_id, event.params, event.time)
        event.names = names
        return [match.rule for match in engine().matches(event)]

    return judge


def learnt(history: Sequence[Event]) -> Baseline:
    """Return what is learnt from events of before; learning ends with the first event behind the last of them."""
    baseline = Baseline(Span(LEARN, FORGET, history[-1].time + 1), break_glass=(EMERGENCY,))
    for event in history:
        if isinstance(event, AuditEvent):
            baseline.look(dict(event.audit))
    return baseline
