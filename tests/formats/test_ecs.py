"""The expected document is written by hand from the schema's reference."""

import json
from typing import Any

from msgspec.structs import replace

from hullwatch import __version__
from hullwatch.alerts.alert import Alert
from hullwatch.formats.ecs import ecs
from hullwatch.formats.sample import sample_alert, sample_placement

EXPECTED: dict[str, Any] = {
    "@timestamp": "2026-11-21T23:40:05.001002003Z",
    "ecs": {"version": "8.17.0"},
    "message": "A file of secrets is read (file=/etc/shadow command=cat /etc/shadow user=root)",
    "tags": ["T1003.008", "container", "filesystem", "mitre_credential_access"],
    "labels": {"cluster": "prod"},
    "log": {"level": "error"},
    "event": {
        "kind": "alert",
        "category": ["intrusion_detection", "file"],
        "type": ["info"],
        "id": "r7k2-41",
        "action": "openat",
        "module": "hullwatch",
        "dataset": "hullwatch.alerts",
        "provider": "syscall",
        "severity": 73,
        "risk_score": 71,
    },
    "rule": {"name": "Sensitive file read in a container"},
    "threat": {
        "framework": "MITRE ATT&CK",
        "tactic": {"id": ["TA0006"], "name": ["Credential Access"]},
        "technique": {
            "id": ["T1003"],
            "name": ["OS Credential Dumping"],
            "subtechnique": {"id": ["T1003.008"], "name": ["/etc/passwd and /etc/shadow"]},
        },
    },
    "process": {
        "name": "cat",
        "pid": 4711,
        "entity_id": "4711.81500000000",
        "command_line": "cat /etc/shadow",
        "executable": "/usr/bin/cat",
        "parent": {"name": "sh", "pid": 4700, "entity_id": "4700.81000000000", "command_line": "sh"},
    },
    "user": {"name": "root"},
    "file": {"path": "/etc/shadow", "name": "shadow"},
    "container": {
        "id": "3f2a9c81d0b4" + "0" * 52,
        "name": "web",
        "image": {"name": "registry.example/shop/web", "tag": ["1.27"]},
    },
    "host": {"name": "node1", "hostname": "node1"},
    "observer": {"product": "Hullwatch", "vendor": "Hullwatch", "version": __version__},
    "hullwatch": {
        "fields": {"evt_arg_flags": "O_RDONLY"},
        "issue": {"id": "i5c3e9a", "count": 3, "state": "open"},
        "incident": {"id": "n2f", "title": "Credentials are read in web"},
    },
}


def document(alert: Alert, placement: Any = None) -> dict[str, Any]:
    return json.loads(ecs(alert, placement))


def with_fields(**changes: Any) -> Alert:
    return replace(sample_alert(), output_fields={key.replace("__", "."): value for key, value in changes.items()})


def test_the_alert_becomes_the_document_of_the_reference() -> None:
    assert document(sample_alert(), sample_placement()) == EXPECTED


def test_an_alert_of_the_host_has_no_container_and_only_what_is_known() -> None:
    alert = Alert(time=5, rule="Rule", priority="Debug", message="said", output_fields={"container.id": "host"})
    made = document(alert)
    assert sorted(made) == ["@timestamp", "ecs", "event", "log", "message", "observer", "rule"]
    assert "risk_score" not in made["event"]


def test_a_pod_stands_under_orchestrator_with_the_cluster_that_the_labels_name() -> None:
    made = document(with_fields(k8s__pod__name="web-0", k8s__ns__name="shop", k8s__pod__uid="u-1"))
    assert made["orchestrator"] == {
        "type": "kubernetes",
        "namespace": "shop",
        "cluster": {"name": "prod"},
        "resource": {"name": "web-0", "id": "u-1", "type": "pod"},
    }


def test_the_result_of_the_call_is_the_outcome() -> None:
    assert document(with_fields(evt__res="SUCCESS"))["event"]["outcome"] == "success"
    assert document(with_fields(evt__res="EACCES"))["event"]["outcome"] == "failure"


def test_a_field_without_a_place_has_no_dot_for_a_dot_would_make_an_object() -> None:
    made = document(with_fields(evt__arg="x", evt__arg__flags="y"))
    assert made["hullwatch"]["fields"] == {"evt_arg": "x", "evt_arg_flags": "y"}


def test_techniques_whose_names_are_not_known_have_their_ids_alone() -> None:
    threat = document(replace(sample_alert(), tags=("T9999", "T1003.008")))["threat"]
    assert threat["technique"] == {
        "id": ["T9999", "T1003"],
        "subtechnique": {"id": ["T1003.008"], "name": ["/etc/passwd and /etc/shadow"]},
    }


def test_earlier_events_and_the_capture_stand_under_our_name() -> None:
    earlier = {"evt.time": sample_alert().time - 2_000_000_000, "evt.type": "openat", "fd.name": "/etc/passwd"}
    alert = replace(sample_alert(), evidence=(earlier,), capture="/var/x.hwcap")
    own = document(alert)["hullwatch"]
    assert own["evidence"] == ["2s earlier: openat /etc/passwd in None"]
    assert own["capture"] == "/var/x.hwcap"
