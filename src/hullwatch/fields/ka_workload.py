"""Fields of what a call to the Kubernetes API has run (``ka.req.workload.*``): a pod, or the template of one.

They look at all containers of it, those that run before and those that are added for debugging included. Where a patch
says nothing whole (JSON patch), the object of the answer is looked at.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from hullwatch.fields.audit_event import at, items, objects, text, texts, word
from hullwatch.fields.field import FieldType, Multiplicity, field
from hullwatch.fields.image_name import registry_of, repository_of, tag_of
from hullwatch.fields.json_patch import requested

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.fields.audit_event import AuditEvent

Texts = tuple[str, ...] | None
_LISTS = ("containers", "initContainers", "ephemeralContainers")
KINDS = {
    "pods": "Pod",
    "deployments": "Deployment",
    "daemonsets": "DaemonSet",
    "statefulsets": "StatefulSet",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "podtemplates": "PodTemplate",
}
_WRITING = ("create", "update", "patch")
_PARTS = frozenset({"", "ephemeralcontainers"})  # subresources that carry what is run


class Workload(NamedTuple):
    """The object of a call and the pod's specification in it."""

    kind: str
    whole: dict[str, Any]
    metadata: Any
    spec: dict[str, Any]
    containers: tuple[dict[str, Any], ...]


def _workload(event: AuditEvent) -> Workload | None:
    audit = event.audit
    resource = word(at(audit, "objectRef", "resource"))
    if word(at(audit, "objectRef", "subresource")) not in _PARTS:
        return None
    whole = audit.get("requestObject")
    if not isinstance(whole, dict):
        whole = audit.get("responseObject") if audit.get("verb") in _WRITING else None
    if not isinstance(whole, dict):
        whole = requested(event)
    if whole is None:
        return None
    whole = cast("dict[str, Any]", whole)
    if resource == "pods":
        metadata, spec = whole.get("metadata"), whole.get("spec")
    else:
        inner = at(whole, "spec", "jobTemplate") or whole
        template = at(inner, "spec", "template") or at(inner, "template")
        metadata, spec = at(template, "metadata"), at(template, "spec")
    if not isinstance(spec, dict):
        return None
    spec = cast("dict[str, Any]", spec)
    containers = tuple([one for name in _LISTS for one in objects(spec.get(name))])
    return Workload(KINDS.get(resource) or word(whole.get("kind")), whole, metadata, spec, containers)


def workload(event: AuditEvent) -> Workload | None:
    """Return what the call has run; None when it is about something else, or says too little."""
    return event.once("workload", _workload)


def _containers(event: AuditEvent) -> tuple[dict[str, Any], ...]:
    found = workload(event)
    return found.containers if found is not None else ()


def _volumes(event: AuditEvent) -> Iterator[dict[str, Any]]:
    found = workload(event)
    return objects(found.spec.get("volumes")) if found is not None else iter(())


def _of_spec(event: AuditEvent, *keys: str) -> Any:
    found = workload(event)
    return at(found.spec, *keys) if found is not None else None


def _truth(value: Any) -> bool | None:
    return value if value.__class__ is bool else None


def _images(event: AuditEvent) -> tuple[str, ...]:
    return tuple([one["image"] for one in _containers(event) if one.get("image").__class__ is str])


@field("ka.req.workload.kind", FieldType.CHARBUF)
def kind(event: AuditEvent) -> str | None:
    """What is to run: Pod, Deployment, DaemonSet, CronJob, ...; absent when the call has nothing run."""
    found = workload(event)
    return (found.kind or None) if found is not None else None


@field("ka.req.workload.name", FieldType.CHARBUF)
def name(event: AuditEvent) -> str | None:
    """Name of what is to run, or the beginning of a name that is made up."""
    found = workload(event)
    if found is None:
        return None
    metadata = found.whole.get("metadata")
    return text(at(event.audit, "objectRef", "name") or at(metadata, "name") or at(metadata, "generateName"))


@field("ka.req.workload.owners", FieldType.CHARBUF, Multiplicity.LIST)
def owners(event: AuditEvent) -> Texts:
    """What made the object, each as Kind/name; absent for one that somebody made directly."""
    found = workload(event)
    references = at(found.whole, "metadata", "ownerReferences") if found is not None else None
    return texts([f"{word(one.get('kind'))}/{word(one.get('name'))}" for one in objects(references)])


