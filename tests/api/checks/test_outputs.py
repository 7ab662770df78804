from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hullwatch.api.checks.outputs import outputs
from hullwatch.outputs.state import OutputStatus, write_status

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.api.checks.check import Check


def check(state: Path, one: OutputStatus, *configured: str) -> Check:
    (state / "outputs").mkdir(exist_ok=True)
    write_status(state / "outputs", [one])
    (found,) = outputs(configured or ("siem",), state)
    return found


def test_without_outputs_or_before_the_first_message_all_is_well(tmp_path: Path) -> None:
    assert outputs((), tmp_path)[0].status == "ok"
    assert outputs(("siem",), tmp_path)[0].sentence == "Nothing was delivered yet to siem."


def test_an_output_says_what_was_delivered_and_what_waits(tmp_path: Path) -> None:
    found = check(tmp_path, OutputStatus(name="siem", type="http", state="working", delivered=9, depth=2))
    assert (found.status, found.sentence) == ("ok", "siem (http): 9 messages were delivered, 2 wait.")


def test_one_that_fails_refuses_or_leaves_out_is_told_with_what_to_do(tmp_path: Path) -> None:
    failing = OutputStatus(name="siem", type="http", state="failing", depth=5, last_error="It does not answer.")
    found = check(tmp_path, failing)
    assert (found.status, found.fix) == ("warn", "hullwatch outputs test siem")
    assert found.sentence.endswith("Nothing was delivered since the start: It does not answer.")
    refused = check(tmp_path, OutputStatus(name="siem", type="http", state="working", dead_letters=3, last_error="No."))
    assert refused.fix.startswith("hullwatch outputs retry siem")
    dropped = check(tmp_path, OutputStatus(name="siem", type="http", state="working", dropped={"its queue is full": 4}))
    assert (dropped.status, "some were left out: its queue is full 4" in dropped.sentence) == ("warn", True)


def test_a_queue_that_nobody_empties_any_more_is_told(tmp_path: Path) -> None:
    found = check(tmp_path, OutputStatus(name="old", type="http", depth=7), "siem")
    assert "old is not configured any more; 7 messages wait" in found.sentence
    assert os.fspath(tmp_path) in found.fix
