"""CloudWatch Logs is asked for new events; it is played by botocore's stub, which checks requests and answers."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.errors import UsageError
from hullwatch.sources.k8s_audit.cloudwatch import OVERLAP, LogGroup, make_client
from hullwatch.sources.k8s_audit.counts import IntakeCounts
from hullwatch.sources.k8s_audit.log_place import Places
from hullwatch.sources.k8s_audit.unwrapping import unwrap
from tests.sources.k8s_audit import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_stub: Any = importlib.import_module("botocore.stub")  # has no types
ANY, Stubber = _stub.ANY, _stub.Stubber
GROUP = wrapped.GROUP
NOW = 1_795_304_405_000


class Feed:
    def __init__(self) -> None:
        self.ending = threading.Event()
        self.counts = IntakeCounts()
        self.got: list[tuple[str, str]] = []
        self.keeps = True

    def take(self, documents: list[bytes]) -> int:
        self.got += [(str(event["auditID"]), origin.cluster) for event, origin in unwrap(documents, self.counts)]
        return len(self.got)

    def stored(self) -> int:
        return len(self.got) if self.keeps else 0


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    made = make_client("eu-central-1", "")
    yield made
    made.close()


def answer(*numbers: int, more: str = "") -> dict[str, Any]:
    events = [wrapped.event(number) for number in numbers]
    found: dict[str, Any] = {"events": wrapped.filtered(events)["events"], "searchedLogStreams": []}
    for event, number in zip(found["events"], numbers, strict=True):
        event["timestamp"] = NOW + number
    return found | ({"nextToken": more} if more else {})


def asked(since: int, more: str = "") -> dict[str, Any]:
    known = {"logGroupName": GROUP, "logStreamNamePrefix": "kube-apiserver-audit-", "startTime": since}
    return known | ({"nextToken": more} if more else {})


def test_every_page_is_taken_and_the_next_question_begins_a_little_before_the_last_event(
    client: Any, tmp_path: Path
) -> None:
    feed, places = Feed(), Places(tmp_path)
    group = LogGroup(client, GROUP, feed, places, every=10, from_end=True)
    with Stubber(client) as stub:
        stub.add_response("filter_log_events", answer(1, 2, more="page"), asked(ANY))
        stub.add_response("filter_log_events", answer(3), asked(ANY, "page"))
        group.ask()
        stub.add_response("filter_log_events", answer(3, 4), asked(NOW + 3 - OVERLAP))
        group._since = NOW + 3  # the stub's events are of a time before ours
        group.ask()
        stub.assert_no_pending_responses()
    ids = [wrapped.event(number)["auditID"] for number in (1, 2, 3, 3, 4)]
    assert feed.got == [(one, wrapped.CLUSTER) for one in ids]


def test_a_time_counts_as_read_only_when_its_alerts_are_kept(client: Any, tmp_path: Path) -> None:
    feed, places = Feed(), Places(tmp_path)
    group = LogGroup(client, GROUP, feed, places, every=10, from_end=True)
    group._since = 0
    feed.keeps = False
    with Stubber(client) as stub:
        stub.add_response("filter_log_events", answer(1), asked(0))
        group.ask()
        assert Places(tmp_path).get(f"cloudwatch:{GROUP}") is None
        feed.keeps = True
        stub.add_response("filter_log_events", answer(1), asked(NOW + 1 - OVERLAP))
        group.ask()
    assert LogGroup(client, GROUP, feed, Places(tmp_path), every=10, from_end=True)._since == NOW + 1


def test_what_goes_wrong_is_a_sentence_and_is_tried_again(client: Any, tmp_path: Path) -> None:
    feed = Feed()
    group = LogGroup(client, GROUP, feed, Places(tmp_path), every=0.01, from_end=True)
    with Stubber(client) as stub:
        stub.add_client_error("filter_log_events", "AccessDeniedException", "not you")
        thread = threading.Thread(target=group.run)
        thread.start()
        while "AccessDeniedException" not in group.problem:
            feed.ending.wait(0.01)
        feed.ending.set()
        thread.join()
    assert group.problem.startswith(f"CloudWatch Logs does not answer for {GROUP}: ")


def test_without_a_region_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(UsageError, match="eks_region"):
        make_client("", "")
