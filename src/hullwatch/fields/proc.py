"""Fields of the process that made the call, of its parent and of its ancestors (``proc.*``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.events.table import FLAGS
from hullwatch.fields.field import field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.enrich.process import Process, Program
    from hullwatch.events.event import Event

ANCESTORS_LIMIT = 256  # far more than a real tree has; a broken one must not hold up a rule
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ash", "ksh", "fish", "csh", "tcsh"})
_FLAGS = FLAGS["execve_flags"]


def ancestors(process: Process | None) -> Iterator[Process]:
    """Yield the parent, the parent's parent and so on."""
    for _ in range(ANCESTORS_LIMIT):
        process = process.parent if process is not None else None
        if process is None:
            return
        yield process


def lineage(event: Event, argument: str | None, value: Callable[[Program], str]) -> str | tuple[str, ...] | None:
    """Return one ancestor's value by index (0 = the process itself), or every ancestor's without."""
    if event.process is None:
        return None
    if argument is None:
        return tuple(value(ancestor.program) for ancestor in ancestors(event.process))
    process: Process | None = event.process
    index = int(argument)
    if index == 0:
        return value(event.program) if event.program is not None else None
    for _ in range(min(index, ANCESTORS_LIMIT + 1)):
        process = process.parent
        if process is None:
            return None
    return value(process.program) if index <= ANCESTORS_LIMIT else None


def arguments_text(program: Program) -> str:
    """Return the arguments, blank-separated."""
    return " ".join(program.args)


def command_line(program: Program) -> str:
    """Return the name and the arguments, blank-separated."""
    if not program.command_line:
        program.command_line = " ".join((program.comm, *program.args))
    return program.command_line


def _parent(event: Event) -> Program | None:
    parent = event.process.parent if event.process is not None else None
    return parent.program if parent is not None else None


@field("proc.name")
def name(event: Event) -> str | None:
    """Name of the process when it started its program, or was forked: the kernel's, at most 15 bytes."""
    return event.program.comm if event.program is not None else None


@field("proc.exe")
def exe(event: Event) -> str | None:
    """First argument, usually the program as it was called."""
    return event.program.exe if event.program is not None else None


@field("proc.exepath")
def exepath(event: Event) -> str | None:
    """Path of the executable, from the kernel's own objects; empty when it is not known."""
    return event.program.exepath if event.program is not None else None


@field("proc.pname")
def pname(event: Event) -> str | None:
    """Name of the parent process."""
    parent = _parent(event)
    return parent.comm if parent is not None else None


@field("proc.pexe")
def pexe(event: Event) -> str | None:
    """First argument of the parent process."""
    parent = _parent(event)
    return parent.exe if parent is not None else None


@field("proc.pexepath")
def pexepath(event: Event) -> str | None:
    """Path of the parent's executable."""
    parent = _parent(event)
    return parent.exepath if parent is not None else None


@field("proc.pcmdline")
def pcmdline(event: Event) -> str | None:
    """Name and arguments of the parent process."""
    parent = _parent(event)
    return command_line(parent) if parent is not None else None


@field("proc.aname")
def aname(event: Event, argument: str | None) -> str | tuple[str, ...] | None:
    """Name of an ancestor: [1] is the parent; without an index, of any ancestor."""
    return lineage(event, argument, lambda program: program.comm)


@field("proc.aexe")
def aexe(event: Event, argument: str | None) -> str | tuple[str, ...] | None:
    """First argument of an ancestor: [1] is the parent; without an index, of any ancestor."""
    return lineage(event, argument, lambda program: program.exe)


@field("proc.aexepath")
def aexepath(event: Event, argument: str | None) -> str | tuple[str, ...] | None:
    """Executable path of an ancestor: [1] is the parent; without an index, of any ancestor."""
    return lineage(event, argument, lambda program: program.exepath)


@field("proc.acmdline")
def acmdline(event: Event, argument: str | None) -> str | tuple[str, ...] | None:
    """Name and arguments of an ancestor: [1] is the parent; without an index, of any ancestor."""
    return lineage(event, argument, command_line)


@field("proc.aargs")
def aargs(event: Event, argument: str | None) -> str | tuple[str, ...] | None:
    """Arguments of an ancestor: [1] is the parent; without an index, of any ancestor."""
    return lineage(event, argument, arguments_text)


