"""Containers of a capture: which one a thread belongs to, by its control groups, and what the capture says of it."""

from __future__ import annotations

import functools
import itertools
import re
from typing import Any, cast

import msgspec

from hullwatch.enrich.cgroup import find_container
from hullwatch.enrich.container import HOST, SHORT_ID, Container, Mount, unknown

CONTAINERS_KEPT = 1 << 16
JSON_KEPT = 64 << 20  # bytes of what was told of them
LONGEST_JSON = 1 << 20  # of one
_TYPES = {
    0: "docker",
    1: "lxc",
    2: "libvirt-lxc",
    3: "mesos",
    4: "rkt",
    5: "custom",
    6: "cri",
    7: "containerd",
    8: "cri-o",
    9: "bpm",
    10: "static",
    11: "podman",
}
_LONGEST_TEXT = 1 << 14
# What other engines name their groups.
_OTHERS = (
    re.compile(r"/lxc(?:\.payload)?[/.](?P<id>[^/]+)"),
    re.compile(r"/libvirt/lxc/(?P<id>[^/]+)|(?:-lxc\\x2d|/)(?P<unit>[^/]+)\.libvirt-lxc"),
    re.compile(r"/bpm-(?P<id>[^/]+?)(?:\.scope)?\Z"),
)
_next_number = itertools.count(1).__next__
_REASON = "the capture says nothing of it"


@functools.lru_cache(4096)
def container_of(cgroups: bytes) -> str:
    """Return the id of the container that a thread's control groups belong to, of at most 64 digits; empty on the host.

    Args:
        cgroups: ``subsystem=path`` strings, each with a NUL.
    """
    paths = [one.partition("=")[2] for one in cgroups.decode("utf-8", "replace").split("\0") if one]
    for path in paths:
        found = find_container(path)
        if found is not None:
            return found.id
    for path in paths:
        for pattern in _OTHERS:
            other = pattern.search(path)
            if other is not None:
                return other["id"] if other["id"] is not None else other["unit"]
    return ""


class Containers:
    """The containers that the capture has told of, by the short form of their ids.

    Attributes:
        news: another number whenever something else is known of one.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.news = 0
        self._known: dict[str, Container] = {}
        self._told: dict[str, int] = {}  # what stands for all that was told of a container
        self._numbers: dict[bytes, int] = {}  # of the JSON
        self._size = 0

    def __iter__(self) -> Any:
        """Return their ids."""
        return iter(self._known)

    def find(self, full_id: str) -> Container:
        """Return what is known of a container; of one that nobody told of its id."""
        if not full_id:
            return HOST
        known = self._known.get(full_id[:SHORT_ID])
        if known is None:
            self._make_room()
            known = self._known[full_id[:SHORT_ID]] = unknown(full_id, _REASON)
        return known

    def learn(self, text: bytes) -> bool:
        """Take what an event says of a container, as JSON; return whether that could be read.

        What is already known of it counts: writers say the same again and again.
        """
        container = read_container(text)
        if container is None:
            return False
        number = self._numbers.get(text)
        if number is None:
            self._make_room(len(text))
            number = self._numbers[text] = _next_number()
        if self._told.get(container.id) != number:
            self._known[container.id] = container
            self._told[container.id] = number
            self.news += 1
        return True

    def content(self, full_id: str) -> int:
        """Return a number that stands for all that is known of a container; 0 when nobody told of it."""
        return self._told.get(full_id[:SHORT_ID], 0)

    def _make_room(self, size: int = 0) -> None:
        if len(self._known) >= CONTAINERS_KEPT or self._size + size > JSON_KEPT:
            self._known.clear()
            self._told.clear()
            self._numbers.clear()
            self._size = 0
            self.news += 1
        self._size += size


@functools.lru_cache(16)
def read_container(text: bytes) -> Container | None:
    """Return the container of an event's JSON; None when it is no such thing, or longer than 1 MiB."""
    if len(text) > LONGEST_JSON:
        return None
    try:
        document = msgspec.json.decode(text.rstrip(b"\0"), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    found: Any = document.get("container", document)
    if not isinstance(found, dict):
        return None
    values = cast("dict[str, Any]", found)
    full_id = _text(values.get("full_id")) or _text(values.get("id"))
    if not full_id:
        return None
    kind = values.get("type")
    image, repository, tag = (_text(values.get(name)) for name in ("image", "imagerepo", "imagetag"))
    return Container(
        id=full_id[:SHORT_ID],
        full_id=full_id,
        name=_text(values.get("name")),
        type=_TYPES.get(kind, "") if isinstance(kind, int) else "",
        image=image,
        image_id=_text(values.get("imageid")),
        image_repository=repository,
        image_tag=tag,
        image_digest=_text(values.get("imagedigest")),
        labels=_labels(values.get("labels")),
        privileged=values.get("privileged") is True,
        mounts=tuple(_mounts(values.get("Mounts"))),
        ip=_text(values.get("ip")),
        complete=bool(image or values.get("name")),
    )


def _text(value: Any) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {_text(key): _text(one) for key, one in cast("dict[Any, Any]", value).items()}


def _mounts(value: Any) -> list[Mount]:
    if not isinstance(value, list):
        return []
    entries = [cast("dict[str, Any]", one) for one in cast("list[Any]", value) if isinstance(one, dict)]
    return [
        Mount(
            source=_text(one.get("Source")),
            destination=_text(one.get("Destination")),
            mode=_text(one.get("Mode")),
            rw=one.get("RW") is True,
            propagation=_text(one.get("Propagation")),
        )
        for one in entries
    ]
