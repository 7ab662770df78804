"""Containers from what a Docker-compatible engine says about them.

Nothing is trusted: types are checked, sizes bounded, and an answer that is not as it should be gives
an incomplete container with the reason. Source of the fields: Docker's Engine API reference, version
1.41, ``GET /containers/{id}/json`` and ``GET /images/{name}/json``.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

import msgspec

from hullwatch.enrich import image as image_reference
from hullwatch.enrich.container import SHORT_ID, Container, Mount, Port, unknown
from hullwatch.sources.docker import DockerSource
from hullwatch.sources.engine import Inspection

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from docker.tls import TLSConfig

MAXIMUM_TEXT = 4096  # characters of one value
MAXIMUM_ENTRIES = 256  # labels, mounts, ports, arguments
MAXIMUM_REMEMBERED = 20_000  # containers

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_PORT = re.compile(r"([0-9]{1,5})(?:/([a-z]{1,8}))?")

_T = TypeVar("_T")

Text = str | None
Words = list[str] | str | None


# ---- the part of the engine's answers that is used; null and absent mean the same


class _State(msgspec.Struct, rename="pascal"):
    running: bool | None = False
    pid: int | None = 0
    started_at: Text = ""


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


class _NetworkSettings(msgspec.Struct, rename="pascal"):
    ports: _Ports = None


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


class _InspectedImage(msgspec.Struct, rename="pascal"):
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None


class ContainerMetadata:
    """Makes containers of what an engine says, and remembers them: an end has only an id."""

    def __init__(self, emit: Callable[[Container], None]) -> None:
        """Hand containers to ``emit``; it may be called by several threads, one at a time."""
        self._emit = emit
        self._last: OrderedDict[str, Container] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, inspection: Inspection) -> None:
        """Emit the container that an inspection tells about, unless that is known already.

        What an engine does not know any more stays as it was known. A removed container is told as
        one that does not run. A request is always answered.
        """
        with self._lock:
            last = self._last.get(inspection.full_id)
            container = self._judge(inspection, last)
            if inspection.removed:
                self._last.pop(inspection.full_id, None)
            elif container.complete:
                self._last[inspection.full_id] = container
                self._last.move_to_end(inspection.full_id)
                if len(self._last) > MAXIMUM_REMEMBERED:
                    self._last.popitem(last=False)
            if (container != last and not (inspection.removed and last is None)) or inspection.requested:
                self._emit(container)

    @staticmethod
    def _judge(inspection: Inspection, last: Container | None) -> Container:
        if inspection.removed and last is not None:
            return msgspec.structs.replace(last, running=False, pid=0)
        container = container_from(inspection)
        return last if last is not None and not container.complete else container


def docker_source(
    base_url: str,
    emit: Callable[[Container], None],
    connect: Callable[[], socket.socket] | None = None,
    tls: TLSConfig | None = None,
) -> DockerSource:
    """Return a source that hands the containers of an engine to ``emit``; see ``DockerSource``."""
    return DockerSource(base_url, ContainerMetadata(emit).take, connect, tls)


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
        reason = f"the engine's answer about it cannot be used: {_bounded(str(error))}"
        return msgspec.structs.replace(unknown(inspection.full_id, reason), type=inspection.kind)
    return _container(found, inspection)


def _container(found: _Inspected, inspection: Inspection) -> Container:
    config, host = found.config, found.host_config
    left_out: list[str] = []
    name, repository, tag, digest = _image(config.image or "", inspection.image)
    network = found.network_settings
    labels = sorted((config.labels or {}).items())
    return Container(
        id=inspection.full_id[:SHORT_ID],
        full_id=inspection.full_id,
        name=_bounded(found.name.removeprefix("/")),
        type=inspection.kind,
        image=name,
        image_id=_bounded(found.image or ""),
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        labels={_bounded(key): _bounded(value) for key, value in _first(labels, "labels", left_out)},
        privileged=bool(host.privileged),
        mounts=tuple(_first(_mounts(found), "mounts", left_out)),
        ports=tuple(_first(_ports((network and network.ports) or host.port_bindings), "ports", left_out)),
        user=_bounded(config.user or ""),
        hostname=_bounded(config.hostname or ""),
        entrypoint=_words(config.entrypoint, "arguments of the entry point", left_out),
        command=_words(config.cmd, "arguments of the command", left_out),
        healthcheck=_healthcheck(config, inspection.kind, left_out),
        pid=max(found.state.pid or 0, 0),
        created=nanoseconds(found.created or ""),
        started=nanoseconds(found.state.started_at or ""),
        running=bool(found.state.running),
        host_network=host.network_mode == "host",
        host_pid=host.pid_mode == "host",
        host_ipc=host.ipc_mode == "host",
        reason="; ".join(left_out),
    )


def _image(written: str, inspected: bytes) -> tuple[str, str, str, str]:
    """Return an image's name, repository, tag and digest.

    A container made from an image's id has no name for it: the image's own first one is taken.
    """
    try:
        known = msgspec.json.decode(inspected, type=_InspectedImage) if inspected else _InspectedImage()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        known = _InspectedImage()
    digests = known.repo_digests or []
    if _IMAGE_ID.fullmatch(written):
        names = (known.repo_tags or []) + digests
        written = names[0] if names else written
    parts = image_reference.split(written)
    if parts is None:
        return _bounded(written), "", "", ""
    tag = parts.tag or ("" if parts.digest else "latest")  # what an engine takes for a name without either
    by_name = {_familiar(name): digest for name, _, digest in (entry.partition("@") for entry in digests)}
    digest = parts.digest or by_name.get(_familiar(parts.repository), "")
    return written, parts.repository, tag, _bounded(digest)


def _familiar(repository: str) -> str:
    """Return a repository without what goes without saying: ``docker.io/library/``."""
    return repository.removeprefix("docker.io/").removeprefix("library/")


def _mounts(found: _Inspected) -> list[Mount]:
    mounts = [
        Mount(
            source=_bounded(mount.source or ""),
            destination=_bounded(mount.destination or ""),
            mode=_bounded(mount.mode or ""),
            rw=mount.rw is not False,
            propagation=_bounded(mount.propagation or ""),
        )
        for mount in found.mounts or []
    ]
    told = {mount.destination for mount in mounts}
    for bind in found.host_config.binds or []:
        source, _, rest = bind.partition(":")
        destination, _, mode = rest.partition(":")
        if destination not in told:
            options = mode.split(",")
            mounts.append(Mount(_bounded(source), _bounded(destination), _bounded(mode), "ro" not in options))
    return mounts


def _ports(table: _Ports) -> list[Port]:
    ports: list[Port] = []
    for inside, bindings in (table or {}).items():
        found = _PORT.fullmatch(inside)
        for binding in bindings or []:
            outside = binding.host_port or "0"
            if found and re.fullmatch(r"[0-9]{1,5}", outside):
                address = _bounded(binding.host_ip or "")
                ports.append(Port(address, int(outside), int(found[1]), found[2] or "tcp"))
    return ports


def _healthcheck(config: _Config, kind: str, left_out: list[str]) -> tuple[str, ...]:
    """Return the arguments that the engine runs the probe with, empty for none.

    A shell probe runs in the container's own SHELL where the engine's answer has one. An image's
    SHELL is not inherited: Docker 20.10 and Podman 4.3, tried, run ``/bin/sh -c`` all the same.
    """
    test = (config.healthcheck and config.healthcheck.test) or []
    form, arguments = test[:1], test[1:]
    if not arguments or form == ["NONE"]:
        return ()
    if form == ["CMD-SHELL"]:
        script = [" ".join(arguments)] if kind == "podman" else arguments
        arguments = [*(config.shell or ["/bin/sh", "-c"]), *script]
    elif form != ["CMD"]:
        arguments = test if kind == "podman" else []
    return _words(arguments, "arguments of the health check", left_out)


def nanoseconds(text: str) -> int:
    """Return a time such as ``2026-11-21T23:50:39.117573603Z`` in ns since the epoch, 0 when it is none."""
    found = _TIME.fullmatch(text)
    if found is None:
        return 0
    try:
        moment = dt.datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    except ValueError:
        return 0
    seconds = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1)
    return max(seconds * 1_000_000_000 + int((found[2] or "0").ljust(9, "0")), 0)


def _words(words: Words, what: str, left_out: list[str]) -> tuple[str, ...]:
    listed = [words] if isinstance(words, str) else words or []
    return tuple(_bounded(word) for word in _first(listed, what, left_out))


def _first(entries: list[_T], what: str, left_out: list[str]) -> list[_T]:
    if len(entries) > MAXIMUM_ENTRIES:
        left_out.append(f"{len(entries) - MAXIMUM_ENTRIES} of {len(entries)} {what} are left out")
    return entries[:MAXIMUM_ENTRIES]


def _bounded(text: str) -> str:
    return text[:MAXIMUM_TEXT]
