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

    def __init__(self, comm: str = "", exe: str = "", args: tuple[str, ...] = (), exepath: str = "") -> None:
        """Start with the names; the rest is set by the process table."""
        self.comm = comm
        self.exe = exe
        self.args = args
        self.exepath = exepath
        self.filename = ""
        self.cwd = ""
        self.tty = 0  # device number, 0 without a terminal
        self.uid = 0  # when it was started
        self.gid = 0
        self.loginuid = 0xFFFFFFFF
        self.pgid = 0
        self.sid = 0
        self.flags = 0  # execve_flags
        self.exe_ino = 0
        self.exe_ino_ctime = 0  # ns since the epoch
        self.exe_ino_mtime = 0
        self.time = 0  # of the exec, ns since boot; 0 for a process that ran before


class Process:
    """One process: its identity, its parent, and what it runs now."""

    __slots__ = ("alive", "container_id", "depth", "key", "parent", "program", "vpid")

    def __init__(self, key: ProcessKey, parent: Process | None, program: Program, container_id: str = "") -> None:
        """Enter a process below its parent."""
        self.key = key
        self.parent = parent
        self.program = program
        self.container_id = container_id  # 64 digits; empty on the host
        self.vpid = key.pid
        self.alive = True
        self.depth = 0 if parent is None else parent.depth + 1

    @property
    def pid(self) -> int:
        """The process id on the host."""
        return self.key.pid
