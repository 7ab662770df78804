"""Records of forwarders and clouds, each a line of a container's log that says itself whose it is.

The shapes are those of Fluent Bit's Kubernetes filter (which CloudWatch Container Insights uses), of Docker's driver
fluentd (which AWS FireLens uses), the tables ContainerLog and ContainerLogV2 of Azure Monitor, and Cloud Logging's
LogEntry of the resource ``k8s_container``. Where a record says that it is a part of a line, so does what is made of it.

A record is never an audit event, whatever stands in it: containers write what they like into their logs, and forwarders
merge lines that are JSON into the record.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import msgspec

from hullwatch.sources.container_logs.line import LONGEST, NOBODY, LogLine, Piece, Whose, whose
from hullwatch.sources.k8s_audit.counts import CONTROL
from hullwatch.sources.k8s_audit.shapes import at, is_table, items, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.sources.k8s_audit.counts import IntakeCounts

_GROUP = re.compile(r"/aws/containerinsights/([^/]{1,100})/application\Z")
_STREAM = "var.log.containers."  # in the names that Container Insights gives to log streams; a file's name follows
_OF_RECORD = frozenset({"kubernetes", "stream", "time", "date", "logtag", "_p", "@timestamp"})
_OF_DOCKER = ("container_id", "container_name", "source", "log")  # what Docker's driver fluentd sends
_DOCKER_PART = 16 << 10  # bytes after which Docker cuts a line


def is_record(value: dict[str, object]) -> bool:
    """Tell whether an object is a line of a container's log."""
    if "kubernetes" in value or "LogMessage" in value or "LogEntry" in value:
        return True
    if all(isinstance(value.get(name), str) for name in _OF_DOCKER):
        return True
    return "logName" in value and at(value, "resource", "type") == "k8s_container"


def line_of(value: dict[str, object], of: Whose = NOBODY, written: str = "", id_: str = "") -> LogLine:
    """Return the line of a record.

    Args:
        value: the record.
        of: what its wrapper says, which counts more than what the record says.
        written: when it was written, for a record that does not say it.
        id_: that the wrapper gives it.
    """
    if "kubernetes" in value:
        return _of_fluent_bit(value, of, written, id_)
    if "source" in value and "log" in value:
        return _of_docker(value, of, written, id_)
    return _of_google(value, of) if "logName" in value else _of_azure(value, of)


def is_application(value: dict[str, object]) -> bool:
    """Tell whether an object is a payload of a subscription to the logs of a cluster's containers."""
    return isinstance(value.get("messageType"), str) and bool(_GROUP.match(text(value.get("logGroup"))))


def subscribed(value: dict[str, object], counts: IntakeCounts) -> Iterator[LogLine]:
    """Yield the lines of a payload of a subscription filter of CloudWatch Logs."""
    if value.get("messageType") != "DATA_MESSAGE":
        counts.leave_out(CONTROL)
        return
    group = _GROUP.match(text(value.get("logGroup")))
    of = _of_stream(text(value.get("logStream")), group[1] if group else "")
    for one in items(value.get("logEvents")):
        yield _of_event(table(one), of, text(table(one).get("id")))


def filtered(value: dict[str, object]) -> Iterator[LogLine]:
    """Yield the lines of an answer of FilterLogEvents."""
    for one in items(value.get("events")):
        event = table(one)
        yield _of_event(event, _of_stream(text(event.get("logStreamName")), ""), text(event.get("eventId")))


def _of_stream(stream: str, cluster: str) -> Whose:
    return whose(f"/{stream.partition(_STREAM)[2] or stream}")._replace(cluster=cluster)


def _of_event(event: dict[str, object], of: Whose, id_: str) -> LogLine:
    message, time = text(event.get("message")), _of_epoch(event.get("timestamp"), 1000)
    found = _object(message)
    if found is not None and is_record(found):
        return line_of(found, of, time, id_)
    if found is not None and isinstance(found.get("log"), str):
        return _made("cloudwatch", text(found.get("time")) or time, found.get("stream"), found["log"], of, id_)
    # An agent may send lines as they are: then the name of the stream says whose they are.
    return _made("cloudwatch", time, "", message, of, id_)


def _of_fluent_bit(value: dict[str, object], of: Whose, written: str, id_: str) -> LogLine:
    meta = table(value["kubernetes"])
    said = Whose(
        container_id=text(meta.get("docker_id")),
        container_name=text(meta.get("container_name")),
        image=text(meta.get("container_image")),
        pod=text(meta.get("pod_name")),
        namespace=text(meta.get("namespace_name")),
        node=text(meta.get("host")),
        pod_uid=text(meta.get("pod_id")),
    )
    tag = text(value.get("logtag")) or text(value.get("_p"))
    line: object = value.get("log", value.get("message") if tag else None)
    if line is None:  # it was merged into the record
        line = {name: one for name, one in value.items() if name not in _OF_RECORD}
    made = _made("cloudwatch", _time(value, written), value.get("stream"), line, _both(of, said), id_)
    return made._replace(piece=Piece()) if _goes_on(tag, line) else made


