"""Which issue and which incident an alert belongs to, and why."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from hullwatch.alerts.grouping import MOST_ALONE
from hullwatch.alerts.issue import Decision, Mute, Verb
from hullwatch.alerts.known_issues import MOST_OF_A_RULE
from hullwatch.alerts.open_incidents import MOST_OPEN, MOST_STEPS
from tests.alerts.placing import BEGIN, HOUR, MINUTE, SECOND, Alerts, Remembered, grouper, incident_of, line, session

if TYPE_CHECKING:
    from hullwatch.alerts.incident import Incident


def decided(verb: Verb, target: str = "", **more: Any) -> Decision:
    return Decision(id=7, at=BEGIN, who="alice", verb=verb, target=target, why="because", **more)


def test_the_same_thing_again_raises_a_count_and_the_time_when_it_was_last_seen() -> None:
    by, make = grouper(), Alerts()
    first = by.place(make.make(container="web-1"))
    again = by.place(make.make(container="web-1", wait=SECOND))
    assert (first.is_new, again.is_new) == (True, False)
    assert first.issue.id == again.issue.id
    assert (first.issue.count, again.issue.count) == (1, 2)
    assert again.issue.last_seen - again.issue.first_seen == SECOND
    assert again.issue.last_alert == "run-2"
    assert incident_of(again).steps[0].count == 2


def test_an_issue_is_one_over_all_containers_of_a_workload_and_an_incident_is_of_one() -> None:
    by, make = grouper(), Alerts()
    one, other = (by.place(make.make(container=name)) for name in ("web-1", "web-2"))
    assert one.issue.id == other.issue.id
    assert incident_of(one).id != incident_of(other).id


SHARED = [
    (
        {"container": "web-1", **session(40)},
        {"container": "web-1", **session(40)},
        "the same exec session as step 1: bash (40), as root",
    ),
    ({"container": "web-1"}, {"container": "web-1", **session(40)}, "the same container as step 1: web-1"),
    ({"container": "web-1", "pod": "p1"}, {"container": "sidecar-1", "pod": "p1"}, "the same pod as step 1"),
    (line((50, "curl"), (40, "bash")), line((51, "sh"), (40, "bash")), "the same process tree as step 1: bash (40)"),
    (
        {**line((40, "bash")), "login": "alice"},
        {**line((60, "zsh")), "login": "alice"},
        "the same user as step 1: alice",
    ),
]


@pytest.mark.parametrize(("one", "other", "why"), SHARED, ids=[why for *_, why in SHARED])
def test_alerts_belong_together_by_what_they_share_and_it_is_said(
    one: dict[str, Any], other: dict[str, Any], why: str
) -> None:
    by, make = grouper(), Alerts()
    first = by.place(make.make(**one))
    second = by.place(make.make("Another", file="/etc/sudoers", wait=SECOND, **other))
    assert (first.opened, second.opened) == (True, False)
    assert incident_of(second).id == incident_of(first).id
    assert second.why == why
    assert [step.why for step in incident_of(second).steps] == ["", why]


def test_what_shares_nothing_belongs_to_nothing() -> None:
    by, make = grouper(), Alerts()
    alerts = [
        make.make(container="web-1"),
        make.make(container="db-1"),
        make.make(**line((40, "bash"))),
        make.make(**line((60, "bash"))),
        make.make(container="web-1", hostname="node2", workload="w2"),
        make.make(**line((40, "bash")), hostname="node2"),
    ]
    alerts[4] = make.make(hostname="node2", **line((60, "bash")))
    assert len({incident_of(by.place(alert)).id for alert in alerts}) == len(alerts)


def test_of_several_the_strongest_decides() -> None:
    by, make = grouper(), Alerts()
    in_session = by.place(make.make(**line((40, "bash"))))
    of_user = by.place(make.make(**line((60, "bash")), login="alice"))
    both = by.place(make.make("Another", **line((41, "x"), (40, "bash")), login="alice"))
    assert incident_of(both).id == incident_of(in_session).id != incident_of(of_user).id


def test_an_incident_takes_alerts_as_long_as_its_window_goes_on_and_a_day_at_most() -> None:
    by, make = grouper(), Alerts()
    first = by.place(make.make(container="web-1"))
    within = by.place(make.make(container="web-1", wait=30 * MINUTE))
    behind = by.place(make.make(container="web-1", wait=30 * MINUTE + 1))
    assert incident_of(within).id == incident_of(first).id
    assert behind.opened
    ids = {incident_of(by.place(make.make(container="web-1", wait=29 * MINUTE))).id for _ in range(60)}
    assert len(ids) == 2
    short, make = grouper(window=60.0, longest=90.0), Alerts()
    ids = {incident_of(short.place(make.make(container="web-1", wait=40 * SECOND))).id for _ in range(3)}
    assert len(ids) == 1
    assert short.place(make.make(container="web-1", wait=40 * SECOND)).opened


def test_too_little_opens_nothing_and_joins_what_opens_later_in_the_same_tree() -> None:
    by, make = grouper(), Alerts()
    little = by.place(make.make("Looked around", "Notice", container="web-1", file="/etc/hosts", **session(40)))
    again = by.place(make.make("Looked around", "Notice", container="web-1", file="/etc/hosts", **session(40)))
    elsewhere = by.place(make.make("Looked around", "Notice", container="web-2", file="/etc/hosts", **session(70)))
    assert little.incident is again.incident is elsewhere.incident is None
    opening = by.place(make.make(container="web-1", wait=MINUTE, **session(40)))
    incident = incident_of(opening)
    assert opening.opened
    assert opening.joined == ("run-1", "run-2")
    assert [(step.rule, step.count) for step in incident.steps] == [("Looked around", 2), ("A rule", 1)]
    assert incident.steps[0].why.startswith("before it, the same ")
    assert incident.count == 3
    assert incident.opened == BEGIN


def test_what_was_too_little_long_ago_stays_out() -> None:
    by, make = grouper(), Alerts()
    by.place(make.make("Looked around", "Notice", container="web-1"))
    assert by.place(make.make(container="web-1", wait=31 * MINUTE)).joined == ()


def test_how_much_opens_an_incident_can_be_set() -> None:
    assert grouper(minimum_score=0).place(Alerts().make(priority="Debug", container="web-1")).opened
    assert grouper(minimum_score=100).place(Alerts().make(priority="Emergency", container="web-1")).incident is None


def test_what_always_happens_alone_opens_no_more_incidents_until_something_else_does() -> None:
    by, make = grouper(), Alerts()
    jobs = [by.place(make.make(**line((pid, "backup")), wait=MINUTE)) for pid in range(100, 140)]
    assert sum(one.opened for one in jobs) == MOST_ALONE
    assert all(one.incident is None for one in jobs[MOST_ALONE:])
    other = by.place(make.make("Another", file="/etc/sudoers", **line((139, "backup")), wait=SECOND))
    assert other.opened
    assert [step.rule for step in incident_of(other).steps] == ["A rule", "Another"]
    day = by.place(make.make(**line((999, "backup")), wait=25 * HOUR))
    assert day.opened


def test_jobs_and_services_of_the_host_do_not_become_one_incident() -> None:
    by, make = grouper(), Alerts()
    ids: set[str] = set()
    for pid in range(100, 110):  # cron's, apt's and the like: each has a tree of its own, and nobody logged in
        placed = by.place(make.make(f"Rule {pid}", file=f"/etc/cron.d/job{pid}", user="root", **line((pid, "sh"))))
        ids.add(incident_of(placed).id)
    assert len(ids) == 10


def test_the_steps_of_an_incident_are_bounded_and_the_rest_counted() -> None:
    by, make = grouper(), Alerts()
    rules = [f"Rule {number // 2}" for number in range(2 * (MOST_STEPS + 5))]
    placed = by.place_all([make.make(rule, container="web-1", wait=SECOND) for rule in rules])
    incident = incident_of(placed[-1])
    assert len(incident.steps) == MOST_STEPS
    assert incident.steps_left_out == 5
    assert incident.count == 2 * (MOST_STEPS + 5)


def test_who_makes_ever_new_things_makes_a_bounded_number_of_issues_and_asks_the_store_no_more() -> None:
    memory = Remembered()
    by, make = grouper(memory), Alerts()
    words = (f"/srv/{chr(97 + a)}{chr(97 + b)}x" for a in range(26) for b in range(26))
    placed = [by.place(make.make(container="web-1", file=word)) for word in words]
    ids = {one.issue.id for one in placed}
    assert len(ids) == MOST_OF_A_RULE + 1
    assert len(memory.asked) == MOST_OF_A_RULE + 1
    assert placed[-1].issue.title == "<many others>"
    assert placed[-1].issue.count == len(placed) - MOST_OF_A_RULE


def test_no_more_incidents_are_held_than_there_is_room_for() -> None:
    by, make = grouper(), Alerts()
    for number in range(MOST_OPEN + 10):
        by.place(make.make(f"Rule {number}", container=f"web-{number:06}", workload=f"w{number}"))
    assert len(by.incidents) == MOST_OPEN
    assert by.incidents.forgotten == 10


def test_a_placement_stays_as_it_was_when_more_comes() -> None:
    by, make = grouper(), Alerts()
    first = by.place(make.make(container="web-1"))
    before = copy.deepcopy(first)
    by.place_all([make.make(container="web-1"), make.make("Another", container="web-1")])
    assert first == before


def test_alerts_out_of_order_stand_in_order() -> None:
    by, make = grouper(), Alerts()
    by.place(make.make(container="web-1"))
    placed = by.place(make.make("Earlier", container="web-1", wait=-SECOND))
    assert [step.rule for step in incident_of(placed).steps] == ["Earlier", "A rule"]
    assert incident_of(placed).opened == BEGIN - SECOND


# ---- what the store remembers


def test_what_the_store_remembers_goes_on() -> None:
    before, make = grouper(), Alerts()
    placed = before.place(make.make(container="web-1", **session(40)))
    memory = Remembered(placed.issue, incidents=(incident_of(placed),))
    after = grouper(memory)
    again = after.place(make.make(container="web-1", wait=MINUTE, **session(40)))
    assert (again.issue.count, again.is_new) == (2, False)
    assert incident_of(again).id == incident_of(placed).id
    assert again.why == "the same exec session: bash (40), as root"
    assert incident_of(again).score == incident_of(placed).score


def test_an_incident_of_another_host_takes_nothing_of_this_one() -> None:
    one, make = grouper(), Alerts()
    placed = one.place(make.make(**line((40, "bash"))))
    here = grouper(Remembered(incidents=(incident_of(placed),)))
    assert here.place(make.make(hostname="node2", **line((40, "bash")))).opened


# ---- decisions


def test_a_closed_issue_that_comes_again_is_open_and_says_so() -> None:
    by, make = grouper(), Alerts()
    issue = by.place(make.make(container="web-1")).issue
    by.decide(decided("close", issue.id))
    again = by.place(make.make(container="web-1"))
    assert (again.regressed, again.issue.state, again.issue.regressed) == (True, "open", 1)
    assert not by.place(make.make(container="web-1")).regressed


def test_an_incident_that_was_closed_takes_no_more() -> None:
    by, make = grouper(), Alerts()
    first = incident_of(by.place(make.make(container="web-1")))
    by.decide(decided("close", first.id))
    again = by.place(make.make(container="web-1"))
    assert again.opened
    assert incident_of(again).id != first.id


def test_an_incident_that_was_opened_again_takes_more() -> None:
    memory = Remembered()
    by, make = grouper(memory), Alerts()
    first = incident_of(by.place(make.make(container="web-1")))
    by.decide(decided("close", first.id))
    memory.incidents.append(first)
    by.decide(decided("reopen", first.id))
    assert incident_of(by.place(make.make(container="web-1"))).id == first.id


def test_decisions_are_seen_in_what_comes_next() -> None:
    by, make = grouper(), Alerts()
    placed = by.place(make.make(container="web-1"))
    for target in (placed.issue.id, incident_of(placed).id):
        by.decide(decided("ack", target))
        by.decide(decided("assign", target, assignee="bob"))
    again = by.place(make.make(container="web-1"))
    for one in (again.issue, incident_of(again)):
        assert (one.state, one.assignee) == ("acknowledged", "bob")
    by.decide(decided("reopen", placed.issue.id))
    assert by.place(make.make(container="web-1")).issue.state == "open"
    by.decide(decided("ack", "i0000000000"))  # nothing that is known here


# ---- mutes


def test_a_muted_alert_is_counted_and_opens_nothing() -> None:
    by, make = grouper(), Alerts()
    by.use_mutes(
        [Mute(id=3, condition='container.name = web-1 and alert.rule = "A rule"', target="", until=BEGIN + HOUR)]
    )
    muted = by.place(make.make(container="web-1"))
    assert (muted.muted, muted.incident, muted.issue.count) == (3, None, 1)
    assert by.place(make.make("Another", container="web-1")).opened
    assert by.place(make.make(container="web-2")).opened
    assert by.place(make.make(container="web-1", wait=HOUR)).muted == 0


def test_an_issue_is_muted_until_somebody_ends_that() -> None:
    by, make = grouper(), Alerts()
    issue = by.place(make.make(container="web-1")).issue
    by.decide(decided("mute", issue.id, until=BEGIN + HOUR))
    muted = by.place(make.make(container="web-1"))
    assert (muted.muted, muted.issue.muted_until) == (7, BEGIN + HOUR)
    by.decide(decided("unmute", issue.id))
    assert by.place(make.make(container="web-1")).issue.muted_until == 0
    assert not by.place(make.make(container="web-1")).muted


def test_a_muted_incident_goes_on_and_says_that_it_is_muted() -> None:
    by, make = grouper(), Alerts()
    first = incident_of(by.place(make.make(container="web-1")))
    by.decide(decided("mute", first.id, until=BEGIN + HOUR))
    again = by.place(make.make("Another", container="web-1"))
    assert (incident_of(again).id, again.muted) == (first.id, 7)


def test_a_mute_by_condition_ends_by_its_condition() -> None:
    by, make = grouper(), Alerts()
    by.decide(decided("mute", until=BEGIN + HOUR, condition="alert.priority = Critical"))
    assert by.place(make.make(container="web-1")).muted == 7
    by.decide(decided("unmute", condition="alert.priority = Critical"))
    assert not by.place(make.make(container="web-1")).muted


def test_a_mute_that_is_wrong_mutes_nothing_and_is_told() -> None:
    by, make = grouper(), Alerts()
    by.use_mutes([Mute(id=3, condition="alert.nothing = 1", target="", until=BEGIN + HOUR)])
    (refused,) = by.mutes.refused
    assert refused == (
        'Mute 3 is not used: The condition is wrong at character 1 ("alert.nothing = 1"): '
        "There is no field 'alert.nothing' (did you mean alert.tags?)."
    )
    assert not by.place(make.make(container="web-1")).muted


# ---- what says little


def test_an_alert_without_origin_is_grouped_by_its_container_and_on_the_host_by_nothing() -> None:
    by, make = grouper(), Alerts()
    in_container = [by.place(replace(make.make(rule, container="web-1"), origin=None)) for rule in ("One", "Other")]
    assert len({incident_of(one).id for one in in_container}) == 1
    assert by.place(replace(make.make(), origin=None)).incident is None


def test_what_hullwatch_says_of_itself_is_an_incident_of_its_own() -> None:
    by, make = grouper(), Alerts()
    placed = [
        by.place(replace(make.make(rule), source="internal", origin=None)) for rule in ("Tampered", "Sensor lost")
    ]
    assert len({incident_of(one).id for one in placed}) == 1
    assert placed[1].why == "Hullwatch itself as step 1"


def test_an_incident_is_called_by_its_worst_step() -> None:
    by, make = grouper(), Alerts()
    by.place(make.make("Small", "Warning", container="web-1"))
    by.place(make.make("Big", "Critical", container="web-1"))
    placed = by.place(make.make("Other", "Warning", container="web-1"))
    incident: Incident = incident_of(placed)
    assert incident.title == "Big and 2 other steps in web"
    assert incident.priority == "Critical"
