"""Taking from the audit log what it says of the cluster: objects that were written, and who ran what in which pod.

Whoever reads the log shows each event to ``take``; most are passed by at once.
"""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from hullwatch.enrich.kubernetes.audit_objects import VERBS
from hullwatch.enrich.kubernetes.exec_request import exec_request
from hullwatch.enrich.kubernetes.from_audit import changes_of
from hullwatch.enrich.kubernetes.plain import table, text
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_room import make_room
from hullwatch.store.cluster_tables import open_cluster, open_requests
from hullwatch.store.database import StoreError
from hullwatch.store.exec_requests import ExecRequests

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hullwatch.enrich.kubernetes.exec_request import ExecRequest
    from hullwatch.enrich.kubernetes.from_audit import Change
    from hullwatch.enrich.kubernetes.plain import Plain

AT_ONCE = 500  # changes that wait until they are written
MOST = 10_000  # that wait while they cannot be written; then the oldest are forgotten
RETRY = 5.0  # seconds until something that failed is tried again
_EXECS = frozenset({"get", "create"})
ROOM_AFTER = 20_000  # changes and requests, until it is looked whether there are too many
MOST_VERSIONS = 4096  # objects of which it is known which version was taken last
NO_ROOM = "objects forgotten for want of room"
_ROOM_EVERY = 600.0  # seconds between looks at what is too old


class AuditTaker:
    """Takes events, and writes what they say soon.

    Args:
        requests: where requests are kept; None where nobody asks.
        cluster: where objects are kept; None where they are followed otherwise.

    Attributes:
        counts: what was taken and what could not be read, by what it was.
    """

    def __init__(self, requests: ExecRequests | None, cluster: Cluster | None) -> None:
        """Take nothing yet."""
        self._requests = requests
        self._cluster = cluster
        self._asked: list[ExecRequest] = []
        self._changes: list[Change] = []
        self._versions: OrderedDict[tuple[str, str, str], tuple[str, str]] = OrderedDict()
        self._room_due = 0.0
        self._written = 0  # since there was made room
        self.counts: dict[str, int] = {}

    def take(self, event: Mapping[str, object]) -> None:
        """Look at an event.

        Raises:
            StoreError: when what was found cannot be written; it is kept for the next time.
        """
        verb = text(event.get("verb"))
        if verb in _EXECS:
            request = exec_request(event) if self._requests is not None else None
            if request is not None:
                self.ask(request)
        if verb in VERBS and self._cluster is not None:
            self._changes += changes_of(event, self._is_known)
        if len(self._changes) >= AT_ONCE:
            self.flush()

    def ask(self, request: ExecRequest) -> None:
        """Keep a request to run something.

        Raises:
            StoreError: as ``take``.
        """
        self._asked.append(request)
        self._keep_requests()

    def tick(self) -> None:
        """Write what has waited for long enough; to be called about once a second, and before positions are saved.

        Raises:
            StoreError: as ``take``.
        """
        self.flush()
        now = time.monotonic()
        if now >= self._room_due or self._written >= ROOM_AFTER:
            self._room_due, self._written = now + _ROOM_EVERY, 0
            if self._requests is not None:
                self._requests.make_room(time.time_ns())
            if self._cluster is not None:
                forgotten = make_room(self._cluster)
                if forgotten:
                    self._versions.clear()
                    self._count(NO_ROOM, forgotten)
                self._cluster.addresses.make_room(time.time_ns())

    def _is_known(self, kind: str, found: Plain) -> bool:
        """Tell whether an object was taken in the same version before: most are read far more often than written."""
        metadata = table(found, "metadata")
        version = text(metadata, "uid"), text(metadata, "resourceVersion")
        place = kind, text(metadata, "namespace"), text(metadata, "name")
        if not all(version):
            self._versions.pop(place, None)
            return False
        if self._versions.get(place) == version:
            return True
        self._versions[place] = version
        if len(self._versions) > MOST_VERSIONS:
            self._versions.popitem(last=False)
        return False

    def flush(self) -> None:
        """Write what waits.

        Raises:
            StoreError: as ``take``.
        """
        self._keep_requests()
        if not self._changes or self._cluster is None:
            return
        try:
            with self._cluster.batch():
                for change in self._changes:
                    if change.gone:
                        metadata = table(change.found, "metadata")
                        self._versions.pop(
                            (change.resource.kind, text(metadata, "namespace"), text(metadata, "name")), None
                        )
                        self._cluster.remove(change.resource, change.found, change.at)
                    else:
                        self._cluster.put(change.resource, change.found, change.at)
        except StoreError:
            self._versions.clear()  # what is not written may be forgotten, and is to be taken when it comes again
            raise
        self._count("changes of objects", len(self._changes))
        self._written += len(self._changes)
        self._changes.clear()

    def _keep_requests(self) -> None:
        """Write requests at once: they are few, and who sent them is told soon that they are taken."""
        while self._asked and self._requests is not None:
            new = self._requests.add(self._asked[0])
            self._count("requests to run something" if new else "requests that came twice")
            self._written += new
            del self._asked[0]

    def _count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def close(self) -> None:
        """Let go of the files."""
        if self._requests is not None:
            self._requests.close()
        if self._cluster is not None:
            self._cluster.close()

    def forget(self) -> int:
        """Forget what waits beyond what may; return how much."""
        left = max(0, len(self._asked) - MOST), max(0, len(self._changes) - MOST)
        del self._asked[: left[0]]
        del self._changes[: left[1]]
        self._versions.clear()
        return sum(left)


