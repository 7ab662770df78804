"""Which matches something is done about; the engine never waits for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.config.response import ResponseAction
from hullwatch.config.settings import RespondSettings
from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.errors import CannotError, UsageError
from hullwatch.events.codec import encode
from hullwatch.respond.responder import MOST_WAITING, Responder, aimless
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.detect.engine import Match
    from hullwatch.respond.responder import Response

RULES = """
- {rule: Bad program, desc: d, condition: evt.type = execve and proc.name = bad, output: x, priority: CRITICAL}
"""


def match(pid: int = 5) -> Match:
    stream = Stream(load_text(RULES), Counters(), lambda _: None, 20)
    header = {"pid": pid, "process_start": 10 * pid}
    return next(iter(stream.feed(encode("execve", header, comm="bad", argv=b"bad\0"))))


def done(
    *actions: ResponseAction, matches: tuple[Match, ...], ask: Callable[[str], str] = lambda _: "done", on: bool = True
) -> list[Response]:
    told: list[Response] = []
    responder = Responder(RespondSettings(enabled=on, actions=actions), ask, told.append)
    for one in matches:
        responder.consider(one)
    responder.close()
    return told


def test_the_wish_names_the_process_of_the_match() -> None:
    wishes: list[str] = []

    def ask(wish: str) -> str:
        wishes.append(wish)
        return "ended it"

    (told,) = done(ResponseAction(do="kill", rule="Bad*"), matches=(match(),), ask=ask)
    assert wishes == ['{"do":"kill","pid":5,"start":50,"names":["host","bad"],"container":"host"}']
    assert (told.rule, told.do, told.done, told.words) == ("Bad program", "kill", True, "ended it")


@pytest.mark.parametrize(
    "action",
    [
        ResponseAction(do="kill", rule="Good*"),
        ResponseAction(do="kill", rule="Bad*", priority="emergency"),
        ResponseAction(do="kill", rule="Bad*", condition="proc.name = other"),
    ],
    ids=["another rule", "not severe enough", "its condition does not hold"],
)
def test_nothing_is_done_about_other_matches(action: ResponseAction) -> None:
    assert not done(action, matches=(match(),))
    assert not done(ResponseAction(do="kill", rule="*"), matches=(match(),), on=False)


def test_one_deed_for_a_process_is_enough() -> None:
    action = ResponseAction(do="kill", rule="*", condition="proc.name = bad")
    assert len(done(action, matches=(match(), match(), match(6)))) == 2


def test_what_was_not_done_is_told_with_the_reason() -> None:
    def refuse(_: str) -> str:
        raise CannotError("process 5 has ended")

    (told,) = done(ResponseAction(do="kill", rule="*"), matches=(match(),), ask=refuse)
    notice = told.notice(7)
    assert (notice.rule, notice.priority) == ("Response not done", "Warning")
    assert notice.message == "Kill was not done: process 5 has ended."


def test_a_deed_that_hangs_holds_up_nobody_and_what_is_too_much_is_told() -> None:
    hang, told = threading.Event(), list[object]()

    def ask(_: str) -> str:
        hang.wait(20)
        return "done"

    responder = Responder(
        RespondSettings(enabled=True, actions=(ResponseAction(do="kill", rule="*"),)), ask, told.append
    )
    for pid in range(10, 10 + MOST_WAITING + 10):
        responder.consider(match(pid))
    assert len(told) >= 8
    hang.set()
    responder.close()


def test_mistakes_in_actions_are_sentences() -> None:
    with pytest.raises(UsageError, match="The condition is wrong at character 1"):
        Responder(
            RespondSettings(enabled=True, actions=(ResponseAction(do="kill", rule="*", condition="proc.nam = x"),)),
            str, lambda _: None,
        )  # fmt: skip
    with pytest.raises(ValueError, match="is not a priority"):
        ResponseAction(do="kill", rule="*", priority="sever")
    with pytest.raises(ValueError, match='host = true is for do = "kill" only'):
        ResponseAction(do="stop", rule="*", host=True)
    wrong = ResponseAction(do="kill", rule="Bed*")
    rules = load_text(RULES).rules
    assert aimless(RespondSettings(enabled=True, actions=(wrong, ResponseAction(do="kill", rule="Bad*"))), rules) == [
        wrong
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"do": "label"}, "needs 1 to 16 of them"),
        ({"do": "kill", "labels": {"a": "b"}}, "needs 1 to 16 of them"),
        ({"do": "label", "labels": {str(one): "b" for one in range(17)}}, "needs 1 to 16 of them"),
        ({"do": "label", "labels": {"a b": "c"}}, "must have 1 to 63 letters"),
        ({"do": "label", "labels": {"a": "b"}, "expires": "soon"}, "soon"),
        ({"do": "pause", "expires": "1h"}, 'expires is for do = "label" only'),
    ],
    ids=["no labels", "labels of a kill", "too many", "a wrong name", "no duration", "a pause that expires"],
)
def test_labels_and_durations_that_are_none_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert({"rule": "*", **values}, ResponseAction)
