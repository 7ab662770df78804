"""The expected document is written by hand from the standard."""

import json
from typing import Any

from msgspec.structs import replace

from hullwatch import __version__
from hullwatch.alerts.alert import Alert
from hullwatch.formats.sample import sample_alert, sample_placement
from hullwatch.formats.sarif import sarif, sarif_document

RULE = "Sensitive file read in a container"
EXPECTED: dict[str, Any] = {
    "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
    "version": "2.1.0",
    "runs": [
        {
            "columnKind": "unicodeCodePoints",
            "tool": {
                "driver": {
                    "name": "Hullwatch",
                    "version": __version__,
                    "rules": [
                        {
                            "id": "sensitive-file-read-in-a-container",
                            "name": RULE,
                            "shortDescription": {"text": RULE},
                            "defaultConfiguration": {"level": "error"},
                            "properties": {
                                "tags": [
                                    "T1003.008",
                                    "container",
                                    "filesystem",
                                    "mitre_credential_access",
                                    "security",
                                ],
                                "techniques": ["T1003.008"],
                                "security-severity": "7.0",
                            },
                        }
                    ],
                }
            },
            "results": [
                {
                    "ruleId": "sensitive-file-read-in-a-container",
                    "level": "error",
                    "kind": "fail",
                    "rank": 71.0,
                    "occurrenceCount": 3,
                    "message": {
                        "text": "A file of secrets is read (file=/etc/shadow command=cat /etc/shadow user=root)"
                    },
                    "locations": [
                        {
                            "physicalLocation": {"artifactLocation": {"uri": "file:///etc/shadow"}},
                            "logicalLocations": [{"name": "web", "fullyQualifiedName": "web", "kind": "container"}],
                        }
                    ],
                    "partialFingerprints": {"hullwatchIssue/v1": "1:5c3e9a0b77d2"},
                    "properties": {
                        "time": "2026-11-21T23:40:05.001002003Z",
                        "priority": "Error",
                        "hostname": "node1",
                        "issue": "i5c3e9a",
                        "incident": "n2f",
                        "fields": {
                            "container.id": "3f2a9c81d0b4",
                            "container.full_id": "3f2a9c81d0b4" + "0" * 52,
                            "container.image": "registry.example/shop/web:1.27",
                            "container.image.repository": "registry.example/shop/web",
                            "container.image.tag": "1.27",
                            "container.name": "web",
                            "evt.arg.flags": "O_RDONLY",
                            "evt.type": "openat",
                            "fs.path.name": "/etc/shadow",
                            "proc.cmdline": "cat /etc/shadow",
                            "proc.exepath": "/usr/bin/cat",
                            "proc.name": "cat",
                            "proc.pid": "4711",
                            "proc.pcmdline": "sh",
                            "proc.pname": "sh",
                            "proc.ppid": "4700",
                            "user.name": "root",
                        },
                    },
                }
            ],
        }
    ],
}


def test_the_alert_becomes_the_document_of_the_standard() -> None:
    line = sarif(sample_alert(), sample_placement())
    assert json.loads(line) == EXPECTED
    assert b"\n" not in line


def test_many_alerts_are_one_document_with_a_line_each_and_each_rule_once() -> None:
    other = Alert(time=5, rule="Other", priority="Debug", message="said", output_fields={}, hostname="node2")
    document = sarif_document([(sample_alert(), None), (other, None), (sample_alert(), None)])
    run = json.loads(document)["runs"][0]
    assert [one["ruleId"] for one in run["results"]] == [
        "sensitive-file-read-in-a-container",
        "other",
        "sensitive-file-read-in-a-container",
    ]
    assert [rule["name"] for rule in run["tool"]["driver"]["rules"]] == [RULE, "Other"]
    assert len(document.splitlines()) == 5


def test_no_alert_is_a_document_too() -> None:
    assert json.loads(sarif_document([]))["runs"][0]["results"] == []


def test_a_result_that_is_no_failure_has_the_level_none() -> None:
    result = json.loads(sarif(replace(sample_alert(), priority="Debug")))["runs"][0]["results"][0]
    assert (result["level"], result["kind"]) == ("none", "informational")


def test_a_text_makes_no_link_in_a_viewer() -> None:
    result = json.loads(sarif(replace(sample_alert(), message="[click](http://203.0.113.9/) \\")))
    assert result["runs"][0]["results"][0]["message"]["text"] == "\\[click\\](http://203.0.113.9/) \\\\"


def test_a_path_becomes_a_valid_address() -> None:
    alert = replace(sample_alert(), output_fields={"fd.name": "/tmp/a b#%\n\udcff"})
    location = json.loads(sarif(alert))["runs"][0]["results"][0]["locations"][0]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "file:///tmp/a%20b%23%25%0A%EF%BF%BD"
