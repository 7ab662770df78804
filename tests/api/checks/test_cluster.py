"""What ``hullwatch doctor`` says of the process that follows a Kubernetes cluster."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from hullwatch.api.checks.cluster import cluster
from hullwatch.config.kubernetes_api_settings import KubernetesApiSettings

if TYPE_CHECKING:
    from pathlib import Path

NOW, SECOND = 10**18, 10**9
WANTED = KubernetesApiSettings(credentials="in-cluster")


def said(state: Path, resources: dict[str, Any], **changes: Any) -> list[tuple[str, str]]:
    status: dict[str, Any] = {
        "pid": os.getpid(),
        "started": NOW - 7200 * SECOND,
        "updated": NOW - SECOND,
        "api": "10.96.0.1:443",
    }
    (state / "cluster.json").write_text(json.dumps(status | {"resources": resources} | changes))
    return [(one.status, one.sentence) for one in cluster(state, WANTED, NOW)]


def test_it_says_what_is_known_which_rights_are_missing_and_how_old_it_is(tmp_path: Path) -> None:
    alive = NOW - 10 * SECOND
    resources: dict[str, Any] = {
        "pods": {"objects": 40, "alive": alive, "counts": {"the connection was lost": 2}},
        "nodes": {"objects": 2, "alive": NOW - 3600 * SECOND},
        "roles": {"missing": "list", "problem": "the right to list roles is missing"},
        "rolebindings": {"missing": "list", "problem": "the right to list rolebindings is missing"},
        "jobs": {"objects": 1, "alive": alive, "problem": "the Kubernetes API cannot be reached: x"},
    }
    assert said(tmp_path, resources, node="n1") == [
        ("ok", "10.96.0.1:443: 43 objects of 5 resources are known, the pods of n1."),
        ("warn", "The right to list is missing for roles, rolebindings: rules and verbs know nothing of them."),
        ("fail", "The jobs are not followed: the Kubernetes API cannot be reached: x"),
        ("warn", "What is known of nodes is up to 1h old."),
        ("ok", "Since it began: 2 x the connection was lost."),
    ]
    assert all(one.fix for one in cluster(tmp_path, WANTED, NOW) if one.status != "ok")


def test_it_says_when_nothing_runs_or_it_hangs(tmp_path: Path) -> None:
    assert cluster(tmp_path, KubernetesApiSettings()) == []
    assert cluster(tmp_path, WANTED)[0].status == "warn"
    assert said(tmp_path, {}, pid=2**22 + 1) == [("ok", "No instance follows the Kubernetes cluster now.")]
    assert said(tmp_path, {}, updated=NOW - 60 * SECOND)[0][0] == "fail"
    assert said(tmp_path, {"pods": 3})[0][0] == "warn"