@field("ka.req.workload.serviceaccount", FieldType.CHARBUF)
def serviceaccount(event: AuditEvent) -> str | None:
    """Service account that it runs as; absent where it is left to the default."""
    return text(_of_spec(event, "serviceAccountName") or _of_spec(event, "serviceAccount"))


@field("ka.req.workload.node", FieldType.CHARBUF)
def node(event: AuditEvent) -> str | None:
    """Node that it asks for by name, past the scheduler."""
    return text(_of_spec(event, "nodeName"))


@field("ka.req.workload.host_network", FieldType.BOOL)
def host_network(event: AuditEvent) -> bool | None:
    """Whether it uses the host's network."""
    return _truth(_of_spec(event, "hostNetwork"))


@field("ka.req.workload.host_pid", FieldType.BOOL)
def host_pid(event: AuditEvent) -> bool | None:
    """Whether it sees the host's processes."""
    return _truth(_of_spec(event, "hostPID"))


@field("ka.req.workload.host_ipc", FieldType.BOOL)
def host_ipc(event: AuditEvent) -> bool | None:
    """Whether it uses the host's IPC namespace."""
    return _truth(_of_spec(event, "hostIPC"))


@field("ka.req.workload.privileged", FieldType.BOOL)
def privileged(event: AuditEvent) -> bool | None:
    """Whether one of its containers may do what the host may."""
    found = _containers(event)
    return any(at(one, "securityContext", "privileged") is True for one in found) if found else None


@field("ka.req.workload.windows_host_process", FieldType.BOOL)
def windows_host_process(event: AuditEvent) -> bool | None:
    """Whether it runs as a process of a Windows host."""
    found = _containers(event)
    settings = [_of_spec(event, "securityContext"), *(one.get("securityContext") for one in found)]
    return any(at(one, "windowsOptions", "hostProcess") is True for one in settings) if found else None


@field("ka.req.workload.containers.name", FieldType.CHARBUF, Multiplicity.LIST)
def containers_name(event: AuditEvent) -> Texts:
    """Names of all its containers."""
    return texts([one.get("name") for one in _containers(event)])


@field("ka.req.workload.containers.image", FieldType.CHARBUF, Multiplicity.LIST)
def containers_image(event: AuditEvent) -> Texts:
    """Images of all its containers."""
    return _images(event) or None


@field("ka.req.workload.containers.image.repository", FieldType.CHARBUF, Multiplicity.LIST)
def containers_image_repository(event: AuditEvent) -> Texts:
    """Images of all its containers without tag and digest."""
    return tuple(map(repository_of, _images(event))) or None


@field("ka.req.workload.containers.image.name", FieldType.CHARBUF, Multiplicity.LIST)
def containers_image_name(event: AuditEvent) -> Texts:
    """The last part of its images' names, such as nginx."""
    return tuple([repository_of(one).rpartition("/")[2] for one in _images(event)]) or None


@field("ka.req.workload.containers.image.registry", FieldType.CHARBUF, Multiplicity.LIST)
def containers_image_registry(event: AuditEvent) -> Texts:
    """Hosts that its images are pulled from; docker.io where none is named."""
    return tuple(map(registry_of, _images(event))) or None


@field("ka.req.workload.containers.image.tag", FieldType.CHARBUF, Multiplicity.LIST)
def containers_image_tag(event: AuditEvent) -> Texts:
    """Tags of its images; latest where there is neither tag nor digest."""
    return tuple(map(tag_of, _images(event))) or None


@field("ka.req.workload.containers.command", FieldType.CHARBUF, Multiplicity.ANY)
def containers_command(event: AuditEvent) -> Texts:
    """Command and arguments of each of its containers, joined with blanks; a check is true when one passes."""
    lines = [
        " ".join(word(part) for part in (*items(one.get("command")), *items(one.get("args"))))
        for one in _containers(event)
    ]
    return tuple(filter(None, lines)) or None


@field("ka.req.workload.containers.capabilities", FieldType.CHARBUF, Multiplicity.LIST)
def containers_capabilities(event: AuditEvent) -> Texts:
    """Capabilities that its containers are given, in capitals and without CAP_."""
    added = [
        word(name).upper().removeprefix("CAP_")
        for one in _containers(event)
        for name in items(at(one, "securityContext", "capabilities", "add"))
    ]
    return texts(added)


