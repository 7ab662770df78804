"""Containers from what containerd says about them.

Source of the messages: containerd's definitions of its API, version 1 (what containerd 1.x and 2.x
speak): ``services/containers``, ``services/tasks``, ``services/images``. Nothing is trusted, see
``docker_metadata``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich import image, oci_spec
from hullwatch.enrich.bounded import bounded, table
from hullwatch.enrich.container import SHORT_ID, Container, unknown
from hullwatch.enrich.cri_metadata import pod_of
from hullwatch.enrich.pod import pod_facts
from hullwatch.sources.protobuf import BrokenMessageError, Message

if TYPE_CHECKING:
    from hullwatch.sources.engine import Inspection

_NAME_LABELS = ("nerdctl/name", "io.kubernetes.container.name")
_RESTARTS = "containerd.io/restart.count"  # of containerd's own monitor, which nerdctl's --restart uses
_RUNNING, _STOPPED, _PAUSED, _PAUSING = 2, 3, 4, 5  # task.Status


def container_from(inspection: Inspection) -> Container:
    """Return the container that containerd tells about; incomplete, with the reason, if it tells too little."""
    if not inspection.container:
        missing = unknown(inspection.full_id, inspection.reason or "the engine said nothing about it")
        return msgspec.structs.replace(missing, type=inspection.kind)
    try:
        return _container(inspection)
    except (BrokenMessageError, ValueError) as error:
        reason = f"the engine's answer about it cannot be used: {bounded(str(error))}"
        return msgspec.structs.replace(unknown(inspection.full_id, reason), type=inspection.kind)


def _container(inspection: Inspection) -> Container:
    found = Message(inspection.container).message(1)  # GetContainerResponse.container
    if found.text(1) != inspection.full_id:
        raise ValueError("it is about another container")
    task = Message(inspection.task).message(1)  # GetResponse.process
    left_out: list[str] = []
    labels = table(found.table(2), "labels", left_out)
    spec = oci_spec.read(found.message(5).bytes(2) or b"{}")  # spec: Any.value
    digest = Message(inspection.image).message(1).message(3).text(2)  # GetImageResponse.image.target.digest
    name, repository, tag, own_digest = image.named(bounded(found.text(3)), [], [])
    status = task.number(4)
    running = status in {_RUNNING, _PAUSED, _PAUSING}
    facts = spec.facts(left_out)
    return Container(
        id=inspection.full_id[:SHORT_ID],
        full_id=inspection.full_id,
        name=next((labels[key] for key in _NAME_LABELS if labels.get(key)), inspection.full_id[:SHORT_ID]),
        type=inspection.kind,
        image=name,
        image_id=bounded(digest),
        image_repository=repository,
        image_tag=tag,
        image_digest=own_digest or bounded(digest),
        labels=labels,
        pid=task.number(3) if running else 0,
        created=found.nanoseconds(8),
        started=found.nanoseconds(8) if task.number(3) else 0,  # containerd keeps no time of the start
        finished=task.nanoseconds(10),
        exit_code=task.number(9) if status == _STOPPED else None,
        restart_count=_restarts(labels.get(_RESTARTS, "")),
        running=running,
        reason="; ".join(left_out),
        **{
            **facts,
            **pod_facts(labels, spec.annotations or {}),
            **pod_of(inspection.pod, labels.get("io.kubernetes.container.name", ""), left_out),
        },
    )


def _restarts(label: str) -> int:
    return int(label) if label.isdecimal() and len(label) < SHORT_ID else 0
