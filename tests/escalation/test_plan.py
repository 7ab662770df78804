"""What a policy does: which one counts, when it tells somebody, and who that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.escalation.plan import choose, schedule, targets
from tests.escalation.files import TEXT, incident, read, utc

if TYPE_CHECKING:
    from pathlib import Path

NOW = utc("2026-11-28T09:30")


def test_the_first_policy_that_an_incident_is_for_counts_and_the_others_say_why_not(tmp_path: Path) -> None:
    escalation = read(tmp_path)
    policy, said = choose(escalation, incident(80), NOW)
    assert policy is escalation.policies[0]
    policy, said = choose(escalation, incident(40), NOW)
    assert policy is escalation.policies[1]
    assert said == ["urgent: the score 40 is below 70", "normal: it is for this incident"]
    assert choose(escalation, incident(10), NOW)[0] is None


def test_a_policy_may_be_for_some_workloads_and_hours_only(tmp_path: Path) -> None:
    escalation = read(tmp_path, TEXT.replace("score: 70", 'score: 70\n    workload: "shop/*"\n    only: office'))
    assert choose(escalation, incident(80), NOW)[1][0] == 'urgent: the workload is not "shop/*"'
    assert choose(escalation, incident(80, workload="shop/web"), NOW)[1][0] == "urgent: its hours have not begun"
    assert choose(escalation, incident(80, workload="shop/web"), utc("2026-11-27T09:30"))[1] == [
        "urgent: it is for this incident"
    ]


def test_steps_and_repeats_come_in_their_time(tmp_path: Path) -> None:
    urgent = read(tmp_path).policies[0]
    found = [(f"{due.at:%H:%M}", due.step, due.number, due.why) for due in schedule(urgent, NOW, 80)]
    assert found == [
        ("09:30", 0, 0, "at once"),
        ("09:35", 0, 1, "again after 5m"),
        ("09:40", 0, 2, "again after 10m"),
        ("09:45", 1, 0, "after 15m"),
    ]


def test_quiet_hours_are_waited_for_and_their_repeats_are_one(tmp_path: Path) -> None:
    normal = read(tmp_path).policies[1]
    found = [(f"{due.at:%d %H:%M}", due.why) for due in schedule(normal, utc("2026-11-28T19:30"), 40)]
    assert found[:3] == [
        ("28 19:30", "at once"),
        ("28 20:30", "again after 1h"),
        ("29 05:00", "again after 2h, after the quiet hours"),
    ]
    assert found[3][0] == "29 05:30"


def test_a_high_score_does_not_wait_for_the_morning(tmp_path: Path) -> None:
    normal = read(tmp_path).policies[1]
    assert next(schedule(normal, utc("2026-11-28T23:30"), 60)).at == utc("2026-11-28T23:30")
    assert next(schedule(normal, utc("2026-11-28T23:30"), 59)).at == utc("2026-11-29T05:00")


def test_a_person_is_told_by_their_own_output_and_a_roster_by_that_of_who_is_on_call(tmp_path: Path) -> None:
    escalation = read(tmp_path)
    first, second = escalation.policies[0].steps
    assert [target.output for target in targets(escalation, first, NOW)] == ["pager-bob"]
    assert [target.output for target in targets(escalation, second, NOW)] == ["mail-carla", "channel"]


def test_an_output_of_the_step_goes_before_that_of_the_person(tmp_path: Path) -> None:
    escalation = read(tmp_path, TEXT.replace("tell: [roster:on-call]", "tell: [roster:on-call], by: siren"))
    assert targets(escalation, escalation.policies[0].steps[0], NOW)[0].output == "siren"


def test_somebody_who_is_named_twice_is_told_once(tmp_path: Path) -> None:
    escalation = read(tmp_path, TEXT.replace("tell: [roster:on-call]", "tell: [bob, roster:on-call]"))
    assert len(targets(escalation, escalation.policies[0].steps[0], NOW)) == 1


def test_nobody_on_call_is_said_with_when_somebody_will_be(tmp_path: Path) -> None:
    text = TEXT.replace('hours: "14:00-02:00", timezone: America/New_York', 'days: [mon], hours: "00:00-01:00"')
    escalation = read(tmp_path, text)
    (target,) = targets(escalation, escalation.policies[0].steps[0], utc("2026-11-28T22:00"))
    assert target.output == ""
    assert target.why.endswith("is on call; the next shift begins Sun 29 Nov 07:00 UTC")
