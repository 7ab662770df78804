"""What a container engine says about its containers, as it changes; the same for every kind of engine.

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
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from hullwatch.sources.engine_errors import EngineError, NotKnownError, SlowError, UnreachableError
from hullwatch.sources.inspection_queue import InspectionQueue, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST_WAIT = 0.2  # seconds before connecting again, doubled each time
LONGEST_WAIT = 5.0
MAXIMUM_KNOWN = 100_000
ATTEMPTS = 3  # to inspect a container that an engine named but does not tell about
STOP_TIMEOUT = 2.0  # seconds to wait for each thread

CONTAINER_ID = re.compile(r"[0-9a-f]{64}")


class EngineVersion(NamedTuple):
    """What an engine says of itself; ``api_version`` is the one to speak with it."""

    kind: str
    version: str
    api_version: str = ""


FORM_MADE = "docker_event"


class News(NamedTuple):
    """Something happened to a container; or (``problem``, a sentence) the engine said what cannot be read.

    ``made`` is what the engine said when it made a container: its name and image, before it can be asked for more.
    """

    full_id: str = ""
    removed: bool = False
    problem: str = ""
    made: bytes = b""


class Answers(NamedTuple):
    """An engine's answers about one container, as they came; see ``Inspection``. ``problem`` says what is missing."""

    form: str
    container: bytes
    image: bytes = b""
    task: bytes = b""
    pod: bytes = b""
    problem: str = ""


class EngineClient(Protocol):
    """One thread's connection to an engine; only ``abort`` is called by other threads. All may raise EngineError."""

    def open(self) -> EngineVersion:
        """Connect, and ask what engine it is."""
        ...

    def list(self) -> list[str]:
        """Return the ids of all containers, those that run first."""
        ...

    def news(self) -> Iterator[News]:
        """Yield what happens from before ``list`` on, until the engine ends it; no limit of time."""
        ...

    def inspect(self, full_id: str, api_version: str) -> Answers:
        """Ask for a container; raises NotKnownError when the engine has none of that id."""
        ...

    def abort(self) -> None:
        """End what is being waited for, now and for good."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine said about one container.

    Attributes:
        full_id: 64 digits.
        kind: of the engine: ``docker``, ``podman``, ``containerd``, ``cri-o``; empty when none was ever reached.
        form: whose answers these are: ``docker`` (JSON), ``containerd`` or ``cri`` (protocol buffers);
            ``docker_event`` is what Docker tells of a container that it makes.
        container: the answer to an inspection; empty when there is none, ``reason`` then says why.
        image: the same of the container's image; empty when the engine did not tell.
        task: the same of its first process, where that is another question.
        pod: the same of its pod, where it has one.
        removed: the engine removed the container.
        requested: somebody waits for it and wants an answer, even one without metadata.
    """

    full_id: str
    kind: str = ""
    form: str = "docker"
    container: bytes = b""
    image: bytes = b""
    task: bytes = b""
    pod: bytes = b""
    reason: str = ""
    removed: bool = False
    requested: bool = False


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with an engine.

    Attributes:
        url: as configured.
        reachable: whether events are followed now.
        kind: ``docker``, ``podman``, ``containerd``, ``cri-o``; empty before it was reached.
        version: of the engine.
        api_version: that is spoken with it.
        containers: how many it has.
        last_error: the last one since it was reached, a sentence; empty when all is well.
        connections: how often it was reached.
        requests: inspections that were asked of the engine.
        failed: those that brought nothing, other than for time.
        timed_out: those that took too long.
        dropped: containers that were not inspected: too many waited, or the id has not 64 digits.
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


