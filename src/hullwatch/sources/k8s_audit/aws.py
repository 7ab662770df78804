"""What Amazon wraps audit events in: CloudWatch Logs, Lambda, Kinesis, Firehose, files of them, and CloudTrail.

The shapes are those of the documentation of CloudWatch Logs (subscription filters, FilterLogEvents, export to S3),
Kinesis Data Firehose (HTTP endpoint delivery, version 1.0) and CloudTrail (record contents 1.08).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.sources.k8s_audit.counts import CONTROL, NO_EVENT, OTHER_STREAM
from hullwatch.sources.k8s_audit.origin import Origin
from hullwatch.sources.k8s_audit.payload import from_base64, is_truncated, note_truncated, values
from hullwatch.sources.k8s_audit.shapes import at, items, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.sources.k8s_audit.counts import IntakeCounts

AUDIT_STREAM = "kube-apiserver-audit-"  # what EKS begins the names of the audit log's streams with
_GROUP = ("/aws/eks/", "/cluster")
Inner = tuple[object, Origin]


def cluster_of(log_group: str) -> str:
    """Return the cluster of a log group of EKS; empty for another group."""
    begin, end = _GROUP
    return log_group[len(begin) : -len(end)] if log_group.startswith(begin) and log_group.endswith(end) else ""


def subscription(value: dict[str, object], counts: IntakeCounts) -> Iterator[Inner]:
    """Yield what a payload of a subscription filter holds."""
    if value.get("messageType") != "DATA_MESSAGE":
        counts.leave_out(CONTROL)
        return
    cluster, stream = cluster_of(text(value.get("logGroup"))), text(value.get("logStream"))
    for event in items(value.get("logEvents")):
        yield from _message(text(table(event).get("message")), stream, cluster, counts)


def filtered(value: dict[str, object], counts: IntakeCounts, log_group: str = "") -> Iterator[Inner]:
    """Yield what an answer of FilterLogEvents holds."""
    for event in items(value.get("events")):
        of = table(event)
        yield from _message(text(of.get("message")), text(of.get("logStreamName")), cluster_of(log_group), counts)


def _message(message: str, stream: str, cluster: str, counts: IntakeCounts) -> Iterator[Inner]:
    if is_truncated(message):
        note_truncated(message.encode(), counts)
        return
    if stream and not stream.startswith(AUDIT_STREAM) and "CloudTrail" not in stream:
        counts.leave_out(OTHER_STREAM)
        return
    for value in values(message.encode("utf-8", "replace"), counts):
        yield value, Origin("eks", cluster)


def lambda_event(value: dict[str, object], counts: IntakeCounts) -> Iterator[Inner]:
    """Yield the payload that a Lambda function is called with."""
    yield from _data(text(at(value, "awslogs", "data")), counts)


def records(value: dict[str, object], counts: IntakeCounts) -> Iterator[Inner]:
    """Yield what ``Records`` hold: of Kinesis, or of CloudTrail's files."""
    for record in items(value.get("Records")):
        of = table(record)
        if isinstance(of.get("kinesis"), dict):
            yield from _data(text(at(of, "kinesis", "data")), counts)
        elif "eventSource" in of and "eventName" in of and "eventVersion" in of and "s3" not in of:
            yield of, Origin("cloud")
        else:
            counts.leave_out(NO_EVENT)


def firehose(value: dict[str, object], counts: IntakeCounts) -> Iterator[Inner]:
    """Yield what Firehose delivers to an HTTP endpoint."""
    for record in items(value.get("records")):
        yield from _data(text(table(record).get("data")), counts)


def is_firehose(value: dict[str, object]) -> bool:
    """Tell whether an object with ``records`` is Firehose's; Azure has some too."""
    first = next(iter(items(value.get("records"))), None)
    return isinstance(table(first).get("data"), str) and "category" not in table(first)


def _data(data: str, counts: IntakeCounts) -> Iterator[Inner]:
    unpacked = from_base64(data, counts) if data else b""
    if unpacked:
        for value in values(unpacked, counts):
            yield value, Origin("eks")
