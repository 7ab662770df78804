"""The processes that have to do with some containers: those in them, those above these, and those below.

A process comes into a container long after it was started, so they are looked for before anything is cut out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.captures.records import HEAD
from hullwatch.enrich.cgroup import find_container
from hullwatch.enrich.container import decode as decode_container
from hullwatch.enrich.names import EVERYWHERE
from hullwatch.events.codec import BrokenStreamError, check_record, decode
from hullwatch.events.table import BY_NAME, EVENTS, HEADER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any

    from hullwatch.enrich.assembler import Assembler
    from hullwatch.enrich.process import Process
    from hullwatch.enrich.saved_state import SavedProcess, SavedState

CARRY_STATE = {
    kind.number: kind
    for kind in EVENTS
    if kind.category != "control"
    and kind.name != "process_question"
    and (kind.state or not kind.is_event or kind.name == "container")
}
"""Records that change what is known around events, by number."""

_FORKS = frozenset(BY_NAME[name].number for name in ("clone", "fork", "vfork", "clone3"))
_OF_PROCESSES = frozenset(
    number
    for number, kind in CARRY_STATE.items()
    if (kind.is_event and kind.origin == "sensor") or kind.name in {"process", "process_counts", "mapped_library"}
)
_OF_CONTAINERS = frozenset(
    BY_NAME[name].number for name in ("cgroup_mkdir", "cgroup_rmdir", "container", "container_timeout")
)
_CONTAINER, _TIMEOUT = BY_NAME["container"].number, BY_NAME["container_timeout"].number
ANSWER_KINDS = frozenset({_CONTAINER, _TIMEOUT})
"""Records by which events that wait for a container's metadata are let go, by number."""

Key = tuple[int, int]  # pid and start of a process


class Relatives:
    """Finds the processes, and tells which records of state are about them.

    Attributes:
        containers: 64-digit ids of the containers.
        keys: of the processes that were found.
    """

    def __init__(self, containers: Collection[str]) -> None:
        """Know none yet."""
        self.containers = frozenset(containers)
        self.keys: set[Key] = set()
        self._inside: set[Key] = set()  # those in the containers, and those below

    def known(self, processes: Iterable[Process]) -> None:
        """Look at processes that are known, in any order."""
        for process in processes:
            above: Process | None = process
            while above is not None and above.container_id not in self.containers:
                above = above.parent
            if above is not None:
                self._enter(process)

    def learn(self, assembler: Assembler, batch: bytes) -> None:
        """Let the assembler learn from a batch, and look at each process that something is told of.

        Raises:
            BrokenStreamError: when the batch is not a sequence of records.
        """
        find, offset, size = assembler.tree.find, 0, len(batch)
        while offset < size:
            length, number = check_record(batch, offset)
            kind = CARRY_STATE.get(number)
            header = HEADER.unpack_from(batch, offset)
            if kind is not None:
                assembler.record(batch, offset)
            process = find(header[8], header[4])
            if process is not None:
                if number in _FORKS:
                    child = find(*_child(batch, offset))
                    if child is not None:
                        self._look(child)
                if assembler.container_id(header) in self.containers:
                    self._enter(process)
                else:
                    self._look(process)
            offset += length

    def _look(self, process: Process) -> None:
        if process.container_id in self.containers or (
            process.parent is not None and process.parent.key in self._inside
        ):
            self._enter(process)

    def _enter(self, process: Process) -> None:
        self._inside.add(process.key)
        above: Process | None = process
        while above is not None:
            parent = above.parent
            if above.key in self.keys and (parent is None or parent.key in self.keys):
                return
            self.keys.add(above.key)
            above = parent

    def concern(self, batch: bytes, offset: int) -> bool:
        """Tell whether a record of state says something of the processes and containers, or of the host."""
        number = HEAD.unpack_from(batch, offset)[1]
        if number in _FORKS:
            return _child(batch, offset) in self.keys
        if number in _OF_PROCESSES:
            header = HEADER.unpack_from(batch, offset)
            return (header[8], header[4]) in self.keys
        if number in _OF_CONTAINERS:
            return container_told_of(batch, offset) in self.containers
        return True

    def only(self, state: SavedState) -> SavedState:
        """Return what a state says of them."""
        kept: list[SavedProcess] = []
        programs: dict[int, int] = {}
        places: dict[int, int] = {-1: -1}
        for place, one in enumerate(state.processes):
            if (one.pid, one.start) in self.keys:
                places[place] = len(kept)
                program = programs.setdefault(one.program, len(programs))
                kept.append(msgspec.structs.replace(one, parent=places.get(one.parent, -1), program=program))
        gate, mine = state.gate, self.containers
        return msgspec.structs.replace(
            state,
            processes=tuple(kept),
            programs=tuple(state.programs[place] for place in programs),
            cgroups=tuple(group for group in state.cgroups if group[2] in mine),
            names=tuple(one for one in state.names if one.container_id in {*mine, EVERYWHERE}),
            gate=msgspec.structs.replace(
                gate,
                containers=tuple(text for text in gate.containers if decode_container(text).full_id in mine),
                announced=tuple(one for one in gate.announced if one in mine),
                active=tuple(one for one in gate.active if one in mine),
                named=tuple(one for one in gate.named if one[0] in mine),
                waiting=tuple(one for one in gate.waiting if one[0] in mine),
            ),
        )


def _child(batch: bytes, offset: int) -> Key:
    """Return the process that a record of a fork tells of."""
    values = _values(batch, offset)
    return values.get("res", 0), values.get("child_start", 0)


def container_told_of(batch: bytes, offset: int) -> str:
    """Return the 64-digit id of the container that a record of a container or control group is about."""
    number = HEAD.unpack_from(batch, offset)[1]
    values = _values(batch, offset)
    if number == _TIMEOUT:
        return values.get("id", "")
    if number == _CONTAINER:
        try:
            return decode_container(values.get("json", "")).full_id
        except ValueError:
            return ""
    found = find_container(values.get("path", ""))
    return "" if found is None else found.id


def _values(batch: bytes, offset: int) -> dict[str, Any]:
    """Return what a record says; nothing when it cannot be read, which whoever judges it counts."""
    try:
        return decode(CARRY_STATE[HEAD.unpack_from(batch, offset)[1]], batch, offset)
    except BrokenStreamError:
        return {}