class EngineSource:
    """Follows one engine and hands over what it says about its containers.

    An engine that is absent, slow or restarted is no error: it is tried again and ``status`` says so.
    """

    def __init__(self, url: str, emit: Callable[[Inspection], None], client: Callable[[], EngineClient]) -> None:
        """Prepare; nothing is connected before ``start``.

        Args:
            url: of the engine, for people.
            emit: is called in this object's threads, so it has to be quick and safe for threads.
            client: returns a connection to the engine, which is made with its first request.
        """
        self._emit = emit
        self._client = client
        self._queue = InspectionQueue()
        self._lock = threading.Lock()  # guards what follows, down to the clients
        self._status = EngineStatus(url=url)
        self._known: set[str] = set()
        self._clients: set[EngineClient] = set()
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

    def halt(self) -> None:
        """Have the threads end, without waiting for it."""
        self._stopping.set()
        self._queue.close()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.abort()

    def stop(self) -> None:
        """End the threads, within seconds even when the engine hangs; afterwards nothing is emitted."""
        self.halt()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(STOP_TIMEOUT)
        self._threads.clear()

    # ---- threads

    def _keep_working(self, work: Callable[[EngineClient], None]) -> None:
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

    def _work_once(self, work: Callable[[EngineClient], None]) -> None:
        client = self._client()
        try:
            with self._lock:
                self._clients.add(client)
            if not self._stopping.is_set():
                work(client)
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()

    def _follow(self, client: EngineClient) -> None:
        """Connect, list what there is, and follow the news until they end."""
        try:
            engine = client.open()
        except EngineError as error:
            self._note_error(str(error))  # first, for whoever sees that it was tried asks why it failed
            self._tried = True
            raise
        with self._lock:
            self._status = msgspec.structs.replace(
                self._status,
                reachable=True,
                kind=engine.kind,
                version=engine.version[:64],
                api_version=engine.api_version,
                connections=self._status.connections + 1,
                last_error="",
            )
        try:
            self._list(client)
            self._tried = True
            for news in client.news():
                self._take_news(news)
            raise UnreachableError("the engine ended the stream of events")
        finally:
            self._tried = True
            self._note(reachable=False)

    def _list(self, client: EngineClient) -> None:
        """Have every container inspected, the running ones first; tell of those that are gone."""
        found = [full_id for full_id in client.list() if CONTAINER_ID.fullmatch(full_id)]
        with self._lock:
            gone = self._known.difference(found)
            self._known = set(found[:MAXIMUM_KNOWN])
        for full_id in gone:
            self._emit_safely(Inspection(full_id=full_id, kind=self._status.kind, removed=True))
        for full_id in found:
            self._queue.put(full_id, listed=True)

    def _take_news(self, news: News) -> None:
        if news.problem:
            self._count(failed=1, last_error=news.problem)
        elif news.removed and CONTAINER_ID.fullmatch(news.full_id):
            self._queue.cancel(news.full_id)
            with self._lock:
                self._known.discard(news.full_id)
            self._emit_safely(Inspection(full_id=news.full_id, kind=self._status.kind, removed=True))
        elif not news.removed:
            if news.made and CONTAINER_ID.fullmatch(news.full_id):
                made = Inspection(full_id=news.full_id, kind=self._status.kind, form=FORM_MADE, container=news.made)
                self._emit_safely(made)
            self._queue.put(news.full_id)

    def _inspect(self, client: EngineClient, *, listed: bool = False) -> None:
        """Inspect the containers that wait, one after the other, until ``stop``."""
        while (job := self._queue.take(listed=listed)) is not None:
            reason, again, late = "", False, False
            inspection: Inspection | None = None
            try:
                inspection = self._inspect_one(client, job)
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

    def _inspect_one(self, client: EngineClient, job: Job) -> Inspection | None:
        """Return what the engine says; None when it is not reachable and nobody waits.

        Raises:
            EngineError: when the engine says nothing; asking again may help.
        """
        status = self._status
        answer = Inspection(full_id=job.full_id, kind=status.kind)
        if not status.reachable:
            reason = status.last_error or "the engine has not been reached yet"
            return msgspec.structs.replace(answer, reason=reason) if job.requested else None
        self._count(requests=1)
        try:
            found = client.inspect(job.full_id, status.api_version)
        except NotKnownError:
            return msgspec.structs.replace(answer, reason="the engine does not know it")
        with self._lock:
            if len(self._known) < MAXIMUM_KNOWN:
                self._known.add(job.full_id)
        if found.problem:
            self._count(failed=1, last_error=found.problem)
        return msgspec.structs.replace(
            answer,
            form=found.form,
            container=found.container,
            image=found.image,
            task=found.task,
            pod=found.pod,
        )

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
