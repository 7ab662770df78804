"""Container logs in whatever they come: Docker's json-file, CRI's files, CloudWatch Logs, Azure Monitor.

The shapes are those of Docker's json-file driver, the kubelet's CRI format, Fluent Bit's records of CloudWatch
Container Insights, and the tables ContainerLog and ContainerLogV2 of Azure Monitor.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from hullwatch.sources.container_logs.line import Parts, Whose, event_of, whose
from hullwatch.sources.k8s_audit.counts import CONTROL, NO_EVENT, NOT_JSON, TOO_DEEP
from hullwatch.sources.k8s_audit.payload import from_base64, values
from hullwatch.sources.k8s_audit.shapes import at, is_list, is_table, items, table, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.sources.k8s_audit.counts import IntakeCounts

DEEPEST = 6  # wrappers in one another
_CRI = re.compile(
    rb"(\d{4}-\d\d-\d\dT[0-9:.]{8,24}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP])(?::[A-Z:]*)? (.*)\Z", re.DOTALL
)
_GROUP = re.compile(r"/aws/containerinsights/([^/]{1,100})/application\Z")


def unwrap(documents: Iterable[bytes], counts: IntakeCounts, path: str = "") -> Iterator[dict[str, object]]:
    """Yield the lines of documents as events, in their order.

    Args:
        documents: lines of a log file, or bodies of a wrapper.
        counts: gets what was found, and what was left out.
        path: of the file, which tells whose log it is; empty when there is none.
    """
    reader = _Reader(counts, whose(path))
    for document in documents:
        yield from reader.read(document)


class _Reader:
    """Reads documents; parts of lines are put together over several of them."""

    def __init__(self, counts: IntakeCounts, of: Whose) -> None:
        self._counts = counts
        self._of = of
        self._parts = Parts()

    def read(self, document: bytes) -> Iterator[dict[str, object]]:
        line = document.rstrip(b"\r\n")
        cri = _CRI.match(line)
        if cri:
            said = cri[4].decode("utf-8", "replace")
            yield from self._line("cri", cri[1].decode(), cri[2].decode(), said, whole=cri[3] == b"F")
            return
        if not line.startswith((b"{", b"[", b"\x1f\x8b")):
            self._counts.leave_out(NOT_JSON)
            return
        for value in values(document, self._counts):
            yield from self._open(value, self._of, 0)

    def _line(self, wrapper: str, time: str, stream: str, said: str, *, whole: bool) -> Iterator[dict[str, object]]:
        joined = self._parts.add(time, stream, said, whole=whole)
        if joined is not None:
            self._counts.take(wrapper)
            yield event_of(joined[0], stream, joined[1], self._of)

    def _open(self, value: object, of: Whose, depth: int) -> Iterator[dict[str, object]]:
        if depth > DEEPEST:
            self._counts.leave_out(TOO_DEEP)
        elif is_list(value):
            for one in value:
                yield from self._open(one, of, depth + 1)
        elif not is_table(value):
            self._counts.leave_out(NO_EVENT)
        elif "kubernetes" in value and "log" in value:
            yield self._insights(value, of)
        elif isinstance(value.get("log"), str) and "stream" in value:
            said = text(value["log"])
            stream, time = text(value["stream"]), text(value.get("time"))
            yield from self._line("docker", time, stream, said.removesuffix("\n"), whole=said.endswith("\n"))
        elif "LogMessage" in value or "LogEntry" in value:
            yield self._azure(value)
        else:
            yield from self._wrapped(value, of, depth)

    def _wrapped(self, value: dict[str, object], of: Whose, depth: int) -> Iterator[dict[str, object]]:
        """Yield what a wrapper holds."""
        if "messageType" in value:
            yield from self._subscription(value, of, depth)
            return
        data = [text(at(value, "awslogs", "data"))]
        data += [text(at(one, "kinesis", "data")) for one in items(value.get("Records"))]
        data += [text(table(one).get("data")) for one in items(value.get("records"))]
        inside: list[object] = []
        for one in filter(None, data):
            inside += values(from_base64(one, self._counts), self._counts)
        if not any(data):
            inside += items(value.get("records"))
            for one in items(value.get("tables")):
                names = [text(table(column).get("name")) for column in items(table(one).get("columns"))]
                inside += [dict(zip(names, items(row), strict=False)) for row in items(table(one).get("rows"))]
            if not inside:
                self._counts.leave_out(NO_EVENT)
        for one in inside:
            yield from self._open(one, of, depth + 1)

    def _subscription(self, value: dict[str, object], of: Whose, depth: int) -> Iterator[dict[str, object]]:
        if value["messageType"] != "DATA_MESSAGE":
            self._counts.leave_out(CONTROL)
            return
        group = _GROUP.match(text(value.get("logGroup")))
        for event in items(value.get("logEvents")):
            message = text(table(event).get("message")).encode("utf-8", "replace")
            for inner in values(message, self._counts):
                yield from self._open(inner, of._replace(cluster=group[1] if group else ""), depth + 1)

    def _insights(self, value: dict[str, object], of: Whose) -> dict[str, object]:
        """Return the event of a record of Container Insights, which Fluent Bit made."""
        meta = table(value.get("kubernetes"))
        found = Whose(
            container_id=text(meta.get("docker_id")),
            container_name=text(meta.get("container_name")),
            image=text(meta.get("container_image")),
            pod=text(meta.get("pod_name")),
            namespace=text(meta.get("namespace_name")),
            node=text(meta.get("host")),
            cluster=of.cluster,
        )
        self._counts.take("cloudwatch")
        said = text(value.get("log")).removesuffix("\n")
        return event_of(text(value.get("time")), text(value.get("stream")), said, found)

    def _azure(self, value: dict[str, object]) -> dict[str, object]:
        """Return the event of a row of ContainerLogV2, or of ContainerLog."""
        said = value.get("LogMessage", value.get("LogEntry"))
        resource = text(value.get("_ResourceId")).rstrip("/").rpartition("/")[2]
        found = Whose(
            container_id=text(value.get("ContainerId")) or text(value.get("ContainerID")),
            container_name=text(value.get("ContainerName")) or text(value.get("Name")),
            image=text(value.get("Image")),
            pod=text(value.get("PodName")),
            namespace=text(value.get("PodNamespace")),
            node=text(value.get("Computer")),
            cluster=resource,
        )
        self._counts.take("azure")
        written = said if isinstance(said, str) else msgspec.json.encode(said).decode()
        stream = text(value.get("LogSource")) or text(value.get("LogEntrySource"))
        return event_of(text(value.get("TimeGenerated")), stream, written.removesuffix("\n"), found)
