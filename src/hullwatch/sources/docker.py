"""What a Docker-compatible engine says about its containers, as it changes.

Three threads share the work: one follows the engine's events, two inspect containers. One of the two
takes only what is urgent (an event, a request for a container that was seen and is not known), so
that the long list of a busy engine delays nothing. A container is inspected when it is *created*
already, mostly before its first process runs. (Docker locks a container while it starts it: an
inspection that comes too late for that is answered when the start is done, still before the end of a
container that lives 50 ms.)
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.sources.docker_connection import (
    LIST_TIMEOUT,
    MAXIMUM_LIST,
    EngineConnection,
    EngineError,
    NotKnownError,
    SlowError,
    UnreachableError,
)
from hullwatch.sources.inspection_queue import InspectionQueue, Job

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from docker.tls import TLSConfig

FIRST_WAIT = 0.2  # seconds before connecting again, doubled each time
LONGEST_WAIT = 5.0
MAXIMUM_KNOWN = 100_000
MAXIMUM_IMAGES = 512
ATTEMPTS = 3  # to inspect a container that an engine named but does not tell about
LOOK_BACK = 2.0  # seconds of earlier events that are asked for, should they cross with the list
STOP_TIMEOUT = 2.0  # seconds to wait for each thread

_ID = re.compile(r"[0-9a-f]{64}")
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_NEWS = frozenset({"create", "init", "start", "restart", "die", "died", "rename", "update"})
_ENDED = frozenset({"destroy", "remove"})


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine said about one container.

    Attributes:
        full_id: 64 digits.
        kind: of the engine: ``docker`` or ``podman``; empty when none was ever reached.
        container: the answer to an inspection, JSON; empty when there is none, ``reason`` then says why.
        image: the same of the container's image; empty when the engine did not tell.
        removed: the engine removed the container.
        requested: somebody waits for it and wants an answer, even one without metadata.
    """

    full_id: str
    kind: str = ""
    container: bytes = b""
    image: bytes = b""
    reason: str = ""
    removed: bool = False
    requested: bool = False


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with an engine.

    Attributes:
        url: as configured.
        reachable: whether events are followed now.
        kind: ``docker`` or ``podman``, empty before it was reached.
        version: of the engine.
        api_version: that is spoken with it.
        containers: how many it has.
        last_error: the last one since it was reached, a sentence; empty when all is well.
        connections: how often it was reached.
        requests: inspections that were asked of the engine.
        failed: those that brought nothing, other than for time.
        timed_out: those that took too long.
        dropped: containers that were not inspected, for too many waited.
    """

    url: str
    reachable: bool = False
    kind: str = ""
    version: str = ""
    api_version: str = ""
    containers: int = 0
    last_error: str = ""
    connections: int = 0
    requests: int = 0
    failed: int = 0
    timed_out: int = 0
    dropped: int = 0

    @property
    def reconnects(self) -> int:
        """How often the connection was made again."""
        return max(self.connections - 1, 0)


class _Actor(msgspec.Struct, rename={"full_id": "ID"}):
    full_id: str = ""


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


class DockerSource:
    """Follows one engine and hands over what it says about its containers.

    An engine that is absent, slow or restarted is no error: it is tried again and ``status`` says so.
    """

    def __init__(
        self,
        base_url: str,
        emit: Callable[[Inspection], None],
        connect: Callable[[], socket.socket] | None = None,
        tls: TLSConfig | None = None,
    ) -> None:
        """Prepare; nothing is connected before ``start``.

        Args:
            base_url: of the engine, see ``engine_url``.
            emit: is called in this object's threads, so it has to be quick and safe for threads.
            connect: returns a socket connected to the engine, for a process that may not open it itself.
            tls: for an engine that is reached over TCP, see ``tls_settings``.
        """
        self._url = base_url
        self._emit = emit
        self._connect = connect
        self._tls = tls
        self._queue = InspectionQueue()
        self._lock = threading.Lock()  # guards what follows, down to the connections
        self._status = EngineStatus(url=base_url)
        self._known: set[str] = set()
        self._images: OrderedDict[str, bytes] = OrderedDict()
        self._connections: set[EngineConnection] = set()
        self._tried = False  # the containers were listed, or the engine could not be reached
        self._settled = False
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def status(self) -> EngineStatus:
        """How it stands with the engine now."""
        with self._lock:
            return msgspec.structs.replace(self._status, containers=len(self._known), dropped=self._queue.dropped)

    @property
    def settled(self) -> bool:
        """Whether the containers that were there at the start are known, or there is no engine to ask."""
        with self._lock:
            self._settled = self._settled or (self._tried and self._queue.idle)
            return self._settled

    def start(self) -> None:
        """Start the threads and return; whether the engine is there shows in ``status``."""
        for name, work in (
            ("events", self._follow),
            ("urgent", self._inspect),
            ("listed", partial(self._inspect, listed=True)),
        ):
            thread = threading.Thread(target=self._keep_working, args=(work,), name=f"engine-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def request(self, full_id: str) -> None:
        """Ask for a container that was seen and is not known; the answer comes through ``emit``.

        It does not wait, and asking again before the answer changes nothing. While the engine is not
        reachable the answer comes at once, without metadata. What is not an id of 64 digits, and what
        comes when 4,096 wait already, is counted as dropped.
        """
        self._queue.put(full_id, requested=True)

    def stop(self) -> None:
        """End the threads, within seconds even when the engine hangs; afterwards nothing is emitted."""
        self._stopping.set()
        self._queue.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.abort()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(STOP_TIMEOUT)
        self._threads.clear()

    # ---- threads

    def _keep_working(self, work: Callable[[EngineConnection], None]) -> None:
        """Do a thread's work until ``stop``: after an error it begins anew, a bit later each time."""
        wait = FIRST_WAIT
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._work_once(work)
            except EngineError as error:
                self._note_error(str(error))
            except Exception as error:  # noqa: BLE001  # whatever an engine sends, its thread goes on
                self._note_error(f"following the engine failed: {type(error).__name__}: {error}")
            if time.monotonic() - began > LONGEST_WAIT:
                wait = FIRST_WAIT
            self._stopping.wait(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    def _work_once(self, work: Callable[[EngineConnection], None]) -> None:
        connection = EngineConnection(self._url, self._connect, self._tls)
        try:
            with self._lock:
                self._connections.add(connection)
            if not self._stopping.is_set():
                work(connection)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _follow(self, connection: EngineConnection) -> None:
        """Connect, list what there is, and follow the events until they end."""
        since = time.time() - LOOK_BACK  # events from before the list: what changes meanwhile is seen twice
        try:
            engine = connection.negotiate()
        except EngineError:
            self._tried = True
            raise
        kind = "podman" if "podman engine" in str(engine.get("Components")).lower() else "docker"
        with self._lock:
            self._images.clear()
            self._status = msgspec.structs.replace(
                self._status,
                reachable=True,
                kind=kind,
                version=str(engine.get("Version", ""))[:64],
                api_version=connection.version.removeprefix("v"),
                connections=self._status.connections + 1,
                last_error="",
            )
        try:
            self._list(connection)
            self._tried = True
            for line in connection.events(since):
                self._take_event(line)
            raise UnreachableError("the engine ended the stream of events")
        finally:
            self._tried = True
            self._note(reachable=False)

    def _list(self, connection: EngineConnection) -> None:
        """Have every container inspected, the running ones first; tell of those that are gone."""
        answer = connection.get("/containers/json?all=1", timeout=LIST_TIMEOUT, limit=MAXIMUM_LIST)
        try:
            listed = msgspec.json.decode(answer, type=list[_Listed])
        except (msgspec.DecodeError, UnicodeError) as error:
            raise EngineError(f"the engine's list of containers cannot be read: {error}") from None
        listed.sort(key=lambda entry: entry.state != "running")
        found = [entry.id for entry in listed if _ID.fullmatch(entry.id)]
        with self._lock:
            gone = self._known.difference(found)
            self._known = set(found[:MAXIMUM_KNOWN])
        for full_id in gone:
            self._emit_safely(Inspection(full_id=full_id, kind=self._status.kind, removed=True))
        for full_id in found:
            self._queue.put(full_id, listed=True)

    def _take_event(self, line: bytes) -> None:
        try:
            event = msgspec.json.decode(line, type=_Event)
        except (msgspec.DecodeError, UnicodeError) as error:
            self._count(failed=1, last_error=f"an event of the engine cannot be read: {error}")
            return
        full_id = event.actor.full_id
        if event.action in _ENDED and _ID.fullmatch(full_id):
            self._queue.cancel(full_id)
            with self._lock:
                self._known.discard(full_id)
            self._emit_safely(Inspection(full_id=full_id, kind=self._status.kind, removed=True))
        elif event.action in _NEWS:
            self._queue.put(full_id)

    def _inspect(self, connection: EngineConnection, *, listed: bool = False) -> None:
        """Inspect the containers that wait, one after the other, until ``stop``."""
        while (job := self._queue.take(listed=listed)) is not None:
            reason, again, late = "", False, False
            inspection: Inspection | None = None
            try:
                inspection = self._inspect_one(connection, job)
            except EngineError as error:
                reason, late = str(error), isinstance(error, SlowError)
                again = job.attempts + 1 < ATTEMPTS
            except Exception as error:  # noqa: BLE001  # whatever `connect` raises, who waits gets an answer
                reason = f"asking the engine failed: {type(error).__name__}: {error}"
            if reason:
                self._count(failed=not late, timed_out=late, last_error=reason)
                inspection = Inspection(full_id=job.full_id, kind=self._status.kind, reason=reason)
            told = job.requested
            if inspection is not None and (not again or (told and late)):  # a quick failure is tried again first
                self._tell(inspection, requested=told)
            waiting = self._queue.done(job) and not (told and late)
            if again or (waiting and inspection is None):
                self._queue.put(job.full_id, requested=waiting, listed=not waiting, attempts=job.attempts + 1)
            elif waiting and not told and inspection is not None:  # the request came in between
                self._tell(inspection, requested=True)

    def _tell(self, inspection: Inspection, *, requested: bool) -> None:
        if not self._stopping.is_set():
            self._emit_safely(msgspec.structs.replace(inspection, requested=requested))

    def _inspect_one(self, connection: EngineConnection, job: Job) -> Inspection | None:
        """Return what the engine says; None when it is not reachable and nobody waits.

        Raises:
            EngineError: when the engine says nothing; asking again may help.
        """
        status = self._status
        answer = Inspection(full_id=job.full_id, kind=status.kind)
        if not status.reachable:
            reason = status.last_error or "the engine has not been reached yet"
            return msgspec.structs.replace(answer, reason=reason) if job.requested else None
        connection.version = f"v{status.api_version}"
        self._count(requests=1)
        try:
            container = self._get(connection, f"/containers/{job.full_id}/json")
        except NotKnownError:
            return msgspec.structs.replace(answer, reason="the engine does not know it")
        with self._lock:
            if len(self._known) < MAXIMUM_KNOWN:
                self._known.add(job.full_id)
        image = self._image(connection, container)
        return msgspec.structs.replace(answer, container=container, image=image)

    def _image(self, connection: EngineConnection, container: bytes) -> bytes:
        """Return the inspected image of a container, or nothing: its digest is then not known."""
        try:
            image_id = msgspec.json.decode(container, type=_OfImage).image
        except (msgspec.DecodeError, UnicodeError):
            return b""  # whoever reads the container's metadata will say so
        if not _IMAGE_ID.fullmatch(image_id):
            return b""
        with self._lock:
            if image_id in self._images:
                self._images.move_to_end(image_id)
                return self._images[image_id]
        try:
            image = self._get(connection, f"/images/{image_id}/json")
        except EngineError as error:
            self._count(failed=1, last_error=str(error))
            return b""
        with self._lock:
            self._images[image_id] = image
            if len(self._images) > MAXIMUM_IMAGES:
                self._images.popitem(last=False)
        return image

    @staticmethod
    def _get(connection: EngineConnection, path: str) -> bytes:
        try:
            return connection.get(path)
        except UnreachableError:  # an engine closes a connection that rested; a new one tells what is true
            return connection.get(path)

    # ---- state

    def _emit_safely(self, inspection: Inspection) -> None:
        """Hand over; an error of the receiver's must not end the thread."""
        try:
            self._emit(inspection)
        except Exception as error:  # noqa: BLE001  # as above
            self._count(failed=1, last_error=f"what the engine said could not be used: {error!r}")

    def _note(self, **changes: Any) -> None:
        with self._lock:
            self._status = msgspec.structs.replace(self._status, **changes)

    def _note_error(self, sentence: str) -> None:
        if not self._stopping.is_set():  # then it is our own doing
            self._note(last_error=sentence)

    def _count(self, *, last_error: str = "", **numbers: int) -> None:
        with self._lock:
            changes: dict[str, Any] = {name: getattr(self._status, name) + n for name, n in numbers.items()}
            if last_error:
                changes["last_error"] = last_error
            self._status = msgspec.structs.replace(self._status, **changes)
