"""Fields of a line in a container's log (``log.*``); whose it is, ``container.*`` and ``k8s.*`` tell too."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from hullwatch.fields import k8s
from hullwatch.fields.audit_event import text
from hullwatch.fields.field import FieldType, Multiplicity, field
from hullwatch.fields.jevt import find

if TYPE_CHECKING:
    from hullwatch.fields.log_event import LogEvent

_SEARCHED = 4096  # characters of a line in which addresses are looked for
_MOST_ADDRESSES = 16
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:]))", re.ASCII
)


@field("log.text", FieldType.CHARBUF)
def text_of(event: LogEvent) -> str:
    """The line without its end; parts that the engine made of a long one are put together, up to 1 MiB."""
    return event.line.text


@field("log.value", FieldType.CHARBUF, argument="required")
def value(event: LogEvent, argument: str) -> str | None:
    """Of a line that is JSON, what a pointer such as /request/path leads to: text as it is, anything else as JSON."""
    return None if event.json is None else text(find(event.json, argument))


@field("log.is_json", FieldType.BOOL)
def is_json(event: LogEvent) -> bool:
    """Whether the line is an object or a list in JSON."""
    return event.json is not None


@field("log.stream", FieldType.CHARBUF)
def stream(event: LogEvent) -> str | None:
    """What it was written to: stdout or stderr; absent where the wrapper does not tell."""
    return event.line.stream or None


@field("log.time", FieldType.CHARBUF)
def time(event: LogEvent) -> str | None:
    """When it was written, as the log has it; evt.time is the same as a time."""
    return event.line.time or None


@field("log.wrapper", FieldType.CHARBUF)
def wrapper(event: LogEvent) -> str | None:
    """What the line came in: docker (json-file), cri, cloudwatch or azure."""
    return event.line.wrapper or None


@field("log.length", FieldType.UINT32)
def length(event: LogEvent) -> int:
    """How many characters the line has."""
    return len(event.line.text)


@field("log.parts", FieldType.UINT32)
def parts(event: LogEvent) -> int:
    """How many parts the engine had made of the line."""
    return event.line.parts


@field("log.is_cut", FieldType.BOOL)
def is_cut(event: LogEvent) -> bool:
    """Whether something of the line is missing: what is behind 1 MiB."""
    return event.line.cut


@field("log.address", FieldType.CHARBUF)
def address(event: LogEvent) -> str | None:
    """The first IP address in the line, mostly that of a client; absent where there is none."""
    found = _addresses(event, 1)
    return found[0] if found else None


@field("log.addresses", FieldType.CHARBUF, Multiplicity.LIST)
def addresses(event: LogEvent) -> tuple[str, ...] | None:
    """The IP addresses in the line, the first sixteen."""
    return _addresses(event, _MOST_ADDRESSES) or None


def _addresses(event: LogEvent, most: int) -> tuple[str, ...]:
    found: list[str] = []
    for match in _ADDRESS.finditer(_COLOUR.sub(" ", event.line.text[:_SEARCHED])):
        try:
            found.append(str(ipaddress.ip_address(match[0])))
        except ValueError:
            continue
        if len(found) >= most:
            break
    return tuple(found)


@field("log.origin", FieldType.CHARBUF)
def origin(event: LogEvent) -> str:
    """What the log is of, to group by: the container's whole id, else its pod and name; empty where nobody tells."""
    container = event.container
    pod_of_it = container.pod_uid or "/".join(filter(None, (container.pod_namespace, container.pod_name)))
    return container.full_id or "/".join(filter(None, (pod_of_it, container.name)))


@field("log.container.id", FieldType.CHARBUF)
def container_id(event: LogEvent) -> str | None:
    """First 12 digits of the container's id; absent where neither the file's name nor the wrapper tells it."""
    return event.container.id or None


@field("log.container.name", FieldType.CHARBUF)
def container_name(event: LogEvent) -> str | None:
    """Name of the container, in its pod where it is in one; absent where nobody tells it."""
    return event.container.name or None


@field("log.image", FieldType.CHARBUF)
def image(event: LogEvent) -> str | None:
    """Image of the container as it was asked for; absent where nobody tells it."""
    return event.container.image or None


@field("log.pod", FieldType.CHARBUF)
def pod(event: LogEvent) -> str | None:
    """Name of the pod; absent outside a pod."""
    return k8s.pod_name(event) or None


@field("log.namespace", FieldType.CHARBUF)
def namespace(event: LogEvent) -> str | None:
    """Namespace of the pod; absent outside a pod."""
    return k8s.namespace_name(event) or None


@field("log.node", FieldType.CHARBUF)
def node(event: LogEvent) -> str | None:
    """The machine that the container runs on, as a cloud's wrapper or the cluster's state tells it."""
    return event.container.node or None


@field("log.cluster", FieldType.CHARBUF)
def cluster(event: LogEvent) -> str | None:
    """The cluster, as a cloud's wrapper tells it."""
    return event.line.of.cluster or None
