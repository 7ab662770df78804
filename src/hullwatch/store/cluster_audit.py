"""Taking from the audit log what it says of the cluster: objects that were written, and who ran what in which pod.

Whoever reads the log shows each event to ``take``; most are passed by at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hullwatch.enrich.kubernetes.exec_request import exec_request
from hullwatch.enrich.kubernetes.from_audit import changes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.enrich.kubernetes.exec_request import ExecRequest
    from hullwatch.enrich.kubernetes.from_audit import Change
    from hullwatch.store.cluster import Cluster
    from hullwatch.store.exec_requests import ExecRequests

AT_ONCE = 500  # that wait until they are written
LONGEST = 1.0  # seconds that they wait
_INTERESTING = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_EXECS = frozenset({"get", "create"})
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
        self._due = 0.0
        self._room_due = 0.0
        self.counts: dict[str, int] = {}

    def take(self, event: Mapping[str, object]) -> None:
        """Look at an event.

        Raises:
            StoreError: when what was found cannot be written; it is kept for the next time.
        """
        verb = event.get("verb")
        if verb in _EXECS:
            request = exec_request(event) if self._requests is not None else None
            if request is not None:
                self._asked.append(request)
        if verb in _INTERESTING and self._cluster is not None:
            self._changes += changes_of(event)
        if len(self._asked) + len(self._changes) >= AT_ONCE:
            self.flush()

    def tick(self) -> None:
        """Write what has waited for long enough; to be called about once a second, and before positions are saved.

        Raises:
            StoreError: as ``take``.
        """
        self.flush()
        now = time.monotonic()
        if now >= self._room_due:
            self._room_due = now + _ROOM_EVERY
            if self._requests is not None:
                self._requests.make_room(time.time_ns())
            if self._cluster is not None:
                self._cluster.addresses.make_room(time.time_ns())

    def flush(self) -> None:
        """Write what waits.

        Raises:
            StoreError: as ``take``.
        """
        while self._asked and self._requests is not None:
            self._count(
                "requests to run something" if self._requests.add(self._asked[0]) else "requests that came twice"
            )
            del self._asked[0]
        if self._changes and self._cluster is not None:
            with self._cluster.batch():
                for change in self._changes:
                    if change.gone:
                        self._cluster.remove(change.resource, change.found, change.at)
                    else:
                        self._cluster.put(change.resource, change.found, change.at)
            self._count("changes of objects", len(self._changes))
            self._changes.clear()

    def _count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number
