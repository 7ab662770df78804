"""What came of responses waits for whoever watches, who is woken."""

from __future__ import annotations

import threading

from hullwatch.config.response import ResponseAction
from hullwatch.config.settings import RespondSettings
from hullwatch.respond.responses import Responses
from tests.respond.test_responder import RULES, match
from tests.rules.conftest import load_text


def test_what_was_done_wakes_up_and_is_taken_once() -> None:
    woken = threading.Event()
    settings = RespondSettings(enabled=True, actions=(ResponseAction(do="kill", rule="Bad*"),))
    responses = Responses(settings, lambda _: "ended it", woken.set)
    responses.consider(match())
    assert woken.wait(10)
    (notice,) = responses.take(lambda: 5)
    assert (notice.time, notice.message) == (5, "Ended it, for rule Bad program.")
    assert list(responses.take(lambda: 6)) == []
    responses.close()


def test_a_response_that_is_for_no_rule_is_told() -> None:
    actions = (ResponseAction(do="kill", rule="Bad*"), ResponseAction(do="stop", rule="Bda*"))
    responses = Responses(RespondSettings(enabled=True, actions=actions), str, lambda: None)
    assert list(responses.aimless(load_text(RULES))) == [
        "Warning: the response 'stop on rule \"Bda*\"' is for no rule that is loaded."
    ]
    responses.close()
