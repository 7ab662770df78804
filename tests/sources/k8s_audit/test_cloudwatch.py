"""CloudWatch Logs is asked for new events; it is played by botocore's stub, which checks requests and answers."""

from __future__ import annotations

import importlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.errors import UsageError
from hullwatch.sources.k8s_audit.cloudwatch import OVERLAP, LogGroup, make_client
from hullwatch.sources.k8s_audit.counts import IntakeCounts
from hullwatch.sources.k8s_audit.log_place import Place, Places
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


class Killed(Exception):  # noqa: N818 - it is no error
    """The process is no more."""


class Logs:
    """A log group that has its events in pages, not in order; whoever asks is killed after some of them."""

    def __init__(self, number: int) -> None:
        self.times = {one: NOW + 1000 * (one * 7 % number) for one in range(number)}
        self.left = 0

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        self.left -= 1
        if self.left < 0:
            raise Killed
        found = [one for one, at in self.times.items() if at >= asked["startTime"]]
        at = int(asked.get("nextToken", 0))
        page = answer(*found[at : at + 3], more=str(at + 3) if at + 3 < len(found) else "")
        for event, one in zip(page["events"], found[at : at + 3], strict=True):
            event["timestamp"] = self.times[one]
        return page


class Kept(Feed):
    """Keeps what was taken a page later, as a keeper does, or never, when the process is killed before."""

    def __init__(self, kept: set[str]) -> None:
        super().__init__()
        self._kept = kept

    def take(self, documents: list[bytes]) -> int:
        self._kept |= {one for one, _ in self.got}
        return super().take(documents)

    def stored(self) -> int:
        return len(self._kept & {one for one, _ in self.got})


@pytest.mark.parametrize("pages", range(1, 9))
def test_who_is_killed_after_any_page_asks_again_for_all_that_is_not_kept(pages: int, tmp_path: Path) -> None:
    logs, kept = Logs(20), set[str]()
    wanted = {wrapped.event(number)["auditID"] for number in range(20)}
    Places(tmp_path).keep(f"cloudwatch:{GROUP}", Place(offset=NOW))
    logs.times |= {one: at + 10 * OVERLAP * (one > 9) for one, at in logs.times.items()}
    for turn in range(40):
        logs.left = pages if turn < 3 else 1000
        feed = Kept(kept)
        group = LogGroup(logs, GROUP, feed, Places(tmp_path), every=10, from_end=True)
        try:
            for _ in range(3):
                group.ask()
        except Killed:
            continue
        if kept == wanted:
            return
    assert kept == wanted


def test_who_ends_between_two_pages_does_not_count_the_first_for_all(tmp_path: Path) -> None:
    logs, places = Logs(9), Places(tmp_path)
    logs.left = 1000
    feed = Kept(set())

    class Ending(Kept):
        def take(self, documents: list[bytes]) -> int:
            self.ending.set()
            return super().take(documents)

    places.keep(f"cloudwatch:{GROUP}", Place(offset=NOW))
    LogGroup(logs, GROUP, Ending(set()), places, every=10, from_end=True).ask()
    assert Places(tmp_path).get(f"cloudwatch:{GROUP}") == Place(offset=NOW)
    LogGroup(logs, GROUP, feed, Places(tmp_path), every=10, from_end=True).ask()
    assert {one for one, _ in feed.got} == {wrapped.event(number)["auditID"] for number in range(9)}


def test_a_group_begins_where_it_was_found_first_also_when_it_did_not_answer_then(client: Any, tmp_path: Path) -> None:
    feed = Feed()
    group = LogGroup(client, GROUP, feed, Places(tmp_path), every=10, from_end=True)
    begun = group._since
    feed.ending.set()  # killed before it was answered
    group.run()
    assert LogGroup(client, GROUP, feed, Places(tmp_path), every=10, from_end=True)._since == begun


def test_the_places_of_many_inputs_are_kept_from_many_threads(tmp_path: Path) -> None:
    places = Places(tmp_path)

    def work(name: str) -> None:
        for offset in range(1, 31):
            places.keep(name, Place(offset=offset))
            assert places.problem == ""

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, "abcd"))
    assert [Places(tmp_path).get(name) for name in "abcd"] == [Place(offset=30)] * 4


def test_what_goes_wrong_is_a_sentence_and_is_tried_again(client: Any, tmp_path: Path) -> None:
    feed = Feed()
    group = LogGroup(client, GROUP, feed, Places(tmp_path), every=60, from_end=True)  # not again while we look
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
