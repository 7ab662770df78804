"""What an alert tells, by the names of Falco's fields, whichever of its parts has it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from hullwatch.formats.document import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.origin import Ancestor, Origin

# A connection as fd.name has it: the client's address and port, the server's address and port.
_CONNECTION = re.compile(r"([0-9A-Fa-f.:]{2,45}):([0-9]{1,5})->([0-9A-Fa-f.:]{2,45}):([0-9]{1,5})")
_ENDS = ("fd.cip", "fd.cport", "fd.sip", "fd.sport")
_MILLISECOND = 1_000_000  # ns


def facts(alert: Alert) -> dict[str, object]:
    """Return the fields of an alert that have a value: those of its rule's output, and what every alert has."""
    found = told(alert.output_fields)
    if alert.process:
        found.setdefault("proc.name", alert.process)
    if alert.origin is not None:
        _add_origin(found, alert.origin)
    if alert.container_id == "host":
        return found
    found.setdefault("container.id", alert.container_id)
    for field, value in (("container.name", alert.container_name), ("container.image", alert.container_image)):
        if value:
            found.setdefault(field, value)
    return found


def actor(alert: Alert, found: Mapping[str, object]) -> tuple[Ancestor, ...]:
    """Return the process of an alert and those above it; none where the alert's fields are about another process."""
    processes = alert.origin.processes if alert.origin is not None else ()
    return processes if processes and found.get("proc.pid") == processes[0].pid else ()


def process_key(process: Ancestor) -> str:
    """Return what a process is known by on its host; the time of its start, for a pid is used again."""
    return f"{process.pid}.{process.start}"


def _add_origin(found: dict[str, object], origin: Origin) -> None:
    """Add what the engine knew at the moment of the event, where the rule's output does not name it."""
    values: dict[str, object] = {"user.name": origin.user, "drift.sha256": origin.sha256}
    if origin.container:
        values |= {"container.full_id": origin.container, "k8s.pod.uid": origin.pod, "k8s.ns.name": origin.namespace}
        values |= {"container.privileged": origin.privileged or None}
    if origin.processes and found.get("proc.pid", origin.processes[0].pid) == origin.processes[0].pid:
        first, above = origin.processes[0], origin.processes[1:2]
        values |= {"proc.pid": first.pid, "proc.name": first.name, "proc.cmdline": first.command}
        for parent in above:
            values |= {"proc.ppid": parent.pid, "proc.pname": parent.name, "proc.pcmdline": parent.command}
    for field, value in values.items():
        if value:
            found.setdefault(field, value)


def told(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that have a value, and what the name of a file or connection tells as fields of its own."""
    found = {field: value for field, value in fields.items() if value is not None and value not in ("", "<NA>")}
    found.pop("evt.time", None)  # the alert has it
    if found.get("container.id") == "host":
        for field in [field for field in found if field.startswith("container.")]:
            del found[field]  # the host is no container
    name = found.get("fd.name")
    if not isinstance(name, str):
        return found
    if name.startswith("/"):
        found.setdefault("fs.path.name", name)
        if found["fs.path.name"] == name:
            del found["fd.name"]
    else:
        ends = _CONNECTION.fullmatch(name)
        if ends:
            for field, value in zip(_ENDS, ends.groups(), strict=True):
                found.setdefault(field, value)
            del found["fd.name"]
    return found


def alert_id(alert: Alert) -> str:
    """Return an alert's id; for one that was given none, the same digits for the same alert."""
    if alert.id:
        return clean(alert.id, 128)
    said = "\0".join((str(alert.time), alert.hostname, alert.container_id, alert.rule, alert.message))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]


def milliseconds(nanoseconds: int) -> int:
    """Return ns as ms."""
    return nanoseconds // _MILLISECOND


def file_name(path: str) -> str:
    """Return the last part of a path; the path itself where it has none."""
    return path.rstrip("/").rpartition("/")[2] or path
