"""Following a cluster: a thread for each kind of object asks the API, and one writes what they are told."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING

from hullwatch.enrich.kubernetes.connection import ApiError, Connection, ConnectionLostError
from hullwatch.enrich.kubernetes.reflector import Reflector
from hullwatch.enrich.kubernetes.resources import RESOURCES
from hullwatch.store.database import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.enrich.kubernetes.credentials import Access
    from hullwatch.enrich.kubernetes.plain import Plain
    from hullwatch.enrich.kubernetes.resources import Resource
    from hullwatch.store.cluster import Cluster

WAITING = 100  # objects that wait to be written; who follows waits when there are so many
AT_ONCE = 100  # that are written in one transaction
TICK = 1.0  # seconds
ALIVE_EVERY = 10.0  # seconds between notes that what is known is true
ROOM_EVERY = 600.0  # seconds between looks at what is too old
_END = 2.0  # seconds for a thread to end

_Item = tuple[str, "Resource", "Plain"]
_NOTHING: _Item = ("nothing", RESOURCES[0], {})


class _Queue:
    """What is told of objects, in its order, for the thread that writes."""

    def __init__(self, stopped: threading.Event) -> None:
        self.items: queue.Queue[_Item] = queue.Queue(WAITING)
        self.lock = threading.Lock()
        self.living: dict[str, tuple[Resource, int]] = {}
        self.problems: dict[str, tuple[Resource, str]] = {}
        self._stopped = stopped

    def begin(self, resource: Resource) -> None:
        self._put(("begin", resource, {}))

    def put(self, resource: Resource, found: Plain) -> None:
        self._put(("put", resource, found))

    def remove(self, resource: Resource, found: Plain) -> None:
        self._put(("remove", resource, found))

    def settle(self, resource: Resource) -> None:
        self._put(("settle", resource, {}))

    def alive(self, resource: Resource) -> None:
        with self.lock:
            self.living[resource.kind] = resource, time.time_ns()

    def problem(self, resource: Resource, sentence: str) -> None:
        with self.lock:
            self.problems[resource.kind] = resource, sentence

    def _put(self, item: _Item) -> None:
        while not self._stopped.is_set():
            try:
                self.items.put(item, timeout=TICK)
            except queue.Full:
                continue
            return


class ClusterFollower:
    """Follows some kinds of objects, and keeps what is known of them.

    Args:
        access: to the API.
        resources: that are followed.
        node: whose pods are followed; empty for all.
        cluster: where they are kept.
        say: tells people what keeps something from being followed, and when that is over.
    """

    def __init__(
        self,
        access: Access,
        resources: Sequence[Resource],
        node: str,
        cluster: Cluster,
        say: Callable[[str], object],
    ) -> None:
        """Ask nothing yet."""
        self._cluster = cluster
        self._say = say
        self._stopped = threading.Event()
        self._queue = _Queue(self._stopped)
        self._told: dict[str, str] = {}
        self._noted: dict[str, dict[str, int]] = {}  # what went wrong, as it was kept last
        self._waiting: list[_Item] = []
        self._alive_due = 0.0
        self._room_due = 0.0
        self._connections = [Connection(access) for _ in resources]
        self.reflectors = [
            Reflector(
                one, connection, self._queue, self._stopped,
                f"spec.nodeName={node}" if node and one.kind == "Pod" else "",
            )
            for one, connection in zip(resources, self._connections, strict=True)
        ]  # fmt: skip
        self._threads = [
            threading.Thread(target=one.run, name=f"follow-{resource.name}", daemon=True)
            for one, resource in zip(self.reflectors, resources, strict=True)
        ]

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Follow until ``stop``, or until something is so, which is asked about once a second."""
        for thread in self._threads:
            thread.start()
        problem = ""
        while not self._stopped.is_set() and not until():
            self._take()
            try:
                self._write()
                problem = ""
            except StoreError as error:
                if str(error) != problem:
                    problem = str(error)
                    self._say(f"What is known of the cluster cannot be kept: {error}")
                self._stopped.wait(TICK)
        self._end()

    def stop(self) -> None:
        """End soon; may be called from another thread or a signal handler."""
        self._stopped.set()
        with contextlib.suppress(queue.Full):  # then nobody waits for something to write
            self._queue.items.put_nowait(_NOTHING)

    def _end(self) -> None:
        self._stopped.set()
        for connection in self._connections:
            connection.stop()
        deadline = time.monotonic() + _END
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _take(self) -> None:
        """Wait for something to write, and take what is there."""
        if len(self._waiting) >= AT_ONCE:
            return  # it could not be written
        try:
            self._waiting.append(self._queue.items.get(timeout=TICK))
            while len(self._waiting) < AT_ONCE:
                self._waiting.append(self._queue.items.get_nowait())
        except queue.Empty:
            return

    def _write(self) -> None:
        now = time.monotonic()
        living, problems = self._due(now)
        if self._waiting or living or problems:
            with self._cluster.batch():
                for what, resource, found in self._waiting:
                    self._apply(what, resource, found)
                for resource, at in living:
                    self._cluster.alive(resource, at)
                if living:
                    self._note_counts()
                for resource, sentence in problems:
                    self._cluster.problem(resource, sentence)
            self._waiting.clear()
        for resource, sentence in problems:
            self._tell(resource, sentence)
        if now >= self._room_due:
            self._room_due = now + ROOM_EVERY
            self._cluster.addresses.make_room(time.time_ns())

    def _apply(self, what: str, resource: Resource, found: Plain) -> None:
        match what:
            case "begin":
                self._cluster.begin(resource)
            case "put":
                self._cluster.put(resource, found)
            case "remove":
                self._cluster.remove(resource, found)
            case "settle":
                self._cluster.settle(resource)
            case _:
                pass

    def _note_counts(self) -> None:
        for one in self.reflectors:
            counts = one.counts.copy()
            if self._noted.get(one.resource.kind) != counts:
                self._cluster.counted(one.resource, counts)
                self._noted[one.resource.kind] = counts

    def _due(self, now: float) -> tuple[list[tuple[Resource, int]], list[tuple[Resource, str]]]:
        with self._queue.lock:
            problems = [one for kind, one in self._queue.problems.items() if one[1] != self._told.get(kind, "")]
            self._queue.problems.clear()
            if now < self._alive_due or not self._queue.living:
                return [], problems
            self._alive_due = now + ALIVE_EVERY
            living = list(self._queue.living.values())
            self._queue.living.clear()
            return living, problems

    def _tell(self, resource: Resource, sentence: str) -> None:
        self._told[resource.kind] = sentence
        if sentence:
            self._say(f"The cluster's {resource.name} are not followed: {sentence}")
        else:
            self._say(f"The cluster's {resource.name} are followed again.")


