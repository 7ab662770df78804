"""Containers from what a Docker-compatible engine says about them.

Nothing is trusted: types are checked, sizes bounded, and an answer that is not as it should be gives
an incomplete container with the reason. Source of the fields: Docker's Engine API reference, version
1.41, ``GET /containers/{id}/json`` and ``GET /images/{name}/json``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.bounded import bounded, first, nanoseconds, words
from hullwatch.enrich.capabilities import of_docker
from hullwatch.enrich.container import ONLY_NAMED, SHORT_ID, Container, Mount, Port, unknown
from hullwatch.enrich.image import named

if TYPE_CHECKING:
    from hullwatch.sources.engine import Inspection

_PORT = re.compile(r"([0-9]{1,5})(?:/([a-z]{1,8}))?")

Text = str | None
Words = list[str] | str | None


# ---- the part of the engine's answers that is used; null and absent mean the same


class _State(msgspec.Struct, rename="pascal"):
    running: bool | None = False
    pid: int | None = 0
    started_at: Text = ""
    finished_at: Text = ""
    exit_code: int | None = None


class _Healthcheck(msgspec.Struct, rename="pascal"):
    test: list[str] | None = None


class _Config(msgspec.Struct, rename="pascal"):
    hostname: Text = ""
    user: Text = ""
    image: Text = ""
    labels: dict[str, str] | None = None
    entrypoint: Words = None
    cmd: Words = None
    healthcheck: _Healthcheck | None = None
    shell: list[str] | None = None


class _Binding(msgspec.Struct, rename="pascal"):
    host_ip: Text = ""
    host_port: Text = ""


_Ports = dict[str, list[_Binding] | None] | None


class _HostConfig(msgspec.Struct, rename="pascal"):
    privileged: bool | None = False
    network_mode: Text = ""
    pid_mode: Text = ""
    ipc_mode: Text = ""
    binds: list[str] | None = None
    port_bindings: _Ports = None
    cap_add: list[str] | None = None
    cap_drop: list[str] | None = None


class _Network(msgspec.Struct, rename="pascal"):
    ip_address: Text = msgspec.field(default="", name="IPAddress")


class _NetworkSettings(msgspec.Struct, rename="pascal"):
    ports: _Ports = None
    ip_address: Text = msgspec.field(default="", name="IPAddress")
    networks: dict[str, _Network | None] | None = None

    @property
    def address(self) -> str:
        """The first address that the container has."""
        given = [self.ip_address, *(network.ip_address for network in (self.networks or {}).values() if network)]
        return bounded(next((address for address in given if address), ""))


class _Mount(msgspec.Struct, rename="pascal"):
    source: Text = ""
    destination: Text = ""
    mode: Text = ""
    rw: bool | None = msgspec.field(default=True, name="RW")
    propagation: Text = ""


class _Inspected(msgspec.Struct, rename="pascal"):
    """An inspected container; what it cannot do without has no default."""

    id: str
    name: str
    state: _State
    config: _Config
    host_config: _HostConfig
    created: Text = ""
    image: Text = ""
    mounts: list[_Mount] | None = None
    network_settings: _NetworkSettings | None = None
    restart_count: int | None = 0


class _Made(msgspec.Struct, rename="pascal"):
    """What Docker says when it makes a container."""

    class Actor(msgspec.Struct, rename="pascal"):
        attributes: dict[str, str] = {}

    actor: Actor = msgspec.field(default_factory=Actor)


class _InspectedByPodman(msgspec.Struct, rename="pascal"):
    """What podman says in its own language."""

    bounding_caps: list[str] | None = None


class _InspectedImage(msgspec.Struct, rename="pascal"):
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None


def container_from(inspection: Inspection) -> Container:
    """Return the container that an engine tells about; incomplete, with the reason, if it tells too little."""
    if not inspection.container:
        missing = unknown(inspection.full_id, inspection.reason or "the engine said nothing about it")
        return msgspec.structs.replace(missing, type=inspection.kind)
    try:
        found = msgspec.json.decode(inspection.container, type=_Inspected)
        if found.id != inspection.full_id:
            raise ValueError("it is about another container")
    except (ValueError, RecursionError) as error:  # of msgspec's errors too
        reason = f"the engine's answer about it cannot be used: {bounded(str(error))}"
        return msgspec.structs.replace(unknown(inspection.full_id, reason), type=inspection.kind)
    return _container(found, inspection)


def container_made(inspection: Inspection) -> Container:
    """Return what Docker's event of a container that it makes tells: the name, the image and the labels.

    While a container is started, Docker answers no question about it, and one that lives for a moment has ended
    by then.
    """
    try:
        told = msgspec.json.decode(inspection.container, type=_Made).actor.attributes
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        told = {}
    name, repository, tag, digest = named(told.pop("image", ""), [], [])
    title = bounded(told.pop("name", ""))
    labels = {bounded(key): bounded(value) for key, value in first(sorted(told.items()), "labels", [])}
    return msgspec.structs.replace(
        unknown(inspection.full_id, ONLY_NAMED),
        type=inspection.kind,
        name=title,
        image=name,
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        labels=labels,
    )


def _container(found: _Inspected, inspection: Inspection) -> Container:
    config, host = found.config, found.host_config
    left_out: list[str] = []
    name, repository, tag, digest = _image(config.image or "", inspection.image)
    network = found.network_settings
    labels = sorted((config.labels or {}).items())
    test = (config.healthcheck and config.healthcheck.test) or []
    return Container(
        id=inspection.full_id[:SHORT_ID],
        full_id=inspection.full_id,
        name=bounded(found.name.removeprefix("/")),
        type=inspection.kind,
        image=name,
        image_id=bounded(found.image or ""),
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        labels={bounded(key): bounded(value) for key, value in first(labels, "labels", left_out)},
        privileged=bool(host.privileged),
        mounts=tuple(first(_mounts(found), "mounts", left_out)),
        ports=tuple(first(_ports((network and network.ports) or host.port_bindings), "ports", left_out)),
        user=bounded(config.user or ""),
        hostname=bounded(config.hostname or ""),
        entrypoint=words(config.entrypoint, "arguments of the entry point", left_out),
        command=words(config.cmd, "arguments of the command", left_out),
        healthcheck=healthcheck_words(test, config.shell or [], inspection.kind, left_out),
        pid=max(found.state.pid or 0, 0),
        created=nanoseconds(found.created or ""),
        started=nanoseconds(found.state.started_at or ""),
        finished=_end(found.state),
        exit_code=found.state.exit_code if _end(found.state) else None,
        restart_count=max(found.restart_count or 0, 0),
        running=bool(found.state.running),
        ip=network.address if network else "",
        capabilities=_capabilities(host, inspection, left_out),
        host_network=host.network_mode == "host",
        host_pid=host.pid_mode == "host",
        host_ipc=host.ipc_mode == "host",
        reason="; ".join(left_out),
    )


def _capabilities(host: _HostConfig, inspection: Inspection, left_out: list[str]) -> tuple[str, ...]:
    """Return the bounding set: podman tells it, of Docker it follows from what was asked for."""
    if inspection.kind == "docker":
        return of_docker(host.cap_add, host.cap_drop, privileged=bool(host.privileged), left_out=left_out)
    try:
        told = msgspec.json.decode(inspection.task or b"{}", type=_InspectedByPodman)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ()
    return tuple(sorted(words(told.bounding_caps, "capabilities", left_out)))


def _end(state: _State) -> int:
    """Return when it ended, ns since the epoch; 0 while it runs, and before."""
    return 0 if state.running else nanoseconds(state.finished_at or "")


def _image(written: str, inspected: bytes) -> tuple[str, str, str, str]:
    """Return an image's name, repository, tag and digest."""
    try:
        known = msgspec.json.decode(inspected, type=_InspectedImage) if inspected else _InspectedImage()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        known = _InspectedImage()
    return named(written, known.repo_tags or [], known.repo_digests or [])


