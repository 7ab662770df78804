"""Lines of containers' logs come out of every file and wrapper with whose they are."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.sources.container_logs.line import LONGEST, Parts, Whose, whose
from hullwatch.sources.container_logs.unwrapping import unwrap
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
OF_CLOUD: dict[str, object] = {
    "container_id": ID, "container_name": "web", "pod": "web-1", "namespace": "shop", "node": "node1",
    "cluster": "prod",
}  # fmt: skip


def packed(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()


def lines(*documents: Any, path: str = "") -> tuple[list[dict[str, object]], IntakeCounts]:
    counts = IntakeCounts()
    data = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    return list(unwrap(data, counts, path)), counts


def event(**more: object) -> dict[str, object]:
    return {"kind": "ContainerLog", "time": TIME, "stream": "stderr", "text": "hello", **more}


FORMS: list[tuple[Any, dict[str, object], str]] = [
    ({"log": "hello\n", "stream": "stderr", "time": TIME}, {}, "docker"),
    (f"{TIME} stderr F hello\n".encode(), {}, "cri"),
    (INSIGHTS, {**OF_CLOUD, "image": "shop/web:1", "cluster": ""}, "cloudwatch"),
    (SUBSCRIPTION, {**OF_CLOUD, "image": "shop/web:1"}, "cloudwatch"),
    ({"awslogs": {"data": packed(SUBSCRIPTION)}}, {**OF_CLOUD, "image": "shop/web:1"}, "cloudwatch"),
    ({"records": [{"data": packed(SUBSCRIPTION)}]}, {**OF_CLOUD, "image": "shop/web:1"}, "cloudwatch"),
    ({"Records": [{"kinesis": {"data": packed(SUBSCRIPTION)}}]}, {**OF_CLOUD, "image": "shop/web:1"}, "cloudwatch"),
    (AZURE, OF_CLOUD, "azure"),
    ({"records": [AZURE]}, OF_CLOUD, "azure"),
    ({"tables": [{"columns": [{"name": n} for n in AZURE], "rows": [list(AZURE.values())]}]}, OF_CLOUD, "azure"),
]


@pytest.mark.parametrize(("document", "of", "wrapper"), FORMS)
def test_every_form_gives_the_line_and_whose_it_is(document: Any, of: dict[str, object], wrapper: str) -> None:
    found, counts = lines(document)
    assert found == [event(**{name: value for name, value in of.items() if value})]
    assert counts == IntakeCounts(events={wrapper: 1})


def test_parts_of_a_line_are_put_together_for_each_stream() -> None:
    found, _ = lines(
        f"{TIME} stderr P hel\n".encode(), f"{TIME} stdout F other\n".encode(), f"{TIME} stderr F lo\n".encode(),
        {"log": "hel", "stream": "stderr", "time": TIME}, {"log": "lo\n", "stream": "stderr", "time": TIME},
    )  # fmt: skip
    assert [one["text"] for one in found] == ["other", "hello", "hello"]


def test_parts_without_an_end_take_no_more_memory_than_a_line() -> None:
    parts = Parts()
    for number in range(100):
        assert parts.add(TIME, f"stream {number}", "x" * 1000, whole=False) is None
    long = parts.add(TIME, "stdout", "x" * (LONGEST + 1), whole=False)
    assert long == (TIME, "x" * LONGEST)


PATHS = [
    ("/var/log/pods/shop_web-1_0f0e/web/0.log", Whose(namespace="shop", pod="web-1", container_name="web")),
    (
        f"/var/log/containers/web-1_shop_web-{ID}.log",
        Whose(pod="web-1", namespace="shop", container_name="web", container_id=ID),
    ),
    (f"/var/lib/docker/containers/{ID}/{ID}-json.log", Whose(container_id=ID)),
    ("/tmp/x.log", Whose()),
]


@pytest.mark.parametrize(("path", "of"), PATHS)
def test_the_path_of_a_file_tells_whose_it_is(path: str, of: Whose) -> None:
    assert whose(path) == of
    found, _ = lines(f"{TIME} stderr F hello\n".encode(), path=path)
    assert found == [event(**{name: value for name, value in of._asdict().items() if value})]


def test_what_is_no_line_is_counted() -> None:
    found, counts = lines(b"hello", {"kind": "Pod"}, {"messageType": "CONTROL_MESSAGE"}, 5)
    assert not found
    assert counts.left_out == {NOT_JSON: 2, NO_EVENT: 1, CONTROL: 1}


@given(st.binary(max_size=200))
def test_made_up_bytes_break_nothing(data: bytes) -> None:
    lines(data)
