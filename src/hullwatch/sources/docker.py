"""A Docker-compatible engine (Docker, Podman) as a source of containers."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.sources.docker_connection import LIST_TIMEOUT, MAXIMUM_LIST, EngineConnection
from hullwatch.sources.engine import Answers, EngineSource, EngineVersion, Inspection, News
from hullwatch.sources.engine_errors import EngineError, UnreachableError

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator


MAXIMUM_IMAGES = 512
PODMAN_API = "v4.0.0"  # of podman's own language: the least that podman 4 and 5 speak
LOOK_BACK = 2.0  # seconds of earlier events that are asked for, should they cross with the list

_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_NEWS = frozenset({"create", "init", "start", "restart", "die", "died", "rename", "update"})
_ENDED = frozenset({"destroy", "remove"})
_MADE = "create"
LARGEST_EVENT = 1 << 16  # bytes of one that is looked at for a name: it has the container's labels too


class _Actor(msgspec.Struct, rename={"full_id": "ID"}):
    full_id: str = ""
    attributes: dict[str, Any] | None = msgspec.field(default=None, name="Attributes")


class _Event(msgspec.Struct, rename="pascal"):
    """The part of an engine's event that is needed."""

    action: str = ""
    actor: _Actor = msgspec.field(default_factory=_Actor)


class _Listed(msgspec.Struct, rename="pascal"):
    """The part of an entry of the list of containers that is needed."""

    id: str = ""
    state: str = ""


class _OfImage(msgspec.Struct, rename="pascal"):
    """The part of an inspected container that names its image."""

    image: str = ""


class DockerSource(EngineSource):
    """Follows one engine and hands over what it says about its containers.

    An engine that is absent, slow or restarted is no error: it is tried again and ``status`` says so.
    """

    def __init__(
        self,
        base_url: str,
        emit: Callable[[Inspection], None],
        connect: Callable[[], socket.socket] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare; nothing is connected before ``start``.

        Args:
            base_url: of the engine, see ``engine_url``.
            emit: is called in this object's threads, so it has to be quick and safe for threads.
            connect: returns a socket connected to the engine, for a process that may not open it itself.
            tls: for an engine that is reached over TCP, see ``tls_settings``.
        """
        images = _Images()
        super().__init__(base_url, emit, lambda: _DockerClient(EngineConnection(base_url, connect, tls), images))


class _Images:
    """The last images that were inspected, for all threads of a source; and whether it is podman that answers."""

    def __init__(self) -> None:
        self.of_podman = False
        self._lock = threading.Lock()
        self._images: OrderedDict[str, bytes] = OrderedDict()

    def clear(self) -> None:
        with self._lock:
            self._images.clear()

    def find(self, image_id: str) -> bytes | None:
        with self._lock:
            if image_id in self._images:
                self._images.move_to_end(image_id)
            return self._images.get(image_id)

    def keep(self, image_id: str, image: bytes) -> None:
        with self._lock:
            self._images[image_id] = image
            if len(self._images) > MAXIMUM_IMAGES:
                self._images.popitem(last=False)


class _DockerClient:
    """One thread's connection."""

    def __init__(self, connection: EngineConnection, images: _Images) -> None:
        self._connection = connection
        self._images = images
        self._since = 0.0
        self.abort = connection.abort
        self.close = connection.close

    def open(self) -> EngineVersion:
        self._since = time.time() - LOOK_BACK  # events from before the list: what changes meanwhile is seen twice
        engine = self._connection.negotiate()
        self._images.clear()
        self._images.of_podman = "podman engine" in str(engine.get("Components")).lower()
        kind = "podman" if self._images.of_podman else "docker"
        return EngineVersion(kind, str(engine.get("Version", "")), self._connection.version.removeprefix("v"))

    def list(self) -> list[str]:
        answer = self._connection.get("/containers/json?all=1", timeout=LIST_TIMEOUT, limit=MAXIMUM_LIST)
        try:
            listed = msgspec.json.decode(answer, type=list[_Listed])
        except (msgspec.DecodeError, UnicodeError) as error:
            raise EngineError(f"the engine's list of containers cannot be read: {error}") from None
        listed.sort(key=lambda entry: entry.state != "running")
        return [entry.id for entry in listed]

    def news(self) -> Iterator[News]:
        for line in self._connection.events(self._since):
            try:
                event = msgspec.json.decode(line, type=_Event)
            except (msgspec.DecodeError, UnicodeError) as error:
                yield News(problem=f"an event of the engine cannot be read: {error}")
                continue
            if event.action in _ENDED or event.action in _NEWS:
                told = event.action == _MADE and (event.actor.attributes or {}).get("name")
                made = line if told and len(line) <= LARGEST_EVENT else b""
                yield News(event.actor.full_id, removed=event.action in _ENDED, made=made)

    def inspect(self, full_id: str, api_version: str) -> Answers:
        self._connection.version = f"v{api_version}"
        container = self._get(f"/containers/{full_id}/json")
        image, problem = self._image(container)
        return Answers("docker", container, image, task=self._podman_s_own(full_id), problem=problem)

    def _podman_s_own(self, full_id: str) -> bytes:
        """Return what podman says of a container in its own language: the capabilities do not stand in Docker's."""
        if not self._images.of_podman:
            return b""
        self._connection.version = PODMAN_API
        try:
            return self._get(f"/libpod/containers/{full_id}/json")
        except EngineError:  # they are not known then
            return b""

    def _image(self, container: bytes) -> tuple[bytes, str]:
        """Return the inspected image of a container; or nothing (its digest is then not known), and why."""
        try:
            image_id = msgspec.json.decode(container, type=_OfImage).image
        except (msgspec.DecodeError, UnicodeError):
            return b"", ""  # whoever reads the container's metadata will say so
        if not _IMAGE_ID.fullmatch(image_id):
            return b"", ""
        known = self._images.find(image_id)
        if known is not None:
            return known, ""
        try:
            image = self._get(f"/images/{image_id}/json")
        except EngineError as error:
            return b"", str(error)
        self._images.keep(image_id, image)
        return image, ""

    def _get(self, path: str) -> bytes:
        try:
            return self._connection.get(path)
        except UnreachableError:  # an engine closes a connection that rested; a new one tells what is true
            return self._connection.get(path)
