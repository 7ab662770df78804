"""Containers from what podman keeps of them in its files.

Source of the fields: what podman 4 and 5 write of a container, its configuration and its state; the OCI Runtime
Specification for the part that it hands to its runtime. Nothing is trusted, see ``docker_metadata``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.bounded import bounded, first, nanoseconds, table, words
from hullwatch.enrich.container import SHORT_ID, Container, Mount, Port, unknown
from hullwatch.enrich.docker_metadata import healthcheck_words
from hullwatch.enrich.image import named
from hullwatch.enrich.oci_spec import Spec

if TYPE_CHECKING:
    from hullwatch.sources.engine import Inspection

_RUNNING, _STOPPED, _PAUSED, _EXITED, _STOPPING = 3, 4, 5, 6, 8  # libpod's states of a container
_MOST_PORTS = 256  # of one range


class _Volume(msgspec.Struct):
    name: str = msgspec.field(default="", name="volumeName")
    destination: str = msgspec.field(default="", name="dest")
    options: list[str] | None = None


class _Port(msgspec.Struct):
    host_ip: str = ""
    host_port: int = 0
    container_port: int = 0
    protocol: str = "tcp"
    range: int = 1


class _Healthcheck(msgspec.Struct, rename="pascal"):
    test: list[str] | None = None


class _Config(msgspec.Struct, rename="camel"):
    id: str
    name: str = ""
    spec: Spec = msgspec.field(default_factory=Spec)
    image_id: str = msgspec.field(default="", name="rootfsImageID")
    image_name: str = msgspec.field(default="", name="rootfsImageName")
    labels: dict[str, str] | None = None
    privileged: bool | None = None
    user: str = ""
    entrypoint: list[str] | None = None
    command: list[str] | None = None
    created_time: str = ""
    named_volumes: list[_Volume] | None = None
    new_port_mappings: list[_Port] | None = None
    healthcheck: _Healthcheck | None = None


class _Subnet(msgspec.Struct):
    ipnet: str = ""


class _Interface(msgspec.Struct):
    subnets: list[_Subnet] | None = None


class _Network(msgspec.Struct):
    interfaces: dict[str, _Interface] | None = None


class _State(msgspec.Struct, rename="camel"):
    state: int = 0
    pid: int = 0
    started_time: str = ""
    finished_time: str = ""
    exit_code: int = 0
    exited: bool = False
    restart_count: int = 0
    network_status: dict[str, _Network] | None = None


class _Image(msgspec.Struct):
    names: list[str] | None = None
    digest: str = ""


def container_from(inspection: Inspection) -> Container:
    """Return the container that podman's files tell of; incomplete, with the reason, if they tell too little."""
    if not inspection.container:
        missing = unknown(inspection.full_id, inspection.reason or "the engine said nothing about it")
        return msgspec.structs.replace(missing, type=inspection.kind)
    try:
        config = msgspec.json.decode(inspection.container, type=_Config)
        state = msgspec.json.decode(inspection.task or b"{}", type=_State)
        if config.id != inspection.full_id:
            raise ValueError("it is about another container")
    except (ValueError, RecursionError) as error:  # of msgspec's errors too
        reason = f"what podman keeps of it cannot be used: {bounded(str(error))}"
        return msgspec.structs.replace(unknown(inspection.full_id, reason), type=inspection.kind)
    return _container(config, state, inspection)


def _container(config: _Config, state: _State, inspection: Inspection) -> Container:
    left_out: list[str] = []
    name, repository, tag, digest = _image(config.image_name, inspection.image)
    facts = config.spec.facts(left_out)
    mounts = (*facts["mounts"], *map(_volume, config.named_volumes or []))
    running = state.state in {_RUNNING, _PAUSED, _STOPPING}
    ended = state.exited or state.state in {_STOPPED, _EXITED}
    test = (config.healthcheck and config.healthcheck.test) or []
    return Container(
        id=inspection.full_id[:SHORT_ID],
        full_id=inspection.full_id,
        name=bounded(config.name),
        type=inspection.kind,
        image=name,
        image_id=bounded(config.image_id),
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        labels=table(config.labels or {}, "labels", left_out),
        privileged=facts["privileged"] if config.privileged is None else config.privileged,
        mounts=tuple(first(list(mounts), "mounts", left_out)),
        ports=tuple(first(_ports(config.new_port_mappings or []), "ports", left_out)),
        user=bounded(config.user),
        hostname=facts["hostname"],
        entrypoint=words(config.entrypoint, "arguments of the entry point", left_out),
        command=words(config.command, "arguments of the command", left_out),
        healthcheck=healthcheck_words(test, [], inspection.kind, left_out),
        pid=max(state.pid, 0) if running else 0,
        created=nanoseconds(config.created_time),
        started=nanoseconds(state.started_time),
        finished=nanoseconds(state.finished_time) if ended else 0,
        exit_code=state.exit_code if ended else None,
        restart_count=max(state.restart_count, 0),
        running=running,
        ip=_address(state),
        capabilities=facts["capabilities"],
        host_network=facts["host_network"],
        host_pid=facts["host_pid"],
        host_ipc=facts["host_ipc"],
        shared_pid=facts["shared_pid"],
        reason="; ".join(left_out),
    )


def _image(written: str, entry: bytes) -> tuple[str, str, str, str]:
    """Return an image's name, repository, tag and digest."""
    try:
        known = msgspec.json.decode(entry, type=_Image) if entry else _Image()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        known = _Image()
    names = known.names or []
    repositories = (name.partition("@")[0].rpartition(":")[0] or name for name in names)
    return named(written, names, [f"{repository}@{known.digest}" for repository in repositories if known.digest])


def _volume(volume: _Volume) -> Mount:
    """Return a volume that podman keeps, by its name: the host's directory does not stand there."""
    options = volume.options or []
    return Mount(bounded(volume.name), bounded(volume.destination), bounded(",".join(options)), "ro" not in options)


def _ports(mappings: list[_Port]) -> list[Port]:
    return [
        Port(bounded(one.host_ip), one.host_port + number, one.container_port + number, bounded(one.protocol))
        for one in mappings[:_MOST_PORTS]
        for number in range(min(max(one.range, 1), _MOST_PORTS))
    ]


def _address(state: _State) -> str:
    """Return the first address that the container has."""
    networks = (state.network_status or {}).values()
    interfaces = (one for network in networks for one in (network.interfaces or {}).values())
    nets = (subnet.ipnet for one in interfaces for subnet in one.subnets or [])
    return bounded(next(nets, "").partition("/")[0])
