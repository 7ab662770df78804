"""What the sensor is asked to send for a rule set, and what the kernel may leave out of that, with the reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.detect.interest import interest
from hullwatch.detect.narrowing import always_possible, of_every_process, possible_kinds
from hullwatch.detect.recipe import fingerprint_offset, has_fingerprints, is_told, untold
from hullwatch.events.table import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.detect.plan import Kind, Plan
    from hullwatch.events.table import EventType
    from hullwatch.rules.loader import RuleSet
    from hullwatch.sources.interest import Interest

_SHOWN_RULES = 3


class SentEvent(NamedTuple):
    """An event type, whether it is sent, and why.

    Attributes:
        name: of the type.
        sent: whether the sensor sends it at all.
        remembered: whether calls that were ruled out are left out from then on.
        narrowed: whether it is left out for processes that no rule can match.
        failed: whether failed calls are sent too.
        rules: names of the rules that look at it.
        why: sentences.
    """

    name: str
    sent: bool
    remembered: bool
    narrowed: bool
    failed: bool
    rules: tuple[str, ...]
    why: str

    def without_pushdown(self) -> SentEvent:
        """Return what is so when the kernel may leave nothing out."""
        if not self.remembered and not self.narrowed and (self.failed or not self.sent):
            return self
        off = "Pushdown is off: every call is sent."
        return self._replace(remembered=False, narrowed=False, failed=True, why=off)


def sent_events(rules: RuleSet, plan: Plan) -> list[SentEvent]:
    """Return every event that the sensor can send, in the order of the event table."""
    asked = interest(rules, plan)
    kinds = [kind for kind in EVENTS if kind.origin == "sensor" and (kind.is_event or kind.syscall)]
    return [_sent(kind, plan, asked) if kind.is_event else _compared(kind, plan, asked) for kind in kinds]


def _is_wanted(kind: EventType, asked: Interest) -> bool:
    return asked.wanted is None or kind.name in asked.wanted


def _compared(kind: EventType, plan: Plan, asked: Interest) -> SentEvent:
    """Return what is said of libraries, which no rule sees, but what comes of comparing them."""
    wanted = _is_wanted(kind, asked)
    rules = tuple(dict.fromkeys(entry.rule.name for one in possible_kinds(plan, "drift") for entry in one.entries))
    why = "In containers, once for each state of a file that may not be of the image: to be compared for 'drift'."
    return SentEvent(
        kind.name, sent=wanted, remembered=False, narrowed=False, failed=wanted, rules=rules if wanted else (),
        why=why if wanted else "No rule looks at drift.",
    )  # fmt: skip


def _sent(kind: EventType, plan: Plan, asked: Interest) -> SentEvent:
    possible = possible_kinds(plan, kind.name)
    wanted = _is_wanted(kind, asked)
    rules = tuple(dict.fromkeys(entry.rule.name for one in possible for entry in one.entries))
    always = SentEvent(kind.name, sent=True, remembered=False, narrowed=False, failed=True, rules=rules, why="")
    if kind.state and not kind.syscall:
        return always._replace(why="Always: what is known of processes and containers comes of it.")
    if kind.state and kind.layout.name == "program":
        failed = "failed calls too" if wanted else "but for failed calls, which no rule looks at"
        return always._replace(failed=wanted, why=f"Always: what is known of processes comes of it; {failed}.")
    if kind.name in plan.heard:
        return always._replace(why="Every one, for answers tell the names of addresses, which rules ask for.")
    if not wanted:
        return always._replace(sent=False, failed=False, why="No rule looks at it.")
    if not rules:
        return always._replace(why="It changes what rules ask of processes.")
    if kind.state:
        return always._replace(why="Every call, for it changes what is known of processes.")
    remembered = any(is_told(one) and not always_possible(plan, one) for one in possible)
    narrowed, failed = kind.name in asked.narrowed, kind.name not in asked.succeeded
    left_out = [
        "processes that no rule can match" if narrowed else "",
        "calls that no rule can match, once that is known" if remembered else "",
        "" if failed else "failed calls, which no rule can match",
    ]
    reasons = [] if narrowed else [_why_every_process(plan, possible, remembered=remembered)]
    reasons += [] if remembered or narrowed else [_why_every_call(kind, plan, possible)]
    return SentEvent(
        kind.name, sent=True, remembered=remembered, narrowed=narrowed, failed=failed, rules=rules,
        why=" ".join(_sentences(left_out, reasons, _untyped(possible))),
    )  # fmt: skip


def _sentences(left_out: Sequence[str], reasons: Sequence[str], untyped: Sequence[str]) -> Iterator[str]:
    named = [one for one in left_out if one]
    if named:
        yield f"Not sent: {'; '.join(named)}."
    yield from (reason for reason in reasons if reason)
    if untyped:
        yield f"Rules that name no event type ask for it: {_some(untyped)}."


def _untyped(possible: Sequence[Kind]) -> list[str]:
    return [entry.rule.name for one in possible for entry in one.entries if entry.condition.event_types is None]


def _why_every_process(plan: Plan, possible: Sequence[Kind], *, remembered: bool) -> str:
    """Say why no process is ruled out; nothing where calls are, for that is enough."""
    every = [name for one in possible for name in of_every_process(plan, one)]
    return f"From every process, for any may match: {_some(every)}." if every and not remembered else ""


def _why_every_call(kind: EventType, plan: Plan, possible: Sequence[Kind]) -> str:
    """Say why no single call is ruled out."""
    if not fingerprint_offset(kind.layout):
        return "Of such calls single ones are never left out."
    fingerprinted = [one for one in possible if has_fingerprints(one)]
    if not fingerprinted:
        return "Rules look at failed calls, which are never left out one by one."
    asked = sorted({name for one in fingerprinted for name in untold(one)})
    if asked:
        return f"No single call is left out, for rules ask for what the kernel does not compare: {', '.join(asked)}."
    kept = [name for one in fingerprinted for name in always_possible(plan, one)]
    return f"No single call is left out, for any may match: {_some(kept)}."


def _some(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    more = len(different) - _SHOWN_RULES
    return ", ".join(different[:_SHOWN_RULES]) + (f" and {more} more" if more > 0 else "")
