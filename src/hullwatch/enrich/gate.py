"""Waiting for metadata: a container's events are judged in order, with its name, or after a bounded time without."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.as_it_was import as_it_is
from hullwatch.enrich.cgroup import CgroupContainer
from hullwatch.enrich.container import (
    HOST,
    ONLY_NAMED,
    Container,
    decode,
    encode,
    shared,
    unknown,
    with_cgroup,
    with_name,
)
from hullwatch.enrich.process import Process
from hullwatch.enrich.saved_state import SavedGate
from hullwatch.enrich.sharing import Shared
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.counters import Counters

CONTAINERS_KEPT = 2048  # containers that are remembered, running or not; an evicted one is asked for again

HELD_BYTES = 32 << 20  # of the records of all events that wait: of long paths and arguments only so many can

_CONTAINER_EVENT = BY_NAME["container"]


def _nobody_asks(_: str) -> None:
    pass


class _Waiting(msgspec.Struct):
    since: int  # ns since boot, of the first event
    events: list[Event]
    size: int = 0  # bytes of their records
    processes: dict[Process, Process] = {}  # as they were


class ContainerGate:
    """Gives each event its container, and holds back those whose container is not known yet.

    Args:
        request: called once with the id of a container that is not known.
        counters: of the run.
        maximum: how many events may wait, of all containers together.
        changed: called with the id of a container of which something else is known than before.
    """

    def __init__(
        self,
        request: Callable[[str], None],
        counters: Counters,
        maximum: int,
        changed: Callable[[str], None] = _nobody_asks,
    ) -> None:
        """Start with no container known."""
        self._request = request
        self._changed = changed
        self._counters = counters
        self._maximum = maximum
        self._known: OrderedDict[str, Container] = OrderedDict()
        self._shared = Shared()
        self._announced: set[str] = set()  # rules were told of them
        self._active: set[str] = set()  # they did something while too little was known to tell rules of them
        self._waiting: dict[str, _Waiting] = {}
        self._held = 0
        self._held_bytes = 0
        self._named: OrderedDict[str, CgroupContainer] = OrderedDict()  # by what cgroups are called
        self._made: OrderedDict[str, Container] = OrderedDict()  # what engines told when they made them
        self._expected: OrderedDict[str, None] = OrderedDict()  # asked for since their cgroup was made

    @property
    def held(self) -> int:
        """How many events wait."""
        return self._held

    def named(self, container: CgroupContainer) -> None:
        """Take what a cgroup's name says of its container."""
        self._named[container.id] = container
        if len(self._named) > CONTAINERS_KEPT:
            self._named.popitem(last=False)

    def expect(self, full_id: str) -> None:
        """Ask for a container whose cgroup was made: its first event, which comes soon, need not wait then."""
        if full_id in self._known or full_id in self._waiting or full_id in self._expected:
            return
        self._expected[full_id] = None
        if len(self._expected) > CONTAINERS_KEPT:
            self._expected.popitem(last=False)
        self._request(full_id)

    def admit(self, event: Event, full_id: str, boot_time: int, size: int = 0) -> list[Event]:
        """Return the events that can be judged now: this one, none, or this one behind the container's own.

        Args:
            event: in the order of the stream.
            full_id: 64 digits; empty for an event of the host.
            boot_time: of the event, ns since boot.
            size: of its record, bytes.
        """
        if not full_id:
            event.container = HOST
            return [event]
        container = self._known.get(full_id)
        if container is None:
            return self._hold(event, full_id, boot_time, size)
        event.container = container
        if full_id in self._announced:
            return [event]
        if not container.complete:
            self._active.add(full_id)
            return [event]
        return [self._announce(container, event.time), event]

    def pod_of(self, full_id: str) -> set[str]:
        """Return the containers of the pod that a container belongs to, as far as is known: at least itself."""
        one = self._known.get(full_id)
        if one is None or not one.pod_uid:
            return {full_id}
        return {full_id} | {other.full_id for other in self._known.values() if other.pod_uid == one.pod_uid}

    def settled(self, full_id: str) -> Container | None:
        """Return the container if its events are let through, and nothing has to be said of it before; else None."""
        if not full_id:
            return HOST
        container = self._known.get(full_id)
        if container is None or full_id in self._announced:
            return container
        return container if not container.complete and full_id in self._active else None

    def _hold(self, event: Event, full_id: str, boot_time: int, size: int) -> list[Event]:
        waiting = self._waiting.get(full_id)
        if waiting is None:
            waiting = self._waiting[full_id] = _Waiting(boot_time, [])
            if full_id not in self._expected:  # its answer is on the way else
                self._request(full_id)
        event.held = True
        if event.process is not None:
            event.process = as_it_is(event.process, waiting.processes)
        waiting.events.append(event)
        waiting.size += size
        self._held += 1
        self._held_bytes += size
        self._counters.held += 1
        if self._held > self._maximum or self._held_bytes > HELD_BYTES:
            return self.give_up(full_id, "too many events were waiting")
        return []

    def learn(self, container: Container, time: int) -> list[Event]:
        """Take a container's metadata; return the events that waited for it.

        Args:
            container: complete, or what is known when the engine does not know it.
            time: ns since the epoch.
        """
        full_id = container.full_id
        if container.reason == ONLY_NAMED:
            self._take_name(container)
            return []
        self._expected.pop(full_id, None)
        if not container.complete and full_id not in self._known and full_id not in self._waiting:
            return []  # it was asked for early, perhaps too early: its first event asks again
        container = self._with_what_else_is_known(container)
        if container.complete:
            self._made.pop(full_id, None)
        before = self._known.pop(full_id, None)
        if before is None:
            self._counters.containers_seen += 1
        elif before.complete and not container.complete:
            container = before  # the engine has forgotten it; what it said remains true
        self._known[full_id] = container = shared(container, self._shared)
        self._changed(full_id)
        self._forget_oldest()
        ready: list[Event] = []
        runs = container.running or full_id in self._waiting or full_id in self._active
        if container.complete and runs and full_id not in self._announced:
            ready.append(self._announce(container, time))
        return ready + self._release(full_id, container)

    def _take_name(self, container: Container) -> None:
        """Take what an engine told when it made a container: it counts as long as nothing better comes."""
        full_id = container.full_id
        self._made[full_id] = container
        if len(self._made) > CONTAINERS_KEPT:
            self._made.popitem(last=False)
        before = self._known.get(full_id)
        if before is not None and not before.complete:
            self._known[full_id] = shared(self._with_what_else_is_known(before), self._shared)
            self._changed(full_id)

    def _with_what_else_is_known(self, container: Container) -> Container:
        full_id = container.full_id
        return with_cgroup(with_name(container, self._made.get(full_id)), self._named.get(full_id))

    def give_up(self, full_id: str, reason: str) -> list[Event]:
        """Judge a container's events without its metadata; it may still come for later ones."""
        if full_id not in self._waiting:
            return []
        container = self._with_what_else_is_known(unknown(full_id, reason))
        self._known[full_id] = container
        self._changed(full_id)
        self._forget_oldest()
        self._active.add(full_id)
        self._counters.containers_seen += 1
        return self._release(full_id, container)

    def _release(self, full_id: str, container: Container) -> list[Event]:
        waiting = self._waiting.pop(full_id, None)
        if waiting is None:
            return []
        self._held -= len(waiting.events)
        self._held_bytes -= waiting.size
        if not container.complete:
            self._counters.held_timeout += len(waiting.events)
        for event in waiting.events:
            event.container = container
        return waiting.events

    def _announce(self, container: Container, time: int) -> Event:
        """Make the event that tells rules of a container."""
        self._announced.add(container.full_id)
        self._active.discard(container.full_id)
        params = {"json": encode(container)}
        return Event(number=0, time=time, type=_CONTAINER_EVENT, params=params, process=None, container=container)

    def _forget_oldest(self) -> None:
        while len(self._known) > CONTAINERS_KEPT:
            full_id, _ = self._known.popitem(last=False)
            self._announced.discard(full_id)
            self._active.discard(full_id)
            self._changed(full_id)

    def saved(self) -> SavedGate:
        """Return what is known of containers."""
        return SavedGate(
            containers=tuple(encode(container) for container in self._known.values()),
            announced=tuple(self._announced),
            active=tuple(self._active),
            named=tuple((one.id, one.kind, one.pod_uid) for one in self._named.values()),
            waiting=tuple((full_id, waiting.since) for full_id, waiting in self._waiting.items()),
            made=tuple(encode(container) for container in self._made.values()),
        )

    def restore(self, saved: SavedGate) -> None:
        """Know what ``saved`` returned, and nothing else.

        Raises:
            InvalidContainerError: when something in it is not a container's metadata.
        """
        containers = [shared(decode(text), self._shared) for text in saved.containers[-CONTAINERS_KEPT:]]
        self._known = OrderedDict((container.full_id, container) for container in containers)
        self._announced = self._known.keys() & set(saved.announced)
        self._active = self._known.keys() & set(saved.active)
        named = [CgroupContainer(*one) for one in saved.named[-CONTAINERS_KEPT:]]
        self._named = OrderedDict((one.id, one) for one in named)
        made = [decode(text) for text in saved.made[-CONTAINERS_KEPT:]]
        self._made = OrderedDict((container.full_id, container) for container in made)
        self._expected.clear()
        self._waiting = {full_id: _Waiting(since, []) for full_id, since in saved.waiting[-CONTAINERS_KEPT:]}
        self._held = self._held_bytes = 0

    def waiting(self) -> list[Event]:
        """Return the events that wait."""
        return [event for waiting in self._waiting.values() for event in waiting.events] if self._held else []

    def overdue(self, boot_time: int, timeout: int) -> list[str]:
        """Return the containers whose events have waited for ``timeout`` ns and more."""
        return [full_id for full_id, waiting in self._waiting.items() if boot_time - waiting.since >= timeout]

    def next_deadline(self, timeout: int) -> int | None:
        """Return when the first of the waiting containers is overdue, ns since boot; None when none waits."""
        return min((waiting.since + timeout for waiting in self._waiting.values()), default=None)
