"""The audit events' requests are made up here; tests/e2e/test_who_is_behind.py has a real session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.alerts.origin import Ancestor, Origin
from hullwatch.enrich.kubernetes.exec_request import ExecRequest
from hullwatch.store.cluster_tables import open_cluster, open_requests
from hullwatch.store.exec_requests import ExecRequests
from hullwatch.store.reading import AlertReader, Wanted
from hullwatch.store.session_names import SessionNames
from hullwatch.store.sqlite import SqliteDatabase
from tests.store.stored import SECOND, START, alert, keeping, packed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hullwatch.store.keeping import Keeping, Packed


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Keeping]:
    made = keeping(SqliteDatabase(tmp_path / "store.db", make=True))
    yield made
    made.close()


@pytest.fixture
def requests(tmp_path: Path) -> Iterator[ExecRequests]:
    made = ExecRequests(open_requests("", tmp_path, make=True))
    yield made
    made.close()


def of_session(number: int, pid: int = 4711, began: int = START, **more: Any) -> Packed:
    origin = Origin(
        session=f"{pid}.99", session_began=began, pod_name="web-1", pod_container="server", namespace="shop",
        container="0" * 64, processes=(Ancestor(pid, 99, "bash", "bash"),), **more,
    )  # fmt: skip
    return packed(alert(number, origin=origin), number)


def request(user: str = "alice", **more: Any) -> ExecRequest:
    values: dict[str, Any] = {
        "audit": f"a-{user}", "at": START - SECOND // 5, "user": user, "namespace": "shop", "pod": "web-1",
        "container": "server", "command": ("bash",), "source": "198.51.100.7",
    }  # fmt: skip
    return ExecRequest(**(values | more))


def users(kept: Keeping) -> list[object]:
    found = AlertReader(kept.database).newest_first(Wanted())
    return [one.alert.output_fields.get("k8s.session.user") for one in found]


def test_an_alert_whose_request_is_there_is_named_before_it_is_kept(
    kept: Keeping, requests: ExecRequests, tmp_path: Path
) -> None:
    requests.add(request())
    names = SessionNames("", tmp_path)
    kept.take(names.named([of_session(1), packed(alert(2), 2)]))
    assert users(kept) == [None, "alice"]
    found = AlertReader(kept.database).newest_first(Wanted(condition="k8s.session.user = alice"))
    assert [one.alert.id for one in found] == ["run-1"]


def test_what_was_kept_before_its_request_came_is_named_once_and_people_are_told(
    kept: Keeping, requests: ExecRequests, tmp_path: Path
) -> None:
    names = SessionNames("", tmp_path)
    kept.take(names.named([of_session(1), of_session(2), of_session(3, pod="other"), packed(alert(4), 4)]))
    assert names.late(kept) == []
    requests.add(request(pod="another-pod"))
    assert names.late(kept) == []
    requests.add(request("bob"))
    ((rule, priority, message),) = names.late(kept)
    assert (rule, priority) == ("Exec session named", "Notice")
    assert "was opened by bob from 198.51.100.7 (audit id a-bob)" in message
    assert users(kept) == [None, "bob", "bob", "bob"]
    assert names.late(kept) == []
    assert SessionNames("", tmp_path).late(kept) == []  # nor after a restart
    kept.take(names.named([of_session(5)]))
    assert users(kept)[0] == "bob"  # what comes later has the name at once


def test_a_second_person_who_fits_takes_the_name_away_again(
    kept: Keeping, requests: ExecRequests, tmp_path: Path
) -> None:
    names = SessionNames("", tmp_path)
    requests.add(request("alice"))
    kept.take(names.named([of_session(1)]))
    names.late(kept)
    requests.add(request("bob"))
    ((_, _, message),) = names.late(kept)
    assert "was opened by one of: alice (a-alice), bob (a-bob)" in message
    assert users(kept) == [None]


def test_two_people_who_run_the_same_shortly_after_each_other_are_told_apart_by_what_each_request_began(
    kept: Keeping, requests: ExecRequests, tmp_path: Path
) -> None:
    names = SessionNames("", tmp_path)
    requests.add(request("alice"))
    requests.add(request("bob", at=START + 4 * SECOND))
    kept.take(names.named([of_session(1), of_session(2, 4712, began=START + 5 * SECOND)]))
    kept.take(names.named([of_session(3), of_session(4, 4712, began=START + 5 * SECOND)]))
    assert users(kept) == ["bob", "alice", "bob", "alice"]
    requests.add(request("carol", at=START + 1))  # somebody else may have begun the first one, and so the second one
    names.late(kept)
    assert users(kept) == [None] * 4


def test_one_person_who_runs_the_same_twice_is_named_with_the_request_of_each(
    kept: Keeping, requests: ExecRequests, tmp_path: Path
) -> None:
    names = SessionNames("", tmp_path)
    requests.add(request(audit="first"))
    kept.take(names.named([of_session(1)]))
    kept.take(names.named([of_session(2, 4712, began=START + 5 * SECOND)]))
    requests.add(request(audit="second", at=START + 4 * SECOND))
    names.late(kept)
    kept.take(names.named([of_session(3, 4712, began=START + 5 * SECOND)]))
    found = AlertReader(kept.database).newest_first(Wanted())
    assert [one.alert.output_fields["k8s.session.auditid"] for one in found] == ["second", "second", "first"]


def test_without_requests_nothing_is_opened_or_changed(kept: Keeping, tmp_path: Path) -> None:
    names = SessionNames("", tmp_path)
    batch = [of_session(1)]
    assert names.named(batch) == batch
    assert names.late(kept) == []


def test_a_request_is_kept_once_and_the_oldest_go(requests: ExecRequests) -> None:
    assert requests.add(request())
    assert not requests.add(request())
    assert requests.add(request("bob", at=START))
    assert requests.make_room(START + 31 * 86_400 * SECOND) == 2
    assert requests.newest() == 0


def test_a_damaged_file_of_requests_keeps_no_alert_from_being_kept(
    kept: Keeping, requests: ExecRequests, tmp_path: Path
) -> None:
    names = SessionNames("", tmp_path)
    assert names.named([of_session(1)])
    database = open_cluster(tmp_path, write=True)
    database.write("DROP TABLE exec_requests")
    database.close()
    kept.take(names.named([of_session(2)]))
    assert names.late(kept) == []
    assert users(kept) == [None]


def of_pod(number: int, container: str = "server") -> Packed:
    origin = Origin(
        pod_name="web-1", pod_container=container, namespace="shop", container="0" * 64,
        processes=(Ancestor(1, 1, "server", "server"),),
    )  # fmt: skip
    return packed(alert(number, origin=origin), number)


def around(kept: Keeping) -> list[tuple[object, object]]:
    found = AlertReader(kept.database).newest_first(Wanted())
    names = ("k8s.session.attached", "k8s.session.forwarding")
    return [(one.alert.output_fields.get(names[0]), one.alert.output_fields.get(names[1])) for one in found]


def test_an_alert_of_a_pods_own_process_lists_who_was_attached_and_who_forwarded_a_port(
    kept: Keeping, requests: ExecRequests, tmp_path: Path
) -> None:
    requests.add(request("alice", kind="attach", command=()))
    requests.add(request("bob", kind="portforward", container="", command=()))
    requests.add(request("carol", kind="exec"))
    names = SessionNames("", tmp_path)
    kept.take(names.named([of_pod(1)]))
    assert around(kept) == [(["alice (a-alice)"], ["bob (a-bob)"])]


def test_who_had_ended_before_or_was_attached_to_another_container_is_not_listed(
    kept: Keeping, requests: ExecRequests, tmp_path: Path
) -> None:
    before = START - 100 * SECOND
    requests.add(request("alice", kind="attach", at=before, command=()))
    requests.add(request("alice", kind="attach", at=before, ended=before + SECOND, command=()))
    requests.add(request("bob", kind="attach", container="sidecar", command=()))
    kept.take(SessionNames("", tmp_path).named([of_pod(1)]))
    assert around(kept) == [(None, None)]


def test_a_request_to_attach_that_comes_late_is_listed_in_what_was_kept(
    kept: Keeping, requests: ExecRequests, tmp_path: Path
) -> None:
    names = SessionNames("", tmp_path)
    kept.take(names.named([of_pod(1)]))
    requests.add(request("alice", kind="attach", command=()))
    assert names.late(kept) == []
    requests.add(request("bob", kind="attach", command=()))
    assert names.late(kept) == []
    assert around(kept) == [(["alice (a-alice)", "bob (a-bob)"], None)]
