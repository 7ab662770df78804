from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.alerts.condition import AlertCondition
from hullwatch.errors import UsageError
from hullwatch.store import reading
from hullwatch.store.pushdown import pushed_down
from hullwatch.store.reading import AlertReader, Wanted
from tests.store.stored import SECOND, START, alert, batch, keeping, packed

if TYPE_CHECKING:
    from hullwatch.store.database import Database

VARIED: list[dict[str, Any]] = [
    {},
    {"rule": "Other rule", "priority": "Critical"},
    {"priority": "Debug", "process": "sh", "output_fields": {"proc.name": "sh", "fd.name": "/x"}},
    {"process": "", "output_fields": {}, "container_name": "", "container_image": ""},
    {"container_id": "host", "container_name": "", "container_image": "", "hostname": "node-2"},
    {"output_fields": {"k8s.ns.name": "shop", "k8s.pod.name": "web-5d", "proc.name": "Bash"}},
    {"output_fields": {"k8s.ns.name": "", "proc.name": "b"}, "container_name": "web%_'"},
    {"output_fields": {"proc.name": "\u00e9t\u00e9", "container.name": "db"}},
]

CONDITIONS = [
    "proc.name = bash",
    "proc.name != bash",
    "not proc.name = bash",
    "not proc.name != bash",
    "proc.name in (sh, b)",
    "proc.name in ()",
    "proc.name contains a",
    "proc.name icontains A",
    "proc.name startswith b and not container.name endswith 1",
    "proc.name startswith \u00e9",
    "proc.name endswith \u00e9",
    'proc.name = ""',
    'k8s.ns.name = ""',
    "k8s.ns.name exists",
    "not k8s.ns.name exists",
    "k8s.pod.name = web-5d or alert.rule = 'Other rule'",
    "container.name = db",
    'container.name endswith "%_\'"',
    "container.id = host",
    "container.image startswith nginx",
    "alert.priority = Critical",
    "alert.priority in (Critical, Debug, Wrong)",
    "alert.priority = wrong",
    "alert.hostname glob node-*",
    "alert.hostname = node-2 or fd.name = /x",
    "fd.name startswith /etc and proc.name = bash",
    "not (fd.name startswith /etc and proc.name = bash)",
    "not (proc.name = bash and container.id != host)",
    "evt.source = syscall and not evt.source in (k8s_audit)",
    "proc.name = val(container.name)",
    "tolower(proc.name) = bash",
]


def varied(database: Database) -> AlertReader:
    keeping(database).take([packed(alert(number, **values), number) for number, values in enumerate(VARIED)])
    return AlertReader(database)


def test_what_is_looked_up_is_what_the_language_says(database: Database) -> None:
    reader = varied(database)
    everything = list(reader.newest_first(Wanted()))
    assert len(everything) == len(VARIED)
    for condition in CONDITIONS:
        wanted, judge = Wanted(condition), AlertCondition(condition)
        expected = [found.alert.id for found in everything if judge(found.alert)]
        assert [found.alert.id for found in reader.newest_first(wanted)] == expected, condition
        assert reader.count(wanted) == len(expected), condition


@pytest.mark.parametrize(
    ("condition", "exact"),
    [
        ("proc.name = bash", True),
        ("not (proc.name in (a, b) or container.id = host)", True),
        ("proc.name = bash and fd.name = /x", False),
        ("proc.name != bash", False),
    ],
)
def test_the_database_knows_whether_it_can_tell_all(condition: str, exact: bool) -> None:  # noqa: FBT001
    assert pushed_down(condition).exact is exact


def test_what_cannot_be_looked_up_narrows_nothing_away() -> None:
    assert pushed_down("fd.name = /x or proc.name = bash").sql == "1 = 1"
    assert pushed_down("fd.name = /x and proc.name = bash").parameters == ("bash",)
    assert pushed_down(f"proc.name in ({', '.join(f'p{number}' for number in range(600))})").sql == "1 = 1"


def test_a_wrong_condition_is_told_with_its_place(database: Database) -> None:
    with pytest.raises(UsageError, match=r"proc\.nam"):
        list(varied(database).newest_first(Wanted("proc.nam = bash")))


def test_time_rule_and_priority_narrow(database: Database) -> None:
    reader = varied(database)
    assert reader.count(Wanted("alert.workload = nginx:1.25")) == 6  # its issue's

    def of(**values: Any) -> set[int]:
        return {int(found.alert.id[4:], 16) for found in reader.newest_first(Wanted(**values))}

    assert of(since=START + 2 * SECOND, until=START + 4 * SECOND) == {2, 3, 4}
    assert of(rules=("Oth*",)) == {1}
    assert of(rules=("nothing",)) == set()
    assert of(priority="Critical") == {1}
    assert of(priority="Warning") == set(range(len(VARIED))) - {2}
    assert reader.count(Wanted(rules=("Oth*", "Shell*"), until=START)) == 1


def test_many_are_read_in_parts_the_newest_first_and_each_once(database: Database) -> None:
    keeper = keeping(database)
    keeper.take(batch(0, 1500))
    keeper.take([packed(alert(1000), number) for number in range(1500, 2700)])  # many of one moment
    reader = AlertReader(database)
    found = list(reader.newest_first(Wanted()))
    assert len({one.alert.id for one in found}) == len(found) == 2700
    times = [one.alert.time for one in found]
    assert times == sorted(times, reverse=True)
    assert [one.alert.id for one in reader.newest_first(Wanted(), 3)] == [one.alert.id for one in found[:3]]
    assert len(list(reader.newest_first(Wanted("fd.name endswith 7"), 150))) == 150


def test_issues_come_by_score_and_state(database: Database) -> None:
    keeper = keeping(database)
    keeper.take([*batch(0, 1), *batch(1, 1, rule="Other")])
    found = reading.issues(database)
    assert [issue.rule for issue in found] == ["Other", "Shell in a container"]  # the same score: the last seen first
    assert reading.issues(database, ("closed",)) == []
    assert reading.issues(database, limit=1) == found[:1]
    assert reading.issues(database, since=START + SECOND) == found[:1]


def test_ids_are_found_by_their_beginning(database: Database) -> None:
    keeping(database).take(batch(0, 1))
    (issue,) = reading.issues(database)
    assert reading.ids(database, "issues", issue.id[:4]) == [issue.id]
    assert reading.ids(database, "issues", "%") == []
    assert reading.ids(database, "incidents", "n") == ["n012345"]


def test_a_container_is_found_by_the_name_that_its_last_alert_has(database: Database) -> None:
    keeper = keeping(database)
    keeper.take([packed(alert(1, container_id="aaaaaaaaaaaa", container_name="shop"), 1)])
    keeper.take([packed(alert(2, container_id="bbbbbbbbbbbb", container_name="shop"), 2)])
    keeper.take([packed(alert(3, container_id="host", container_name="host"), 3)])
    assert reading.last_container(database, "shop") == "bbbbbbbbbbbb"
    assert reading.last_container(database, "host") == ""
    assert reading.last_container(database, "sho%") == ""
