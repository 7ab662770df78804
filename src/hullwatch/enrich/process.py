"""Processes and the programs they run, keyed by (pid, start time)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hullwatch.enrich.namespaces import Numbers


class ProcessKey(NamedTuple):
    """What names a process for good: a pid alone is reused."""

    pid: int
    start: int  # ns since boot


class Program:
    """What a process runs since its last exec; never changed, replaced by the next exec or change of the process.

    ``comm`` is the kernel's name of at most 15 bytes (``proc.name``), ``exe`` the first argument,
    ``args`` the others, ``exepath`` the executable's path from the kernel. ``content`` is equal where all
    that a record says of a program is, but for ids, times and inodes; empty where that is not known. ``env`` has
    the variables of the environment that the sensor was asked for, as ``NAME=value``. ``namespaces`` are the numbers of
    those that it lives in (``enrich/namespaces.py``), ``host_namespaces`` those of the host; either is
    empty while it is not known.
    """

    __slots__ = (
        "args",
        "cap_effective",
        "cap_inheritable",
        "cap_permitted",
        "comm",
        "command_line",
        "content",
        "cwd",
        "env",
        "exe",
        "exe_ino",
        "exe_ino_ctime",
        "exe_ino_mtime",
        "exepath",
        "filename",
        "flags",
        "gid",
        "host_namespaces",
        "loginuid",
        "namespaces",
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
        cap_inheritable: int = 0,
        cap_permitted: int = 0,
        cap_effective: int = 0,
        time: int = 0,
        number: int = 0,
        namespaces: Numbers = (),
        host_namespaces: Numbers = (),
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
            gid: effective group, the present one.
            loginuid: 4294967295 when nobody logged in.
            pgid: process group.
            sid: session.
            flags: execve_flags of the event table.
            exe_ino: inode of the executable.
            exe_ino_ctime: ns since the epoch.
            exe_ino_mtime: ns since the epoch.
            cap_inheritable: a bit for each capability.
            cap_permitted: the same.
            cap_effective: the same.
            time: of the exec, ns since boot; 0 for a process that ran before.
            number: the same for all that are started with the same names and arguments; 0 if that cannot be told.
            namespaces: that it lives in.
            host_namespaces: of the host.
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
        self.cap_inheritable = cap_inheritable
        self.cap_permitted = cap_permitted
        self.cap_effective = cap_effective
        self.time = time
        self.env: tuple[str, ...] = ()
        self.namespaces = namespaces
        self.host_namespaces = host_namespaces
        self.content: tuple[object, ...] = ()
        if number:
            self.set_content(number)

    def set_content(self, number: object) -> None:
        """Make the content of what the fields say of a program, but for ids, times and inodes."""
        self.content = (
            *(number, self.comm, self.cwd, self.tty, self.gid, self.loginuid, self.flags),
            *(self.namespaces, self.host_namespaces),
        )


_FEW = 4  # children that are a tuple: most processes have none or one, and a set takes time and four times the room


class Process:
    """One process: its identity, its parent, and what it runs now.

    ``children`` are those that are still remembered; ``ancestry`` is what ``Ancestries`` gave, 0 when it has to be
    asked again; ``unmade`` is how many more children run of which only the records are kept (``unmade.py``).
    """

    __slots__ = (
        *("alive", "ancestry", "children", "container_id", "depth", "entry", "key", "parent", "program", "unmade"),
        "vpid",
    )

    def __init__(self, key: ProcessKey, parent: Process | None, program: Program, container_id: str = "") -> None:
        """Enter a process below its parent."""
        self.key = key
        self.parent: Process | None = None
        self.children: tuple[Process, ...] | set[Process] = ()
        self.program = program
        self.container_id = container_id  # 64 digits; empty on the host
        self.vpid = key.pid
        self.entry: Process | None = None  # by which it came into its container, once somebody has asked
        self.alive = True
        self.depth = 0
        self.ancestry = 0
        self.unmade = 0
        self.hang_below(parent)

    def hang_below(self, parent: Process | None) -> None:
        """Make another process, or none, the parent."""
        if self.parent is not None:
            self.parent.let_go(self)
        self.parent = parent
        if parent is None:
            self.depth = 0
        else:
            self.depth = parent.depth + 1
            children = parent.children
            if isinstance(children, set):
                children.add(self)
            else:
                parent.children = (*children, self) if len(children) < _FEW else {*children, self}

    def let_go(self, child: Process) -> None:
        """Forget a child."""
        children = self.children
        if not isinstance(children, set):
            self.children = tuple([one for one in children if one is not child])
            return
        children.discard(child)
        if not children:
            self.children = ()

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
