"""What is known of a container; metadata as the engines give it, in Falco's terms."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from hullwatch.enrich.cgroup import CgroupContainer
    from hullwatch.enrich.sharing import Shared

SHORT_ID = 12  # digits of an id that engines and Falco print


class Mount(msgspec.Struct, frozen=True):
    """A mount of a container: source on the host, destination inside."""

    source: str
    destination: str
    mode: str = ""
    rw: bool = True
    propagation: str = ""


class Port(msgspec.Struct, frozen=True):
    """A published port."""

    host_ip: str
    host_port: int
    container_port: int
    protocol: str = "tcp"


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container's metadata.

    ``id`` is the 12-digit form or ``host``; ``full_id`` has 64 digits. ``complete`` is False while
    (or because) no engine told more than the id, and ``reason`` then says why.
    """

    id: str
    full_id: str = ""
    name: str = ""
    type: str = ""  # docker, podman, ...
    image: str = ""  # as the user wrote it: registry/name:tag
    image_id: str = ""
    image_repository: str = ""
    image_tag: str = ""
    image_digest: str = ""
    labels: dict[str, str] = {}
    given_labels: dict[str, str] = {}  # by Hullwatch's responses; they stand before those of the engine
    privileged: bool = False
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    user: str = ""
    hostname: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()  # the probe's argument vector; ("/bin/sh", "-c", ...) for a shell probe
    pid: int = 0  # of the first process, on the host; 0 before it runs
    created: int = 0  # ns since the epoch
    started: int = 0  # ns since the epoch; 0 before it runs
    running: bool = False
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    shared_pid: bool = False  # its process ids are those of another container, as in a pod that shares them
    ip: str = ""
    capabilities: tuple[str, ...] = ()  # the bounding set, as ``CAP_NET_ADMIN``
    finished: int = 0  # ns since the epoch; 0 while it runs
    exit_code: int | None = None  # absent while it runs
    restart_count: int = 0
    pod_name: str = ""
    pod_namespace: str = ""
    pod_uid: str = ""
    pod_sandbox_id: str = ""  # 64 digits
    pod_ip: str = ""
    pod_labels: dict[str, str] = {}
    owner_kind: str = ""  # of the workload that made the pod: ReplicaSet, DaemonSet, Job, ...
    owner_name: str = ""
    replica_set: str = ""  # what follows is known from the cluster's state only
    replication_controller: str = ""
    node: str = ""
    service_account: str = ""
    namespace_labels: dict[str, str] = {}
    liveness_probe: tuple[str, ...] = ()  # argument vectors
    readiness_probe: tuple[str, ...] = ()
    complete: bool = True
    reason: str = ""


HOST = Container(id="host", name="host")

ONLY_NAMED = "its engine has told its name, and not more yet"
"""The reason of a container that more is to be learnt of; nothing that waits for metadata is let through by it."""


def unknown(full_id: str, reason: str) -> Container:
    """Return what is known of a container from its id alone."""
    return Container(id=full_id[:SHORT_ID], full_id=full_id, complete=False, reason=reason)


def with_cgroup(container: Container, named: CgroupContainer | None) -> Container:
    """Return a container with what its cgroup's name says and nobody else said: the engine's kind, the pod's uid."""
    if named is None or (container.type and (container.pod_uid or not named.pod_uid)):
        return container
    return msgspec.structs.replace(
        container, type=container.type or named.kind, pod_uid=container.pod_uid or named.pod_uid
    )


def with_name(container: Container, named: Container | None) -> Container:
    """Return a container that little is known of with what its engine told when it made it."""
    if named is None or container.complete or container.name:
        return container
    return msgspec.structs.replace(named, reason=container.reason)


def shared(container: Container, known: Shared) -> Container:
    """Return a container of which all that others have too is the same object as theirs."""
    values: dict[str, Any] = {}
    for name in container.__struct_fields__:
        value = getattr(container, name)
        if isinstance(value, str):
            values[name] = known.text(value)
        elif isinstance(value, dict):
            values[name] = known.table(cast("dict[str, str]", value))
        elif isinstance(value, tuple):
            values[name] = known.entries(cast("tuple[Any, ...]", value))
    return msgspec.structs.replace(container, **values)


# ---- the `container` record's json parameter

MAXIMUM_ENCODED = 60_000  # bytes; a variable-size value of a record has at most 65,535

# What a long record can do without, the first first.
_SHORTENED = (
    *(
        "namespace_labels",
        "pod_labels",
        "labels",
        "mounts",
        "ports",
        "readiness_probe",
        "liveness_probe",
        "healthcheck",
    ),
    *("command", "entrypoint", "capabilities"),
)
_LONGEST_TEXT = 512  # characters of each single text when even that does not suffice


class InvalidContainerError(ValueError):
    """A text is not a container's metadata; the message says what is wrong."""


def encode(container: Container) -> str:
    """Return a container as JSON of at most 60,000 bytes; text that is not Unicode is replaced.

    From a longer one entries are left out, the last first: of the labels, then of the mounts, ports
    and argument vectors; ``reason`` says so. (Only hostile metadata is so long.)
    """
    encoded = _json(container)
    for field in _SHORTENED:
        if len(encoded) <= MAXIMUM_ENCODED:
            return encoded.decode()
        container, encoded = _leave_out(container, field)
    if len(encoded) > MAXIMUM_ENCODED:
        texts = {name: getattr(container, name) for name in container.__struct_fields__}
        cut = {name: text[:_LONGEST_TEXT] for name, text in texts.items() if isinstance(text, str)}
        encoded = _json(msgspec.structs.replace(container, **cut))
    return encoded.decode()


def _leave_out(container: Container, field: str) -> tuple[Container, bytes]:
    """Return the container with as many entries of a field as fit, or with none, and its JSON."""
    value: dict[str, str] | tuple[Any, ...] = getattr(container, field)
    entries: list[Any] = list(value.items()) if isinstance(value, dict) else list(value)
    if not entries:
        return container, _json(container)

    def keep(number: int) -> tuple[Container, bytes]:
        kept = dict(entries[:number]) if isinstance(value, dict) else tuple(entries[:number])
        note = f"{len(entries) - number} of {len(entries)} {field} are left out, the metadata is too long"
        reason = f"{container.reason}; {note}" if container.reason else note
        shorter = msgspec.structs.replace(container, **{field: kept, "reason": reason})
        return shorter, _json(shorter)

    fit = bisect.bisect_left(range(1, len(entries)), x=True, key=lambda n: len(keep(n)[1]) > MAXIMUM_ENCODED)
    return keep(fit)


def _json(container: Container) -> bytes:
    try:
        return msgspec.json.encode(container)
    except UnicodeEncodeError:  # a lone surrogate: bytes that were not UTF-8
        return msgspec.json.encode(msgspec.convert(_replace_surrogates(msgspec.to_builtins(container)), Container))


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_replace_surrogates(k): _replace_surrogates(v) for k, v in cast("dict[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_replace_surrogates(item) for item in cast("list[Any]", value)]
    return value


def decode(text: str | bytes) -> Container:
    """Return the container that ``encode`` wrote.

    Raises:
        InvalidContainerError: when the text is not that of a container.
    """
    try:
        return msgspec.json.decode(text, type=Container)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidContainerError(f"a container's metadata cannot be read: {error}") from None
