"""Fields of the file or connection that a call is about (``fd.*``), with what was known of it before the call."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hullwatch.captures.scap.descriptors import LETTERS
from hullwatch.captures.scap.lookup import answers
from hullwatch.fields.address import address_text
from hullwatch.fields.fd_connection import service_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.scap.descriptors import Descriptor
    from hullwatch.captures.scap.event import ScapEvent
    from hullwatch.fields.address import Endpoint

_OPENING = frozenset({"open", "openat", "openat2", "creat"})
_UPPER, _LOWER = 0x8000, 0x10000
_FAMILIES = {"ipv4": "ip", "ipv6": "ip", "unix": "unix"}
_TYPES = {"fifo": "pipe"}  # Falco's names, where they are others


@answers("fd.num")
def num(event: ScapEvent) -> int | None:
    """Number of the descriptor; -1 when none was made."""
    return event.fd_number


@answers("fd.name")
def name(event: ScapEvent) -> str | None:
    """As Falco names it; of an open that failed the path that was asked for."""
    if event.fd_number is None:
        return None
    if event.descriptor is not None:
        return event.descriptor.text
    return _asked_for(event) or (None if event.raw.kind.enters else "")


@answers("fd.nameraw")
def nameraw(event: ScapEvent) -> str | None:
    """Name as the caller wrote it, where it is a path."""
    descriptor = event.descriptor
    return descriptor.raw_name if descriptor is not None and descriptor.raw_name else name(event)


def _asked_for(event: ScapEvent) -> str | None:
    """Return the path of an open that failed."""
    if event.raw.kind.name not in _OPENING or event.raw.kind.enters or event.thread is None:
        return None
    return event.state.paths.path(event.raw, event.thread, "name")


@answers("fd.type")
def kind(event: ScapEvent) -> str | None:
    """What it is: file, directory, ipv4, ipv6, unix, pipe, event and others."""
    if event.descriptor is None:
        return None
    return _TYPES.get(event.descriptor.kind, event.descriptor.kind or "<NA>")


@answers("fd.typechar")
def typechar(event: ScapEvent) -> str | None:
    """The same as one character."""
    if event.fd_number is None:
        return None
    return LETTERS.get(event.descriptor.kind, "o") if event.descriptor is not None else "o"


def _path(event: ScapEvent) -> str | None:
    descriptor = event.descriptor
    if descriptor is None:
        return _asked_for(event) or "" if event.fd_number is not None else None
    return descriptor.name if descriptor.kind in {"file", "directory"} else None


@answers("fd.directory")
def directory(event: ScapEvent) -> str | None:
    """Directory of the file."""
    path = _path(event)
    if path is None:
        return None
    if event.descriptor is not None and event.descriptor.kind == "directory":
        return path
    return path.rpartition("/")[0] or "/"


@answers("fd.filename")
def filename(event: ScapEvent) -> str | None:
    """Name of the file, without its directory."""
    descriptor = event.descriptor
    if descriptor is None or descriptor.kind != "file":
        return None
    return descriptor.name.rpartition("/")[2]


@answers("fd.filetype")
def filetype(event: ScapEvent) -> str | None:
    """Whether it is a regular file (or device, which a capture does not tell) or a directory."""
    found = {"file": "regular", "directory": "directory", "fifo": "fifo"}
    return found.get(event.descriptor.kind) if event.descriptor is not None else None


@answers("fd.uid")
def uid(event: ScapEvent) -> str | None:
    """Thread id and number, joined."""
    return f"{event.tid}{event.fd_number}" if event.fd_number is not None else None


@answers("fd.containername")
def container_name(event: ScapEvent) -> str | None:
    """Container id and name, joined with a colon."""
    value = name(event)
    return f"{event.container.id}:{value}" if value is not None else None


@answers("fd.containerdirectory")
def container_directory(event: ScapEvent) -> str | None:
    """Container id and directory, joined with a colon."""
    value = directory(event)
    return f"{event.container.id}:{value}" if value is not None else None


@answers("fd.dev")
def dev(event: ScapEvent) -> int | None:
    """Device number of the file system."""
    return event.descriptor.dev if event.descriptor is not None else None


@answers("fd.dev.major")
def dev_major(event: ScapEvent) -> int | None:
    """Major device number."""
    return os.major(event.descriptor.dev) if event.descriptor is not None else None


@answers("fd.dev.minor")
def dev_minor(event: ScapEvent) -> int | None:
    """Minor device number."""
    return os.minor(event.descriptor.dev) if event.descriptor is not None else None


@answers("fd.ino")
def ino(event: ScapEvent) -> int | None:
    """Inode number."""
    return event.descriptor.ino if event.descriptor is not None else None


@answers("fd.is_upper_layer")
def is_upper_layer(event: ScapEvent) -> bool | None:
    """Whether the file lies in the container's own layer."""
    return bool(event.descriptor.flags & _UPPER) if event.descriptor is not None else None


