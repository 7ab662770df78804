"""Containers and the sandboxes of pods from what a container runtime says about them to a kubelet.

Source of the messages: Kubernetes' definition of its Container Runtime Interface, ``runtime.v1``. The
table ``info`` of a verbose answer is each runtime's own; what is read of it, containerd and CRI-O have
both. Nothing is trusted, see ``docker_metadata``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.enrich import image
from hullwatch.enrich.bounded import bounded, first, table
from hullwatch.enrich.container import SHORT_ID, Container, Mount, unknown
from hullwatch.enrich.oci_spec import Spec
from hullwatch.enrich.pod import owner, pod_facts, probes
from hullwatch.sources.protobuf import BrokenMessageError, Message

if TYPE_CHECKING:
    from hullwatch.sources.engine import Inspection

SANDBOX_NAME = "POD"  # of the container that holds a pod's namespaces, as Falco has it

_RUNNING, _EXITED = 1, 2  # ContainerState
_READY = 0  # PodSandboxState
_NODE = 2  # NamespaceMode: the host's
_PROPAGATION = ("private", "rslave", "rshared")  # MountPropagation
_RESTARTS = "io.kubernetes.container.restartCount"


class _Security(msgspec.Struct):
    privileged: bool | None = None


class _LinuxConfig(msgspec.Struct):
    security_context: _Security | None = None


class _Config(msgspec.Struct):
    linux: _LinuxConfig | None = None


class Info(msgspec.Struct, rename="camel"):
    """What both runtimes tell beyond the interface."""

    sandbox_id: str = msgspec.field(default="", name="sandboxID")
    pid: int = 0
    privileged: bool | None = None
    image: str = ""
    config: _Config | None = None
    runtime_spec: Spec | None = None


def read_info(answer: Message) -> Info:
    """Return what a verbose answer tells beyond the interface; nothing where it cannot be read."""
    try:
        return msgspec.json.decode(answer.table(2).get("info", "{}"), type=Info)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Info()


def container_from(inspection: Inspection) -> Container:
    """Return the container, or the pod's sandbox, that a runtime tells about; incomplete if it tells too little."""
    if not (inspection.container or inspection.pod):
        missing = unknown(inspection.full_id, inspection.reason or "the engine said nothing about it")
        return msgspec.structs.replace(missing, type=inspection.kind)
    try:
        answer = Message(inspection.container or inspection.pod)
        if answer.message(1).text(1) != inspection.full_id:
            raise ValueError("it is about another container")
        return _container(answer, inspection) if inspection.container else _sandbox(answer, inspection)
    except (BrokenMessageError, ValueError) as error:
        reason = f"the engine's answer about it cannot be used: {bounded(str(error))}"
        return msgspec.structs.replace(unknown(inspection.full_id, reason), type=inspection.kind)


def _container(answer: Message, inspection: Inspection) -> Container:
    status, info = answer.message(1), read_info(answer)  # ContainerStatusResponse.status
    left_out: list[str] = []
    labels = table(status.table(12), "labels", left_out)
    annotations = status.table(13)
    spec_facts = (info.runtime_spec or Spec()).facts(left_out) if info.runtime_spec is not None else {}
    known = Message(inspection.image).message(1)  # ImageStatusResponse.image
    asked = status.message(8)  # ImageSpec
    name, repository, tag, digest = image.named(
        bounded(asked.text(18) or asked.text(1)),  # user_specified_image, image
        known.texts(2),  # repo_tags
        known.texts(3) or [status.text(9)],  # repo_digests, image_ref
    )
    running = status.number(3) == _RUNNING
    name_in_pod = bounded(status.message(2).text(1))
    restarts = annotations.get(_RESTARTS, "")
    about: dict[str, Any] = {
        **spec_facts,
        **pod_of(inspection.pod, name_in_pod, left_out),
        "mounts": tuple(first(_mounts(status), "mounts", left_out)),
    }
    return Container(
        id=inspection.full_id[:SHORT_ID],
        full_id=inspection.full_id,
        name=name_in_pod,
        type=inspection.kind,
        image=name,
        image_id=bounded(known.text(1) or status.text(17)),
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        labels=labels,
        pid=max(info.pid, 0) if running else 0,
        created=max(status.signed(4), 0),
        started=max(status.signed(5), 0),
        finished=max(status.signed(6), 0),
        exit_code=status.signed(7) if status.number(3) == _EXITED else None,
        restart_count=int(restarts)
        if restarts.isdecimal() and len(restarts) < SHORT_ID
        else status.message(2).number(2),
        running=running,
        reason="; ".join(left_out),
        **{**pod_facts(labels, annotations), **about, **_privileged(info)},
    )


def _privileged(info: Info) -> dict[str, Any]:
    """Return whether the kubelet asked for a privileged container, where the runtime tells."""
    context = info.config and info.config.linux and info.config.linux.security_context
    told = info.privileged if context is None or context.privileged is None else context.privileged
    return {} if told is None else {"privileged": told}


def _mounts(status: Message) -> list[Mount]:
    return [
        Mount(
            source=bounded(mount.text(2)),
            destination=bounded(mount.text(1)),
            rw=not mount.number(3),
            propagation=_PROPAGATION[mount.number(5)] if mount.number(5) < len(_PROPAGATION) else "",
        )
        for mount in status.messages(14)
    ]


def pod_of(answer: bytes, container: str, left_out: list[str]) -> dict[str, Any]:
    """Return what a PodSandboxStatusResponse tells, by the names that ``Container`` has."""
    pod = Message(answer).message(1)
    if not pod.text(1):
        return {}
    metadata = pod.message(2)
    options = pod.message(6).message(1).message(2)  # linux.namespaces.options
    labels, annotations = pod.table(7), pod.table(8)
    kind, name = owner(bounded(metadata.text(1)), labels, annotations)
    return {
        "pod_name": bounded(metadata.text(1)),
        "pod_uid": bounded(metadata.text(2)),
        "pod_namespace": bounded(metadata.text(3)),
        "pod_sandbox_id": bounded(pod.text(1)),
        "pod_ip": bounded(pod.message(5).text(1)),
        "pod_labels": table(labels, "labels of the pod", left_out),
        "owner_kind": kind,
        "owner_name": name,
        "host_network": options.number(1) == _NODE,
        "host_pid": options.number(2) == _NODE,
        "host_ipc": options.number(3) == _NODE,
        **probes(container, annotations, left_out),
    }


def _sandbox(answer: Message, inspection: Inspection) -> Container:
    pod, info = answer.message(1), read_info(answer)
    left_out: list[str] = []
    spec_facts = info.runtime_spec.facts(left_out) if info.runtime_spec is not None else {}
    name, repository, tag, digest = image.named(bounded(info.image), [], [])
    running = pod.number(3) == _READY
    return Container(
        id=inspection.full_id[:SHORT_ID],
        full_id=inspection.full_id,
        name=SANDBOX_NAME,
        type=inspection.kind,
        image=name,
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        labels=table(pod.table(7), "labels", left_out),
        pid=max(info.pid, 0) if running else 0,
        created=max(pod.signed(4), 0),
        started=max(pod.signed(4), 0),
        running=running,
        reason="; ".join(left_out),
        **{**spec_facts, **pod_of(inspection.pod, SANDBOX_NAME, left_out), **_privileged(info)},
    )
