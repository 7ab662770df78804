"""All that the assembler has learnt, as bytes: so that a capture can be read from its middle.

Texts are bytes there, for those of the kernel need not be UTF-8. Events that wait for a container's metadata at
that moment are no part of it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hullwatch.enrich.names import SavedName
from hullwatch.enrich.process import Process, ProcessKey, Program

# Made anew: what is worked out from the others, or has a meaning only within one run.
_NOT_SAVED = frozenset({"command_line", "content"})
_PROGRAM = tuple(name for name in Program.__slots__ if name not in _NOT_SAVED)
_MOST_PROCESSES = 1 << 22


class SavedStateError(ValueError):
    """The bytes are no saved state; the message says what is wrong."""


class SavedProcess(msgspec.Struct, frozen=True, array_like=True):
    """A process; ``parent`` and ``program`` are places in the lists, the parent's before its children's or -1."""

    pid: int
    start: int
    parent: int
    program: int
    container_id: str
    vpid: int
    alive: bool


class SavedGate(msgspec.Struct, frozen=True):
    """What is known of containers: their metadata as in the ``container`` record, and of which rules were told.

    ``waiting`` are those whose metadata some events waited for, and since when; the events themselves are not saved.
    """

    containers: tuple[str, ...] = ()
    announced: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    named: tuple[tuple[str, str, str], ...] = ()
    waiting: tuple[tuple[str, int], ...] = ()
    made: tuple[str, ...] = ()  # what engines told when they made them, of those that no more is known of


class SavedState(msgspec.Struct, frozen=True):
    """The whole; programs are their values in the order of ``Program``'s slots."""

    number: int
    clock_offset: int
    processes: tuple[SavedProcess, ...]
    programs: tuple[tuple[Any, ...], ...]
    gate: SavedGate
    cgroups: tuple[tuple[int, int, str], ...]
    drops: tuple[tuple[int, int, int], ...]
    host_namespaces: tuple[int, ...] = ()
    names: tuple[SavedName, ...] = ()

    def encode(self) -> bytes:
        """Return the bytes."""
        return msgspec.msgpack.encode(self)


def decode(data: bytes) -> SavedState:
    """Return what ``SavedState.encode`` gave.

    Raises:
        SavedStateError: when these are other bytes.
    """
    try:
        return msgspec.msgpack.decode(data, type=SavedState)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SavedStateError(f"the state in it cannot be read: {error}") from error


def save_processes(processes: list[Process]) -> tuple[tuple[SavedProcess, ...], tuple[tuple[Any, ...], ...]]:
    """Return processes, with ancestors that are remembered by them alone, and the programs that they run."""
    places: dict[ProcessKey, int] = {}
    programs: dict[int, int] = {}
    saved: list[SavedProcess] = []
    saved_programs: list[tuple[Any, ...]] = []
    for process in processes:
        line = [process]
        while (above := line[-1].parent) is not None and above.key not in places:
            line.append(above)
        for one in reversed(line):
            if one.key in places:
                continue
            program = programs.setdefault(id(one.program), len(programs))
            if program == len(saved_programs):
                saved_programs.append(tuple(_packed(getattr(one.program, name)) for name in _PROGRAM))
            parent = -1 if one.parent is None else places[one.parent.key]
            places[one.key] = len(saved)
            saved.append(SavedProcess(*one.key, parent, program, one.container_id, one.vpid, one.alive))
    return tuple(saved), tuple(saved_programs)


def restore_processes(state: SavedState) -> list[Process]:
    """Return the processes that ``save_processes`` was given, and their ancestors.

    Raises:
        SavedStateError: when they refer to what is not there.
    """
    programs = [_program(values) for values in state.programs]
    made: list[Process] = []
    for one in state.processes[:_MOST_PROCESSES]:
        if not (-1 <= one.parent < len(made) and 0 <= one.program < len(programs)):
            raise SavedStateError("a process in it refers to one that is not there")
        parent = None if one.parent < 0 else made[one.parent]
        process = Process(ProcessKey(one.pid, one.start), parent, programs[one.program], one.container_id)
        process.vpid, process.alive = one.vpid, one.alive
        made.append(process)
    return made


def _program(values: tuple[Any, ...]) -> Program:
    program = Program()
    if len(values) != len(_PROGRAM):
        raise SavedStateError("a program in it has another number of values than this version knows")
    for name, value in zip(_PROGRAM, values, strict=True):
        unpacked = _unpacked(value)
        if type(unpacked) is not type(getattr(program, name)):
            raise SavedStateError(f"a program in it has no right value of {name}")
        setattr(program, name, unpacked)
    return program


def program_values(values: tuple[Any, ...], *names: str) -> dict[str, Any]:
    """Return some of a saved program's values by their names.

    Raises:
        SavedStateError: when these are not the values of a program.
    """
    program = _program(values)
    return {name: getattr(program, name) for name in names}


def with_program_values(values: tuple[Any, ...], **changed: Any) -> tuple[Any, ...]:
    """Return a saved program with other values; the names are those of ``Program``'s slots."""
    return tuple(
        _packed(changed[name]) if name in changed else value for name, value in zip(_PROGRAM, values, strict=True)
    )


def _packed(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return tuple(_packed(item) for item in value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownVariableType] - of texts


def _unpacked(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return tuple(_unpacked(item) for item in value) if isinstance(value, (list, tuple)) else value  # pyright: ignore[reportUnknownVariableType] - of texts