@field("ka.req.workload.containers.eff_run_as_user", FieldType.CHARBUF, Multiplicity.LIST)
def containers_eff_run_as_user(event: AuditEvent) -> Texts:
    """User id of each container where it or the pod sets one."""
    of_pod = _of_spec(event, "securityContext", "runAsUser")
    own = [at(one, "securityContext", "runAsUser") for one in _containers(event)]
    return texts([of_pod if one is None else one for one in own])


@field("ka.req.workload.containers.allow_privilege_escalation", FieldType.CHARBUF, Multiplicity.LIST)
def containers_allow_privilege_escalation(event: AuditEvent) -> Texts:
    """Whether its containers can gain more power than their parent, where they say it."""
    return texts([at(one, "securityContext", "allowPrivilegeEscalation") for one in _containers(event)])


@field("ka.req.workload.containers.proc_mount", FieldType.CHARBUF, Multiplicity.LIST)
def containers_proc_mount(event: AuditEvent) -> Texts:
    """How /proc is mounted in its containers, where they say it: Default or Unmasked."""
    return texts([at(one, "securityContext", "procMount") for one in _containers(event)])


@field("ka.req.workload.containers.seccomp", FieldType.CHARBUF, Multiplicity.LIST)
def containers_seccomp(event: AuditEvent) -> Texts:
    """Kinds of the seccomp profiles of the pod and its containers: RuntimeDefault, Localhost or Unconfined."""
    settings = [_of_spec(event, "securityContext"), *(one.get("securityContext") for one in _containers(event))]
    return texts([at(one, "seccompProfile", "type") for one in settings])


@field("ka.req.workload.containers.host_port", FieldType.CHARBUF, Multiplicity.LIST)
def containers_host_port(event: AuditEvent) -> Texts:
    """Ports of the host that its containers take."""
    return texts([port.get("hostPort") for one in _containers(event) for port in objects(one.get("ports"))])


@field("ka.req.workload.volumes.hostpath", FieldType.CHARBUF, Multiplicity.ANY)
def volumes_hostpath(event: AuditEvent) -> Texts:
    """Paths of the host that it mounts, without dots in them; a check is true when one passes."""
    return _paths([at(one, "hostPath", "path") for one in _volumes(event)])


@field("ka.req.workload.volumes.hostpath.writable", FieldType.CHARBUF, Multiplicity.ANY)
def volumes_hostpath_writable(event: AuditEvent) -> Texts:
    """Those of them that one of its containers may write to; a check is true when one passes."""
    paths = {word(one.get("name")): at(one, "hostPath", "path") for one in _volumes(event)}
    mounts = [mount for one in _containers(event) for mount in objects(one.get("volumeMounts"))]
    written = dict.fromkeys(word(one.get("name")) for one in mounts if one.get("readOnly") is not True)
    return _paths([paths.get(one) for one in written])


def _paths(values: list[Any]) -> Texts:
    """Return paths as the kernel sees them."""
    return tuple([f"/{posixpath.normpath(f'/{one}').lstrip('/')}" for one in values if word(one)]) or None


@field("ka.req.workload.volumes.type", FieldType.CHARBUF, Multiplicity.LIST)
def volumes_type(event: AuditEvent) -> Texts:
    """Kinds of its volumes: hostPath, secret, ..."""
    return texts([key for one in _volumes(event) for key in one if key != "name"])


@field("ka.req.workload.secrets", FieldType.CHARBUF, Multiplicity.LIST)
def secrets(event: AuditEvent) -> Texts:
    """Secrets that it uses, by volumes and environment variables."""
    names = [at(one, "secret", "secretName") for one in _volumes(event)]
    for volume in _volumes(event):
        names += [at(one, "secret", "name") for one in objects(at(volume, "projected", "sources"))]
    for one in _containers(event):
        names += [at(variable, "valueFrom", "secretKeyRef", "name") for variable in objects(one.get("env"))]
        names += [at(source, "secretRef", "name") for source in objects(one.get("envFrom"))]
    return texts(list(dict.fromkeys(word(one) for one in names if word(one))))
