"""The expected document is written by hand from the schema; the published schema itself judges it too."""

import importlib
import json
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from hullwatch import __version__
from hullwatch.alerts.alert import Alert
from hullwatch.formats.ocsf import ocsf
from hullwatch.formats.sample import sample_alert, sample_placement

RULE = "Sensitive file read in a container"
MESSAGE = "A file of secrets is read (file=/etc/shadow command=cat /etc/shadow user=root)"
CONTAINER = "3f2a9c81d0b4" + "0" * 52
EXPECTED: dict[str, Any] = {
    "activity_id": 2,
    "activity_name": "Update",
    "category_uid": 2,
    "category_name": "Findings",
    "class_uid": 2004,
    "class_name": "Detection Finding",
    "type_uid": 200402,
    "type_name": "Detection Finding: Update",
    "time": 1795304405001,
    "severity_id": 4,
    "severity": "High",
    "status_id": 1,
    "status": "New",
    "is_alert": True,
    "risk_score": 71,
    "message": MESSAGE,
    "metadata": {
        "version": "1.5.0",
        "uid": "r7k2-41",
        "correlation_uid": "n2f",
        "profiles": ["host"],
        "log_name": "syscall",
        "labels": ["cluster:prod"],
        "product": {"name": "Hullwatch", "vendor_name": "Hullwatch", "version": __version__},
    },
    "finding_info": {
        "uid": "i5c3e9a",
        "uid_alt": "1:5c3e9a0b77d2",
        "title": RULE,
        "desc": MESSAGE,
        "types": ["container", "filesystem"],
        "data_sources": ["syscall"],
        "analytic": {"name": RULE, "type_id": 1, "type": "Rule"},
        "attacks": [
            {
                "tactic": {"uid": "TA0006", "name": "Credential Access"},
                "technique": {"uid": "T1003", "name": "OS Credential Dumping"},
                "sub_technique": {"uid": "T1003.008", "name": "/etc/passwd and /etc/shadow"},
            }
        ],
        "created_time": 1795300805001,
        "first_seen_time": 1795300805001,
        "last_seen_time": 1795304405001,
        "related_events_count": 3,
    },
    "device": {
        "hostname": "node1",
        "type_id": 0,
        "type": "Unknown",
        "os": {"name": "Linux", "type_id": 200, "type": "Linux"},
    },
    "resources": [{"type": "Container", "uid": CONTAINER, "name": "web"}],
    "evidences": [
        {
            "process": {
                "name": "cat",
                "pid": 4711,
                "uid": "4711.81500000000",
                "cmd_line": "cat /etc/shadow",
                "file": {"name": "cat", "path": "/usr/bin/cat", "type_id": 0},
                "parent_process": {"name": "sh", "pid": 4700, "uid": "4700.81000000000", "cmd_line": "sh"},
                "ancestry": [{"name": "sh", "pid": 4700, "uid": "4700.81000000000", "cmd_line": "sh"}],
            },
            "file": {"name": "shadow", "path": "/etc/shadow", "type_id": 0},
            "user": {"name": "root"},
            "container": {
                "uid": CONTAINER,
                "name": "web",
                "image": {"name": "registry.example/shop/web", "uid": "registry.example/shop/web:1.27"},
            },
            "api": {"operation": "openat"},
        }
    ],
    "observables": [
        {"name": "evidences[].process.name", "type_id": 9, "type": "Process Name", "value": "cat"},
        {"name": "evidences[].process.cmd_line", "type_id": 13, "type": "Command Line", "value": "cat /etc/shadow"},
        {"name": "evidences[].user.name", "type_id": 4, "type": "User Name", "value": "root"},
        {"name": "evidences[].container.uid", "type_id": 27, "type": "Container", "value": CONTAINER},
        {"name": "evidences[].file.path", "type_id": 45, "type": "File Path", "value": "/etc/shadow"},
    ],
    "unmapped": {"evt.arg.flags": "O_RDONLY"},
}


def document(alert: Alert, placement: Any = None) -> dict[str, Any]:
    return json.loads(ocsf(alert, placement))


@pytest.fixture(scope="module", params=["1.5.0", "1.8.0"])
def schema(request: pytest.FixtureRequest) -> dict[str, Any]:
    package: Any = importlib.import_module("ocsf_json_schema")  # it has no types
    made = package.OcsfJsonSchemaEmbedded(package.get_ocsf_schema(request.param))
    return made.get_class_schema("detection_finding", ["host"])


def judge(schema: dict[str, Any], made: dict[str, Any]) -> None:
    validator: Any = jsonschema.Draft202012Validator(schema)
    validator.validate(made)


def bare() -> Alert:
    return Alert(time=5, rule="Rule", priority="Debug", message="", output_fields={})


