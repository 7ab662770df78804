"""Following one kind of object: a list, then the changes since, for as long as somebody wants to know.

What the API documents is all that is needed: ``limit`` and ``continue``, ``resourceVersion`` as a text that only the
API understands, bookmarks, ``410 Gone`` for what it has forgotten, and that a stream may end at any time.
"""

from __future__ import annotations

import contextlib
import random
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from hullwatch.enrich.kubernetes.connection import ApiError, Connection, ConnectionLostError
from hullwatch.enrich.kubernetes.plain import Plain, table, text
from hullwatch.enrich.kubernetes.trimming import trimmed

if TYPE_CHECKING:
    import threading

    from hullwatch.enrich.kubernetes.resources import Resource

PAGE = 100  # objects that are asked for at once
STREAM = (240, 480)  # seconds until the API is asked to end a stream, so that not all of them end together
SILENCE = 60.0  # seconds beyond that without anything after which a connection is taken for dead
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds after something went wrong: twice as long each time
WITHOUT_RIGHT = 300.0  # seconds until it is asked again for what we may not have
WITHOUT_EXTENSION = 900.0  # seconds until it is asked again for what an extension would bring
GONE, TOO_MANY = 410, 429  # statuses of HTTP
_LISTS_AGAIN = 3  # that were forgotten in their middle, until one is asked for whole


class Sink(Protocol):
    """What is told of objects. Called in the threads of those who follow them."""

    def begin(self, resource: Resource) -> None:
        """Note that a list begins."""
        ...

    def put(self, resource: Resource, found: Plain) -> None:
        """Take an object as it is now, trimmed."""
        ...

    def remove(self, resource: Resource, found: Plain) -> None:
        """Note that an object is gone."""
        ...

    def settle(self, resource: Resource) -> None:
        """Note that a list is whole: what was not in it is gone."""
        ...

    def alive(self, resource: Resource) -> None:
        """Note that what is known of it is true now."""
        ...

    def problem(self, resource: Resource, sentence: str) -> None:
        """Note what keeps it from being followed; nothing when all is well."""
        ...


class _Page(msgspec.Struct):
    metadata: dict[str, object] = {}
    items: list[msgspec.Raw] | None = None


class _Change(msgspec.Struct):
    type: str = ""
    object: msgspec.Raw = msgspec.Raw(b"null")


_Kind = TypeVar("_Kind")
_PAGES, _CHANGES = msgspec.json.Decoder(_Page), msgspec.json.Decoder(_Change)


