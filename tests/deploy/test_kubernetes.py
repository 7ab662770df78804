"""What a cluster is given to run Hullwatch: it is what the documents say, and raises only the alerts that they name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hullwatch.config.layers import load
from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.enrich.kubernetes.resources import OF_A_NODE, RESOURCES
from hullwatch.kubernetes import check, sources_of
from hullwatch.posture.exposure import find_exposure
from hullwatch.posture.inventory import Inventory
from hullwatch.posture.rights import Rights
from hullwatch.posture.risks import find_risks
from hullwatch.rules.audit_cases import completed
from hullwatch.rules.loader import load as load_rules
from hullwatch.rules.pack import builtin_files
from tools.repository import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
Manifest = dict[str, Any]
OF_BOTH = {
    "ServiceAccount": "Service account written",
    "ClusterRole": "Role written",
    "ClusterRoleBinding": "Binding written",
    "ConfigMap": "Config map written",
    "NetworkPolicy": "Network policy written",
}
OF_THE_NODE = (
    "Workload with the node's processes",
    "Workload with dangerous capabilities",
    "Engine's socket in a workload",
    "Path of the node in a workload",
    "Workload without its guards",
)
ALERTS = {
    ("Namespace", "hullwatch"): {"Namespace made"},
    **{(kind, f"hullwatch-{name}"): {alert} for kind, alert in OF_BOTH.items() for name in ("node", "cluster")},
    ("Service", "hullwatch-audit"): {"Service written"},
    ("Deployment", "hullwatch-cluster"): {"Workload written"},
    ("DaemonSet", "hullwatch-node"): {"Workload written", "Daemon set written", *OF_THE_NODE},
}


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    """Return all objects, as kubectl applies them."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", str(FOLDER)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [each for each in manifests if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def rights(rules: list[dict[str, list[str]]]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_rights_are_those_that_the_client_needs_and_that_the_page_names(manifests: list[Manifest]) -> None:
    needed = {(each.group, each.name, verb) for each in RESOURCES for verb in ("list", "watch")}
    page = (ROOT / "docs" / "kubernetes-state.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"```yaml\n(apiVersion: rbac.*?)```", page, re.DOTALL)
    assert rights(one(manifests, "ClusterRole", "hullwatch-cluster")["rules"]) == needed
    assert rights(yaml.safe_load(written)["rules"]) == needed
    of_a_node = {right for right in needed if right[1] in OF_A_NODE}
    assert rights(one(manifests, "ClusterRole", "hullwatch-node")["rules"]) == of_a_node


def test_each_binding_gives_a_role_to_the_account_that_a_pod_has(manifests: list[Manifest]) -> None:
    for kind, name in (("DaemonSet", "hullwatch-node"), ("Deployment", "hullwatch-cluster")):
        spec = one(manifests, kind, name)["spec"]["template"]["spec"]
        binding = one(manifests, "ClusterRoleBinding", spec["serviceAccountName"])
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": name, "namespace": "hullwatch"}]
        assert binding["roleRef"]["name"] == name
        assert one(manifests, "ServiceAccount", name)["automountServiceAccountToken"] is False


def test_the_pods_of_nodes_have_the_capabilities_of_the_service_and_no_more(manifests: list[Manifest]) -> None:
    unit = (ROOT / "deploy" / "systemd" / "hullwatch.service").read_text(encoding="utf-8")
    lines = re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)
    spec = one(manifests, "DaemonSet", "hullwatch-node")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    security = container["securityContext"]
    assert {f"CAP_{name}" for name in security["capabilities"]["add"]} == set(" ".join(lines).split())
    assert security["capabilities"]["drop"] == ["ALL"]
    assert (security["privileged"], security["allowPrivilegeEscalation"], spec["hostPID"]) == (False, False, True)
    assert "hostNetwork" not in spec
    # Else the kubelet would make the token one that only root can read, and who asks the API has no power.
    assert "securityContext" not in spec
    assert "runAsUser" not in security


@pytest.mark.parametrize("name", ["node", "cluster"])
def test_the_settings_are_valid_and_their_files_are_mounted(manifests: list[Manifest], name: str) -> None:
    settings = load(environment={}, default_files=[FOLDER / name / "config.toml"]).settings
    kind = "DaemonSet" if name == "node" else "Deployment"
    spec = one(manifests, kind, f"hullwatch-{name}")["spec"]["template"]["spec"]
    check(settings)
    assert sources_of(settings) == ({"syscall"} if name == "node" else {"k8s_audit"})
    (container,) = spec["containers"]
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}
    audit = settings.kubernetes.audit
    for path in filter(None, (audit.tls_cert, audit.tls_key, audit.token_file)):
        assert str(Path(path).parent) in mounts
    (config,) = [each for each in manifests if each["kind"] == "ConfigMap" and f"hullwatch-{name}" in str(spec)
                 and each["metadata"]["name"].startswith(f"hullwatch-{name}-")]  # fmt: skip
    assert config["data"]["config.toml"] == (FOLDER / name / "config.toml").read_text(encoding="utf-8")
    wanted = {each["name"] for each in container.get("env", []) if each["name"].startswith("HULLWATCH_")}
    values = {each["name"]: each.get("value", "node-1") for each in container["env"] if each["name"] in wanted}
    assert isinstance(load(environment=values, default_files=[]).settings, Settings)


def test_the_one_for_the_cluster_runs_as_an_ordinary_user_and_may_write_nowhere_else(manifests: list[Manifest]) -> None:
    spec = one(manifests, "Deployment", "hullwatch-cluster")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    service = one(manifests, "Service", "hullwatch-audit")["spec"]
    labels = one(manifests, "Deployment", "hullwatch-cluster")["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert not [each for each in manifests if each["kind"] == "Secret"]


def test_the_pack_says_of_them_what_the_page_says_and_nothing_else(manifests: list[Manifest]) -> None:
    rules = load_rules(builtin_files("k8s_audit"), sources=frozenset({"k8s_audit"}))
    judge = AuditJudge(rules, Counters(), every=True)
    found: dict[tuple[str, str], set[str]] = {}
    for number, manifest in enumerate(manifests):
        kind, metadata = manifest["kind"], manifest["metadata"]
        group, _, version = manifest["apiVersion"].rpartition("/")
        resource = {"NetworkPolicy": "networkpolicies"}.get(kind, f"{kind.lower()}s")
        event = completed(
            {
                "verb": "create",
                "user": {"username": "platform", "groups": ["system:authenticated"]},
                "objectRef": {
                    "resource": resource, "apiGroup": group, "apiVersion": version, "name": metadata["name"],
                    "namespace": metadata.get("namespace", ""),
                },
                "requestObject": manifest,
                "responseObject": manifest,
                "responseStatus": {"code": 201},
            },
            number,
        )  # fmt: skip
        alerts = {match.rule.name for match in judge.matches(event)}
        if alerts:
            found[kind, re.sub(r"-\w{10}$", "", metadata["name"])] = alerts
    assert found == ALERTS


def test_nothing_of_them_is_open_to_the_outside_and_no_right_is_risky(manifests: list[Manifest]) -> None:
    inventory = Inventory()
    for manifest in manifests:
        inventory.take(manifest)
    risks = find_risks(Rights(inventory), inventory)
    assert [risk for risk in risks if risk.severity not in {"info", "low"}] == []
    assert find_exposure(inventory, risks, []) == []


def test_the_page_names_the_alerts_that_the_pods_of_nodes_raise() -> None:
    page = (ROOT / "docs" / "kubernetes-install.md").read_text(encoding="utf-8")
    assert [name for name in OF_THE_NODE if f"*{name}*" not in page.replace("\n", " ")] == []