def connection() -> Alert:
    fields: dict[str, object] = {
        "fd.name": "10.0.0.7:40312->203.0.113.9:443",
        "fd.l4proto": "tcp",
        "proc.name": "curl",
        "proc.cmdline": "curl https://203.0.113.9/",
        "dns.question": "example.org",
        "dns.type": "A",
        "k8s.pod.name": "web-0",
        "k8s.ns.name": "shop",
        "drift.path": "/tmp/x",
        "drift.sha256": "a" * 64,
    }
    tags = ("T1041", "T1571", "mitre_command_and_control", "mitre_exfiltration")
    earlier = {"evt.time": 4, "evt.type": "openat", "proc.pid": 3, "proc.name": "sh", "fd.name": "/etc/passwd"}
    return replace(
        sample_alert(), output_fields=fields, tags=tags, evidence=(earlier,), capture="/var/x.hwcap", origin=None
    )


def test_the_alert_becomes_the_document_of_the_specification() -> None:
    assert document(sample_alert(), sample_placement()) == EXPECTED


@pytest.mark.parametrize("alert", [sample_alert(), bare(), connection()], ids=["file", "bare", "connection"])
@pytest.mark.parametrize("placement", [None, sample_placement()], ids=["alone", "grouped"])
def test_the_published_schema_accepts_it(schema: dict[str, Any], alert: Alert, placement: Any) -> None:
    made = document(alert, placement)
    judge(schema, made)
    assert set(made) <= set(schema["properties"])


def test_the_schema_would_find_a_mistake(schema: dict[str, Any]) -> None:
    broken = document(sample_alert()) | {"severity_id": "high"}
    with pytest.raises(jsonschema.ValidationError):
        judge(schema, broken)


def test_the_first_alert_of_an_issue_creates_the_finding_later_ones_update_it_and_a_closed_one_closes_it() -> None:
    placed = sample_placement()
    closed = replace(placed, issue=replace(placed.issue, state="closed"))
    activities = [
        (one["activity_id"], one["type_uid"])
        for one in (document(sample_alert(), each) for each in (None, replace(placed, is_new=True), placed, closed))
    ]
    assert activities == [(1, 200401), (1, 200401), (2, 200402), (3, 200403)]


@pytest.mark.parametrize(
    ("change", "status"), [({"state": "open"}, 1), ({"state": "acknowledged"}, 2), ({"state": "closed"}, 4)]
)
def test_the_status_is_what_people_decided(change: dict[str, str], status: int) -> None:
    placed = sample_placement()
    placed = replace(placed, issue=replace(placed.issue, **change))
    assert document(sample_alert(), placed)["status_id"] == status
    assert document(sample_alert(), replace(placed, muted=4))["status"] == "Suppressed"


def test_a_connection_has_two_ends() -> None:
    evidence = document(connection())["evidences"][0]
    assert evidence["src_endpoint"] == {"ip": "10.0.0.7", "port": 40312}
    assert evidence["dst_endpoint"] == {"ip": "203.0.113.9", "port": 443}
    assert evidence["connection_info"] == {"protocol_name": "tcp", "direction_id": 0}
    assert evidence["query"] == {"hostname": "example.org", "type": "A"}


def test_a_process_without_a_pid_which_the_schema_forbids_is_told_as_data() -> None:
    evidence = document(connection())["evidences"][0]
    assert "process" not in evidence
    assert evidence["data"] == {"process": {"name": "curl", "cmd_line": "curl https://203.0.113.9/"}}
    names = [one["name"] for one in document(connection())["observables"]]
    assert "evidences[].data.process.name" in names


def test_earlier_events_are_evidences_behind_the_alerts_own() -> None:
    later = document(connection())["evidences"][1]
    assert later["process"] == {"name": "sh", "pid": 3}
    assert later["file"]["path"] == "/etc/passwd"


def test_several_tactics_stand_beside_the_techniques_for_tags_do_not_say_which_belong_together() -> None:
    attacks = document(connection())["finding_info"]["attacks"]
    assert [sorted(one) for one in attacks] == [["technique"], ["technique"], ["tactic"], ["tactic"]]


def test_a_file_with_a_known_content_has_its_hash() -> None:
    file = document(connection())["evidences"][0]["file"]
    assert file["hashes"] == [{"algorithm_id": 3, "algorithm": "SHA-256", "value": "a" * 64}]
    assert document(connection())["unmapped"] == {"capture": "/var/x.hwcap"}


def test_a_pod_is_a_resource_and_so_is_the_host() -> None:
    assert document(connection())["resources"][1] == {"type": "Kubernetes Pod", "name": "web-0", "namespace": "shop"}
    assert document(bare())["resources"] == [{"type": "Host", "name": "unknown"}]
