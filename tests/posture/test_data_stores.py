"""Databases, caches and vaults are known by what runs there, by names and by ports, and an operator can add some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.errors import UsageError
from hullwatch.posture.connections import Connection, classify
from hullwatch.posture.data_stores import data_stores
from hullwatch.posture.peers import Holder, Peers
from hullwatch.posture.workloads import Workloads
from tests.posture.exposed import made
from tests.posture.made import cluster

if TYPE_CHECKING:
    from pathlib import Path

ADDED = """
besides = ["replayer"]
[[stores]]
name = "Ledger"
kind = "vault"
ports = [7777, 5432]
words = ["ledger"]
endings = [".ledger.example"]
images = ["ledgerd-*"]
"""


@pytest.mark.parametrize(
    ("port", "name", "image", "what"),
    [
        (443, "", "docker.io/bitnami/postgresql:15@sha256:0", ("PostgreSQL", "image")),
        (9999, "", "registry:5000/team/redis:7", ("Redis", "image")),
        (9121, "redis-0.cache.svc", "oliver006/redis_exporter", ("Redis", "name")),
        (9187, "postgres-exporter.db.svc", "quay.io/x/postgres-exporter", None),
        (8080, "vault-agent-injector.vault.svc", "", None),
        (443, "secretmanager.googleapis.com", "", ("Google Secret Manager", "name")),
        (443, "x.abc.eu-west-1.RDS.amazonaws.com.", "", ("Amazon RDS", "name")),
        (5432, "", "nginx", ("PostgreSQL", "port")),
        (443, "www.example.com", "nginx", None),
    ],
)
def test_what_runs_there_tells_most_and_a_port_least(
    port: int, name: str, image: str, what: tuple[str, str] | None
) -> None:
    found = data_stores().recognise(port, filter(None, [name]), filter(None, [image]))
    assert (None if found is None else (found.store.name, found.by)) == what


def test_an_operator_adds_stores_and_what_is_added_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "added.toml"
    file.write_text(ADDED)
    added = data_stores((str(file),))
    asked = (
        (7777, "", ""),
        (1, "ledger-2.x", ""),
        (1, "a.ledger.example", ""),
        (1, "", "x/ledgerd-3:1"),
        (5432, "", ""),
    )
    told = [added.recognise(port, [name], [image]) for port, name, image in asked]
    assert [(one.store.name, one.by) for one in told if one] == [
        ("Ledger", by) for by in ("port", "name", "name", "image", "port")
    ]
    assert added.recognise(1, ["ledger-replayer"]) is None
    assert added.recognise(6379) is not None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[stores]]\nnam = 1", "is no list of data stores"),
        ("[[stores]\n", "is no list of data stores"),
        ("# " + "x" * (1 << 20), "is larger than 1 MiB"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "wrong.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=said):
        data_stores((str(file),))


def test_who_had_the_address_then_is_behind_a_connection_and_else_who_has_it_now() -> None:
    spec = {"containers": [{"name": "c", "image": "postgres:15"}]}
    inventory = cluster(
        made({"pod": spec}) | {"status": {"podIP": "10.0.0.9"}},
        made({"service": {"clusterIP": "10.96.0.5", "selector": {"app": "web"}, "ports": [{"port": 1}]}}),
    )
    past = {("10.0.0.7", 5): [Holder("Pod", "shop", "gone-0")], ("10.0.0.9", 5): [Holder("Node", "", "n1")]}
    peers = Peers(inventory, Workloads(inventory), lambda address, when: past.get((address, when), []))
    told = [peers.of(*asked) for asked in (("10.0.0.9", 0), ("10.0.0.7", 5), ("10.0.0.9", 5), ("192.0.2.1", 5))]
    words = [None if one is None else one.words for one in told]
    assert words == ["Deployment shop/web", "Pod shop/gone-0", "Node n1", None]
    service = peers.of("10.96.0.5", 9)
    assert service is not None
    assert service.images == ("postgres:15",)
    found = classify(Connection("shop", "web", "10.96.0.5", 80, at=9), peers=peers)
    assert found is not None
    assert (found.what, found.by, found.behind) == ("PostgreSQL", "image", service.words)