class AuditLook:
    """An audit taker for who reads the log for other reasons: what goes wrong is told, and stops nobody.

    Args:
        url: of the store; empty for the file.
        state: the state directory.
        objects: whether the cluster's objects are to be known from the log.

    Attributes:
        problem: why nothing can be kept, a sentence; empty when all is well.
        forgotten: how much was forgotten because it could not be kept.
        unreadable: how many events could not be looked at, by the kind of mistake.
    """

    def __init__(self, url: str, state: Path, *, objects: bool) -> None:
        """Open nothing yet."""
        self._url = url
        self._state = state
        self._objects = objects
        self._taker: AuditTaker | None = None
        self._held: deque[ExecRequest] = deque(maxlen=MOST)
        self._retry_at = 0.0
        self.problem = ""
        self.forgotten = 0
        self.unreadable: dict[str, int] = {}

    def status(self) -> dict[str, object]:
        """Return what was taken, forgotten and not readable, for ``hullwatch doctor``."""
        counts = {} if self._taker is None else self._taker.counts
        return {"forgotten": self.forgotten, "unreadable": self.unreadable, "counts": counts}

    def take(self, event: Mapping[str, object]) -> None:
        """Look at an event."""
        if self._retry_at > time.monotonic():
            self._hold(event)
            return
        try:
            if self._taker is None:
                self._taker = self._open()
            self._taker.take(event)
        except StoreError as error:
            if self._taker is None:
                self._hold(event)
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - whatever an event provokes: it is counted, and others are looked at
            self.unreadable[type(error).__name__] = self.unreadable.get(type(error).__name__, 0) + 1

    def tick(self) -> None:
        """Write what waits; to be called about once a second, and at the end."""
        if self._retry_at > time.monotonic() or (self._taker is None and not self._held):
            return
        try:
            if self._taker is None:
                self._taker = self._open()
            while self._held:
                self._taker.ask(self._held.popleft())
            self._taker.tick()
            self.problem = ""
        except StoreError as error:
            self._fail(error)

    def _hold(self, event: Mapping[str, object]) -> None:
        """Keep a request to run something until it can be written: of the event only what is wanted of it."""
        request = exec_request(event)
        if request is not None:
            self.forgotten += len(self._held) == MOST
            self._held.append(request)

    def _fail(self, error: StoreError) -> None:
        self.problem = f"What the audit log tells of the cluster cannot be kept: {error}"
        self._retry_at = time.monotonic() + RETRY
        if self._taker is not None:
            self.forgotten += self._taker.forget()

    def close(self) -> None:
        """Write what waits, and let go of the files."""
        self.tick()
        if self._taker is not None:
            with contextlib.suppress(StoreError):
                self._taker.close()
            self._taker = None

    def _open(self) -> AuditTaker:
        requests = ExecRequests(open_requests(self._url, self._state, make=True))
        return AuditTaker(requests, Cluster(open_cluster(self._state, make=True)) if self._objects else None)
