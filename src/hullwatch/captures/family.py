"""What belongs to a container in the stream of a host: its own records, those of its pod, and of who started it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec

from hullwatch.captures.split import Part, numbers_and_records
from hullwatch.enrich.cgroup import container_id
from hullwatch.enrich.container import InvalidContainerError
from hullwatch.enrich.container import decode as decode_container
from hullwatch.enrich.names import EVERYWHERE
from hullwatch.events.codec import BrokenStreamError, decode
from hullwatch.events.table import BY_NAME, HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.enrich.gate import ContainerGate
    from hullwatch.enrich.process import Process
    from hullwatch.enrich.saved_state import SavedGate, SavedProcess, SavedState

HOST = ""  # in the place of a container's id

# Of the whole host: what was lost or counted there says nothing of a part of it, and the end of a list of all
# processes would end those that are left out.
_LEFT_OUT = frozenset(
    BY_NAME[name].number
    for name in ("drops", "snapshot_end", "pulse", "kernel_support", "process_counts", "process_question")
)
_ALWAYS = frozenset(BY_NAME[name].number for name in ("clock", "host", "sensor_lost", "tampered", "name_addresses"))
_METADATA = BY_NAME["container"]
_TIMEOUT = BY_NAME["container_timeout"]
_CGROUPS = {BY_NAME[name].number: BY_NAME[name] for name in ("cgroup_mkdir", "cgroup_rmdir")}
_TYPE = struct.Struct("<4xH")


class Family:
    """The containers and processes that belong to one capture.

    Attributes:
        containers: 64-digit ids; ``HOST`` alone for a capture of the host itself.
        keys: the processes of the containers, which did something before they were in them, and those above: (pid,
            start).
    """

    def __init__(self, container: str) -> None:
        """Begin with a container, or ``HOST``."""
        self._container = container
        self.containers: set[str] = {container}
        self.keys: set[tuple[int, int]] = set()

    def look(self, gate: ContainerGate, processes: Iterable[Process]) -> None:
        """Take in who belongs to it by now.

        Args:
            gate: knows the containers.
            processes: all that are known.
        """
        if self._container == HOST:
            return
        self.containers |= gate.pod_of(self._container)
        for process in processes:
            above: Process | None = process if process.container_id in self.containers else None
            while above is not None and above.key not in self.keys:
                self.keys.add(above.key)
                above = above.parent

    def take(self, name: str, part: Part) -> Part:
        """Return what belongs to the capture of a part of the stream.

        Args:
            name: the container's id, ``HOST`` for what no container did.
            part: of the stream.
        """
        if name != HOST:
            return part if name in self.containers else Part(b"", b"")
        kept: list[bytes] = []
        steps: list[int] = []
        last = 0
        for number, record in numbers_and_records(part):
            if self._is_wanted(record):
                kept.append(record)
                steps.append(number - last)
                last = number
        return Part(b"".join(kept), struct.pack(f"<{len(steps)}I", *steps))

    def _is_wanted(self, record: bytes) -> bool:
        (kind,) = _TYPE.unpack_from(record)
        if kind in _LEFT_OUT:
            return False
        if kind in _ALWAYS:
            return True
        try:
            if kind == _METADATA.number:
                return decode_container(str(decode(_METADATA, record)["json"])).full_id in self.containers
            if kind == _TIMEOUT.number:
                return decode(_TIMEOUT, record)["id"] in self.containers
            if kind in _CGROUPS:
                return container_id(str(decode(_CGROUPS[kind], record)["path"])) in self.containers
        except (BrokenStreamError, InvalidContainerError):
            return False
        if self._container == HOST:
            return True
        header = HEADER.unpack_from(record)
        return (header[8], header[4]) in self.keys

    def restrict(self, state: SavedState) -> SavedState:
        """Return what belongs to the capture of all that was known; processes above its own ones do."""
        wanted = [one.container_id in self.containers or (one.pid, one.start) in self.keys for one in state.processes]
        for place in reversed(range(len(wanted))):  # a parent stands before its children
            process = state.processes[place]
            if wanted[place] and process.parent >= 0:
                wanted[process.parent] = True
        if self._container != HOST:
            self.keys |= {
                (one.pid, one.start) for one, is_wanted in zip(state.processes, wanted, strict=True) if is_wanted
            }
        places: dict[int, int] = {}
        programs: dict[int, int] = {}
        kept: list[SavedProcess] = []
        for place, process in enumerate(state.processes):
            if wanted[place]:
                places[place] = len(kept)
                program = programs.setdefault(process.program, len(programs))
                parent = places.get(process.parent, -1)
                kept.append(msgspec.structs.replace(process, parent=parent, program=program))
        return msgspec.structs.replace(
            state,
            processes=tuple(kept),
            programs=tuple(state.programs[program] for program in programs),
            gate=self._restrict_gate(state.gate),
            cgroups=tuple(one for one in state.cgroups if one[2] in self.containers or one[2] == HOST),
            names=tuple(one for one in state.names if one.container_id in {*self.containers, EVERYWHERE}),
            drops=(),
        )

    def _restrict_gate(self, gate: SavedGate) -> SavedGate:
        ids = self.containers
        return msgspec.structs.replace(
            gate,
            containers=tuple(text for text in gate.containers if decode_container(text).full_id in ids),
            announced=tuple(one for one in gate.announced if one in ids),
            active=tuple(one for one in gate.active if one in ids),
            named=tuple(one for one in gate.named if one[0] in ids),
            waiting=tuple(one for one in gate.waiting if one[0] in ids),
        )