def _mounts(found: _Inspected) -> list[Mount]:
    mounts = [
        Mount(
            source=bounded(mount.source or ""),
            destination=bounded(mount.destination or ""),
            mode=bounded(mount.mode or ""),
            rw=mount.rw is not False,
            propagation=bounded(mount.propagation or ""),
        )
        for mount in found.mounts or []
    ]
    told = {mount.destination for mount in mounts}
    for bind in found.host_config.binds or []:
        source, _, rest = bind.partition(":")
        destination, _, mode = rest.partition(":")
        if destination not in told:
            options = mode.split(",")
            mounts.append(Mount(bounded(source), bounded(destination), bounded(mode), "ro" not in options))
    return mounts


def _ports(table: _Ports) -> list[Port]:
    ports: list[Port] = []
    for inside, bindings in (table or {}).items():
        found = _PORT.fullmatch(inside)
        for binding in bindings or []:
            outside = binding.host_port or "0"
            if found and re.fullmatch(r"[0-9]{1,5}", outside):
                address = bounded(binding.host_ip or "")
                ports.append(Port(address, int(outside), int(found[1]), found[2] or "tcp"))
    return ports


def healthcheck_words(test: list[str], shell: list[str], kind: str, left_out: list[str]) -> tuple[str, ...]:
    """Return the arguments that the engine runs the probe with, empty for none.

    A shell probe runs in the container's own SHELL where the engine's answer has one. An image's
    SHELL is not inherited: Docker 20.10 and Podman 4.3, tried, run ``/bin/sh -c`` all the same.
    """
    form, arguments = test[:1], test[1:]
    if not arguments or form == ["NONE"]:
        return ()
    if form == ["CMD-SHELL"]:
        script = [" ".join(arguments)] if kind == "podman" else arguments
        arguments = [*(shell or ["/bin/sh", "-c"]), *script]
    elif form != ["CMD"]:
        arguments = test if kind == "podman" else []
    return words(arguments, "arguments of the health check", left_out)
