"""An alert about an opening names the databases that the workloads behind it were seen to connect to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hullwatch.config.kubernetes_settings import KubernetesSettings
from hullwatch.config.settings import Settings
from hullwatch.enrich.kubernetes.resources import BY_NAME
from hullwatch.enrich.kubernetes.trimming import trimmed
from hullwatch.fields.audit_event import AuditEvent
from hullwatch.fields.ka_trail import exposure_behind, exposure_reaches, tell
from hullwatch.posture.data_stores import data_stores
from hullwatch.store import sightings
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_tables import open_cluster
from hullwatch.store.contacts import FILE, Contact, Contacts, open_contacts
from hullwatch.store.sightings import StoredSightings, memory_of_run
from hullwatch.store.trail_memory import TrailMemory
from tests.posture.events import wrote
from tests.posture.exposed import made

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOW = time.time_ns()
LOAD_BALANCER: dict[str, Any] = {
    "type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 443}],
}  # fmt: skip


def pod(namespace: str, name: str, address: str, image: str, **labels: str) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"namespace": namespace, "name": name, "uid": name, "labels": labels},
        "spec": {"containers": [{"name": "c", "image": image}]},
        "status": {"podIP": address},
    }


def service(namespace: str, name: str, address: str, **selector: str) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "uid": name}
    spec = {"clusterIP": address, "selector": selector}
    return {"kind": "Service", "apiVersion": "v1", "metadata": metadata, "spec": spec}


def contact(address: str, port: int, *, workload: str = "web", name: str = "", store: int = 0) -> Contact:
    return Contact("shop", "Deployment", workload, address, port, 6, f"{workload}-5d8f-x", name, store, NOW, NOW)


def note(state: Path, *contacts: Contact) -> None:
    database = open_contacts("", state, make=True)
    Contacts(database).put(contacts)
    database.close()


def follow(state: Path, *objects: dict[str, Any]) -> None:
    followed = Cluster(open_cluster(state, make=True))
    with followed.batch():
        for one in objects:
            resource = next(found for found in BY_NAME.values() if found.kind == one["kind"])
            followed.put(resource, trimmed(one, resource.kind, resource.version), NOW - 1)
    followed.close()


class Opened:
    """Somebody opens the workload ``web`` of the namespace ``shop``, again and again."""

    def __init__(self, state: Path) -> None:
        self.now = 1000.0
        self.memory = TrailMemory(state, StoredSightings("", state, data_stores(), lambda: self.now))
        self.trail = self.memory.trail()
        self.trail.take(wrote("create", made("deployment"), auditID="d"))

    def event(self) -> AuditEvent:
        audit = wrote("create", made({"service": LOAD_BALANCER}), auditID=f"{self.now}")
        event = AuditEvent(audit)
        tell(event, self.trail, self.trail.take(audit))
        return event

    def reaches(self) -> tuple[str, ...] | None:
        return exposure_reaches(self.event())


def test_what_it_reaches_is_known_by_port_and_name_and_by_the_image_of_who_had_the_address(tmp_path: Path) -> None:
    follow(
        tmp_path,
        pod("data", "orders-0", "10.0.0.9", "registry.example/postgres:16", app="orders"),
        service("data", "orders", "10.96.0.9", app="orders"),
        pod("shop", "other-1", "10.0.0.7", "nginx"),
    )
    note(
        tmp_path,
        contact("10.0.0.8", 6379),
        contact("10.96.0.9", 9999),
        contact("192.0.2.5", 8443, name="vault.example"),
        contact("10.0.0.7", 8080),
        contact("10.0.0.6", 3306, workload="other"),
    )
    opened = Opened(tmp_path)
    event = opened.event()
    assert set(exposure_reaches(event) or ()) == {
        "Redis (10.0.0.8:6379)",
        "PostgreSQL (10.96.0.9:9999, Service data/orders (Pod data/orders-0))",
        "Vault (vault.example:8443)",
    }
    assert exposure_behind(event) == ("Deployment shop/web (ServiceAccount shop/default)",)
    opened.memory.close()


def test_what_was_read_is_good_for_some_seconds(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    assert opened.reaches() is None
    note(tmp_path, contact("10.0.0.8", 6379))
    assert opened.reaches() is None
    opened.now += sightings.FRESH
    assert opened.reaches() == ("Redis (10.0.0.8:6379)",)
    opened.memory.close()


def test_a_database_that_does_not_answer_is_asked_again_after_a_minute(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    opened = Opened(tmp_path)
    assert opened.reaches() is None
    (tmp_path / FILE).unlink()
    note(tmp_path, contact("10.0.0.8", 6379))
    opened.now += sightings.FRESH
    assert opened.reaches() is None
    opened.now += sightings.RETRY
    assert opened.reaches() == ("Redis (10.0.0.8:6379)",)
    opened.memory.close()


def test_of_many_contacts_those_to_databases_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "MOST", 2)
    note(tmp_path, contact("10.0.0.8", 6379, store=1), *(contact(f"10.1.0.{last}", 443) for last in range(9)))
    opened = Opened(tmp_path)
    assert opened.reaches() == ("Redis (10.0.0.8:6379)",)
    opened.memory.close()


def test_a_run_knows_the_data_stores_of_its_settings_and_tells_of_a_file_that_is_wrong(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[stores]]\nname = "Ledger"\nports = [7777]\n')
    note(tmp_path, contact("10.0.0.8", 7777))
    for text, found in ((own.read_text(), "Ledger"), ("[[stores]]\nnome = 1\n", None)):
        (tmp_path / f"{found}.toml").write_text(text)
        told: list[str] = []
        settings = Settings(kubernetes=KubernetesSettings(data_stores=(str(tmp_path / f"{found}.toml"),)))
        memory = memory_of_run(settings, tmp_path, told.append)
        trail = memory.trail()
        trail.take(wrote("create", made("deployment"), auditID=f"d{found}"))
        change = trail.take(wrote("create", made({"service": LOAD_BALANCER}), auditID=f"s{found}")).exposure
        assert change is not None
        reached = [to.what for one in trail.behind(change) for to in one.reached]
        assert reached == [name for name in (found,) if name]
        assert len(told) == (0 if found else 1)
        memory.close()