@answers("fd.is_lower_layer")
def is_lower_layer(event: ScapEvent) -> bool | None:
    """Whether the file lies in a layer of the image."""
    return bool(event.descriptor.flags & _LOWER) if event.descriptor is not None else None


@answers("fd.l4proto")
def l4proto(event: ScapEvent) -> str | None:
    """Protocol of the socket; <NA> for other descriptors."""
    return event.descriptor.protocol if event.descriptor is not None else None


@answers("fd.sockfamily")
def sockfamily(event: ScapEvent) -> str | None:
    """Family of the socket: ip or unix."""
    return _FAMILIES.get(event.descriptor.kind) if event.descriptor is not None else None


@answers("fd.is_server")
def is_server(event: ScapEvent) -> bool | None:
    """Whether the process is the server."""
    return event.descriptor.role == "server" if event.descriptor is not None else None


@answers("fd.connected")
def connected(event: ScapEvent) -> bool | None:
    """Whether the connection stands."""
    return event.descriptor.connected if event.descriptor is not None else None


def _ends(event: ScapEvent) -> tuple[Endpoint, ...]:
    descriptor = event.descriptor
    if descriptor is None:
        return ()
    return tuple(end for end in (descriptor.source, descriptor.destination) if end is not None)


def _client(descriptor: Descriptor) -> Endpoint | None:
    return descriptor.source


def _server(descriptor: Descriptor) -> Endpoint | None:
    return descriptor.destination


def _local(descriptor: Descriptor) -> Endpoint | None:
    if descriptor.source is None:
        return None
    return descriptor.destination if descriptor.role == "server" else descriptor.source


def _remote(descriptor: Descriptor) -> Endpoint | None:
    if descriptor.source is None:
        return None
    return descriptor.source if descriptor.role == "server" else descriptor.destination


_WHICH = {"c": _client, "s": _server, "l": _local, "r": _remote}


def _end(event: ScapEvent, which: Callable[[Descriptor], Endpoint | None]) -> Endpoint | None:
    return which(event.descriptor) if event.descriptor is not None else None


def _register(letter: str, which: Callable[[Descriptor], Endpoint | None]) -> None:
    """Register the fields of one end of a connection."""

    @answers(f"fd.{letter}ip")
    def ip(event: ScapEvent) -> str | None:
        """Address of the end."""
        end = _end(event, which)
        return address_text(end.address) if end is not None else None

    @answers(f"fd.{letter}net")
    def net(event: ScapEvent) -> bytes | None:
        """Network of the end."""
        end = _end(event, which)
        return end.address if end is not None else None

    @answers(f"fd.{letter}port")
    def port(event: ScapEvent) -> int | None:
        """Port of the end."""
        end = _end(event, which)
        return end.port if end is not None else None

    @answers(f"fd.{letter}proto")
    def service(event: ScapEvent) -> str | None:
        """Service of the end's port."""
        end = _end(event, which)
        return service_name(end.port, l4proto(event) or "tcp") if end is not None else None

    del ip, net, port, service


for _letter, _function in _WHICH.items():
    _register(_letter, _function)


@answers("fd.ip")
def either_ip(event: ScapEvent) -> tuple[str, ...] | None:
    """Address of either end."""
    return tuple(address_text(end.address) for end in _ends(event)) or None


@answers("fd.net")
def either_net(event: ScapEvent) -> tuple[bytes, ...] | None:
    """Network of either end."""
    return tuple(end.address for end in _ends(event)) or None


@answers("fd.port")
def either_port(event: ScapEvent) -> tuple[int, ...] | None:
    """Port of either end."""
    return tuple(end.port for end in _ends(event)) or None


@answers("fd.proto")
def either_proto(event: ScapEvent) -> tuple[int, ...] | None:
    """Service of either end."""
    return either_port(event)
