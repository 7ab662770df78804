"""What a score is made of."""

from __future__ import annotations

import itertools

import pytest

from hullwatch.alerts.origin import Origin
from hullwatch.alerts.score import (
    CONTEXT,
    MOST,
    MOST_CHAIN,
    PRIORITY_POINTS,
    PRIVILEGED,
    PRODUCTION,
    RARITY,
    RARITY_ENDS,
    REACHABLE,
    SECRETS,
    Chain,
    Surroundings,
    context_of,
    incident_parts,
    issue_parts,
    rarity_of,
    rarity_part,
    total,
)
from hullwatch.rules.attack_techniques import TACTICS
from tests.alerts.placing import Alerts, grouper, incident_of
from tools.repository import ROOT


def test_the_parts_add_up_to_a_hundred_at_most_and_reach_it() -> None:
    worst = incident_parts("Emergency", rarity_part(1), CONTEXT, Chain((tag,) for tag in TACTICS))
    assert total(worst) == MOST == 100
    assert total(issue_parts("Debug", 10**9, frozenset())) == 0
    assert all(part.points > 0 for part in worst)


def test_the_more_severe_the_more_points() -> None:
    points = list(PRIORITY_POINTS.values())
    assert points == sorted(points, reverse=True)
    assert len(set(points)) == len(points)


def test_the_more_often_a_thing_was_seen_the_fewer_points() -> None:
    points = [part.points if (part := rarity_part(count)) else 0 for count in range(1, 2000)]
    assert points == sorted(points, reverse=True)
    changes = {count + 1 for count, (one, other) in enumerate(itertools.pairwise(points), 1) if one != other}
    assert changes == RARITY_ENDS
    assert rarity_of(issue_parts("Debug", 1, frozenset())) == rarity_part(1)
    assert rarity_of(issue_parts("Debug", 2000, frozenset())) is None


@pytest.mark.parametrize(
    ("tactics", "points"),
    [
        ([], None),
        ([["mitre_execution"]], None),
        ([["mitre_execution"], ["mitre_execution"], ["unknown"]], None),
        ([["mitre_execution"], ["mitre_credential_access"]], 5),
        ([["mitre_credential_access"], ["mitre_execution"]], 3),  # against the order of an attack
        ([["mitre_execution", "mitre_persistence"]], 3),  # at the same time: none follows the other
        ([["mitre_execution"], ["mitre_persistence"], ["mitre_credential_access"]], 10),
        ([[tag] for tag in TACTICS], MOST_CHAIN),
    ],
)
def test_tactics_that_follow_each_other_give_points(tactics: list[list[str]], points: int | None) -> None:
    part = Chain(tactics).part()
    assert (part.points if part is not None else None) == points


def test_the_surroundings_are_told_by_the_origin() -> None:
    surroundings = Surroundings(["prod-*"])
    assert surroundings.of(None) == frozenset()
    assert surroundings.of(Origin()) == frozenset()
    assert surroundings.of(Origin(privileged=True)) == {PRIVILEGED}
    assert surroundings.of(Origin(ports=("80->80/tcp",))) == surroundings.of(Origin(host_network=True)) == {REACHABLE}
    assert surroundings.of(Origin(secrets=True)) == surroundings.of(Origin(mounts=("/etc",))) == {SECRETS}
    assert surroundings.of(Origin(namespace="prod-eu")) == {PRODUCTION}
    assert surroundings.of(Origin(namespace="test")) == frozenset()


def test_an_issue_loses_points_as_it_becomes_usual_and_an_incident_keeps_those_it_had() -> None:
    by, make = grouper(), Alerts()
    placed = [by.place(make.make(container="web-1", privileged=True)) for _ in range(1001)]
    assert [placed[number].issue.score for number in (0, 1, 3, 10, 100, 1000)] == [59, 56, 53, 49, 46, 44]
    assert incident_of(placed[-1]).score == 59
    for one in (placed[0].issue, placed[-1].issue, incident_of(placed[-1])):
        assert total(one.parts) == one.score
        assert context_of(one.parts) == {PRIVILEGED}


def test_a_chain_of_tactics_makes_an_incident_matter_more_than_its_issues() -> None:
    by, make = grouper(), Alerts()
    one = by.place(make.make("One", "Warning", container="web-1", tags=("mitre_execution", "T1059")))
    other = by.place(make.make("Other", "Warning", container="web-1", tags=("mitre_credential_access", "T1003")))
    assert (one.issue.score, other.issue.score) == (35, 35)
    assert incident_of(other).score == 40
    assert [part.why for part in incident_of(other).parts][-1] == (
        "2 tactics of an attack, 2 of them one after the other"
    )


def test_the_page_has_the_points_that_the_code_gives() -> None:
    page = (ROOT / "docs" / "incidents.md").read_text(encoding="utf-8")
    for priority, points in PRIORITY_POINTS.items():
        assert f"| priority {priority} | {points} |" in page
    for _, points, why in RARITY:
        assert f"| {why} | {points} |" in page
    for why, points in CONTEXT.items():
        assert f"| {why} | {points} |" in page
