"""What a run found in the audit log, on the disk beside the cluster's state."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.posture.trail import Author, Told, Trail
from hullwatch.store import trail_memory
from hullwatch.store.database import NoStoreError
from hullwatch.store.trail_memory import TrailMemory, kept_findings
from tests.posture.events import wrote
from tests.posture.exposed import made
from tests.posture.test_trail import role, workload

if TYPE_CHECKING:
    from pathlib import Path

NODE_PORT: dict[str, Any] = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}


def followed(state: Path, *events: dict[str, Any]) -> tuple[TrailMemory, Trail, list[Told]]:
    memory = TrailMemory(state)
    trail = memory.trail()
    return memory, trail, [trail.take(event) for event in events]


def test_what_was_found_is_read_again_as_it_was_told(tmp_path: Path) -> None:
    memory, _, told = followed(
        tmp_path,
        wrote("create", role("get")),
        wrote("update", role("list")),
        wrote("create", made({"service": NODE_PORT})),
    )
    memory.close()
    assert list(kept_findings(tmp_path)) == told
    assert memory.problem == ""


def test_where_no_run_took_audit_events_that_is_said_and_not_that_nothing_was_changed(tmp_path: Path) -> None:
    trail_memory.open_cluster(tmp_path, make=True).close()
    with pytest.raises(NoStoreError, match="No run has taken audit events"):
        list(kept_findings(tmp_path))


def test_a_restart_has_an_event_told_once_more_as_the_first_time(tmp_path: Path) -> None:
    event = wrote("update", role("list"))
    memory, _, told = followed(tmp_path, wrote("create", role("get")), event)
    memory.close()
    again, trail, _ = followed(tmp_path)
    assert trail.take(event) == told[-1]
    again.close()
    assert len(list(kept_findings(tmp_path))) == len(told)


def test_a_binding_is_as_dangerous_as_its_role_also_where_that_became_known_after_the_beginning(tmp_path: Path) -> None:
    memory, trail, _ = followed(tmp_path)
    cluster = trail_memory.Cluster(trail_memory.open_cluster(tmp_path, write=True))
    secrets = role()
    secrets["rules"] = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]
    with cluster.batch():
        cluster.put(trail_memory.BY_KIND["Role"], secrets)
    cluster.close()
    subjects = [{"kind": "User", "name": "bob"}]
    binding = role(name="bob") | {
        "kind": "RoleBinding",
        "roleRef": {"kind": "Role", "name": "read"},
        "subjects": subjects,
    }
    (change,) = trail.take(wrote("create", binding)).rights
    memory.close()
    assert (change.severity, change.risks[0]) == ("high", "secrets-read")


def test_a_run_begins_with_the_cluster_as_it_is_known(tmp_path: Path) -> None:
    memory, _, _ = followed(tmp_path)
    memory.close()
    cluster = trail_memory.Cluster(trail_memory.open_cluster(tmp_path, write=True))
    with cluster.batch():
        cluster.put(trail_memory.BY_KIND["Role"], role("get"))
        cluster.put(trail_memory.BY_KIND["Pod"], made({"pod": {"hostPID": True, "containers": []}}))
    cluster.close()
    memory, trail, _ = followed(tmp_path)
    (change,) = trail.take(wrote("update", role("list"))).rights
    assert change.removed == ("get pods",)
    pod = trail.pod("shop", "web-5d8f-x")
    assert pod is not None
    assert pod.powers() == ("hostPID",)
    memory.close()


def test_who_wrote_a_workload_is_known_after_a_restart(tmp_path: Path) -> None:
    event = wrote("create", workload("Deployment", "web"), by="alice", stageTimestamp="2026-11-21T21:35:05Z")
    memory, _, _ = followed(tmp_path, event)
    memory.close()
    memory, trail, _ = followed(tmp_path)
    assert trail.author(made("pod"), "shop") == Author("alice", "2026-11-21T21:35:05Z")
    memory.close()


def test_what_is_too_old_or_too_much_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_memory, "MOST", 2)
    names = ("a", "b", "c")
    memory, _, _ = followed(tmp_path, *(wrote("create", workload("Deployment", name)) for name in names))
    for name in names:
        memory.found(Told(), name)
    assert memory.make_room(time.time_ns()) == len(names) - 2 + len(names) - 2
    assert memory.make_room(time.time_ns() + 2 * trail_memory.KEEP) == 2
    memory.close()
    assert list(kept_findings(tmp_path)) == []


def test_what_cannot_be_kept_is_told_in_a_sentence_and_the_trail_goes_on(tmp_path: Path) -> None:
    memory, _, told = followed(tmp_path / "missing", wrote("create", role("get")))
    assert told[0].rights
    assert "cannot be kept" in memory.problem
    (tmp_path / "missing").mkdir()
    memory.flush()
    assert memory.problem == ""
    memory.close()
    assert list(kept_findings(tmp_path / "missing")) == told


def test_a_damaged_finding_reads_as_nothing() -> None:
    assert trail_memory.read_told(b"\xff") == Told()
    assert trail_memory.read_told(b'{"exposure": 5, "rights": []}') == Told()