class Reflector:
    """Follows one kind of object.

    Args:
        resource: that is followed.
        connection: to the API.
        sink: what is told of it.
        stopped: ends it when it is set.
        fields: a fieldSelector; empty for all.

    Attributes:
        resource: that is followed.
        counts: what went wrong, by reason.
        lists: that were asked for and came whole.
        missing: the right that we lack: list or watch; empty for none.
        absent: whether the cluster has no such kind of object, and need not have it.
    """

    def __init__(
        self, resource: Resource, connection: Connection, sink: Sink, stopped: threading.Event, fields: str = ""
    ) -> None:
        """Ask nothing yet."""
        self.resource = resource
        self._connection = connection
        self._sink = sink
        self._stopped = stopped
        self._fields = {"fieldSelector": fields} if fields else {}
        self._version = ""  # of the last change that was seen; empty when a list is needed
        self._wait = FIRST_WAIT
        self._lists_forgotten = 0
        self.counts: dict[str, int] = {}
        self.lists = 0
        self.missing = ""
        self.absent = False

    def run(self) -> None:
        """Follow it until somebody stops it."""
        while not self._stopped.is_set():
            try:
                if not self._version:
                    self.list()
                self._watch()
            except ApiError as error:
                self._refused(error)
            except ConnectionLostError as error:
                if self._stopped.is_set():
                    return
                self._count("the connection was lost")
                if self._wait > FIRST_WAIT:  # the first time it may be a stream that was idle for long
                    self._told(f"the Kubernetes API cannot be reached: {error}")
                self._rest(self._longer())

    # ---- lists

    def list(self) -> None:
        """Take all objects, page by page; no more than one page is in memory.

        Raises:
            ApiError: when the API says no, also to the middle of a list.
            ConnectionLostError: when it cannot be asked.
        """
        self._sink.begin(self.resource)
        page = "0" if self._lists_forgotten >= _LISTS_AGAIN else str(PAGE)
        after: dict[str, str] = {}
        while True:
            query = {**self._fields, **after, **({} if page == "0" else {"limit": page})}
            try:
                found = _decoded(_PAGES, self._connection.page(self.resource.path, query))
            except ApiError as error:
                if error.status == GONE and after:
                    self._lists_forgotten += 1
                    self._count("a list was forgotten in its middle")
                raise
            for raw in found.items or ():
                self._put(raw)
            token = text(found.metadata, "continue", longest=1 << 16)
            if not token:
                break
            after = {"continue": token}
        self._lists_forgotten = 0
        self._version = text(found.metadata, "resourceVersion")
        if not self._version:
            raise ConnectionLostError("a list has no resourceVersion")
        self._sink.settle(self.resource)
        self.lists += 1

    def _put(self, raw: msgspec.Raw) -> str:
        """Hand an object on; return its version."""
        found = _object(raw)
        kept = trimmed(found, self.resource.kind, self.resource.version)
        if not text(kept, "metadata", "name"):
            self._count("an object without a name")
            return ""
        self._sink.put(self.resource, kept)
        return text(kept, "metadata", "resourceVersion")

    # ---- changes

    def _watch(self) -> None:
        """Take changes until the stream ends."""
        length = random.randint(*STREAM)  # noqa: S311 - it spreads load, it hides nothing
        query = {
            **self._fields,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(length),
        }
        begun, changes = time.monotonic(), 0
        lines = self._connection.lines(self.resource.path, query, length + SILENCE, self._well)
        with contextlib.closing(lines):
            for line in lines:
                self._change(line)
                changes += 1
                self._wait = FIRST_WAIT
                if self._stopped.is_set():
                    return
        if not changes and not self._stopped.is_set() and time.monotonic() - begun < FIRST_WAIT:
            self._count("a stream ended at once")
            self._rest(self._longer())
        else:
            self._wait = FIRST_WAIT

    def _change(self, line: bytes) -> None:
        if not line.strip():
            return
        change = _decoded(_CHANGES, line)
        match change.type:
            case "ADDED" | "MODIFIED":
                self._version = self._put(change.object) or self._version
            case "DELETED":
                found = trimmed(_object(change.object), self.resource.kind, self.resource.version)
                self._sink.remove(self.resource, found)
                self._version = text(found, "metadata", "resourceVersion") or self._version
            case "BOOKMARK":
                self._version = text(_object(change.object), "metadata", "resourceVersion") or self._version
            case "ERROR":
                status = _object(change.object)
                code = status.get("code")
                seconds = table(status, "details").get("retryAfterSeconds")
                raise ApiError(
                    code if isinstance(code, int) else 500,
                    text(status, "message", longest=300),
                    status,
                    min(float(seconds), LONGEST_WAIT) if isinstance(seconds, int) else 0.0,
                )
            case _:
                self._count("a change of an unknown type")
        self._sink.alive(self.resource)

    # ---- what goes wrong

    def _refused(self, error: ApiError) -> None:
        """Do what the API's answer asks for."""
        doing = "watch" if self._version else "list"
        where = f"in the group {self.resource.group}" if self.resource.group else "in the core group"
        match error.status:
            case 410:
                self._count("the API had forgotten where we were")
                self._version = ""
                self._rest(error.wait or self._longer(quick=True))
            case 403:
                self.missing = doing
                right = f"the right to {doing} {self.resource.name} ({where}) is missing"
                self._told(f"{right}: {error}")
                self._rest(WITHOUT_RIGHT)
            case 401:
                self._told(f"the Kubernetes API does not know who we are: {error}")
                self._rest(self._longer())
            case 404 if self.resource.optional:
                self._without()
            case 404:
                self._told(f"the cluster has no {self.resource.name} of the version {self.resource.version}")
                self._version = ""
                self._rest(WITHOUT_RIGHT)
            case _:
                self._count(f"the API answered {error.status}")
                if error.status not in {TOO_MANY, 503}:
                    self._told(f"the Kubernetes API answers {error.status}: {error}")
                if 400 <= error.status < 500 and error.status != TOO_MANY:
                    self._version = ""  # it does not understand what we ask: begin again
                self._rest(error.wait or self._longer())

    def _without(self) -> None:
        """Take it that the cluster has no such objects, which is nobody's mistake; it may get them one day."""
        self._sink.begin(self.resource)
        self._sink.settle(self.resource)  # what there was went with its definition
        self._sink.problem(self.resource, "")
        self.missing, self.absent = "", True
        self._version = ""
        self._rest(WITHOUT_EXTENSION)

    def _rest(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def _longer(self, *, quick: bool = False) -> float:
        """Return how long to wait now: twice as long as the last time, with chance in it."""
        wait, self._wait = self._wait, min(2 * self._wait, LONGEST_WAIT)
        return wait * random.uniform(0.1, 0.2) if quick else wait * random.uniform(0.5, 1.0)  # noqa: S311 - as above

    def _well(self) -> None:
        """Note that a stream has begun; it may still begin with an error, so that waiting goes on where it was."""
        self.missing, self.absent = "", False
        self._sink.problem(self.resource, "")
        self._sink.alive(self.resource)

    def _told(self, sentence: str) -> None:
        self._sink.problem(self.resource, sentence)

    def _count(self, reason: str) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1


def _decoded(decoder: msgspec.json.Decoder[_Kind], data: bytes) -> _Kind:
    """Return what an answer or a line says.

    Raises:
        ConnectionLostError: when it is no JSON: what comes behind it cannot be trusted either.
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConnectionLostError(f"what it sent is no JSON of Kubernetes: {str(error)[:200]}") from error


def _object(raw: msgspec.Raw) -> Plain:
    try:
        return table(msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
