"""What the sensor is asked to send for a rule set, and what the kernel may leave out of that, with the reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.detect.interest import events_to_send
from hullwatch.detect.recipe import fingerprint_offset, is_told, tells_results, untold
from hullwatch.events.table import EVENTS

if TYPE_CHECKING:
    from hullwatch.detect.plan import Kind, Plan
    from hullwatch.events.table import EventType
    from hullwatch.rules.loader import RuleSet


class SentEvent(NamedTuple):
    """An event type, whether it is sent, and why.

    Attributes:
        name: of the type.
        sent: whether the sensor sends it at all.
        remembered: whether calls that were ruled out are left out from then on.
        rules: names of the rules that look at it.
        why: a sentence.
    """

    name: str
    sent: bool
    remembered: bool
    rules: tuple[str, ...]
    why: str


def sent_events(rules: RuleSet, plan: Plan) -> list[SentEvent]:
    """Return every event that the sensor can send, in the order of the event table."""
    wanted = events_to_send(rules, plan)
    kinds = [kind for kind in EVENTS if kind.is_event and kind.origin == "sensor"]
    return [_sent(kind, plan, wanted=kind.name in wanted) for kind in kinds]


def _sent(kind: EventType, plan: Plan, *, wanted: bool) -> SentEvent:
    judged = [one for one in plan.kinds[kind.name] if one is not None]
    names = dict.fromkeys(entry.rule.name for one in judged for entry in one.entries)
    rules = tuple(names)
    if kind.state and not kind.syscall:
        return SentEvent(kind.name, sent=True, remembered=False, rules=rules, why="Always: it carries state.")
    if kind.state and kind.layout.name == "program":
        failed = "failed calls too" if wanted else "but for failed calls, which no rule looks at"
        return SentEvent(
            kind.name, sent=True, remembered=False, rules=rules, why=f"Always: it carries state; {failed}."
        )
    if not wanted:
        return SentEvent(kind.name, sent=False, remembered=False, rules=rules, why="No rule looks at it.")
    if not rules:
        return SentEvent(
            kind.name, sent=True, remembered=False, rules=(), why="It changes what rules ask of processes."
        )
    return _remembered(kind, judged, rules)


def _remembered(kind: EventType, judged: list[Kind], rules: tuple[str, ...]) -> SentEvent:
    if not fingerprint_offset(kind.layout):
        return SentEvent(kind.name, sent=True, remembered=False, rules=rules, why="Such calls have no fingerprint.")
    told = [one for one in judged if is_told(one)]
    if told:
        failed = "" if tells_results(kind.layout) else "; failed ones are sent"
        why = f"Calls that no rule can match are left out once that is known{failed}."
        return SentEvent(kind.name, sent=True, remembered=True, rules=rules, why=why)
    asked = sorted({name for one in judged if not one.failed for name in untold(one)})
    why = f"Rules ask for what is in no fingerprint: {', '.join(asked)}."
    return SentEvent(kind.name, sent=True, remembered=False, rules=rules, why=why)
