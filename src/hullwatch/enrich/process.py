"""Processes and the programs they run, keyed by (pid, start time)."""

from __future__ import annotations

from typing import NamedTuple


class ProcessKey(NamedTuple):
    """What names a process for good: a pid alone is reused."""

    pid: int
    start: int  # ns since boot


class Program:
    """What a process runs since its last exec; never changed, replaced by the next exec.

    ``comm`` is the kernel's name of at most 15 bytes (``proc.name``), ``exe`` the first argument,
    ``args`` the others, ``exepath`` the executable's path from the kernel.
    """

    __slots__ = (
        "args",
        "comm",
        "command_line",
        "cwd",
        "exe",
        "exe_ino",
        "exe_ino_ctime",
        "exe_ino_mtime",
        "exepath",
        "filename",
        "flags",
        "gid",
        "loginuid",
        "pgid",
        "sid",
        "time",
        "tty",
        "uid",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - a record has this many values, and names cost time here
        self,
        comm: str = "",
        exe: str = "",
        args: tuple[str, ...] = (),
        exepath: str = "",
        filename: str = "",
        cwd: str = "",
        tty: int = 0,
        uid: int = 0,
        gid: int = 0,
        loginuid: int = 0xFFFFFFFF,
        pgid: int = 0,
        sid: int = 0,
        flags: int = 0,
        exe_ino: int = 0,
        exe_ino_ctime: int = 0,
        exe_ino_mtime: int = 0,
        time: int = 0,
    ) -> None:
        """Take what an exec tells.

        Args:
            comm: the kernel's name.
            exe: the first argument.
            args: the others.
            exepath: path of the executable.
            filename: the name that was asked for.
            cwd: working directory.
            tty: device number, 0 without a terminal.
            uid: effective user when it was started.
            gid: effective group.
            loginuid: 4294967295 when nobody logged in.
            pgid: process group.
            sid: session.
            flags: execve_flags of the event table.
            exe_ino: inode of the executable.
            exe_ino_ctime: ns since the epoch.
            exe_ino_mtime: ns since the epoch.
            time: of the exec, ns since boot; 0 for a process that ran before.
        """
        self.comm = comm
        self.command_line = ""  # made when it is first asked for
        self.exe = exe
        self.args = args
        self.exepath = exepath
        self.filename = filename
        self.cwd = cwd
        self.tty = tty
        self.uid = uid
        self.gid = gid
        self.loginuid = loginuid
        self.pgid = pgid
        self.sid = sid
        self.flags = flags
        self.exe_ino = exe_ino
        self.exe_ino_ctime = exe_ino_ctime
        self.exe_ino_mtime = exe_ino_mtime
        self.time = time


class Process:
    """One process: its identity, its parent, and what it runs now; ``children`` are those that are still remembered."""

    __slots__ = ("alive", "children", "container_id", "depth", "entry", "key", "parent", "program", "vpid")

    def __init__(self, key: ProcessKey, parent: Process | None, program: Program, container_id: str = "") -> None:
        """Enter a process below its parent."""
        self.key = key
        self.parent: Process | None = None
        self.children: set[Process] = set()
        self.program = program
        self.container_id = container_id  # 64 digits; empty on the host
        self.vpid = key.pid
        self.entry: Process | None = None  # by which it came into its container, once somebody has asked
        self.alive = True
        self.depth = 0
        self.hang_below(parent)

    def hang_below(self, parent: Process | None) -> None:
        """Make another process, or none, the parent."""
        if self.parent is not None:
            self.parent.children.discard(self)
        self.parent = parent
        if parent is None:
            self.depth = 0
        else:
            self.depth = parent.depth + 1
            parent.children.add(self)

    def descendants(self) -> list[Process]:
        """Return the children, their children and so on, in no order."""
        found: list[Process] = []
        pending = list(self.children)
        while pending:
            process = pending.pop()
            found.append(process)
            pending += process.children
        return found

    @property
    def pid(self) -> int:
        """The process id on the host."""
        return self.key.pid
