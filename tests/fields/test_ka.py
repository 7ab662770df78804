"""Fields of events of the Kubernetes API."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.fields.audit_event import AuditEvent, time_of
from hullwatch.fields.catalogue import answered, catalogue

NAMES = sorted(name for name in answered() if catalogue()[name].is_audit)
POD: dict[str, Any] = {
    "hostNetwork": True,
    "securityContext": {"runAsUser": 1000, "supplementalGroups": [5, 6]},
    "containers": [
        {
            "name": "a",
            "image": "registry.example:5000/shop/web:1.2@sha256:00",
            "command": ["sh", "-c"],
            "args": ["id"],
            "ports": [{"hostPort": 80}, {"containerPort": 90}],
            "securityContext": {"privileged": True, "capabilities": {"add": ["CAP_SYS_ADMIN", "net_raw"]}},
            "volumeMounts": [{"name": "r", "readOnly": True}, {"name": "e"}],
        },
        {"name": "b", "image": "nginx", "securityContext": {"runAsUser": 0}},
    ],
    "initContainers": [{"name": "i", "image": "docker.io/x/tool"}],
    "volumes": [
        {"name": "r", "hostPath": {"path": "/"}},
        {"name": "e", "hostPath": {"path": "/var/../etc/"}},
        {"name": "s", "secret": {"secretName": "db"}},
    ],
}


def read(audit: dict[str, Any], name: str, argument: str | None = None) -> Any:
    entry = catalogue()[name]
    assert entry.function is not None
    return (
        entry.function(AuditEvent(audit)) if entry.argument == "none" else entry.function(AuditEvent(audit), argument)
    )


def of_pods(spec: dict[str, Any]) -> dict[str, Any]:
    return {"verb": "create", "objectRef": {"resource": "pods"}, "requestObject": {"kind": "Pod", "spec": spec}}


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("ka.req.pod.containers.name", None, ("a", "b")),
        ("ka.req.pod.containers.name", "1", ("b",)),
        ("ka.req.pod.containers.name", "2", None),
        ("ka.req.pod.containers.image", "0", ("registry.example:5000/shop/web:1.2@sha256:00",)),
        ("ka.req.pod.containers.image.repository", None, ("registry.example:5000/shop/web", "nginx")),
        ("ka.req.container.image", None, "registry.example:5000/shop/web:1.2@sha256:00"),
        ("ka.req.container.image.repository", None, "registry.example:5000/shop/web"),
        ("ka.req.pod.containers.command", None, ("sh", "-c")),
        ("ka.req.pod.containers.args", "0", ("id",)),
        ("ka.req.pod.containers.args", "1", None),
        ("ka.req.pod.host_network", None, "true"),
        ("ka.req.container.host_network", None, "true"),
        ("ka.req.pod.host_pid", None, None),
        ("ka.req.pod.containers.privileged", None, ("true",)),
        ("ka.req.container.privileged", None, "true"),
        ("ka.req.pod.containers.host_port", None, ("80",)),
        ("ka.req.pod.run_as_user", None, "1000"),
        ("ka.req.pod.containers.run_as_user", None, ("0",)),
        ("ka.req.pod.containers.eff_run_as_user", None, ("1000", "0")),
        ("ka.req.pod.containers.eff_run_as_group", None, ("0", "0")),
        ("ka.req.pod.supplemental_groups", None, ("5", "6")),
        ("ka.req.pod.containers.add_capabilities", None, ("CAP_SYS_ADMIN", "net_raw")),
        ("ka.req.pod.volumes.hostpath", None, ("/", "/var/../etc/")),
        ("ka.req.pod.volumes.volume_type", None, ("hostPath", "hostPath", "secret")),
        ("ka.req.volume.hostpath", "/var", "true"),
        ("ka.req.volume.hostpath", "/v*", "true"),
        ("ka.req.volume.hostpath", "/proc", "false"),
        ("ka.req.workload.kind", None, "Pod"),
        ("ka.req.workload.containers.name", None, ("a", "b", "i")),
        ("ka.req.workload.containers.image.registry", None, ("registry.example:5000", "docker.io", "docker.io")),
        ("ka.req.workload.containers.image.tag", None, ("1.2", "latest", "latest")),
        ("ka.req.workload.containers.image.name", None, ("web", "nginx", "tool")),
        ("ka.req.workload.containers.command", None, ("sh -c id",)),
        ("ka.req.workload.containers.capabilities", None, ("SYS_ADMIN", "NET_RAW")),
        ("ka.req.workload.privileged", None, True),
        ("ka.req.workload.volumes.hostpath", None, ("/", "/etc")),
        ("ka.req.workload.volumes.hostpath.writable", None, ("/etc",)),
        ("ka.req.workload.secrets", None, ("db",)),
        ("ka.req.binding.subject.has_name", "x", "N/A"),
    ],
)
def test_a_pod_s_fields_are_what_falco_has_and_more(name: str, argument: str | None, value: Any) -> None:
    assert read(of_pods(POD), name, argument) == value


@pytest.mark.parametrize(
    ("resource", "whole"),
    [
        ("deployments", {"spec": {"template": {"spec": POD}}}),
        ("cronjobs", {"spec": {"jobTemplate": {"spec": {"template": {"spec": POD}}}}}),
        ("podtemplates", {"template": {"spec": POD}}),
        ("rollouts", {"kind": "Rollout", "spec": {"template": {"spec": POD}}}),
    ],
)
def test_workloads_are_looked_into_and_are_no_pods_to_falco_s_fields(resource: str, whole: dict[str, Any]) -> None:
    audit = {"verb": "update", "objectRef": {"resource": resource}, "requestObject": whole}
    assert read(audit, "ka.req.workload.privileged") is True
    assert read(audit, "ka.req.pod.containers.image") is None


def test_a_patch_that_is_a_list_of_changes_is_known_by_the_answer() -> None:
    changes: list[Any] = []
    audit = {
        "verb": "patch",
        "objectRef": {"resource": "pods"},
        "requestObject": changes,
        "responseObject": {"spec": POD},
    }
    assert read(audit, "ka.req.workload.host_network") is True


def test_a_command_is_all_of_its_words_decoded_in_order() -> None:
    uri = "/api/v1/namespaces/a/pods/b/exec?command=sh&command=-c&command=cat+%2Fetc%2Fshadow&container=c"
    uri += "&stdin=true&tty=false"
    for verb in ("get", "create"):
        audit = {"verb": verb, "requestURI": uri, "objectRef": {"resource": "pods", "subresource": "exec"}}
        assert read(audit, "ka.exec.command") == "sh -c cat /etc/shadow"
        assert read(audit, "ka.exec.args") == ("sh", "-c", "cat /etc/shadow")
        assert read(audit, "ka.uri.param", "command") == "sh"
        assert (read(audit, "ka.exec.stdin"), read(audit, "ka.exec.tty")) == (True, False)
        assert read(audit, "ka.exec.container") == "c"
        assert read(audit, "ka.target.session") == "exec"
        assert read(audit, "ka.uri.path") == "/api/v1/namespaces/a/pods/b/exec"
    assert read({"verb": "get", "requestURI": uri}, "ka.exec.command") is None


def test_rights_are_told_with_the_verb_that_belongs_to_the_resource() -> None:
    rules = [
        {"verbs": ["get", "list"], "resources": ["pods"], "apiGroups": [""]},
        {"verbs": ["create"], "resources": ["pods/exec"]},
        {"verbs": ["*"], "nonResourceURLs": ["/metrics"]},
    ]
    audit = {"requestObject": {"rules": rules}}
    assert read(audit, "ka.req.role.grants") == ("get pods", "list pods", "create pods/exec", "* /metrics")
    assert read(audit, "ka.req.role.rules.verbs") == ("get", "list", "create", "*")
    assert read(audit, "ka.req.role.rules.verbs", "1") == ("create",)
    assert read(audit, "ka.req.role.rules.apiGroups") == ("",)


def test_subjects_are_told_by_their_kind() -> None:
    subjects = [
        {"kind": "User", "name": "alice"},
        {"kind": "Group", "name": "team"},
        {"kind": "ServiceAccount", "namespace": "shop", "name": "web"},
    ]
    audit = {"requestObject": {"subjects": subjects, "roleRef": {"kind": "ClusterRole", "name": "view"}}}
    assert read(audit, "ka.req.binding.subjects.user_names") == ("alice",)
    assert read(audit, "ka.req.binding.subjects.group_names") == ("team",)
    assert read(audit, "ka.req.binding.subjects.serviceaccount_ns_names") == ("shop:web",)
    assert read(audit, "ka.req.binding.subjects")[0] == '{"kind":"User","name":"alice"}'
    assert read(audit, "ka.req.binding.role") == "view"


@pytest.mark.parametrize(
    ("user", "kind"),
    [
        ({"username": "system:anonymous"}, "anonymous"),
        ({"groups": ["system:unauthenticated"]}, "anonymous"),
        ({"username": "system:serviceaccount:shop:web"}, "serviceaccount"),
        ({"username": "system:node:one"}, "node"),
        ({"username": "system:kube-scheduler"}, "component"),
        ({"username": "alice"}, "user"),
        ({}, None),
    ],
)
def test_a_caller_has_a_kind(user: dict[str, Any], kind: str | None) -> None:
    assert read({"user": user}, "ka.user.kind") == kind


def test_a_pointer_leads_into_objects_and_lists_and_null_is_absent() -> None:
    audit = {"a": {"b/c": [{"d": 5}, None, True]}, "~": "x"}
    found = [
        read(audit, "jevt.value", one)
        for one in ("/a/b~1c/0/d", "/a/b~1c/1", "/a/b~1c/2", "/~0", "a/b~1c/9", "/a/b~1c/x")
    ]
    assert found == ["5", None, "true", "x", None, None]
    assert read(audit, "jevt.value", "/a") == '{"b/c":[{"d":5},null,true]}'
    assert msgspec.json.decode(read(audit, "jevt.obj")) == audit


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T01:00:00.000000001+01:00", 1),
        ("1970-13-01T01:00:00Z", 0),
        ("yesterday", 0),
        (5, 0),
    ],
)
def test_the_time_of_an_event_is_that_of_its_stage(written: object, nanoseconds: int) -> None:
    assert time_of({"stageTimestamp": written}) == nanoseconds


def _keys(value: Any) -> list[str]:
    if value.__class__ is dict:
        return [*value, *(key for one in value.values() for key in _keys(one))]
    return [key for one in value for key in _keys(one)] if value.__class__ is list else []


KEYS = sorted({*_keys(of_pods(POD)), "user", "username", "groups", "requestURI", "annotations", "rules", "subjects"})
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=40,
)


@given(HOSTILE, st.integers())
def test_no_field_fails_whatever_stands_where(value: Any, seed: int) -> None:
    audit = of_pods(POD)
    chance = random.Random(seed)
    node: Any = audit
    while True:
        key: Any = chance.choice(list(node) if node.__class__ is dict else range(len(node)))
        before: Any = node[key]
        if before.__class__ not in {dict, list} or not before or chance.random() < 0.3:
            break
        node = before
    node[key] = value
    try:
        for name in NAMES:
            for argument in (None,) if catalogue()[name].argument != "required" else ("0", "/a/0"):
                found = read(audit, name, argument)
                assert (
                    found is None
                    or isinstance(found, str | bool | int)
                    or (found and {type(one) for one in found} == {str})
                )
    finally:
        node[key] = before
