"""What workloads connected to is kept in a bounded file, beside the work of the engine."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.enrich.container import Container
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME
from hullwatch.fields.address import write_tuple
from hullwatch.store import contact_keeping
from hullwatch.store.contact_keeping import ContactKeeper
from hullwatch.store.contacts import KEEP, Contact, Contacts, open_contacts
from hullwatch.store.database import NoStoreError, StoreError
from hullwatch.store.known_cluster import ClusterFile

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_860_000_000_000_000
POD = Container(
    id="c" * 12, full_id="c" * 64, pod_name="web-1", pod_namespace="shop", owner_kind="Deployment", owner_name="web"
)


class OneName:
    """Every address has the same name."""

    clock_offset = 0

    def of(self, container_id: str, address: bytes, time: int) -> tuple[str, ...]:
        return ("db.example",)


def contact(workload: str, last: int, *, at: int = NOW, store: int = 0, name: str = "") -> Contact:
    return Contact("shop", "Deployment", workload, f"10.0.0.{last}", 80, 6, f"{workload}-1", name, store, at, at)


def event(address: str, port: int = 5432, *, container: Container = POD, res: int = 0, at: int = NOW) -> Event:
    params = {"tuple": write_tuple(("10.1.1.1", 4000), (address, port)), "res": res, "l4proto": 6}
    made = Event(number=1, time=at, type=BY_NAME["connect"], params=params, process=None, container=container)
    made.names = OneName()
    return made


def kept(tmp_path: Path) -> list[Contact]:
    database = open_contacts("", tmp_path)
    found = Contacts(database).all()
    database.close()
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A URL of a store: empty for a file."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("empty"))


def test_a_contact_that_comes_again_has_its_first_and_its_last_time_and_the_name_that_was_known(
    url: str, tmp_path: Path
) -> None:
    open_contacts(url, tmp_path, make=True).close()
    database = open_contacts(url, tmp_path, make=True)
    contacts = Contacts(database)
    contacts.put([contact("web", 1, name="db.example")])
    contacts.put([contact("web", 1, at=NOW + 5)])
    (found,) = contacts.all("shop")
    assert (found.name, found.began, found.at) == ("db.example", NOW, NOW + 5)
    assert (contacts.all("other"), contacts.all("shop", NOW + 6)) == ([], [])
    database.close()


def test_of_too_many_those_go_that_are_no_databases_and_were_not_seen_for_longest(url: str, tmp_path: Path) -> None:
    database = open_contacts(url, tmp_path, make=True)
    contacts = Contacts(database, most=5, most_of_one=3)
    contacts.put([contact("web", number, at=NOW + number) for number in range(1, 6)])
    contacts.put([contact("web", 9, store=1), contact("old", 1, at=NOW - KEEP)])
    assert contacts.make_room(NOW + 10) == 4
    assert [one.address for one in contacts.all()] == ["10.0.0.4", "10.0.0.5", "10.0.0.9"]
    contacts.put([contact("api", number, at=NOW + number) for number in range(1, 4)])
    contacts.make_room(NOW + 10)
    assert len(contacts.all()) == 5
    database.close()


def test_connections_of_pods_to_other_hosts_are_kept_once_with_what_made_the_pod(tmp_path: Path) -> None:
    keeper = ContactKeeper(lambda: open_contacts("", tmp_path, make=True))
    for one in (
        event("10.0.0.9"), event("10.0.0.9", at=NOW + 10**9), event("127.0.0.1"), event("0.0.0.0"),
        event("10.0.0.8", res=-111), event("10.0.0.7", 443, res=-115),
        event("10.0.0.6", container=Container(id="host")),
    ):  # fmt: skip
        keeper.take(one)
    keeper.close()
    found = [(one.kind, one.workload, one.pod, one.address, one.port, one.name, one.store) for one in kept(tmp_path)]
    web = ("Deployment", "web", "web-1")
    assert found == [(*web, "10.0.0.7", 443, "db.example", 0), (*web, "10.0.0.9", 5432, "db.example", 1)]


def test_more_than_some_hundred_in_a_second_are_counted_and_not_looked_at(tmp_path: Path) -> None:
    now = [0.0]
    keeper = ContactKeeper(lambda: open_contacts("", tmp_path, make=True), clock=lambda: now[0])
    assert [keeper.has_room for _ in range(contact_keeping.MOST_A_SECOND + 2)].count(False) == 2
    now[0] = 1.0
    assert keeper.has_room
    assert keeper.status() == {"left_out": {contact_keeping.TOO_MANY: 2}, "problem": ""}
    assert not keeper.is_due()
    now[0] = contact_keeping.AGAIN
    assert (keeper.is_due(), keeper.is_due()) == (True, False)
    keeper.close()


def test_what_cannot_be_written_is_told_and_written_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_keeping, "EVERY", 0.0)
    monkeypatch.setattr(contact_keeping, "RETRY", 0.001)
    refused, mended = threading.Event(), threading.Event()

    def connect() -> Any:
        if not mended.is_set():
            refused.set()
            raise StoreError("The disk is full.")
        return open_contacts("", tmp_path, make=True)

    keeper = ContactKeeper(connect)
    keeper.take(event("10.0.0.9"))
    assert refused.wait(20)
    deadline = time.monotonic() + 20
    while not keeper.problem and time.monotonic() < deadline:
        time.sleep(0.001)
    assert keeper.problem == "The disk is full."
    mended.set()
    keeper.close()
    assert [one.address for one in kept(tmp_path)] == ["10.0.0.9"]


def test_before_anything_was_noted_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoStoreError):
        open_contacts("", tmp_path)
    assert list(ClusterFile("", tmp_path).seen()) == []
