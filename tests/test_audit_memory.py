"""The memory of the intake of audit events: a million events more take no more, nor does whoever makes events up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from bench.audit_intake import AuditIntake, AuditReplay
from hullwatch.alerts import maker, mask
from hullwatch.baseline import baseline
from hullwatch.config.kubernetes_baseline_settings import BaselineSettings
from hullwatch.config.kubernetes_settings import AuditSettings, KubernetesSettings
from hullwatch.config.settings import Settings
from hullwatch.detect import audit_judge
from hullwatch.posture import trail
from hullwatch.store import cluster, cluster_audit
from tests.detect.test_bounded import remembered

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import pytest

LIMIT = 64
WARM, MEASURED = 3, 6  # replays
LEAST = 1000  # that may be set
RBAC = "rbac.authorization.k8s.io"
WRITTEN = (
    ("pods", "", "Pod"),
    ("deployments", "apps", "Deployment"),
    ("rolebindings", RBAC, "RoleBinding"),
    ("roles", RBAC, "Role"),
    ("services", "", "Service"),
    ("namespaces", "", "Namespace"),
)


@contextlib.contextmanager
def opened(state: Path, remember: int = LEAST) -> Generator[AuditIntake]:
    audit, learns = AuditSettings(remember=remember), BaselineSettings(most=LEAST)
    made = AuditIntake(state, Settings(kubernetes=KubernetesSettings(audit=audit, baseline=learns)))
    try:
        yield made
    finally:
        made.close()


# What others than the cluster fill: ids and times.
OF_EVENTS = (
    (baseline, "_MOMENTS"),
    *((mask, name) for name in ("_REMEMBERED", "_REMEMBERED_TOGETHER")),
    *((maker, name) for name in ("_REMEMBERED", "_SEEN")),
)
# What names fill.
OF_NAMES = (
    (audit_judge, "MOST_KNOWN"),
    *((baseline, name) for name in ("MOST_CALLS", "MOST_PEOPLE")),
    (trail, "MOST_AUTHORS"),
    (cluster, "GONE"),
    (cluster_audit, "MOST_VERSIONS"),
)


def shrink(monkeypatch: pytest.MonkeyPatch, *limits: tuple[Any, str]) -> None:
    """Have limits be reached by a few hundred events."""
    for module, name in limits:
        assert getattr(module, name) > LIMIT, name
        monkeypatch.setattr(module, name, LIMIT)


def test_the_same_log_with_other_ids_again_and_again_takes_not_a_block_of_memory_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block is what Python's allocator gives for one small object; that is the same each time, unlike pages."""
    shrink(monkeypatch, *OF_EVENTS)
    replay = AuditReplay()
    events = len(replay.lines)

    def replayed(times: int) -> int:
        most = 0
        for _ in range(times):
            asyncio.run(intake.take(replay.again()))
            gc.collect()
            most = max(most, sys.getallocatedblocks())
        return most

    with opened(tmp_path, 2 * events) as intake:  # of which the older half goes at the end of each replay
        asyncio.run(intake.take(replay.again()))
        gc.freeze()  # what others have made is not to be looked through each time
        try:
            replayed(WARM)
            before, after = replayed(MEASURED // 2), replayed(MEASURED // 2)
        finally:
            gc.unfreeze()
        assert intake.alerts > 20 * MEASURED
    # A million events would take 8 MB, if it were that much: a block has about 100 bytes.
    assert after - before < 0.08 * MEASURED * events


def made_up(number: int) -> dict[str, Any]:
    """Return an event in which all that somebody can name is new: who, from where, with what, what and where."""
    resource, group, kind = WRITTEN[number % len(WRITTEN)]
    name, namespace = f"object-{number}", f"namespace-{number}"
    when = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(1_764_000_000 + 10 * number))
    pod: dict[str, Any] = {
        "hostNetwork": True,
        "containers": [{"name": "c", "image": f"r{number}.example/i{number}:{number}", "securityContext": {}}],
    }
    content: dict[str, dict[str, Any]] = {
        "Pod": {"spec": pod, "status": {"podIP": f"10.0.{number >> 8 & 255}.{number & 255}"}},
        "Deployment": {"spec": {"template": {"spec": pod}}},
        "RoleBinding": {
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "User", "name": f"subject-{number}"}],
        },
        "Role": {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": [f"verb-{number}"]}]},
        "Service": {"spec": {"type": "LoadBalancer", "selector": {"a": f"b{number}"}}},
    }
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{number}", "resourceVersion": f"{number}"}
    whole = {"apiVersion": f"{group}/v1".removeprefix("/"), "kind": kind, "metadata": metadata} | content.get(kind, {})
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": f"made-up-{number}",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/{namespace}/{resource}/{name}",
        "verb": "create" if number % 5 else "get",
        "user": {"username": f"user-{number}", "groups": [f"group-{number}", "system:authenticated"]},
        "sourceIPs": [f"{1 + (number >> 8 & 63)}.{number & 255}.1.1", f"2001:db8:{number:x}::1"],
        "userAgent": f"agent-{number}x/v1",
        "objectRef": {"resource": resource, "namespace": namespace, "name": name, "apiGroup": group},
        "responseStatus": {"code": 201 if number % 7 else 403},
        "requestReceivedTimestamp": when,
        "stageTimestamp": when,
        "requestObject": whole,
        "responseObject": whole,
        "annotations": {"cluster.name": f"cluster-{number % 200}"} if number % 3 == 0 else {},
    }


def test_callers_that_are_made_up_without_end_fill_no_table_and_what_goes_for_them_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, *OF_EVENTS, *OF_NAMES)
    with opened(tmp_path) as intake:
        assert intake.judge._trail is not None
        inventory, correlator = intake.judge._trail.inventory, intake.judge._correlator
        inventory._most, correlator._rule_size, correlator._total_size = LIMIT, LIMIT * 1000, LIMIT * 2000

        def feed(begin: int, number: int) -> int:
            lines = [json.dumps(made_up(one)).encode() for one in range(begin, begin + number)]
            asyncio.run(intake.take(lines, LIMIT))
            gc.collect()
            return remembered(
                [intake.judge, intake.pipeline, intake.look, intake.memory, intake.baseline, intake._maker]
            )

        before = feed(0, 600)
        assert feed(600, 300) <= before + before // 20, "something grows with what somebody makes up"
        learnt: dict[str, Any] = intake.baseline.status()
        assert learnt["values"] <= LEAST + baseline.LOOK_AFTER
        assert learnt["forgotten"]["no room"] > 2 * LEAST
        assert learnt["forgotten"]["no room for hours"] > 2 * LIMIT
        assert learnt["left_out"]["of too many clusters"] > 0
        assert inventory.dropped > 2 * LIMIT
        assert intake.counters.forgotten > 0
        assert intake.alerts > 10 * LIMIT
