"""Who is to be told by now: until somebody acknowledges, and over restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.escalation.escalator import Escalator, Progress
from tests.escalation.files import TEXT, incident, ns, read

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.escalation.escalator import Notice


def told(notices: list[Notice]) -> list[tuple[str, int, int]]:
    return [(notice.target.output, notice.step, notice.number) for notice in notices]


def test_each_time_is_told_once(tmp_path: Path) -> None:
    escalator, one = Escalator(read(tmp_path)), incident(80)
    found = [
        told(escalator.due([one], ns(f"2026-11-28T09:{minute}"))) for minute in ("30", "31", "34", "35", "36", "45")
    ]
    bob = "pager-bob"
    later = [(bob, 0, 2), ("mail-carla", 1, 0), ("channel", 1, 0)]
    assert found == [[(bob, 0, 0)], [], [], [(bob, 0, 1)], [], later]


def test_nobody_is_told_any_more_when_somebody_has_acknowledged(tmp_path: Path) -> None:
    escalator, one = Escalator(read(tmp_path)), incident(80)
    assert escalator.due([one], ns("2026-11-28T09:30"))
    one.state = "acknowledged"
    assert not escalator.due([one], ns("2026-11-28T09:50"))
    assert not escalator.progress
    one.state = "open"  # opened again: it begins anew
    assert told(escalator.due([one], ns("2026-11-28T10:00"))) == [("pager-bob", 0, 0)]


def test_after_a_restart_nothing_is_told_twice_and_of_what_was_missed_the_last(tmp_path: Path) -> None:
    escalator, one = Escalator(read(tmp_path)), incident(80)
    before = escalator.due([one], ns("2026-11-28T09:30"))
    kept = msgspec.json.decode(msgspec.json.encode(escalator.progress), type=list[Progress])
    again = Escalator(read(tmp_path), kept)
    assert not again.due([one], ns("2026-11-28T09:31"))
    missed = again.due([one], ns("2026-11-28T11:00"))
    assert told(missed) == [("pager-bob", 0, 2), ("mail-carla", 1, 0), ("channel", 1, 0)]
    assert len({notice.id for notice in (*before, *missed)}) == 4


def test_a_score_that_rises_begins_the_more_urgent_policy_and_one_that_falls_ends_nothing(tmp_path: Path) -> None:
    escalator, one = Escalator(read(tmp_path)), incident(40)
    assert told(escalator.due([one], ns("2026-11-28T09:00"))) == [("channel", 0, 0)]
    one.score = 75
    assert told(escalator.due([one], ns("2026-11-28T09:10"))) == [("pager-bob", 0, 0)]
    one.score = 40
    assert told(escalator.due([one], ns("2026-11-28T09:15"))) == [("pager-bob", 0, 1)]


def test_an_incident_that_no_policy_is_for_is_followed_by_none(tmp_path: Path) -> None:
    escalator = Escalator(read(tmp_path))
    assert not escalator.due([incident(5)], ns("2026-11-28T09:00"))
    assert not escalator.progress


def test_another_file_goes_on_with_policies_of_the_same_name(tmp_path: Path) -> None:
    escalator, one = Escalator(read(tmp_path)), incident(80)
    escalator.due([one], ns("2026-11-28T09:30"))
    escalator = Escalator(read(tmp_path, TEXT.replace("repeat: 5m", "repeat: 7m")), escalator.progress)
    assert not escalator.due([one], ns("2026-11-28T09:36"))
    assert told(escalator.due([one], ns("2026-11-28T09:37"))) == [("pager-bob", 0, 1)]


def test_who_is_on_call_when_it_is_due_is_told_and_not_who_was_at_the_beginning(tmp_path: Path) -> None:
    escalator, one = Escalator(read(tmp_path)), incident(80)
    assert told(escalator.due([one], ns("2026-11-28T18:57"))) == [("pager-bob", 0, 0)]
    assert told(escalator.due([one], ns("2026-11-28T19:02"))) == [("mail-carla", 0, 1)]


def test_what_was_open_and_quiet_before_the_first_use_is_told_of_when_it_goes_on(tmp_path: Path) -> None:
    begin = ns("2026-11-28T09:30")
    old, fresh = incident(80), incident(80, id="n2")
    old.last_seen, fresh.last_seen = ns("2026-11-28T09:15"), ns("2026-11-28T09:25")
    escalator = Escalator(read(tmp_path), first=True)
    assert [notice.incident.id for notice in escalator.due([old, fresh], begin)] == ["n2"]
    assert escalator.resting == 1
    kept = msgspec.json.decode(msgspec.json.encode(escalator.progress), type=list[Progress])
    again = Escalator(read(tmp_path), kept)
    assert not again.due([old], ns("2026-11-28T12:00"))
    old.last_seen = ns("2026-11-28T12:01")
    assert told(again.due([old], ns("2026-11-28T12:01"))) == [("pager-bob", 0, 0)]


def test_what_opens_after_the_first_look_is_told_of_however_old_its_events_are(tmp_path: Path) -> None:
    escalator, late = Escalator(read(tmp_path), first=True), incident(80)
    assert not escalator.due([], ns("2026-11-28T09:00"))
    late.last_seen = ns("2026-11-21T09:00")
    assert told(escalator.due([late], ns("2026-11-28T09:30"))) == [("pager-bob", 0, 0)]
