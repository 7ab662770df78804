"""What the process that follows a cluster tells of itself is read by doctor and metrics."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.kubernetes.credentials import Access
from hullwatch.enrich.kubernetes.resources import BY_NAME
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_following import ClusterFollower, list_once
from hullwatch.store.cluster_status import STATUS, ClusterStatus, StatusWriter
from hullwatch.store.cluster_tables import open_cluster
from tests.kubernetes_api import KubernetesApi, pod

if TYPE_CHECKING:
    from pathlib import Path

PODS, ROLES, GATEWAYS = (BY_NAME[name] for name in ("pods", "roles", "gateways"))


def no_token(*, again: bool) -> str:
    del again
    return ""


def test_it_has_each_resource_but_those_that_a_cluster_need_not_have(tmp_path: Path) -> None:
    api, said = KubernetesApi(), list[str]()
    try:
        api.put(PODS, pod("web"))
        access = Access(api.url, ssl.create_default_context, no_token)
        cluster = Cluster(open_cluster(tmp_path, make=True))
        list_once(access, [PODS], "", cluster)
        followed = ClusterFollower(access, (PODS, ROLES, GATEWAYS), "", cluster, said.append).reflectors
        followed[1].missing = "list"
        followed[2].absent = True
        now = [10.0]
        writer = StatusWriter(tmp_path, cluster, followed, api=access.name, node="", clock=lambda: now[0])
        writer.tick()
        written = msgspec.json.decode((tmp_path / STATUS).read_bytes(), type=ClusterStatus)
        assert list(written.resources) == ["pods", "roles"]
        assert (written.resources["pods"].objects, written.resources["pods"].alive > 0) == (1, True)
        assert (written.resources["roles"].missing, written.api) == ("list", access.name)
        (tmp_path / STATUS).unlink()
        writer.tick()
        assert not (tmp_path / STATUS).exists()
        now[0] += 5
        writer.tick()
        assert (tmp_path / STATUS).exists()
        cluster.close()
    finally:
        api.close()
