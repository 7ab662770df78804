"""Against an HTTP server that reads requests with OpenTelemetry's own definitions."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson, Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from hullwatch.errors import UsageError
from hullwatch.outputs.otlp import Otlp, OtlpOptions
from hullwatch.outputs.output import RefusedError, UnreachableError
from tests.outputs.messages import context, message, messages
from tests.receivers import WebReceiver


@pytest.fixture
def collector() -> Iterator[WebReceiver]:
    running = WebReceiver()
    yield running
    running.close()


def ids(request: ExportLogsServiceRequest) -> list[str]:
    records = request.resource_logs[0].scope_logs[0].log_records
    return [
        one.value.string_value for record in records for one in record.attributes if one.key == "hullwatch.alert.id"
    ]


def test_a_batch_is_one_compressed_request_to_the_path_of_logs(collector: WebReceiver, tmp_path: Path) -> None:
    output = Otlp(OtlpOptions(url=collector.url, headers={"Authorization": "Bearer t0ken"}), context(tmp_path))
    output.send(messages(3))
    (request,) = collector.requests
    assert request.path == "/v1/logs"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["authorization"] == "Bearer t0ken"
    found = ExportLogsServiceRequest.FromString(gzip.decompress(request.body))
    assert ids(found) == ["r7k2-0", "r7k2-1", "r7k2-2"]
    assert output.answer == "200 OK"
    output.close()


def test_json_without_compression_and_a_path_of_ones_own(collector: WebReceiver, tmp_path: Path) -> None:
    options = OtlpOptions(url=f"{collector.url}otlp/v1/logs?team=x", encoding="json", compress=False)
    output = Otlp(options, context(tmp_path))
    output.send(messages(1))
    (request,) = collector.requests
    assert request.path == "/otlp/v1/logs?team=x"
    assert request.headers["content-type"] == "application/json"
    assert ids(Parse(request.body, ExportLogsServiceRequest())) == ["r7k2-0"]
    output.close()


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_what_the_collector_rejects_is_refused_with_its_reason(
    collector: WebReceiver, tmp_path: Path, encoding: str
) -> None:
    rejected = ExportLogsPartialSuccess(rejected_log_records=1, error_message="too old\x1b[2J")
    answer = ExportLogsServiceResponse(partial_success=rejected)
    body = answer.SerializeToString().decode() if encoding == "protobuf" else MessageToJson(answer)
    collector.behave = lambda _: (200, body)
    output = Otlp(OtlpOptions(url=collector.url, encoding=encoding), context(tmp_path))  # type: ignore[arg-type]
    with pytest.raises(RefusedError) as caught:
        output.send(messages(2))
    assert str(caught.value) == r"127.0.0.1 took all but 1 of 2 records: too old\x1b[2J"
    assert caught.value.delivered is None  # nobody knows which: they are sent one by one
    output.close()


def test_an_answer_that_is_no_answer_of_a_collector_counts_as_delivered(collector: WebReceiver, tmp_path: Path) -> None:
    answers = iter([(200, "<html>fine</html>"), (503, "later"), (400, "never")])
    collector.behave = lambda _: next(answers)
    output = Otlp(OtlpOptions(url=collector.url), context(tmp_path))
    output.send(messages(1))
    with pytest.raises(UnreachableError, match="503"):
        output.send(messages(1))
    with pytest.raises(RefusedError, match="400"):
        output.send(messages(1))
    output.close()


def test_the_preview_is_json_that_people_can_read(tmp_path: Path) -> None:
    output = Otlp(OtlpOptions(url="http://127.0.0.1:1"), context(tmp_path))
    assert ids(Parse(output.preview(message(7)), ExportLogsServiceRequest())) == ["r7k2-7"]


@pytest.mark.parametrize("headers", [{"Host": "x"}, {"": "x"}, {"X": "a\nb"}, {"X-ü": "x"}])
def test_headers_that_cannot_be_are_told_without_their_values(tmp_path: Path, headers: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"outputs\.siem: headers: ") as caught:
        Otlp(OtlpOptions(url="http://127.0.0.1:1", headers=headers), context(tmp_path))
    assert "a\\nb" not in str(caught.value)
