"""Fields of the pod that a call to the Kubernetes API brings (``ka.req.pod.*``), as Falco has them.

They look at its containers, not at those that run before or are added for debugging: ``ka_workload.py`` has
fields for those, and for what makes pods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.fields.audit_event import at, items, objects, text, texts
from hullwatch.fields.field import field
from hullwatch.fields.image_name import repository_of
from hullwatch.fields.json_patch import requested

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.fields.audit_event import AuditEvent

Texts = tuple[str, ...] | None


def _spec(event: AuditEvent) -> Any:
    return at(requested(event), "spec")


def _containers(event: AuditEvent, index: str | None) -> list[dict[str, Any]]:
    found = list(objects(at(_spec(event), "containers")))
    return found if index is None else found[int(index) :][:1]


def _volumes(event: AuditEvent, index: str | None) -> list[dict[str, Any]]:
    found = list(objects(at(_spec(event), "volumes")))
    return found if index is None else found[int(index) :][:1]


def _each(event: AuditEvent, index: str | None, *keys: str) -> Texts:
    """Return a value of each container that has it."""
    return texts([at(one, *keys) for one in _containers(event, index)])


def _all(event: AuditEvent, index: str | None, *keys: str) -> Texts:
    """Return the items of a list of each container, one after the other."""
    return texts([item for one in _containers(event, index) for item in items(at(one, *keys))])


def _effective(event: AuditEvent, index: str | None, key: str) -> Texts:
    """Return for each container its own setting, that of the pod, or 0."""
    of_pod = at(_spec(event), "securityContext", key)
    found = [(at(one, "securityContext", key), of_pod) for one in _containers(event, index)]
    return texts([own if own is not None else (0 if pod is None else pod) for own, pod in found])


def _first(values: Texts) -> str | None:
    return values[0] if values else None


@field("ka.req.pod.containers.name")
def containers_name(event: AuditEvent, argument: str | None = None) -> Texts:
    """Names of the containers of a pod."""
    return _each(event, argument, "name")


@field("ka.req.pod.containers.image")
def containers_image(event: AuditEvent, argument: str | None = None) -> Texts:
    """Images of the containers of a pod."""
    return _each(event, argument, "image")


@field("ka.req.container.image")
def container_image(event: AuditEvent) -> str | None:
    """Image of the first container of a pod."""
    return _first(containers_image(event, "0"))


@field("ka.req.pod.containers.image.repository")
def containers_image_repository(event: AuditEvent, argument: str | None = None) -> Texts:
    """Images of the containers of a pod without tag and digest."""
    return tuple([repository_of(one) for one in containers_image(event, argument) or ()]) or None


@field("ka.req.container.image.repository")
def container_image_repository(event: AuditEvent) -> str | None:
    """Image of the first container of a pod without tag and digest."""
    return _first(containers_image_repository(event, "0"))


@field("ka.req.pod.containers.args")
def containers_args(event: AuditEvent, argument: str | None = None) -> Texts:
    """Arguments of the containers of a pod."""
    return _all(event, argument, "args")


@field("ka.req.pod.containers.command")
def containers_command(event: AuditEvent, argument: str | None = None) -> Texts:
    """Commands of the containers of a pod, word by word."""
    return _all(event, argument, "command")


@field("ka.req.pod.host_ipc")
def host_ipc(event: AuditEvent) -> str | None:
    """Whether a pod uses the host's IPC namespace: true or false."""
    return text(at(_spec(event), "hostIPC"))


@field("ka.req.pod.host_network")
def host_network(event: AuditEvent) -> str | None:
    """Whether a pod uses the host's network: true or false."""
    return text(at(_spec(event), "hostNetwork"))


@field("ka.req.container.host_network")
def container_host_network(event: AuditEvent) -> str | None:
    """The same as ka.req.pod.host_network, by its old name."""
    return host_network(event)


@field("ka.req.pod.host_pid")
def host_pid(event: AuditEvent) -> str | None:
    """Whether a pod sees the host's processes: true or false."""
    return text(at(_spec(event), "hostPID"))


@field("ka.req.pod.containers.host_port")
def containers_host_port(event: AuditEvent, argument: str | None = None) -> Texts:
    """Ports of the host that the containers of a pod take."""
    return texts([at(port, "hostPort") for one in _containers(event, argument) for port in objects(one.get("ports"))])


@field("ka.req.pod.containers.privileged")
def containers_privileged(event: AuditEvent, argument: str | None = None) -> Texts:
    """Whether the containers of a pod may do what the host may, where they say it: true or false."""
    return _each(event, argument, "securityContext", "privileged")


