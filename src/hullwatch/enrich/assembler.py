"""From records to events: state is kept in the order of the stream, and each event gets what is known around it.

Everything that changes the outcome is a record of the stream, metadata and time-outs included; so the same
bytes give the same events, live and from a capture.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

from hullwatch.enrich.cgroup import container_id
from hullwatch.enrich.container import HOST, InvalidContainerError
from hullwatch.enrich.container import decode as decode_container
from hullwatch.enrich.gate import ContainerGate
from hullwatch.enrich.tree import ProcessTree
from hullwatch.events.codec import BrokenStreamError, decode
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME, BY_NUMBER, FLAGS, HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.counters import Counters
    from hullwatch.enrich.process import Process
    from hullwatch.events.codec import Value
    from hullwatch.events.table import EventType

CGROUPS_KEPT = 65_536

_DROP = struct.Struct("<HHIQ")
_REASONS = {number: name.lower() for name, number in FLAGS["drop_reasons"].items()}
_OWN_PROCESS = FLAGS["drop_reasons"]["OWN_PROCESS"]
_RING_FULL = FLAGS["drop_reasons"]["RING_FULL"]
_TOO_LATE = FLAGS["drop_reasons"]["TOO_LATE"]
_EXECS = frozenset({BY_NAME["execve"].number, BY_NAME["execveat"].number})
_FORKS = frozenset(BY_NAME[name].number for name in ("clone", "fork", "vfork", "clone3"))
_EXIT = BY_NAME["procexit"].number


class Assembler:
    """Turns batches of records into events, in order.

    Args:
        counters: of the run.
        request_container: called with the 64-digit id of a container that is not known.
        hold_events: how many events may wait for metadata.
        wanted: names of the event types that rules look at; None for all. Others only change state.
    """

    def __init__(
        self,
        counters: Counters,
        request_container: Callable[[str], None],
        hold_events: int,
        wanted: frozenset[str] | None = None,
    ) -> None:
        """Start with nothing known."""
        self.counters = counters
        self.tree = ProcessTree()
        self.gate = ContainerGate(request_container, counters, hold_events)
        self.gaps = 0  # signs that the tree misses something: unannounced processes, lost events
        self.clock_offset = 0  # wall clock minus time since boot, ns
        self._wanted = wanted
        self._number = 0
        self._cgroups: dict[tuple[int, int], str] = {}
        self._drops: dict[tuple[int, int], int] = {}
        self._state: dict[int, Callable[[int, dict[str, Value]], list[Event]]] = {
            BY_NAME["clock"].number: self._clock,
            BY_NAME["cgroup_mkdir"].number: self._cgroup_made,
            BY_NAME["cgroup_rmdir"].number: self._cgroup_removed,
            BY_NAME["drops"].number: self._count_drops,
            BY_NAME["snapshot_end"].number: self._snapshot_ended,
            BY_NAME["container"].number: self._container_known,
            BY_NAME["container_timeout"].number: self._container_late,
            BY_NAME["sensor_lost"].number: self._sensor_lost,
        }

    def feed(self, batch: bytes) -> Iterator[Event]:
        """Yield the events of a batch that can be judged, each with its process and container.

        A record that cannot be read is counted and passed over; its neighbours are not harmed.

        Raises:
            BrokenStreamError: when the batch is not a sequence of records.
        """
        offset, size = 0, len(batch)
        header_size, unpack = HEADER.size, HEADER.unpack_from
        while offset < size:
            if size - offset < header_size:
                raise BrokenStreamError(f"{size - offset} bytes are left behind the last record of a batch")
            header = unpack(batch, offset)
            length = header[0]
            if length < header_size or length % 8 or length > size - offset:
                raise BrokenStreamError(f"a record at byte {offset} of a batch claims {length} bytes")
            try:
                events = self._record(header, batch, offset)
            except BrokenStreamError:
                self.counters.unreadable_records += 1
            else:
                if events:
                    yield from events
            offset += length

    def _record(self, header: tuple[int, ...], batch: bytes, offset: int) -> list[Event]:
        number = header[1]
        kind = BY_NUMBER.get(number)
        if kind is None or kind.category == "control":
            raise BrokenStreamError(f"record type {number} is not one that an engine is sent")
        change = self._state.get(number)
        if change is not None:
            return change(header[3], decode(kind, batch, offset))
        if kind.is_event:
            self._number += 1
            self._count(kind.name)
            if not kind.state and self._wanted is not None and kind.name not in self._wanted:
                return []
        return self._process_record(kind, header, decode(kind, batch, offset))

    def _process_record(self, kind: EventType, header: tuple[int, ...], values: dict[str, Value]) -> list[Event]:
        """Handle what a process did: keep the tree, then make the event if rules look at it."""
        _, number, flags, time, start, cgroup_id, hierarchy, uid, pid, tid, _, cpu, _ = header
        full_id = self._cgroups.get((hierarchy, cgroup_id))
        if number in _EXECS or not kind.is_event:  # not kind.is_event: a process of the snapshot
            paths = cast("str", values["cgroup_v1"]), cast("str", values["cgroup_v2"])
            full_id = container_id(paths[0]) or container_id(paths[1]) or ""
            self._remember_cgroup(hierarchy, cgroup_id, full_id)
            exec_time = time if kind.is_event else 0
            process = self.tree.ran_program(pid, start, uid, exec_time, values, full_id)
            if not kind.is_event:
                return []
        else:
            process = self._known_process(pid, start)
            if full_id is None:
                full_id = process.container_id
            if number in _FORKS:
                self.tree.forked(process, values, full_id)
            elif number == _EXIT:
                self.tree.ended(process)
        if self._wanted is not None and kind.name not in self._wanted:
            return []
        event = Event(
            number=self._number,
            time=time + self.clock_offset,
            type=kind,
            params=values,
            process=process,
            container=HOST,
            uid=uid,
            tid=tid,
            cpu=cpu,
            flags=flags,
        )
        return self._numbered(self.gate.admit(event, full_id, time))

    def _count(self, name: str) -> None:
        self.counters.events[name] = self.counters.events.get(name, 0) + 1

    def _known_process(self, pid: int, start: int) -> Process:
        process = self.tree.find(pid, start)
        if process is None:
            self.gaps += 1
            process = self.tree.find_or_add(pid, start)
        return process

    def _remember_cgroup(self, hierarchy: int, cgroup_id: int, full_id: str) -> None:
        if len(self._cgroups) >= CGROUPS_KEPT:
            self._cgroups.pop(next(iter(self._cgroups)))
        self._cgroups[hierarchy, cgroup_id] = full_id

    def _clock(self, time: int, values: dict[str, Value]) -> list[Event]:
        self.clock_offset = cast("int", values["realtime"]) - time
        return []

    def _cgroup_made(self, _time: int, values: dict[str, Value]) -> list[Event]:
        full_id = container_id(cast("str", values["path"])) or ""
        self._remember_cgroup(cast("int", values["hierarchy"]), cast("int", values["id"]), full_id)
        return []

    def _cgroup_removed(self, _time: int, values: dict[str, Value]) -> list[Event]:
        self._cgroups.pop((cast("int", values["hierarchy"]), cast("int", values["id"])), None)
        return []

    def _count_drops(self, _time: int, values: dict[str, Value]) -> list[Event]:
        counts = cast("bytes", values["counts"])
        for number, reason, _, count in _DROP.iter_unpack(counts[: len(counts) // _DROP.size * _DROP.size]):
            more = count - self._drops.get((number, reason), 0)
            self._drops[number, reason] = count
            if more <= 0:
                continue
            kind = BY_NUMBER[number].name if number in BY_NUMBER else "*"
            if reason == _OWN_PROCESS:
                self.counters.excluded[kind] = self.counters.excluded.get(kind, 0) + more
            elif reason == _TOO_LATE:
                self.counters.out_of_order += more
            else:
                self.counters.drop(kind, _REASONS.get(reason, str(reason)), more)
                self.gaps += reason == _RING_FULL
        return []

    def _snapshot_ended(self, _time: int, values: dict[str, Value]) -> list[Event]:
        self.tree.snapshot_ended(cast("int", values["started"]))
        return []

    def _container_known(self, time: int, values: dict[str, Value]) -> list[Event]:
        try:
            container = decode_container(cast("str", values["json"]))
        except InvalidContainerError as error:
            raise BrokenStreamError(str(error)) from error
        return self._numbered(self.gate.learn(container, time + self.clock_offset))

    def _container_late(self, _time: int, values: dict[str, Value]) -> list[Event]:
        return self.gate.give_up(cast("str", values["id"]), cast("str", values["reason"]))

    def _sensor_lost(self, _time: int, _values: dict[str, Value]) -> list[Event]:
        self._drops.clear()  # the next sensor counts from zero
        self._cgroups.clear()
        return []

    def _numbered(self, events: list[Event]) -> list[Event]:
        for event in events:
            if event.number == 0:  # the gate made it
                self._number += 1
                event.number = self._number
                self._count(event.type.name)
        return events
