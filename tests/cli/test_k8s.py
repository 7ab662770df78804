"""The verbs about Kubernetes; the API is a stand-in (tests/kubernetes_api.py), which kubectl takes for a real one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from hullwatch.enrich.kubernetes.resources import BY_NAME
from tests.cli.in_process import Command, command
from tests.enrich.kubernetes.test_credentials import kubeconfig
from tests.enrich.kubernetes.test_from_audit import EXEC, answer, event
from tests.kubernetes_api import KubernetesApi, pod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["command"]

PODS = BY_NAME["pods"]


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    made = KubernetesApi()
    made.put(PODS, pod("web-1", ip="10.244.3.17"))
    made.put(PODS, pod("db-0", "data", ip="10.244.3.18"))
    yield made
    made.close()


def test_an_audit_log_tells_who_had_an_address_and_who_ran_what(command: Command, tmp_path: Path) -> None:
    uri = "/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c&command=cat+%2Fetc%2Fshadow&container=c"
    asked = event(
        "get", objectRef=EXEC, requestURI=uri, responseStatus={"code": 101}, auditID="a1", user={"username": "alice"},
        sourceIPs=["198.51.100.7"], requestReceivedTimestamp="2026-11-28T10:00:04Z",
    )  # fmt: skip
    events = [event("patch", responseObject=answer(ip="10.244.3.17")), asked, asked, event("delete", responseObject={})]
    events[3]["stageTimestamp"] = "2026-11-28T10:09:00Z"
    log = tmp_path / "audit.log"
    log.write_text("".join(json.dumps(one) + "\n" for one in events) + "no json\n[]\n")
    flags = ("--state-directory", str(tmp_path))
    code, (told,), _ = command("k8s", "learn", "--audit", str(log), *flags, "-o", "json")
    assert code == 0
    assert json.loads(told) == {
        "events": 6, "lines that are no events": 2, "changes of objects": 2, "requests to run something": 1,
        "requests that came twice": 1,
    }  # fmt: skip
    code, (found,), _ = command("k8s", "ip", "10.244.3.17", "--at", "2026-11-28T10:05:00Z", *flags, "-o", "json")
    holding = json.loads(found)
    assert (holding["namespace"], holding["name"], holding["node"]) == ("shop", "web", "node-1")
    assert (holding["from"][:19], holding["to"][:19]) == ("2026-11-28T10:00:01", "2026-11-28T10:09:00")
    code, lines, _ = command("k8s", "ip", "10.244.3.17", "--at", "2026-11-28T10:10:00Z", *flags)
    assert "It is known of 1 other time" in lines[0]
    code, lines, _ = command("k8s", "sessions", "shop/web", *flags)
    told = ["exec", "alice", "198.51.100.7", "shop/web", "c", "sh", "-c", "'cat", "/etc/shadow'"]
    assert lines[1].split()[4:] == told
    assert len(command("k8s", "sessions", "other/web", *flags)[1]) == 1
    for words in (["web", "-n", "shop"], ["-n", "shop"], ["shop/web", "-n", "shop", "--limit", "0"]):
        assert command("k8s", "sessions", *words, *flags)[1] == lines
    assert len(command("k8s", "sessions", "-n", "other", *flags)[1]) == 1
    for words, said in ((["-n", "50"], "for 50 sessions say --limit 50"), (["shop/web", "-n", "other"], "leave one")):
        code, _, error = command("k8s", "sessions", *words, *flags)
        assert (code, said in error) == (2, True)


def test_manifests_are_learnt_and_listed(command: Command, tmp_path: Path) -> None:
    manifest = tmp_path / "app.yaml"
    manifest.write_text("kind: Deployment\nmetadata: {name: web}\n---\nkind: ConfigMap\nmetadata: {name: x}\n")
    flags = ("--state-directory", str(tmp_path))
    code, lines, _ = command("k8s", "learn", str(manifest), *flags)
    assert (code, sorted(lines)) == (0, ["1 objects", "1 objects of other kinds"])
    assert command("k8s", "objects", "deployments", *flags)[1][1].split() == ["Deployment", "default", "web"]
    code, (counts,), _ = command("k8s", "objects", *flags, "-o", "json")
    assert json.loads(counts) == {"kind": "Deployment", "objects": 1, "true_at": None, "problem": "", "went_wrong": {}}


def test_the_api_is_listed_once_and_what_may_not_be_listed_is_told(
    command: Command, api: KubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.denied.add(("list", "nodes"))
    monkeypatch.setenv("HULLWATCH_KUBERNETES_API_CREDENTIALS", "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, {"server": api.url}, {})))
    code, lines, _ = command("k8s", "learn", "--api", "--state-directory", str(tmp_path))
    assert (code, lines[0]) == (3, "2 objects")
    assert 'nodes are not known: nodes is forbidden: User "hullwatch" cannot list' in lines[1]
    for flag in ("-n", "--namespace", "-N"):
        _, found, _ = command("k8s", "objects", "Pod", flag, "data", "--state-directory", str(tmp_path))
        assert [line.split() for line in found[1:]] == [["Pod", "data", "db-0"]]


def test_wrong_words_are_told(command: Command, tmp_path: Path) -> None:
    flags = ("--state-directory", str(tmp_path))
    assert command("k8s", "ip", "nowhere", *flags)[0] == 2
    assert "Nothing is known of a Kubernetes cluster" in command("k8s", "ip", "10.0.0.1", *flags)[2]
    assert command("k8s", "objects", "Pot", *flags)[0] == 2
    code, _, said = command("k8s", "learn", *flags)
    assert (code, "Nothing to learn from" in said) == (2, True)
    assert 'kubernetes.api.credentials is "none"' in command("k8s", "learn", "--api", *flags)[2]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_takes_the_stand_in_for_an_api_server(api: KubernetesApi, tmp_path: Path) -> None:
    command = ["kubectl", f"--server={api.url}", "--cache-dir", str(tmp_path), "get", "pods", "-A", "-o", "json"]
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=home)
    assert [one["metadata"]["name"] for one in json.loads(done.stdout)["items"]] == ["db-0", "web-1"]
