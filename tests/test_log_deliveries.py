"""Lines of containers' logs by the webhook and from CloudWatch: judged as those of files, and each once."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hullwatch import log_deliveries
from hullwatch.config.container_log_settings import ContainerLogSettings
from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.log_deliveries import LogRequests, log_groups
from hullwatch.log_watch import LogWatch
from hullwatch.rules.loader import load
from hullwatch.rules.pack import builtin_files
from hullwatch.sources.container_logs import joining
from hullwatch.sources.container_logs.unwrapping import unwrap
from hullwatch.sources.k8s_audit.counts import CONTAINER_LOG, TWICE, IntakeCounts
from hullwatch.sources.k8s_audit.feed import EndingError
from hullwatch.sources.k8s_audit.http_head import RefusedError
from hullwatch.sources.k8s_audit.pipeline import AT_ONCE, Pipeline, Taken
from tests.sources.k8s_audit import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hullwatch.detect.engine import Match

Lines = list[tuple[str, str]]
"""Time and text."""
GROUP = "/aws/containerinsights/prod/application"
ID = "a" * 64
FAILED = "Failed password for root from 203.0.113.7 port {} ssh2"
MINER = "new job from stratum+tcp://pool.example:3333"
LINES: Lines = [
    *((f"2026-11-28T10:00:{second:02}.5Z", f"GET /{second} 200") for second in range(20)),
    *((f"2026-11-28T10:01:{second:02}.25Z", FAILED.format(4000 + second)) for second in range(9)),
    ("2026-11-28T10:01:08.25Z", FAILED.format(4008)),  # the same line twice in the same moment: two logins
    ("2026-11-28T10:02:00.5Z", MINER),
    ("2026-11-28T10:02:01.5Z", MINER),
]
WANTED = Counter({"Many failed logins from one address": 1, "Miner's output in a log": 1})
RULES = load(builtin_files("container_log"), sources=frozenset({"container_log"}))


def packed(value: Any) -> dict[str, str]:
    return {"data": base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()}


def insights(lines: Lines) -> list[dict[str, Any]]:
    about = {"pod_name": "web-1", "namespace_name": "shop", "container_name": "web", "docker_id": ID}
    return [{"log": text, "stream": "stderr", "time": time, "kubernetes": about} for time, text in lines]


def subscription(lines: Lines) -> dict[str, Any]:
    events = [
        {"id": f"{time}-{number}", "timestamp": 0, "message": json.dumps(one)}
        for number, ((time, _), one) in enumerate(zip(lines, insights(lines), strict=True))
    ]
    return {"messageType": "DATA_MESSAGE", "logGroup": GROUP, "logStream": "s", "logEvents": events}


def entries(lines: Lines) -> list[dict[str, Any]]:
    labels = {"cluster_name": "prod", "namespace_name": "shop", "pod_name": "web-1", "container_name": "web"}
    resource = {"type": "k8s_container", "labels": labels}
    return [
        {
            "insertId": str(n), "timestamp": time, "textPayload": text, "logName": "projects/p/logs/stderr",
            "resource": resource,
        }
        for n, (time, text) in enumerate(lines)
    ]  # fmt: skip


def rows(lines: Lines) -> list[dict[str, Any]]:
    about = {"ContainerId": ID, "ContainerName": "web", "PodName": "web-1", "PodNamespace": "shop"}
    return [{"TimeGenerated": time, "LogMessage": text, "LogSource": "stderr", **about} for time, text in lines]


def docker(lines: Lines) -> bytes:
    return b"".join(
        json.dumps({"log": f"{text}\n", "stream": "stderr", "time": time}).encode() + b"\n" for time, text in lines
    )


def cri(lines: Lines) -> bytes:
    return "".join(f"{time} stderr F {text}\n" for time, text in lines).encode()


def pushed(lines: Lines) -> list[bytes]:
    """Return a request for each line, as Pub/Sub sends them."""
    return [
        json.dumps({"message": {"data": base64.b64encode(json.dumps(one).encode()).decode()}}).encode()
        for one in entries(lines)
    ]


SENT: dict[str, list[bytes]] = {
    "a forwarder": [json.dumps(insights(LINES)).encode()],
    "a forwarder, lines": [b"\n".join(json.dumps(one).encode() for one in insights(LINES))],
    "CloudWatch by Firehose": [json.dumps({"records": [packed(subscription(LINES))]}).encode()],
    "CloudWatch by Lambda": [json.dumps({"awslogs": packed(subscription(LINES))}).encode()],
    "CloudWatch by Kinesis": [json.dumps({"Records": [{"kinesis": packed(subscription(LINES))}]}).encode()],
    "Azure Event Hub": [json.dumps({"records": rows(LINES)}).encode()],
    "Azure export": [b"\n".join(json.dumps(one).encode() for one in rows(LINES))],
    "GKE by Pub/Sub": pushed(LINES),
    "GKE export": [json.dumps(entries(LINES)).encode()],
}


class Running:
    """Judges with the pack, and keeps what it hands over."""

    def __init__(self, state: Path, logs: ContainerLogSettings | None = None) -> None:
        self.found: Counter[str] = Counter()
        self.ends = False
        self.when_found: Callable[[], object] = list
        self.settings = Settings(container_logs=logs or ContainerLogSettings(webhook=True))
        nobody: Any = None
        self.watch = LogWatch(
            self.settings, RULES, Counters(), nobody, state, self.hand_over, lambda: sum(self.found.values())
        )
        self.requests = LogRequests(self.watch, "webhook", 1000)
        self.pipeline: Pipeline[Match] = Pipeline(lambda _: [], lambda _, __: 0)

    def hand_over(self, matches: Sequence[Match]) -> int:
        if self.ends:
            raise EndingError
        self.found.update(match.rule.name for match in matches)
        if matches:
            self.when_found()
        return sum(self.found.values())

    def take(self, *bodies: bytes) -> list[Taken]:
        async def all_of_them() -> list[Taken]:
            return [await self.pipeline.take([body], None, self.requests.delivery().judge) for body in bodies]

        return asyncio.run(all_of_them())

    def take_logs(self, body: bytes) -> Taken:
        return asyncio.run(self.requests.take(body))

    @property
    def counts(self) -> IntakeCounts:
        return self.watch.inputs.counts()


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


@pytest.mark.parametrize("name", SENT)
def test_every_wrapper_raises_the_same_alerts_also_when_all_of_it_is_sent_twice(running: Running, name: str) -> None:
    bodies = SENT[name]
    first = running.take(*bodies)
    assert running.found == WANTED
    assert sum(one.events for one in first) == running.counts.total == len(LINES)
    again = running.take(*bodies)
    assert running.found == WANTED
    assert again[-1].ticket == 2  # what comes again waits for the alerts of its first time
    assert running.counts.left_out == {TWICE: 12}  # of the lines that rules are asked for
    assert not running.pipeline.counts.left_out


@pytest.mark.parametrize("body", [docker(LINES), cri(LINES), gzip.compress(cri(LINES)), SENT["a forwarder"][0]])
def test_files_of_engines_may_be_sent_to_the_place_of_logs(running: Running, body: bytes) -> None:
    assert running.take_logs(body).events == len(LINES)
    running.take_logs(body)
    assert running.found == WANTED


def test_at_the_place_of_logs_an_audit_event_is_none(running: Running) -> None:
    event = json.dumps(wrapped.event())
    taken = running.take_logs(cri([("2026-11-28T10:00:00Z", event)]))
    assert (taken.events, running.counts.events, running.pipeline.counts.total) == (1, {"cri": 1}, 0)
    assert running.take_logs(event.encode())[::2] == (0, "JSON, but no event that is known")


def test_lines_and_events_of_one_body_go_to_their_judges(running: Running) -> None:
    body = {"records": [packed(wrapped.subscription([wrapped.event(1)])), packed(subscription(LINES))]}
    (taken,) = running.take(json.dumps(body).encode())
    assert (taken.events, running.pipeline.counts.events) == (1 + len(LINES), {"eks": 1})
    assert running.found == WANTED
    without = asyncio.run(running.pipeline.take([json.dumps(body).encode()]))
    assert (without.events, running.pipeline.counts.left_out) == (1, {TWICE: 1, CONTAINER_LOG: len(LINES)})


def test_requests_of_others_get_their_turn_between_the_lines_of_a_large_one(running: Running) -> None:
    large = json.dumps(insights(LINES[:1] * (3 * AT_ONCE))).encode()

    async def both() -> None:
        lines = running.requests.delivery().judge
        first = asyncio.ensure_future(running.pipeline.take([large], None, lines))
        other = asyncio.ensure_future(running.pipeline.take([json.dumps(wrapped.event(1)).encode()], None, lines))
        await asyncio.wait([first, other], return_when=asyncio.FIRST_COMPLETED)
        assert other.done()
        assert not first.done()
        await first

    asyncio.run(both())


def test_a_request_at_the_end_of_a_run_is_to_be_sent_again(running: Running) -> None:
    running.ends = True
    with pytest.raises(RefusedError, match="send it again"):
        running.take(SENT["a forwarder"][0])
    running.requests.close()
    with pytest.raises(RefusedError, match="send it again"):
        running.take_logs(cri(LINES))


PARTS = ["new job from stratum+", "tcp://pool.", "example:3333"]
"""Of a line that a rule matches as a whole only."""


@pytest.mark.parametrize("form", ["tags", "ordinals"])
def test_parts_of_a_line_are_put_together_over_several_requests(running: Running, form: str) -> None:
    if form == "tags":
        tags = ("P", "P", "F")
        records = [
            one | {"logtag": tag} for one, tag in zip(insights([("", text) for text in PARTS]), tags, strict=True)
        ]
    else:
        records = [
            {"container_id": ID, "container_name": "/web", "source": "stdout", "log": text, "partial_message": "true",
             "partial_id": "x", "partial_ordinal": str(number), "partial_last": str(number == len(PARTS)).lower()}
            for number, text in enumerate(PARTS, start=1)
        ]  # fmt: skip
    running.take(*(json.dumps(one).encode() for one in records))
    assert running.found == {"Miner's output in a log": 1}
    assert (running.counts.total, running.counts.left_out) == (len(PARTS), {})


def test_a_line_whose_end_does_not_come_is_judged_though_nothing_else_does(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_deliveries, "PATIENCE", 0.01)
    monkeypatch.setattr(joining, "PATIENCE", 0.0)
    (record,) = insights([("", MINER)])

    async def wait() -> None:
        loop, judged = asyncio.get_running_loop(), asyncio.Event()
        running.when_found = lambda: loop.call_soon_threadsafe(judged.set)
        lines = running.requests.delivery().judge
        await running.pipeline.take([json.dumps(record | {"logtag": "P"}).encode()], None, lines)
        await asyncio.wait_for(judged.wait(), 20)

    asyncio.run(wait())
    assert running.found == {"Miner's output in a log": 1}
    assert running.counts.left_out == {joining.UNENDED: 1}


def test_a_line_that_has_begun_when_the_run_ends_is_counted(running: Running) -> None:
    (record,) = insights([("", MINER)])
    running.take(json.dumps(record | {"logtag": "P"}).encode())
    running.requests.close()
    assert running.counts.left_out == {joining.LOST: 1}


class Group:
    """Plays CloudWatch Logs: what is asked for from a time on, in pages of ten."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        at = int(asked.get("nextToken", 0))
        page = [
            {"logStreamName": f"s{n % 3}", "timestamp": n, "message": json.dumps(one), "eventId": str(n)}
            for n, one in enumerate(insights(LINES))
        ][at : at + 10]
        return {"events": page} | ({"nextToken": str(at + 10)} if at + 10 < len(LINES) else {})


def test_a_log_group_is_asked_for_the_lines_of_all_streams_and_each_is_judged_once(tmp_path: Path) -> None:
    running = Running(tmp_path, ContainerLogSettings(log_groups=(GROUP,)))
    client = Group()
    (group,) = log_groups(running.settings, running.watch, client, tmp_path, threading.Event())
    group.ask()
    group.ask()
    assert running.found == WANTED
    assert running.counts.events == {"cloudwatch": len(LINES)}
    assert {name for asked in client.asked for name in asked} == {"logGroupName", "startTime", "nextToken"}
    kept = json.loads((tmp_path / "container-log-groups.json").read_bytes())
    assert list(kept) == [f"cloudwatch:{GROUP}"]


def test_what_a_wrapper_gives_is_what_replay_gives() -> None:
    for bodies in SENT.values():
        found = [(line.time, line.text) for line in unwrap(bodies, IntakeCounts())]
        assert found == LINES


def test_an_input_of_logs_is_never_silent(running: Running) -> None:
    running.take(SENT["Azure export"][0])
    (status,) = running.watch.inputs.status().values()
    assert (status.kind, status.events, status.silent) == ("webhook", len(LINES), False)
    assert not running.watch.inputs.look()
    assert msgspec.json.encode(running.watch.status())
