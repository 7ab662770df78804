"""OpenTelemetry's own definitions read both encodings."""

import json

import pytest
from google.protobuf.json_format import Parse
from msgspec.structs import replace
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from hullwatch import __version__
from hullwatch.formats.otlp import export_json, export_protobuf, log_record, otlp
from hullwatch.formats.sample import sample_alert, sample_placement

OBSERVED = 1_795_304_406_000_000_000
ATTRIBUTES: dict[str, object] = {
    "security_rule.name": "Sensitive file read in a container",
    "hullwatch.alert.id": "r7k2-41",
    "hullwatch.source": "syscall",
    "process.executable.name": "cat",
    "process.executable.path": "/usr/bin/cat",
    "process.pid": 4711,
    "process.parent_pid": 4700,
    "process.command_line": "cat /etc/shadow",
    "user.name": "root",
    "container.id": "3f2a9c81d0b4" + "0" * 52,
    "container.name": "web",
    "container.image.name": "registry.example/shop/web",
    "container.image.tags": ["1.27"],
    "file.path": "/etc/shadow",
    "hullwatch.tags": ["T1003.008", "container", "filesystem", "mitre_credential_access"],
    "hullwatch.mitre.techniques": ["T1003.008"],
    "hullwatch.issue.id": "i5c3e9a",
    "hullwatch.issue.count": 3,
    "hullwatch.incident.id": "n2f",
    "hullwatch.incident.score": 71,
    "hullwatch.label.cluster": "prod",
    "hullwatch.field.evt.arg.flags": "O_RDONLY",
    "hullwatch.field.evt.type": "openat",
    "hullwatch.field.proc.pname": "sh",
    "hullwatch.field.proc.pcmdline": "sh",
}


def value(one: AnyValue) -> object:
    kind = one.WhichOneof("value")
    assert kind is not None
    found = getattr(one, kind)
    return [value(item) for item in found.values] if kind == "array_value" else found


def requests(*alerts: object) -> list[ExportLogsServiceRequest]:
    """Return the request of the sample alert in both encodings."""
    records = [log_record(sample_alert(), sample_placement())]
    return [
        ExportLogsServiceRequest.FromString(export_protobuf(records, OBSERVED)),
        Parse(export_json(records, OBSERVED), ExportLogsServiceRequest()),
    ]


@pytest.mark.parametrize("request_", requests(), ids=["protobuf", "json"])
def test_the_definitions_read_the_record(request_: ExportLogsServiceRequest) -> None:
    (group,) = request_.resource_logs
    assert {one.key: value(one.value) for one in group.resource.attributes} == {
        "service.name": "hullwatch",
        "service.version": __version__,
        "host.name": "node1",
    }
    (scope,) = group.scope_logs
    assert (scope.scope.name, scope.scope.version) == ("hullwatch", __version__)
    (record,) = scope.log_records
    assert record.time_unix_nano == sample_alert().time
    assert record.observed_time_unix_nano == OBSERVED
    assert (record.severity_number, record.severity_text) == (17, "Error")
    assert record.body.string_value == sample_alert().message
    assert record.event_name == "hullwatch.alert"
    assert {one.key: value(one.value) for one in record.attributes} == ATTRIBUTES


def test_records_of_several_hosts_stand_under_a_resource_each() -> None:
    alerts = [replace(sample_alert(), hostname=name) for name in ("a", "b", "a")]
    request = ExportLogsServiceRequest.FromString(export_protobuf([log_record(one) for one in alerts], OBSERVED))
    assert [len(group.scope_logs[0].log_records) for group in request.resource_logs] == [2, 1]


def test_negative_numbers_and_hostile_texts_arrive() -> None:
    alert = replace(sample_alert(), output_fields={"proc.pid": -1, "proc.cmdline": "a\udcff\0b"}, message="\x1b[2J")
    for request in (
        ExportLogsServiceRequest.FromString(export_protobuf([log_record(alert)], OBSERVED)),
        Parse(otlp(alert), ExportLogsServiceRequest()),
    ):
        record = request.resource_logs[0].scope_logs[0].log_records[0]
        found = {one.key: value(one.value) for one in record.attributes}
        assert found["process.pid"] == -1
        assert found["process.command_line"] == "a\ufffd\0b"
        assert record.body.string_value == "\x1b[2J"


def test_the_line_is_a_request_with_one_record() -> None:
    assert len(json.loads(otlp(sample_alert()))["resourceLogs"][0]["scopeLogs"][0]["logRecords"]) == 1