class _Direct:
    """Keeps what it is told at once, for a list that is asked for once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def begin(self, resource: Resource) -> None:
        self._cluster.begin(resource)

    def put(self, resource: Resource, found: Plain) -> None:
        self._cluster.put(resource, found)

    def remove(self, resource: Resource, found: Plain) -> None:
        self._cluster.remove(resource, found)

    def settle(self, resource: Resource) -> None:
        self._cluster.settle(resource)
        self._cluster.alive(resource)

    def alive(self, resource: Resource) -> None:
        self._cluster.alive(resource)

    def problem(self, resource: Resource, sentence: str) -> None:
        self._cluster.problem(resource, sentence)


def list_once(access: Access, resources: Sequence[Resource], node: str, cluster: Cluster) -> dict[str, str]:
    """List objects once and keep them; return what keeps some from being known, by the name of the resource.

    Raises:
        StoreError: when they cannot be kept.
    """
    problems: dict[str, str] = {}
    for resource in resources:
        connection = Connection(access)
        fields = f"spec.nodeName={node}" if node and resource.kind == "Pod" else ""
        try:
            with cluster.batch():
                Reflector(resource, connection, _Direct(cluster), threading.Event(), fields).list()
        except (ApiError, ConnectionLostError) as error:
            problems[resource.name] = str(error)
        finally:
            connection.close()
    return problems
