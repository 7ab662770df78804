"""Rules with state alert for what is sent late, twice and out of order as they do for the log file."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.counters import Counters
from hullwatch.detect.asking import LATE
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.detect.correlate import Correlator
from hullwatch.rules.loader import load
from hullwatch.rules.pack import builtin_files
from hullwatch.sources.k8s_audit.pipeline import Pipeline
from tests.sources.k8s_audit import wrapped
from tests.sources.k8s_audit.test_same_alerts import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.detect.engine import Match

Event = dict[str, Any]
BATCH = 20  # events
AWAY = 16  # batches that may overtake one: three minutes, as when an API server tries again
SLOWER = 30  # times: so the log, which is of 17 seconds, takes 8 minutes
RULES = load(builtin_files("k8s_audit"), sources=frozenset({"k8s_audit"}))
WANTED = {
    "Administrator impersonated", "Workload changed after rights were widened", "Many calls refused",
    "Many secrets read one by one", "Many objects removed",
}  # fmt: skip


BEGIN = dt.datetime.fromisoformat(EVENTS[0]["stageTimestamp"])


def at(seconds: float) -> str:
    return (BEGIN + dt.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def slower(event: Event) -> Event:
    """Return an event at another time: all are further from each other."""
    time = at(SLOWER * (dt.datetime.fromisoformat(event["stageTimestamp"]) - BEGIN).total_seconds())
    return {**event, "requestReceivedTimestamp": time, "stageTimestamp": time}


def repeated(like: Event, number: int, every: float, first: float = 20, **changes: Any) -> Iterator[Event]:
    """Yield events like one of the log, some seconds after each other, about other objects."""
    for one in range(number):
        time = at(first + one * every)
        name = f"object-{one}"
        yield {
            **like,
            "auditID": f"{like['auditID']}-{first}-{one}",
            "requestReceivedTimestamp": time,
            "stageTimestamp": time,
            "requestURI": f"{like['requestURI'].partition('?')[0]}-{one}",
            "objectRef": {**like.get("objectRef", {}), "name": name},
            **changes,
        }


def log() -> list[Event]:
    """Return the real log with what makes rules count among it, in the order of a file."""

    def of(verb: str, resource: str, code: int) -> Event:
        return next(
            one
            for one in EVENTS
            if (one["verb"], one.get("objectRef", {}).get("resource"), one.get("responseStatus", {}).get("code"))
            == (verb, resource, code)
        )

    mallory = {"username": "mallory", "groups": ["system:authenticated"]}
    events = [
        *map(slower, EVENTS),
        *repeated(of("get", "secrets", 200), 11, 25, user=mallory, userAgent="curl/8"),
        *repeated(of("list", "secrets", 403), 11, 28, user=mallory, userAgent="curl/8"),
        *repeated(of("delete", "pods", 200), 22, 2.5, user=mallory, userAgent="curl/8"),
        # Too few within its time, and they may come before those above.
        *repeated(of("delete", "pods", 200), 12, 15, 85, user=mallory, userAgent="curl/8"),
    ]
    return sorted(events, key=lambda one: one["stageTimestamp"])


@pytest.fixture(scope="module")
def judge() -> AuditJudge:
    return AuditJudge(RULES, Counters(), every=True)


def alerts(judge: AuditJudge, batches: Sequence[Sequence[Event]]) -> Counter[tuple[str, str]]:
    """Return the alerts of rules with state that come of batches, by rule and user."""
    judge._correlator = Correlator(Counters(), RULES.of_api, late=LATE)  # as if it had just begun
    found: Counter[tuple[str, str]] = Counter()

    def hand_over(matches: Sequence[Match], event: Event) -> int:
        found.update((match.rule.name, event["user"]["username"]) for match in matches if match.rule.stateful)
        return 0

    async def take() -> None:
        pipeline = Pipeline(judge.matches, hand_over)
        for batch in batches:
            await pipeline.take([wrapped.text(wrapped.event_list(list(batch))).encode()])

    asyncio.run(take())
    return found


def delivered(events: list[Event], chance: random.Random) -> list[list[Event]]:
    """Return batches as a webhook may send them: some after newer ones, some twice."""
    batches = [events[first : first + BATCH] for first in range(0, len(events), BATCH)]
    late = [number + (chance.randrange(AWAY) if chance.random() < 0.4 else 0) for number in range(len(batches))]
    in_order = [batches[number] for number in sorted(range(len(batches)), key=lambda number: late[number])]
    return [batch for one in in_order for batch in [one] * (2 if chance.random() < 0.3 else 1)]


def test_batches_that_come_late_and_twice_raise_the_alerts_of_the_file(judge: AuditJudge) -> None:
    events = log()
    of_file = alerts(judge, [[one] for one in events])
    assert {rule for rule, _ in of_file} >= WANTED
    for seed in range(6):
        assert alerts(judge, delivered(events, random.Random(seed))) == of_file, seed
