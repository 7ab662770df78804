from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.enrich.kubernetes.plain import text
from hullwatch.store import cluster_audit
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_audit import AuditLook
from hullwatch.store.cluster_tables import open_cluster, open_requests
from hullwatch.store.exec_requests import ExecRequests
from tests.enrich.kubernetes.test_from_audit import EXEC, answer, event

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def asked(user: str) -> dict[str, Any]:
    return event(
        "get", objectRef=EXEC, requestURI="/x?command=sh", stage="ResponseStarted", responseStatus={"code": 101},
        auditID=f"a-{user}", user={"username": user}, requestReceivedTimestamp="2026-11-28T10:00:04Z",
    )  # fmt: skip


def users(state: Path, url: str = "") -> list[str]:
    requests = ExecRequests(open_requests(url, state))
    try:
        return sorted(one.user for one in requests.newest_first(0, 100))
    finally:
        requests.close()


def test_requests_are_kept_at_once_and_objects_soon(tmp_path: Path) -> None:
    look = AuditLook("", tmp_path, objects=True)
    look.take(asked("alice"))
    assert users(tmp_path) == ["alice"]
    look.take(event(responseObject=answer()))
    look.close()
    cluster = Cluster(open_cluster(tmp_path))
    assert [text(one, "metadata", "name") for one in cluster.objects("Pod")] == ["web"]
    cluster.close()


def test_objects_are_left_to_the_api_where_that_is_followed(tmp_path: Path) -> None:
    look = AuditLook("", tmp_path, objects=False)
    look.take(asked("alice"))
    look.take(event(responseObject=answer()))
    look.close()
    cluster = Cluster(open_cluster(tmp_path))
    assert list(cluster.objects()) == []
    cluster.close()


def test_requests_that_cannot_be_kept_wait_until_they_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_audit, "MOST", 2)
    state = tmp_path / "later"
    look = AuditLook("", state, objects=True)
    look.take(asked("alice"))
    assert "cannot be kept: " in look.problem
    look.take(event(responseObject=answer()))  # no request: it is not waited with
    state.mkdir()
    monkeypatch.setattr(look, "_retry_at", 0.0)
    look.tick()
    assert (look.problem, users(state)) == ("", ["alice"])
    look.close()


def test_requests_may_be_where_the_store_is_in_postgresql(empty: str, tmp_path: Path) -> None:
    look = AuditLook(empty, tmp_path, objects=True)
    look.take(asked("alice"))
    look.take(asked("alice"))
    look.take(asked("bo\0b"))
    look.close()
    assert users(tmp_path, empty) == ["alice", "bo\ufffdb"]
