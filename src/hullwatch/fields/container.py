"""Fields of the container (``container.*``); on the host most are empty text, as in Falco."""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hullwatch.fields.field import field

if TYPE_CHECKING:
    from hullwatch.enrich.container import Container, Mount
    from hullwatch.events.event import Event

NO_MOUNT = "none"  # Falco's text where no mount is meant


@field("container.id")
def identifier(event: Event) -> str:
    """First 12 digits of the container's id, or ``host``."""
    return event.container.id


@field("container.full_id")
def full_id(event: Event) -> str:
    """The container's whole id; empty on the host."""
    return event.container.full_id


@field("container.name")
def name(event: Event) -> str:
    """Name of the container, or ``host``."""
    return event.container.name


@field("container.type")
def engine(event: Event) -> str:
    """What runs the container: docker, podman, ... or ``host``."""
    return event.container.type or ("host" if event.container.id == "host" else "")


@field("container.image")
def image(event: Event) -> str:
    """Image as it was asked for: registry/name:tag."""
    return event.container.image


@field("container.image.id")
def image_id(event: Event) -> str:
    """Id of the image."""
    return event.container.image_id


@field("container.image.repository")
def image_repository(event: Event) -> str:
    """Image without tag and digest."""
    return event.container.image_repository


@field("container.image.tag")
def image_tag(event: Event) -> str:
    """Tag of the image."""
    return event.container.image_tag


@field("container.image.digest")
def image_digest(event: Event) -> str:
    """Digest of the image, such as sha256:..."""
    return event.container.image_digest


@field("container.privileged")
def privileged(event: Event) -> bool | None:
    """Whether the container is privileged; absent while that is not known."""
    return event.container.privileged if _known(event.container) else None


@field("container.host_pid")
def host_pid(event: Event) -> bool | None:
    """Whether the container shares the host's process ids."""
    return event.container.host_pid if _known(event.container) else None


@field("container.host_network")
def host_network(event: Event) -> bool | None:
    """Whether the container shares the host's network."""
    return event.container.host_network if _known(event.container) else None


@field("container.host_ipc")
def host_ipc(event: Event) -> bool | None:
    """Whether the container shares the host's inter-process communication."""
    return event.container.host_ipc if _known(event.container) else None


def _known(container: Container) -> bool:
    return container.id != "host" and container.complete


def _flag(value: bool) -> str:  # noqa: FBT001 - it is the value that is printed
    return "true" if value else "false"


@field("container.mounts")
def mounts(event: Event) -> str:
    """All mounts, comma-separated: source:destination:mode:writable:propagation."""
    return ",".join(map(_mount_text, event.container.mounts))


def _mount_text(mount: Mount) -> str:
    return f"{mount.source}:{mount.destination}:{mount.mode}:{_flag(mount.rw)}:{mount.propagation}"


def _mount(event: Event, argument: str, *, by_destination: bool = False) -> Mount | None:
    """Return a mount by its number, or the first whose source (or destination) matches a pattern."""
    candidates = event.container.mounts
    if argument.isdecimal():
        return candidates[int(argument)] if int(argument) < len(candidates) else None
    return next((one for one in candidates if _fits(one, argument, by_destination=by_destination)), None)


def _fits(mount: Mount, pattern: str, *, by_destination: bool) -> bool:
    return _path_fits(mount.destination if by_destination else mount.source, pattern)


@functools.lru_cache(4096)
def _path_fits(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern)


@field("container.mount")
def mount_text(event: Event, argument: str) -> str:
    """One mount, by number or by a pattern of its source; ``none`` when there is none."""
    mount = _mount(event, argument)
    return _mount_text(mount) if mount is not None else NO_MOUNT


@field("container.mount.source")
def mount_source(event: Event, argument: str) -> str:
    """Source of a mount, by number or by a pattern of its destination; ``none`` when there is none."""
    mount = _mount(event, argument, by_destination=True)
    return mount.source if mount is not None else NO_MOUNT


@field("container.mount.dest")
def mount_destination(event: Event, argument: str) -> str:
    """Destination of a mount, by number or by a pattern of its source; ``none`` when there is none."""
    mount = _mount(event, argument)
    return mount.destination if mount is not None else NO_MOUNT


@field("container.mount.mode")
def mount_mode(event: Event, argument: str) -> str:
    """Mode of a mount, by number or by a pattern of its source; ``none`` when there is none."""
    mount = _mount(event, argument)
    return mount.mode if mount is not None else NO_MOUNT


@field("container.mount.rdwr")
def mount_writable(event: Event, argument: str) -> str:
    """Whether a mount is writable, by number or by a pattern of its source; ``none`` when there is none."""
    mount = _mount(event, argument)
    return _flag(mount.rw) if mount is not None else NO_MOUNT


@field("container.mount.propagation")
def mount_propagation(event: Event, argument: str) -> str:
    """Propagation of a mount, by number or by a pattern of its source; ``none`` when there is none."""
    mount = _mount(event, argument)
    return mount.propagation if mount is not None else NO_MOUNT


@field("container.label")
def label(event: Event, argument: str) -> str | None:
    """A label of the container; absent when it has none of that name."""
    container = event.container
    given = container.given_labels.get(argument)
    return container.labels.get(argument) if given is None else given


@field("container.labels")
def labels(event: Event) -> str:
    """All labels, comma-separated: key:value."""
    labels = event.container.labels | event.container.given_labels
    return ", ".join(f"{key}:{value}" for key, value in labels.items())


@field("container.healthcheck")
def healthcheck(event: Event) -> str | None:
    """The container's health check as a command line; absent without one."""
    return " ".join(event.container.healthcheck) or None


@field("container.start_ts")
def start_ts(event: Event) -> int | None:
    """When the container was started, ns since the epoch; absent before."""
    return event.container.started or None


@field("container.duration")
def duration(event: Event) -> int | None:
    """How long the container had run, ns."""
    return event.time - event.container.started if event.container.started else None


@field("container.ip")
def ip(event: Event) -> str | None:
    """Address of the container; absent where the engine did not tell it."""
    return event.container.ip or event.container.pod_ip or None


@field("container.liveness_probe")
def liveness_probe(event: Event) -> str | None:
    """The container's liveness probe as a command line; absent without one."""
    return " ".join(event.container.liveness_probe) or None


@field("container.readiness_probe")
def readiness_probe(event: Event) -> str | None:
    """The container's readiness probe as a command line; absent without one."""
    return " ".join(event.container.readiness_probe) or None


@field("container.capabilities")
def capabilities(event: Event) -> str | None:
    """The capabilities that the container's processes may have at most, comma-separated; absent where not known."""
    return ",".join(event.container.capabilities) or None


@field("container.exit_code")
def exit_code(event: Event) -> int | None:
    """How the container ended; absent while it runs, and where its engine does not tell."""
    return event.container.exit_code


@field("container.restart_count")
def restart_count(event: Event) -> int | None:
    """How often the container was started again; absent while nothing is known of it."""
    return event.container.restart_count if _known(event.container) else None
