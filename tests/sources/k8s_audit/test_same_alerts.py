"""The log of a real cluster gives the same alerts in whatever it is wrapped, through files and through the webhook."""

from __future__ import annotations

import asyncio
import functools
import gzip
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.rules.loader import load
from hullwatch.rules.pack import builtin_files
from hullwatch.sources.k8s_audit.counts import IntakeCounts
from hullwatch.sources.k8s_audit.documents import documents
from hullwatch.sources.k8s_audit.google import groups_of
from hullwatch.sources.k8s_audit.http_head import Head
from hullwatch.sources.k8s_audit.pipeline import Pipeline
from hullwatch.sources.k8s_audit.unwrapping import unwrap
from hullwatch.sources.k8s_audit.webhook import Webhook
from tests.sources.k8s_audit import wrapped
from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.detect.engine import Match
    from hullwatch.rules.loader import RuleSet
    from hullwatch.sources.k8s_audit.pipeline import Taken

Found = Counter[tuple[str, str, str]]
LOG = gzip.decompress((ROOT / "tests" / "data" / "kubernetes" / "audit.jsonl.gz").read_bytes())
EVENTS: list[dict[str, Any]] = [json.loads(line) for line in LOG.splitlines()]


def lines(values: Sequence[Any]) -> bytes:
    return "\n".join(wrapped.text(one) for one in values).encode()


def parts(size: int = 100) -> list[list[dict[str, Any]]]:
    return [EVENTS[first : first + size] for first in range(0, len(EVENTS), size)]


WRAPPED: dict[str, Callable[[], bytes]] = {
    "EventList": lambda: lines([wrapped.event_list(part) for part in parts()]),
    "EKS, subscription": lambda: lines([wrapped.subscription(part) for part in parts()]),
    "EKS, Kinesis": lambda: lines([wrapped.kinesis(part) for part in parts()]),
    "EKS, Firehose": lambda: lines([wrapped.firehose(part) for part in parts()]),
    "EKS, files of Firehose": lambda: b"".join(wrapped.text(wrapped.subscription(part)).encode() for part in parts()),
    "AKS, Event Hub": lambda: lines([wrapped.event_hub(part) for part in parts()]),
    "AKS, objects": lambda: lines([wrapped.event_hub(part, as_object=True) for part in parts()]),
    "AKS, AzureDiagnostics": lambda: lines(wrapped.diagnostics(EVENTS)),
    "AKS, AKSAudit": lambda: lines(wrapped.audit_rows(EVENTS, as_text=True)),
    "GKE, entries": lambda: lines([wrapped.log_entry(one) for one in EVENTS]),
    "GKE, Pub/Sub": lambda: lines([wrapped.pushed(one) for one in EVENTS]),
}


@functools.cache
def pack() -> RuleSet:
    return load(builtin_files("k8s_audit"), sources=frozenset({"k8s_audit"}))


class Judged:
    """The alerts of the pack, by rule, event and stage."""

    def __init__(self) -> None:
        self.judge = AuditJudge(pack(), Counters(), every=True)
        self.found: Found = Counter()

    def take(self, event: dict[str, Any]) -> None:
        self.hand_over(self.judge.matches(event), event)

    def hand_over(self, matches: Sequence[Match], event: dict[str, object]) -> int:
        self.found.update((match.rule.name, str(event["auditID"]), str(event["stage"])) for match in matches)
        return 0


@pytest.fixture(scope="module")
def alerts() -> Found:
    """The alerts of the log as it is."""
    judged = Judged()
    for event in EVENTS:
        judged.take(event)
    assert len(judged.found) >= 10
    return judged.found


def of_google(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event without what Google's log does not have, as docs/kubernetes-audit.md lists it."""
    user = event["user"]["username"]
    lost = {"requestURI": event["requestURI"].partition("?")[0], "user": {"username": user, "groups": groups_of(user)}}
    return {key: value for key, value in (event | lost).items() if key != "impersonatedUser"}


@pytest.mark.parametrize("name", WRAPPED)
def test_the_same_alerts_come_of_every_wrapper(alerts: Found, name: str) -> None:
    if name.startswith("GKE"):
        less = Judged()
        for event in EVENTS:
            less.take(of_google(event))
        alerts = less.found
    if name == "AKS, AKSAudit":  # it has no column for impersonation
        less = Judged()
        for event in EVENTS:
            less.take({key: value for key, value in event.items() if key != "impersonatedUser"})
        alerts = less.found
    judged, counts = Judged(), IntakeCounts()
    for event, _ in unwrap(documents(io.BytesIO(WRAPPED[name]()), counts), counts):
        judged.take(event)
    assert counts.total == len(EVENTS)
    assert not counts.left_out
    assert judged.found == alerts


def test_the_same_alerts_come_through_the_webhook(alerts: Found) -> None:
    judged = Judged()

    class Taking(Pipeline["Match"]):
        def full(self) -> str:
            return ""

        async def take(self, documents: Any, source: Any = None, judge_lines: Any = None) -> Taken:
            return await super().take(documents, source, judge_lines)

        async def take_logs(self, body: bytes) -> Taken:
            raise NotImplementedError

        async def kept(self, ticket: int) -> bool:
            return ticket == 0

    taking = Taking(judged.judge.matches, judged.hand_over)
    webhook = Webhook(taking, (), certificates=False, largest=1 << 20)

    async def send() -> None:
        for part in [*parts(), *parts()]:  # API servers send again what they are not sure of
            body = wrapped.text(wrapped.event_list(part)).encode()
            answer = await webhook.handle(Head("POST", "/", {}, {}, len(body), keeps=True), body)
            assert answer.status == 200

    asyncio.run(send())
    assert judged.found == alerts
    assert taking.counts.left_out == {"came twice": len(EVENTS)}
