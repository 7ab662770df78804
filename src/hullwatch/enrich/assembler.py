"""From records to events: state is kept in the order of the stream, and each event gets what is known around it.

Everything that changes the outcome is a record of the stream, metadata and time-outs included; so the same
bytes give the same events, live and from a capture.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.counters import ProcessCounts
from hullwatch.enrich.cgroup import find_container
from hullwatch.enrich.container import HOST, Container, InvalidContainerError
from hullwatch.enrich.container import decode as decode_container
from hullwatch.enrich.contexts import Contexts
from hullwatch.enrich.drift import Drift
from hullwatch.enrich.drop_counts import DropCounts
from hullwatch.enrich.gate import ContainerGate
from hullwatch.enrich.kept_records import KeptRecords, read_child
from hullwatch.enrich.known_cgroups import KnownCgroups
from hullwatch.enrich.losses import Losses
from hullwatch.enrich.names import Names
from hullwatch.enrich.namespaces import read_namespaces
from hullwatch.enrich.process_change import CHANGING
from hullwatch.enrich.program_record import LazyParameters, ProgramRecords, has_failed
from hullwatch.enrich.saved_state import SavedState, restore_processes, save_processes
from hullwatch.enrich.tampering import Tampering
from hullwatch.enrich.tree import ProcessTree
from hullwatch.events.codec import BrokenStreamError, check_record, decode
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME, BY_NUMBER, FLAGS, HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hullwatch.counters import Counters
    from hullwatch.enrich.cgroup import CgroupContainer
    from hullwatch.enrich.notice import Notice
    from hullwatch.enrich.process import Process
    from hullwatch.events.codec import Value
    from hullwatch.events.table import EventType

UNANNOUNCED_KEPT = 65_536  # between two lists of all processes; more are not counted

_TIERS = {number: name for name, number in FLAGS["tiers"].items()}
_FORKS = frozenset(BY_NAME[name].number for name in ("clone", "fork", "vfork", "clone3"))
_EXIT = BY_NAME["procexit"].number
_COUNTS = BY_NAME["process_counts"].number
_QUESTION = BY_NAME["process_question"].number
_DNS = BY_NAME["dns"].number


class Started(NamedTuple):
    """A process that runs a program, as a record told; ``full_id`` is its container's.

    ``asked`` tells whether something was asked about the file, as it has to be for each such process.
    """

    header: tuple[int, ...]
    process: Process
    full_id: str
    result: int
    asked: bool


class Assembler:
    """Turns batches of records into events, in order.

    Args:
        counters: of the run.
        request_container: called with the 64-digit id of a container that is not known.
        hold_events: how many events may wait for metadata.
        wanted: names of the event types that rules look at; None for all. Others only change state.
        forget: told of whatever changes what is known around a process.
        drift: finds which files are to be compared with the image.
    """

    def __init__(
        self,
        counters: Counters,
        request_container: Callable[[str], None],
        hold_events: int,
        wanted: frozenset[str] | None = None,
        forget: Contexts | None = None,
        drift: Drift | None = None,
    ) -> None:
        """Start with nothing known."""
        self.counters = counters
        self._contexts = forget or Contexts()
        self._cgroups = KnownCgroups()
        self.tree = ProcessTree(
            self._contexts.forget_process, self._contexts.forget_changed, read_child, self._run_program
        )
        self.kept = KeptRecords(self.tree, self._contexts, self._cgroups.get)
        self.gate = ContainerGate(request_container, counters, hold_events, self._contexts.forget_container)
        self.number = 0  # of the last event
        self._programs = ProgramRecords()
        self.drift = drift or Drift()
        self.names = Names()
        self.gaps = 0  # signs that the tree misses something: unannounced processes, lost events
        self._listed = False  # whether all processes were told of once: before that most are met unannounced
        self._unannounced: set[tuple[int, int]] = set()
        self.clock_offset = 0  # wall clock minus time since boot, ns
        self.wanted = wanted
        self.sensor_pulse: tuple[int, int] | None = None  # its process and its CPU time in ns, as it said last
        self._notices: list[Notice] = []
        self._losses = Losses(counters)
        self._tampering = Tampering()
        self._drops = DropCounts(counters, self._losses)
        self._about_drift = {
            BY_NAME["mapped_library"].number: self._library_mapped,
            BY_NAME["drift"].number: self._drift_found,
        }
        self._state: dict[int, Callable[[int, dict[str, Any]], list[Event]]] = {
            BY_NAME["clock"].number: self._clock,
            BY_NAME["cgroup_mkdir"].number: self._cgroup_made,
            BY_NAME["cgroup_rmdir"].number: self._cgroup_removed,
            BY_NAME["drops"].number: self._count_drops,
            BY_NAME["host"].number: self._host_known,
            BY_NAME["snapshot_end"].number: self._snapshot_ended,
            BY_NAME["kernel_support"].number: self._note_support,
            BY_NAME["container"].number: self._container_known,
            BY_NAME["container_timeout"].number: self._container_late,
            BY_NAME["sensor_lost"].number: self._sensor_lost,
            BY_NAME["pulse"].number: self._pulse,
            BY_NAME["tampered"].number: self._tampered,
            BY_NAME["name_addresses"].number: self.names.resolved,
        }

    def feed(self, batch: bytes) -> Iterator[Event]:
        """Yield the events of a batch that can be judged, each with its process and container.

        A record that cannot be read is counted and passed over; its neighbours are not harmed.

        Raises:
            BrokenStreamError: when the batch is not a sequence of records.
        """
        offset, size = 0, len(batch)
        while offset < size:
            length, number = check_record(batch, offset)
            kind = BY_NUMBER.get(number)
            if kind is not None and kind.is_event and kind.origin == "sensor":
                self.number += 1
                self._count(kind.name)
                if not kind.state and number != _DNS and self.wanted is not None and kind.name not in self.wanted:
                    offset += length
                    continue
            yield from self.record(batch, offset)
            offset += length

    def record(self, batch: bytes, offset: int, noted: Process | None = None) -> list[Event]:
        """Take one record that is whole; return the events that can be judged after it.

        Its number (``evt.num``) is the present one. A record that cannot be read is counted.

        Args:
            batch: of records.
            offset: where the record begins.
            noted: what ``note`` gave, which took it before, so that only the event is to be made.
        """
        header = HEADER.unpack_from(batch, offset)
        kind = BY_NUMBER.get(header[1])
        try:
            if kind is None or kind.category == "control":
                raise BrokenStreamError(f"record type {header[1]} is not one that an engine is sent")
            change = self._state.get(header[1])
            if change is not None:
                return change(header[3], decode(kind, batch, offset))
            about_drift = self._about_drift.get(header[1])
            if about_drift is not None:
                return about_drift(header, decode(kind, batch, offset))
            if kind.layout.name == "program" and not (kind.is_event and has_failed(batch, offset)):
                started = self._program_started(kind, header, batch, offset)
                self._contexts.forget_process(started.process)
                return self.program_event(started, batch, offset) if kind.is_event else []
            if header[1] == _QUESTION:  # which a sensor has asked, and perhaps another engine answered
                return []
            if header[1] == _COUNTS:
                self._counted(header, decode(kind, batch, offset))
                return []
            return self._process_record(kind, header, decode(kind, batch, offset), noted)
        except BrokenStreamError:
            self.counters.unreadable_records += 1
            return []

    def note(self, batch: bytes, offset: int) -> Process | None:
        """Take a record of a child or of an end, without its event.

        Returns:
            The process that tells of it, as it was before; None when the record cannot be read.
        """
        header = HEADER.unpack_from(batch, offset)
        number = header[1]
        process = self._known_process(header[8], header[4])
        if number == _EXIT:
            self.tree.ended(process)
            return process
        try:
            values = decode(BY_NUMBER[number], batch, offset)
        except BrokenStreamError:
            self.counters.unreadable_records += 1
            return None
        full_id = self._cgroups.get(header[6], header[5])
        self.tree.forked(process, values, process.container_id if full_id is None else full_id)
        return process

    def started(self, batch: bytes, offset: int) -> Started | None:
        """Take a record of a program that runs; None when it cannot be read, which is counted.

        What is remembered of the process itself is void now; that of its descendants was forgotten.
        """
        header = HEADER.unpack_from(batch, offset)
        try:
            return self._program_started(BY_NUMBER[header[1]], header, batch, offset)
        except BrokenStreamError:
            self.counters.unreadable_records += 1
            return None

    def surroundings(self, batch: bytes, offset: int, process: Process | None = None) -> Event | None:
        """Return an event without parameters, with what is known around the call that a record tells of.

        None when that is not settled: the process or its container is not known, or waits to be announced.
        """
        header = HEADER.unpack_from(batch, offset)
        process = process or self.tree.find(header[8], header[4])
        if process is None:
            return None
        full_id = self._cgroups.get(header[6], header[5])
        container = self.gate.settled(process.container_id if full_id is None else full_id)
        if container is None:
            return None
        return self.around(header, process, container)

    @staticmethod
    def around(header: tuple[int, ...], process: Process, container: Container) -> Event:
        """Return an event that has no parameters, but what is known around it."""
        return Event(
            number=0, time=0, type=BY_NUMBER[header[1]], params={}, process=process, container=container, uid=header[7]
        )

    def program_event(self, started: Started, batch: bytes, offset: int) -> list[Event]:
        """Make the event of a program's start, if rules look at such ones; return what can be judged now."""
        kind = BY_NUMBER[started.header[1]]
        params = LazyParameters(kind, batch[offset : offset + started.header[0]], started.result)
        return self._event(kind, started.header, params, started.process, started.full_id)

    def _program_started(self, kind: EventType, header: tuple[int, ...], batch: bytes, offset: int) -> Started:
        """Handle the start of a program, or a process that runs one already."""
        _, _, _, time, start, cgroup_id, hierarchy, uid, pid, _, _, _, _ = header
        record = self._programs.read(kind, batch, offset)
        full_id = record.texts.container_id
        self._remember_cgroup(hierarchy, cgroup_id, record.texts.container)
        if not kind.is_event and (pid, start) in self._unannounced:
            self._unannounced.remove((pid, start))
            self.counters.repaired += 1
        program = record.program(uid, time if kind.is_event else 0, self.tree.host_namespaces)
        process = self.tree.ran_program(pid, start, program, record, listed=not kind.is_event)
        asked = bool(full_id) and self.drift.started(
            header, process, record, self.clock_offset, listed=not kind.is_event
        )
        return Started(header, process, full_id, record.result, asked)

    def _process_record(
        self, kind: EventType, header: tuple[int, ...], values: dict[str, Any], noted: Process | None
    ) -> list[Event]:
        """Handle what a process did: keep the tree, then make the event if rules look at it."""
        _, number, _, time, start, cgroup_id, hierarchy, _, pid, tid, _, _, _ = header
        full_id = self._cgroups.get(hierarchy, cgroup_id)
        process = noted or self._known_process(pid, start)
        if full_id is None:
            full_id = process.container_id
        if noted is not None:
            pass
        elif number in _FORKS:
            self.tree.forked(process, values, full_id)
        elif number == _EXIT:
            self.tree.ended(process)
        elif number in CHANGING:
            self.tree.changed(process, kind.name, values, by_leader=pid == tid)
        elif number == _DNS:
            self.names.heard(full_id, values, time)
        return self._event(kind, header, values, process, full_id)

    def _event(
        self, kind: EventType, header: tuple[int, ...], params: Mapping[str, Value], process: Process, full_id: str
    ) -> list[Event]:
        """Make the event, if rules look at such ones; return what can be judged now."""
        if self.wanted is not None and kind.name not in self.wanted:
            return []
        size, _, flags, time, _, _, _, uid, _, tid, _, cpu, _ = header
        event = Event(
            number=self.number,
            time=time + self.clock_offset,
            type=kind,
            params=params,
            process=process,
            container=HOST,
            uid=uid,
            tid=tid,
            cpu=cpu,
            flags=flags,
        )
        event.names = self.names
        return self._numbered(self.gate.admit(event, full_id, time, size))

    def _run_program(self, record: bytes) -> None:
        """Let its process run what a record tells that was kept: nothing else follows from it."""
        header = HEADER.unpack_from(record)
        read = self._programs.read(BY_NUMBER[header[1]], record, 0)
        self.tree.ran_program(header[8], header[4], read.program(header[7], header[3], self.tree.host_namespaces), read)

    def container_of(self, cgroup_id: int, hierarchy: int) -> str:
        """Return the 64-digit id of the container that a control group belongs to, or did until lately; else empty."""
        return self._cgroups.was(hierarchy, cgroup_id)

    def container_id(self, header: tuple[int, ...]) -> str:
        """Return the 64-digit id of the container that a call was made in; empty for the host."""
        full_id = self._cgroups.get(header[6], header[5])
        if full_id is not None:
            return full_id
        process = self.tree.find(header[8], header[4])
        return "" if process is None else process.container_id

    def saved(self) -> SavedState:
        """Return all that was learnt from the records until now."""
        processes, programs = save_processes(self.tree.processes)
        return SavedState(
            number=self.number,
            clock_offset=self.clock_offset,
            processes=processes,
            programs=programs,
            gate=self.gate.saved(),
            cgroups=tuple(self._cgroups.saved()),
            drops=tuple(self._drops.saved()),
            host_namespaces=self.tree.host_namespaces,
            names=self.names.saved(),
        )

    def restore(self, state: SavedState) -> None:
        """Know what ``saved`` returned, and nothing else.

        Raises:
            ValueError: when it contradicts itself.
        """
        self._contexts.forget_all()
        self.tree.restore(restore_processes(state))
        self.tree.host_namespaces = tuple(state.host_namespaces)
        self.gate.restore(state.gate)
        self.number, self.clock_offset = state.number, state.clock_offset
        self.names.restore(state.names, state.clock_offset)
        self._cgroups.restore(state.cgroups)
        self._drops.restore(state.drops)

    def _library_mapped(self, header: tuple[int, ...], values: dict[str, Any]) -> list[Event]:
        """Have a library compared with the image."""
        process = self._known_process(header[8], header[4])
        full_id = self._cgroups.get(header[6], header[5])
        full_id = process.container_id if full_id is None else full_id
        self.drift.mapped(header, process, full_id, values, self.clock_offset)
        return []

    def _drift_found(self, header: tuple[int, ...], values: dict[str, Any]) -> list[Event]:
        """Make the event of what was found out about a file that a process ran."""
        _, number, _, time, start, _, _, uid, pid, tid, _, cpu, _ = header
        self.counters.found_drift(values["verdict"], values["reason"])
        runner = self.drift.runner(pid, start, values)
        if self.wanted is not None and "drift" not in self.wanted:
            return []
        process = self.tree.find_or_add(pid, start) if runner is None else runner.process
        event = Event(
            number=0, time=time + self.clock_offset, type=BY_NUMBER[number], params=values,
            process=process, container=HOST, uid=uid, tid=tid, cpu=cpu,
        )  # fmt: skip
        if runner is not None:  # it may run something else by now
            event.program = runner.program
        return self._numbered(self.gate.admit(event, process.container_id if runner is None else runner.full_id, time))

    def _counted(self, header: tuple[int, ...], values: dict[str, Any]) -> None:
        """Note what a process has done."""
        process = self.tree.find(header[8], header[4])
        name = f"{process.program.comm if process is not None else '?'} ({header[8]})"
        if process is not None and process.container_id:
            name += f" in {process.container_id[:12]}"
        self.counters.note_process(header[4], header[8], ProcessCounts(name=name, **values))

    def _count(self, name: str) -> None:
        self.counters.events[name] = self.counters.events.get(name, 0) + 1

    def _known_process(self, pid: int, start: int) -> Process:
        process = self.tree.find(pid, start)
        if process is None:
            self.gaps += 1
            if self._listed and len(self._unannounced) < UNANNOUNCED_KEPT:
                self.counters.unannounced += 1
                self._unannounced.add((pid, start))
            process = self.tree.find_or_add(pid, start)
        return process

    def _remember_cgroup(self, hierarchy: int, cgroup_id: int, container: CgroupContainer | None) -> None:
        full_id = container.id if container is not None else ""
        if self._cgroups.get(hierarchy, cgroup_id) == full_id:
            return
        if container is not None:
            self.gate.named(container)
        self._contexts.forget_cgroup(hierarchy, cgroup_id)
        forgotten = self._cgroups.put((hierarchy, cgroup_id), full_id)
        if forgotten is not None:
            self._contexts.forget_cgroup(*forgotten)

    def _clock(self, time: int, values: dict[str, Any]) -> list[Event]:
        self.clock_offset = self.names.clock_offset = values["realtime"] - time
        self.counters.processes_forgotten = self.tree.forgotten
        self._look_at_losses(time)
        return []

    def take_notices(self) -> list[Notice]:
        """Return what the stream has said of Hullwatch itself since the last time."""
        notices, self._notices = self._notices, []
        return notices

    def _look_at_losses(self, time: int) -> None:
        self._notices += self._losses.look(time, self.number, self.clock_offset)

    def _pulse(self, _time: int, values: dict[str, Any]) -> list[Event]:
        self.sensor_pulse = values["pid"], values["cpu_time"]
        return []

    def _tampered(self, time: int, values: dict[str, Any]) -> list[Event]:
        caller = self.tree.find(values["caller_pid"], values["caller_start"])
        self.counters.tampered += 1
        self._notices += self._tampering.found(time, self.clock_offset, values, caller)
        return []

    def _cgroup_made(self, _time: int, values: dict[str, Any]) -> list[Event]:
        container = find_container(values["path"])
        self._remember_cgroup(values["hierarchy"], values["id"], container)
        if container is not None:
            self.gate.expect(container.id)
        return []

    def _cgroup_removed(self, _time: int, values: dict[str, Any]) -> list[Event]:
        group = values["hierarchy"], values["id"]
        self._cgroups.removed(group)
        self._contexts.forget_cgroup(*group)
        return []

    def _count_drops(self, time: int, values: dict[str, Any]) -> list[Event]:
        self.gaps += self._drops.take(values["counts"])
        self._look_at_losses(time)
        return []

    def _host_known(self, _time: int, values: dict[str, Any]) -> list[Event]:
        self.tree.host_namespaces = read_namespaces(values["namespaces"])
        return []

    def _snapshot_ended(self, _time: int, values: dict[str, Any]) -> list[Event]:
        self.tree.snapshot_ended(values["started"])
        self._listed = True
        self._unannounced.clear()  # what is not in the list has ended
        return []

    def _note_support(self, _time: int, values: dict[str, Any]) -> list[Event]:
        unseen = values["unseen"]
        numbers = struct.unpack_from(f"<{len(unseen) // 2}H", unseen)
        self.counters.tier = _TIERS.get(values["tier"], str(values["tier"]))
        self.counters.lacks = tuple(name for name, bit in FLAGS["kernel_lacks"].items() if values["lacks"] & bit)
        self.counters.unseen = tuple(sorted(BY_NUMBER[one].name for one in numbers if one in BY_NUMBER))
        return []

    def _container_known(self, time: int, values: dict[str, Any]) -> list[Event]:
        try:
            container = decode_container(values["json"])
        except InvalidContainerError as error:
            raise BrokenStreamError(str(error)) from error
        return self._numbered(self.gate.learn(container, time + self.clock_offset))

    def _container_late(self, _time: int, values: dict[str, Any]) -> list[Event]:
        return self.gate.give_up(values["id"], values["reason"])

    def _sensor_lost(self, _time: int, _values: dict[str, Any]) -> list[Event]:
        self.tree.snapshot_lost()
        self._drops.clear()
        self.sensor_pulse = None
        self._cgroups.clear()
        self._contexts.forget_all()
        return []

    def _numbered(self, events: list[Event]) -> list[Event]:
        for event in events:
            if event.number == 0:  # the gate made it
                self.number += 1
                event.number = self.number
                self._count(event.type.name)
        return events