def _goes_on(tag: str, line: object) -> bool:
    """Whether the next record goes on: CRI's tag says so, and Docker cuts a line where it is so many bytes long."""
    if tag:
        return tag.partition(":")[0] == "P"
    return isinstance(line, str) and len(line) <= _DOCKER_PART and not line.endswith("\n") and _is_docker_part(line)


def _is_docker_part(line: str) -> bool:
    return 4 * len(line) >= _DOCKER_PART and len(line.encode("utf-8", "replace")) == _DOCKER_PART


def _of_docker(value: dict[str, object], of: Whose, written: str, id_: str) -> LogLine:
    """Return the line, or part of one, of a record of Docker's driver fluentd."""
    said = Whose(text(value["container_id"]), text(value["container_name"]).removeprefix("/"))
    made = _made("docker", _time(value, written), value["source"], value["log"], _both(of, said), id_)
    part = text(value.get("partial_id"))[:_LONGEST_ID]
    if not part or value.get("partial_message") != "true":
        return made
    ordinal = text(value.get("partial_ordinal"))
    number = int(ordinal) if ordinal.isascii() and ordinal.isdecimal() and len(ordinal) < 7 else 0
    return made._replace(piece=Piece(part, number, last=value.get("partial_last") == "true")) if number else made


def _time(value: dict[str, object], written: str) -> str:
    time = text(value.get("time")) or text(value.get("@timestamp")) or text(value.get("date"))
    return time or written or _of_epoch(value.get("date"), 1)


def _of_azure(value: dict[str, object], of: Whose) -> LogLine:
    """Return the line of a row of ContainerLogV2, or of ContainerLog."""
    said = Whose(
        container_id=text(value.get("ContainerId")) or text(value.get("ContainerID")),
        container_name=text(value.get("ContainerName")) or text(value.get("Name")),
        image=text(value.get("Image")),
        pod=text(value.get("PodName")),
        namespace=text(value.get("PodNamespace")),
        node=text(value.get("Computer")),
        cluster=text(value.get("_ResourceId")).rstrip("/").rpartition("/")[2],
        pod_uid=text(value.get("PodUid")),
    )
    stream = text(value.get("LogSource")) or text(value.get("LogEntrySource"))
    line = value.get("LogMessage", value.get("LogEntry"))
    id_ = text(value.get("_ItemId"))
    return _made("azure", text(value.get("TimeGenerated")), stream, line, _both(of, said), id_)


def _of_google(value: dict[str, object], of: Whose) -> LogLine:
    """Return the line of a LogEntry; what the line has as JSON is an object there."""
    labels = table(at(value, "resource", "labels"))
    said = Whose(
        container_name=text(labels.get("container_name")),
        pod=text(labels.get("pod_name")),
        namespace=text(labels.get("namespace_name")),
        node=text(at(value, "labels", "compute.googleapis.com/resource_name")),
        cluster=text(labels.get("cluster_name")),
    )
    line = value.get("textPayload", value.get("jsonPayload"))
    stream = text(value.get("logName")).rpartition("/")[2]
    id_, time = text(value.get("insertId")), text(value.get("timestamp"))
    id_ = f"{id_}/{time}" if id_ else ""  # the two together tell entries of a log apart
    made = _made("gke", time, stream, "" if line is None else line, _both(of, said), id_)
    part, index = text(at(value, "split", "uid"))[:_LONGEST_ID], at(value, "split", "index")
    total = at(value, "split", "totalSplits")
    if not part or not isinstance(total, int) or not isinstance(index or 0, int):
        return made
    number = (index if isinstance(index, int) else 0) + 1  # 0 is left out, as in all JSON of Google
    return made._replace(piece=Piece(part, number, last=number == total)) if 1 <= number <= total else made


def _made(wrapper: str, time: str, stream: object, said: object, of: Whose, id_: str) -> LogLine:
    written = said if isinstance(said, str) else msgspec.json.encode(said).decode()
    line = unicode(written[:LONGEST].removesuffix("\n"))
    return LogLine(time, text(stream), line, of, wrapper, cut=len(written) > LONGEST, id=id_[:_LONGEST_ID])


_LONGEST_ID = 256  # characters


def _both(wrapper: Whose, record: Whose) -> Whose:
    return record if wrapper is NOBODY else Whose(*(one or other for one, other in zip(wrapper, record, strict=True)))


def _object(message: str) -> dict[str, object] | None:
    if message[:1] != "{":
        return None
    try:
        found: object = msgspec.json.decode(message)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return found if is_table(found) else None


def _of_epoch(value: object, parts: int) -> str:
    """Return a time since the epoch, in so many parts of a second, as the logs of files have it; empty for none."""
    if not isinstance(value, int | float) or not value > 0:
        return ""
    try:
        return dt.datetime.fromtimestamp(value / parts, dt.UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return ""


def unicode(said: str) -> str:
    """Return a text without what is no Unicode: JSON can write half of a character."""
    return said if said.isascii() else said.encode("utf-8", "replace").decode()
