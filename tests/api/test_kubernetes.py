"""The cluster that an instance follows is told by it to those who may not read its file."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from hullwatch.enrich.kubernetes.resources import BY_NAME
from hullwatch.enrich.kubernetes.trimming import trimmed
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_tables import open_cluster
from hullwatch.store.contacts import Contact, Contacts, open_contacts
from tests.cli.in_process import Command, command
from tests.kubernetes_api import pod

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.api.conftest import Held

__all__ = ["command"]
PODS = BY_NAME["pods"]


def follow(state: Path) -> None:
    """Write what a run would know: two pods, of which one connected to the other."""
    followed = Cluster(open_cluster(state, make=True))
    with followed.batch():
        for found in (pod("db-0", ip="10.0.0.9"), pod("web-1", ip="10.0.0.8")):
            followed.put(PODS, trimmed(found, PODS.kind, PODS.version))
        followed.alive(PODS)
    followed.close()
    seen = open_contacts("", state, make=True)
    now = time.time_ns()
    Contacts(seen).put([Contact("shop", "Pod", "web-1", "10.0.0.9", 6379, 6, "web-1", "", 1, now, now)])
    seen.close()


def test_the_cluster_is_told_by_the_instance_where_its_file_is_not_to_be_read(
    command: Command, held: Held, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_RUN", str(held.run))
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_CACHE", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    follow(held.state)
    by_file = command("k8s", "connections", "-o", "json", "--state-directory", str(held.state))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # others have another place for what lasts than the instance
    code, lines, said = command("k8s", "connections", "-o", "json")
    assert (code, lines) == by_file[:2]
    (found,) = map(json.loads, lines)
    assert (found["held_by"], found["store"]["what"]) == ("Pod shop/db-0", "Redis")
    assert "kubernetes.db, as the running Hullwatch told, true " in said
    assert command("k8s", "exposure")[0] == 0