@field("proc.apid")
def apid(event: Event, argument: str | None) -> int | tuple[int, ...] | None:
    """Process id of an ancestor: [1] is the parent; without an index, of any ancestor."""
    if event.process is None:
        return None
    if argument is None:
        return tuple(ancestor.pid for ancestor in ancestors(event.process))
    line = (event.process, *ancestors(event.process))
    return line[int(argument)].pid if int(argument) < len(line) else None


@field("proc.args")
def args(event: Event, argument: str | None) -> str | None:
    """Arguments after the first, blank-separated; with an index, one of them (empty if there is none)."""
    program = event.program
    if program is None:
        return None
    if argument is None:
        return arguments_text(program)
    index = int(argument)
    return program.args[index] if index < len(program.args) else ""


@field("proc.cmdline")
def cmdline(event: Event) -> str | None:
    """Name and arguments, blank-separated."""
    return command_line(event.program) if event.program is not None else None


@field("proc.exeline")
def exeline(event: Event) -> str | None:
    """First argument and the others, blank-separated."""
    return " ".join((event.program.exe, *event.program.args)) if event.program is not None else None


@field("proc.cmdnargs")
def cmdnargs(event: Event) -> int | None:
    """Number of arguments after the first."""
    return len(event.program.args) if event.program is not None else None


@field("proc.cmdlenargs")
def cmdlenargs(event: Event) -> int | None:
    """Characters of the arguments after the first, without the blanks between them."""
    return sum(map(len, event.program.args)) if event.program is not None else None


@field("proc.cwd")
def cwd(event: Event) -> str | None:
    """Working directory."""
    return event.program.cwd if event.program is not None else None


@field("proc.tty")
def tty(event: Event) -> int | None:
    """Device number of the controlling terminal; 0 without one."""
    return event.program.tty if event.program is not None else None


@field("proc.pid")
def pid(event: Event) -> int | None:
    """Process id on the host."""
    return event.process.pid if event.process is not None else None


@field("proc.ppid")
def ppid(event: Event) -> int | None:
    """Process id of the parent on the host."""
    parent = event.process.parent if event.process is not None else None
    return parent.pid if parent is not None else None


@field("proc.vpid")
def vpid(event: Event) -> int | None:
    """Process id in the process's own pid namespace: 1 is the first process of most containers."""
    return event.process.vpid if event.process is not None else None


@field("proc.pvpid")
def pvpid(event: Event) -> int | None:
    """Process id of the parent in the parent's own pid namespace."""
    parent = event.process.parent if event.process is not None else None
    return parent.vpid if parent is not None else None


@field("proc.is_exe_writable")
def is_exe_writable(event: Event) -> bool | None:
    """Whether the user of the process may write to its executable."""
    return _flag(event, "EXE_WRITABLE")


@field("proc.is_exe_upper_layer")
def is_exe_upper_layer(event: Event) -> bool | None:
    """Whether the executable lies in the container's own layer: it is not part of the image."""
    return _flag(event, "EXE_UPPER_LAYER")


@field("proc.is_exe_lower_layer")
def is_exe_lower_layer(event: Event) -> bool | None:
    """Whether the executable lies in a layer of the image."""
    return _flag(event, "EXE_LOWER_LAYER")


@field("proc.is_exe_from_memfd")
def is_exe_from_memfd(event: Event) -> bool | None:
    """Whether the executable is an anonymous file in memory."""
    return _flag(event, "EXE_FROM_MEMFD")


def _flag(event: Event, flag: str) -> bool | None:
    return bool(event.program.flags & _FLAGS[flag]) if event.program is not None else None


@field("proc.exe_ino")
def exe_ino(event: Event) -> int | None:
    """Inode number of the executable."""
    return event.program.exe_ino if event.program is not None else None


@field("proc.exe_ino.ctime")
def exe_ino_ctime(event: Event) -> int | None:
    """When the executable's inode was changed, ns since the epoch."""
    return event.program.exe_ino_ctime if event.program is not None else None


@field("proc.exe_ino.mtime")
def exe_ino_mtime(event: Event) -> int | None:
    """When the executable's content was changed, ns since the epoch."""
    return event.program.exe_ino_mtime if event.program is not None else None


@field("proc.loginshellid")
def loginshellid(event: Event) -> int | None:
    """Process id of the oldest shell among the process and its ancestors."""
    if event.process is None:
        return None
    line = (event.process, *ancestors(event.process))
    return next((one.pid for one in reversed(line) if one.program.comm in SHELLS), None)
