"""Lines of containers' logs come out of every file and wrapper with whose they are."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.sources.container_logs.line import LONGEST, MOST_STREAMS, LogLine, Parts, Whose, whose
from hullwatch.sources.container_logs.unwrapping import CUT, STREAMS, UNENDED, unwrap
from hullwatch.sources.k8s_audit.counts import CONTROL, NO_EVENT, NOT_JSON, IntakeCounts

TIME = "2026-11-28T10:00:00.123456789Z"
ID = "a" * 64
INSIGHTS = {
    "log": "hello\n",
    "stream": "stderr",
    "time": TIME,
    "kubernetes": {
        "pod_name": "web-1", "namespace_name": "shop", "container_name": "web", "docker_id": ID,
        "container_image": "shop/web:1", "host": "node1",
    },
}  # fmt: skip
SUBSCRIPTION = {
    "messageType": "DATA_MESSAGE",
    "logGroup": "/aws/containerinsights/prod/application",
    "logStream": "s",
    "logEvents": [{"id": "1", "timestamp": 1, "message": json.dumps(INSIGHTS)}],
}
AZURE = {
    "TimeGenerated": TIME, "Computer": "node1", "ContainerId": ID, "ContainerName": "web", "PodName": "web-1",
    "PodNamespace": "shop", "LogMessage": "hello", "LogSource": "stderr", "_ResourceId": "/x/managedClusters/prod",
}  # fmt: skip
OF_CLOUD = Whose(container_id=ID, container_name="web", pod="web-1", namespace="shop", node="node1", cluster="prod")
OF_INSIGHTS = OF_CLOUD._replace(image="shop/web:1")
STREAM = f"ip-10-0-0-1.application.var.log.containers.web-1_shop_web-{ID}.log"
GKE = {
    "insertId": "x1",
    "textPayload": "hello",
    "timestamp": TIME,
    "logName": "projects/p/logs/stderr",
    "resource": {
        "type": "k8s_container",
        "labels": {
            "cluster_name": "prod",
            "namespace_name": "shop",
            "pod_name": "web-1",
            "container_name": "web",
        },
    },
    "labels": {"compute.googleapis.com/resource_name": "node1"},
}
OF_GKE = OF_CLOUD._replace(container_id="")


def packed(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()


def lines(*documents: Any, path: str = "") -> tuple[list[LogLine], IntakeCounts]:
    counts = IntakeCounts()
    data = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    return list(unwrap(data, counts, path)), counts


FORMS: list[tuple[Any, Whose, str]] = [
    ({"log": "hello\n", "stream": "stderr", "time": TIME}, Whose(), "docker"),
    (f"{TIME} stderr F hello\n".encode(), Whose(), "cri"),
    (INSIGHTS, OF_INSIGHTS._replace(cluster=""), "cloudwatch"),
    (SUBSCRIPTION, OF_INSIGHTS, "cloudwatch"),
    ({"awslogs": {"data": packed(SUBSCRIPTION)}}, OF_INSIGHTS, "cloudwatch"),
    ({"records": [{"data": packed(SUBSCRIPTION)}]}, OF_INSIGHTS, "cloudwatch"),
    ({"Records": [{"kinesis": {"data": packed(SUBSCRIPTION)}}]}, OF_INSIGHTS, "cloudwatch"),
    (
        {"events": [{"logStreamName": "s", "timestamp": 1, "message": json.dumps(INSIGHTS), "eventId": "1"}]},
        OF_INSIGHTS._replace(cluster=""),
        "cloudwatch",
    ),
    (GKE, OF_GKE, "gke"),
    ([GKE], OF_GKE, "gke"),
    ({"entries": [GKE]}, OF_GKE, "gke"),
    ({"message": {"data": base64.b64encode(json.dumps(GKE).encode()).decode(), "messageId": "1"}}, OF_GKE, "gke"),
    (AZURE, OF_CLOUD, "azure"),
    ({"records": [AZURE]}, OF_CLOUD, "azure"),
    ({"tables": [{"columns": [{"name": n} for n in AZURE], "rows": [list(AZURE.values())]}]}, OF_CLOUD, "azure"),
]


@pytest.mark.parametrize(("document", "of", "wrapper"), FORMS)
def test_every_form_gives_the_line_and_whose_it_is(document: Any, of: Whose, wrapper: str) -> None:
    found, counts = lines(document)
    assert [line._replace(id="") for line in found] == [LogLine(TIME, "stderr", "hello", of, wrapper)]
    assert counts == IntakeCounts(events={wrapper: 1})


def test_the_name_of_a_log_stream_counts_more_than_what_a_line_says() -> None:
    claims = json.dumps({"log": "hello", "kubernetes": {"pod_name": "other", "host": "node1"}})
    found, _ = lines(
        SUBSCRIPTION
        | {
            "logStream": STREAM,
            "logEvents": [{"id": n, "timestamp": 1_795_304_405_123, "message": n} for n in ("a", claims)],
        }
    )
    of = Whose(pod="web-1", namespace="shop", container_name="web", container_id=ID, cluster="prod")
    written = "2026-11-21T23:40:05.123000+00:00"
    assert found == [
        LogLine(written, "", "a", of, "cloudwatch", id="a"),
        LogLine(written, "", "hello", of._replace(node="node1"), "cloudwatch", id=claims[:256]),
    ]


def test_a_line_that_was_merged_into_its_record_is_still_a_line() -> None:
    (found,), _ = lines({"date": 1_795_304_405.5, "level": "error", "code": 7, "kubernetes": {"pod_name": "web-1"}})
    assert (found.text, found.time, found.of.pod) == (
        '{"level":"error","code":7}',
        "2026-11-21T23:40:05.500000+00:00",
        "web-1",
    )
    entry = {name: one for name, one in GKE.items() if name not in {"textPayload", "insertId"}}
    (found,), _ = lines(entry | {"jsonPayload": {"level": "error"}})
    assert (found.text, found.id) == ('{"level":"error"}', "")


def test_parts_of_a_line_are_put_together_for_each_stream() -> None:
    found, _ = lines(
        f"{TIME} stderr P hel\n".encode(), f"{TIME} stdout F other\n".encode(), f"{TIME} stderr F lo\n".encode(),
        {"log": "hel", "stream": "stderr", "time": TIME}, {"log": "lo\n", "stream": "stderr", "time": TIME},
    )  # fmt: skip
    assert [(one.text, one.parts) for one in found] == [("other", 1), ("hello", 2), ("hello", 2)]


def test_parts_without_an_end_take_no_more_memory_than_a_line() -> None:
    parts = Parts()
    for number in range(100):
        assert parts.add(TIME, f"stream {number}", "x" * 1000, whole=False) is None
    assert (len(parts), parts.lost) == (MOST_STREAMS, 100 - MOST_STREAMS)
    assert Parts().add(TIME, "stdout", "x" * (LONGEST + 1), whole=False) == LogLine(
        TIME, "stdout", "x" * LONGEST, cut=True
    )


def test_what_is_missing_of_a_line_is_counted() -> None:
    long = f"{TIME} stderr F {'x' * (LONGEST + 1)}".encode()
    found, counts = lines(long, *[{"log": "x", "stream": f"s{n}", "time": TIME} for n in range(MOST_STREAMS + 1)])
    assert [len(one.text) for one in found] == [LONGEST, *[1] * MOST_STREAMS]
    assert counts.left_out == {CUT: 1, STREAMS: 1, UNENDED: MOST_STREAMS}


def test_a_line_of_sixteen_parts_is_one() -> None:
    parts = ["x" * 16384] * 15 + ["end\n"]
    found, counts = lines(*[{"log": one, "stream": "stdout", "time": TIME} for one in parts])
    assert [(len(one.text), one.parts) for one in found] == [(15 * 16384 + 3, 16)]
    assert counts.total == 1


def test_bytes_that_are_no_text_are_replaced() -> None:
    (found,), _ = lines(f"{TIME} stdout F ".encode() + b"\xff\xfe\x1b[2J")
    assert found.text == "\ufffd\ufffd\x1b[2J"


PATHS = [
    (
        "/var/log/pods/shop_web-1_0f0e/web/0.log",
        Whose(namespace="shop", pod="web-1", container_name="web", pod_uid="0f0e"),
    ),
    (
        f"/var/log/containers/web-1_shop_web-{ID}.log",
        Whose(pod="web-1", namespace="shop", container_name="web", container_id=ID),
    ),
    (f"/var/lib/docker/containers/{ID}/{ID}-json.log", Whose(container_id=ID)),
    (f"/var/lib/containers/storage/overlay-containers/{ID}/userdata/ctr.log", Whose(container_id=ID)),
    ("/tmp/x.log", Whose()),
]


@pytest.mark.parametrize(("path", "of"), PATHS)
def test_the_path_of_a_file_tells_whose_it_is(path: str, of: Whose) -> None:
    assert whose(path) == of
    found, _ = lines(f"{TIME} stderr F hello\n".encode(), path=path)
    assert found == [LogLine(TIME, "stderr", "hello", of, "cri")]


def test_what_is_no_line_is_counted() -> None:
    found, counts = lines(b"hello", {"kind": "Pod"}, {"messageType": "CONTROL_MESSAGE"}, 5)
    assert not found
    assert counts.left_out == {NOT_JSON: 2, NO_EVENT: 1, CONTROL: 1}


@given(st.binary(max_size=200))
def test_made_up_bytes_break_nothing(data: bytes) -> None:
    lines(data)
