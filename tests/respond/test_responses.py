"""What came of responses waits for whoever watches, who is woken; labels and captures are Hullwatch's own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from hullwatch.config.response import ResponseAction
from hullwatch.config.settings import FlightRecorderSettings, RespondSettings, Settings
from hullwatch.enrich.container import Container
from hullwatch.enrich.given_labels import GivenLabels
from hullwatch.respond.responses import Responses
from tests.respond.test_responder import RULES, match
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FULL_ID = "c" * 64


def settings(*actions: ResponseAction, dry: bool = False, records: bool = True) -> Settings:
    respond = RespondSettings(enabled=True, dry_run=dry, actions=actions)
    return Settings(respond=respond, flight_recorder=FlightRecorderSettings(enabled=records))


class Watching:
    """Responses, and waiting for what comes of them."""

    def __init__(self, folder: Path, made: Settings) -> None:
        self.woken = threading.Event()
        self.labels = GivenLabels(folder)
        self.responses = Responses(made, lambda _: "did it", self.woken.set, self.labels)

    def said(self) -> list[str]:
        assert self.woken.wait(10)
        self.woken.clear()
        return [notice.message for notice in self.responses.take(lambda: 5)]


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., Watching]]:
    started: list[Watching] = []

    def start(*actions: ResponseAction, dry: bool = False) -> Watching:
        started.append(Watching(tmp_path, settings(*actions, dry=dry)))
        return started[-1]

    yield start
    for one in started:
        one.responses.close()


def test_what_was_done_wakes_up_and_is_taken_once(watching: Callable[..., Watching]) -> None:
    one = watching(ResponseAction(do="kill", rule="Bad*"))
    one.responses.consider(match())
    assert one.said() == ["Did it, for rule Bad program."]
    assert list(one.responses.take(lambda: 6)) == []


def test_a_response_that_is_for_no_rule_or_saves_nothing_is_told(tmp_path: Path) -> None:
    actions = (ResponseAction(do="capture", rule="Bad*"), ResponseAction(do="stop", rule="Bda*"))
    responses = Responses(settings(*actions, records=False), str, lambda: None, GivenLabels(tmp_path))
    assert list(responses.aimless(load_text(RULES))) == [
        "Warning: the response 'stop on rule \"Bda*\"' is for no rule that is loaded.",
        "Warning: the response 'capture on rule \"Bad*\"' saves nothing: flight_recorder.enabled is false.",
    ]
    responses.close()


def test_a_container_is_labelled_with_who_why_and_until_when(watching: Callable[..., Watching]) -> None:
    one = watching(ResponseAction(do="label", rule="Bad*", labels={"state": "suspect"}, expires="1h"))
    matched = match()
    matched.event.container = Container(id=FULL_ID[:12], full_id=FULL_ID, name="web")
    one.responses.consider(matched)
    assert one.said() == ["Did it (state=suspect), for rule Bad program."]
    assert one.labels.changed() == {FULL_ID: {"state": "suspect"}}
    label = one.labels.all()[FULL_ID]["state"]
    assert (label.value, label.who, label.why) == ("suspect", "hullwatch", "Bad program")
    assert label.until - label.given == 3600 * 10**9
    matched.event.container = one.labels.on(matched.event.container)
    assert matched.event.container.given_labels == {"state": "suspect"}
    one.responses.consider(matched)  # it has it already
    assert not one.woken.wait(0.05)


def test_a_dry_run_gives_no_label_and_saves_no_capture(watching: Callable[..., Watching]) -> None:
    actions = (
        ResponseAction(do="label", rule="Bad*", labels={"state": "suspect"}),
        ResponseAction(do="capture", rule="Bad*"),
    )
    one = watching(*actions, dry=True)
    assert one.responses.captures(match()) is False
    assert one.responses.captures(match()) is False
    one.responses.consider(match())
    assert one.said()[0].startswith("Would save what its container did before ")
    assert one.labels.all() == {}


def test_the_flight_recorder_is_asked_for_matches_of_the_rules_that_are_named(
    watching: Callable[..., Watching],
) -> None:
    (rule,) = load_text(RULES).rules
    asking = watching(ResponseAction(do="capture", rule="Bad*", condition="proc.name = bad")).responses
    assert asking.may_capture(rule)
    assert asking.captures(match())
    for other in (
        ResponseAction(do="capture", rule="Good*"),
        ResponseAction(do="capture", rule="Bad*", condition="proc.name = good"),
        ResponseAction(do="kill", rule="Bad*"),
    ):
        assert not watching(other).responses.captures(match())