@field("ka.req.container.privileged")
def container_privileged(event: AuditEvent) -> str | None:
    """Whether one container of a pod is privileged: true or false."""
    if not _containers(event, None):
        return None
    return "true" if "true" in (containers_privileged(event) or ()) else "false"


@field("ka.req.pod.containers.allow_privilege_escalation")
def containers_allow_privilege_escalation(event: AuditEvent, argument: str | None = None) -> Texts:
    """Whether the containers of a pod can gain more power than their parent, where they say it."""
    return _each(event, argument, "securityContext", "allowPrivilegeEscalation")


@field("ka.req.pod.containers.read_only_fs")
def containers_read_only_fs(event: AuditEvent, argument: str | None = None) -> Texts:
    """Whether the containers of a pod cannot write to their image, where they say it."""
    return _each(event, argument, "securityContext", "readOnlyRootFilesystem")


@field("ka.req.pod.run_as_user")
def run_as_user(event: AuditEvent) -> str | None:
    """User id that a pod sets for its containers."""
    return text(at(_spec(event), "securityContext", "runAsUser"))


@field("ka.req.pod.containers.run_as_user")
def containers_run_as_user(event: AuditEvent, argument: str | None = None) -> Texts:
    """User ids that the containers of a pod set."""
    return _each(event, argument, "securityContext", "runAsUser")


@field("ka.req.pod.containers.eff_run_as_user")
def containers_eff_run_as_user(event: AuditEvent, argument: str | None = None) -> Texts:
    """User id of each container: its own, that of the pod, or 0 where none is set."""
    return _effective(event, argument, "runAsUser")


@field("ka.req.pod.run_as_group")
def run_as_group(event: AuditEvent) -> str | None:
    """Group id that a pod sets for its containers."""
    return text(at(_spec(event), "securityContext", "runAsGroup"))


@field("ka.req.pod.containers.run_as_group")
def containers_run_as_group(event: AuditEvent, argument: str | None = None) -> Texts:
    """Group ids that the containers of a pod set."""
    return _each(event, argument, "securityContext", "runAsGroup")


@field("ka.req.pod.containers.eff_run_as_group")
def containers_eff_run_as_group(event: AuditEvent, argument: str | None = None) -> Texts:
    """Group id of each container: its own, that of the pod, or 0 where none is set."""
    return _effective(event, argument, "runAsGroup")


@field("ka.req.pod.containers.proc_mount")
def containers_proc_mount(event: AuditEvent, argument: str | None = None) -> Texts:
    """How /proc is mounted in the containers of a pod, where they say it: Default or Unmasked."""
    return _each(event, argument, "securityContext", "procMount")


@field("ka.req.pod.fs_group")
def fs_group(event: AuditEvent) -> str | None:
    """Group id of the volumes of a pod."""
    return text(at(_spec(event), "securityContext", "fsGroup"))


@field("ka.req.pod.supplemental_groups")
def supplemental_groups(event: AuditEvent) -> Texts:
    """Further group ids of a pod's processes."""
    return texts(at(_spec(event), "securityContext", "supplementalGroups"))


@field("ka.req.pod.containers.add_capabilities")
def containers_add_capabilities(event: AuditEvent, argument: str | None = None) -> Texts:
    """Capabilities that the containers of a pod are given."""
    return _all(event, argument, "securityContext", "capabilities", "add")


@field("ka.req.pod.volumes.hostpath")
def volumes_hostpath(event: AuditEvent, argument: str | None = None) -> Texts:
    """Paths of the host that a pod mounts."""
    return texts([at(one, "hostPath", "path") for one in _volumes(event, argument)])


@field("ka.req.volume.hostpath")
def volume_hostpath(event: AuditEvent, argument: str) -> str | None:
    """Whether a pod mounts a path of the host or one below it: true or false; with * at the end by its beginning."""
    if not _volumes(event, None):
        return None
    mounted = volumes_hostpath(event) or ()
    return "true" if any(map(_below(argument), mounted)) else "false"


def _below(written: str) -> Callable[[str], bool]:
    if written.endswith("*"):
        return lambda path: path.startswith(written[:-1])
    folder = written.rstrip("/")
    return lambda path: path.rstrip("/") == folder or path.startswith(f"{folder}/")


@field("ka.req.pod.volumes.flexvolume_driver")
def volumes_flexvolume_driver(event: AuditEvent, argument: str | None = None) -> Texts:
    """Drivers of the flexVolumes of a pod."""
    return texts([at(one, "flexVolume", "driver") for one in _volumes(event, argument)])


@field("ka.req.pod.volumes.volume_type")
def volumes_volume_type(event: AuditEvent, argument: str | None = None) -> Texts:
    """Kinds of the volumes of a pod: hostPath, secret, ..."""
    return texts([key for one in _volumes(event, argument) for key in one if key != "name"])
