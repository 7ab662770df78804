"""What calls do to threads: make them, give them other programs, change what they are, end them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from hullwatch.captures.scap.containers import container_of
from hullwatch.captures.scap.paths import AT_FDCWD, join
from hullwatch.captures.scap.raw_event import LONGEST_LIST, strings_of
from hullwatch.captures.scap.table import NAMES
from hullwatch.captures.scap.threads import (
    CHILD_IN_PIDNS,
    CLONE_FILES,
    CLONE_INVERTED,
    CLONE_NEWPID,
    CLONE_PARENT,
    CLONE_THREAD,
    CLONE_VFORK,
    NOBODY,
    UNKNOWN,
    Thread,
    describe_content,
)
from hullwatch.enrich.process import Program

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.scap.raw_event import RawEvent
    from hullwatch.captures.scap.state import State

    Change = Callable[[RawEvent, Thread], None]

_STALE = 2_000_000_000  # ns, after which a thread of the id that a child has is an older one
_PRCTL = NAMES["prctl_options"].numbers
_KEPT_FLAGS = CLONE_INVERTED | 1 << 21 | 1 << 22 | 1 << 30
_IN_CONTAINER = CLONE_NEWPID | CHILD_IN_PIDNS | CLONE_PARENT


class ThreadChanges:
    """Changes threads.

    Attributes:
        changes: what each call's end does, by the call's name.
    """

    def __init__(self, state: State) -> None:
        """Work on a state."""
        self._state = state
        self.changes: dict[str, Change] = {
            **dict.fromkeys(("clone", "fork", "vfork", "clone3"), self._clone),
            **dict.fromkeys(("execve", "execveat"), self._exec),
            **dict.fromkeys(("setuid", "setresuid", "setreuid"), self._set_user),
            **dict.fromkeys(("setgid", "setresgid", "setregid"), self._set_group),
            "procexit": self._end, "chdir": self._change_directory, "fchdir": self._change_directory,
            "getcwd": self._change_directory, "setsid": self._set_session, "prctl": self._rename,
            "capset": self._set_capabilities,
        }  # fmt: skip

    def _clone(self, event: RawEvent, thread: Thread) -> None:
        child = event.integer(0, -1)
        if child > 0:
            self._cloned_by(event, thread, child)
        elif child == 0:
            self._cloned(event, thread)

    def _cloned_by(self, event: RawEvent, parent: Thread, child: int) -> None:
        """Take the event of the parent: it tells of the child unless that has another id in its namespace."""
        flags = event.number_of("flags")
        self._announce(event, parent)
        if flags & (_IN_CONTAINER | CLONE_VFORK) or event.kind.name == "vfork":
            return
        vtid = event.number_of("vtid", event.tid)
        if vtid != event.tid:
            return
        known = self._state.threads.find(child)
        if known is not None and known.is_known and not self._is_stale(known, event):
            known.flags |= CLONE_INVERTED
            return
        self._make(event, parent, child, child if not flags & CLONE_THREAD else parent.key.pid, event.tid)

    def _cloned(self, event: RawEvent, thread: Thread) -> None:
        """Take the event of the child."""
        if thread.is_known and not self._is_stale(thread, event):
            return
        flags = event.number_of("flags")
        ptid = event.number_of("ptid", -1)
        above = ptid
        if flags & CLONE_THREAD:
            pid = event.number_of("pid", event.tid)
            creator = self._state.threads.find(pid)
        else:
            pid = event.tid
            creator = self._state.threads.find(ptid)
        self._make(event, creator, event.tid, pid, above)

    @staticmethod
    def _is_stale(thread: Thread, event: RawEvent) -> bool:
        return event.time - thread.time > _STALE

    def _announce(self, event: RawEvent, thread: Thread) -> None:
        """Learn what an event of a thread says of it that nobody has announced."""
        if thread.is_known:
            return
        thread.is_known = True
        self._describe(event, thread, Program(pgid=-1, sid=-1))
        self._state.threads.change_process(thread, event.number_of("pid", event.tid))
        self._state.threads.adopt(thread, event.number_of("ptid", -1))

    def _describe(self, event: RawEvent, thread: Thread, program: Program) -> None:
        """Put what an event says of a program into it, and give it to a thread."""
        program.exe = event.text_of("exe") or program.exe
        program.comm = event.text_of("comm") or program.exe
        program.args = strings_of(event.bytes_of("args")[:LONGEST_LIST])
        program.command_line = ""
        program.gid = event.number_of("gid", program.gid)
        describe_content(program)
        thread.program = program
        thread.ancestry = 0
        thread.uid = event.number_of("uid", thread.uid)
        cgroups = event.bytes_of("cgroups")[:LONGEST_LIST]
        if cgroups:
            thread.cgroups = cgroups
            thread.container_id = container_of(cgroups)

    def _make(self, event: RawEvent, creator: Thread | None, tid: int, pid: int, ptid: int) -> None:
        """Enter a child."""
        flags = event.number_of("flags")
        if flags & CLONE_THREAD:
            flags |= CLONE_FILES
        is_thread = bool(flags & CLONE_THREAD)
        leader = creator.leader if creator is not None else None
        program = copy.copy(creator.program) if creator is not None else Program(pgid=-1, sid=-1)
        if leader is not None:
            program.cwd = leader.program.cwd
            program.env = leader.program.env
        if not program.cwd:
            program.cwd = event.text_of("cwd")
        if is_thread and creator is not None:
            ptid = creator.ptid
        child = Thread(tid, pid, ptid, program)
        child.flags = flags
        child.time = event.time
        if creator is not None:
            child.vpgid = creator.vpgid
            child.cgroups, child.container_id = creator.cgroups, creator.container_id
            child.uid = creator.uid
        self._describe(event, child, program)
        self._set_virtual(event, child, is_thread=is_thread)
        self._state.threads.add(child)
        if creator is not None and not flags & CLONE_FILES and self._state.threads.take(len(creator.shares.files)):
            child.files = dict(creator.shares.files)

    @staticmethod
    def _set_virtual(event: RawEvent, thread: Thread, *, is_thread: bool) -> None:
        """Set the ids in the pid namespace; without them there is none."""
        own = event.integer(0, -1) == 0
        vtid, vpid = event.number_of("vtid", -1), event.number_of("vpid", -1)
        if own and vtid >= 0:
            thread.vtid, thread.vpid = vtid, vpid
        else:
            thread.vtid = thread.tid
            thread.vpid = thread.key.pid if not is_thread else vpid if vpid >= 0 else thread.key.pid

    def _exec(self, event: RawEvent, thread: Thread) -> None:
        if event.integer(0, -1) < 0:
            return
        threads = self._state.threads
        if not thread.is_known:
            threads.adopt(thread, event.number_of("ptid", -1))
            thread.is_known = True
        threads.change_process(thread, event.number_of("pid", thread.key.pid))
        for other in threads.of_process(thread.key.pid):
            if other is not thread:
                self._leave(other, thread)
        if thread.tid != thread.key.pid and thread.leader is not thread:
            threads.change_process(thread, thread.tid)
        old = thread.program
        program = Program(cwd=old.cwd or event.text_of("cwd"), tty=old.tty, gid=old.gid, loginuid=old.loginuid,
                          pgid=old.pgid, sid=old.sid, time=event.time)  # fmt: skip
        program.cap_inheritable, program.cap_permitted = old.cap_inheritable, old.cap_permitted
        program.cap_effective = old.cap_effective
        program.env = strings_of(event.bytes_of("env")[:LONGEST_LIST])
        program.exepath = self._exepath(event, thread)
        program.filename = event.text_of("filename")
        self._describe(event, thread, program)
        _set_newer(event, program)
        describe_content(program)
        threads.weigh(thread)
        thread.vpgid = event.number_of("vpgid", thread.vpgid)
        thread.flags &= _KEPT_FLAGS
        if thread.vtid < 0:
            thread.vtid = thread.tid
        if thread.vpid < 0:
            thread.vpid = thread.key.pid
        threads.drop(len(thread.files))
        left = {number: one for number, one in thread.shares.files.items() if not one.closes_on_exec}
        thread.files = left if threads.take(len(left)) else {}
        threads.forget_below(thread)

    def _leave(self, other: Thread, thread: Thread) -> None:
        """Take a thread out whose process runs another program."""
        if other is thread.leader and other.files:
            self._state.threads.drop(len(thread.files))
            thread.files, other.files = other.files, {}
        self._state.threads.remove(other, reaper=thread.tid)

    def _exepath(self, event: RawEvent, thread: Thread) -> str:
        """Return the path of a new program: the kernel's, or the name that it was called by."""
        trusted = event.text_of("trusted_exepath")
        if trusted:
            return trusted
        begin = self._state.begun(event)
        if begin is None:
            return ""
        name = begin.text_of("filename") or begin.text_of("pathname")
        if not name or name == UNKNOWN:
            return ""
        number = begin.number_of("dirfd", AT_FDCWD)
        found = thread.shares.files.get(number)
        return join(thread.cwd if number == AT_FDCWD or found is None else found.name, name)

    def _end(self, event: RawEvent, thread: Thread) -> None:
        reaper = event.number_of("reaper_tid", 0)
        if self._state.threads.leaving is not None:
            self._state.threads.leaving(thread.tid)
        self._state.after(lambda: self._state.threads.remove(thread, reaper))

    def _change_directory(self, event: RawEvent, thread: Thread) -> None:
        if event.integer(0, -1) < 0:
            return
        if event.kind.name == "fchdir":
            found = thread.shares.files.get(thread.last)
            path = found.name if found is not None else ""
        else:
            path = join(thread.cwd, event.text_of("path"))
        if path.startswith("/") and path != thread.cwd:
            thread.leader.change(cwd=path)

    def _set_user(self, event: RawEvent, thread: Thread) -> None:
        uid = event.number_of("euid" if event.kind.name != "setuid" else "uid", NOBODY)
        if event.integer(0, -1) >= 0 and uid != NOBODY:
            thread.uid = uid

    def _set_group(self, event: RawEvent, thread: Thread) -> None:
        gid = event.number_of("egid" if event.kind.name != "setgid" else "gid", NOBODY)
        if event.integer(0, -1) >= 0 and gid != NOBODY:
            thread.change(gid=gid)

    def _set_session(self, event: RawEvent, thread: Thread) -> None:
        if event.integer(0, -1) >= 0:
            thread.change(sid=event.integer(0), pgid=event.integer(0))

    def _rename(self, event: RawEvent, thread: Thread) -> None:
        if event.integer(0, -1) >= 0 and event.number_of("option") == _PRCTL["PR_SET_NAME"]:
            thread.change(comm=event.text_of("arg2_str"))

    def _set_capabilities(self, event: RawEvent, thread: Thread) -> None:
        if event.integer(0, -1) >= 0:
            names = ("cap_inheritable", "cap_permitted", "cap_effective")
            thread.change(**{name: event.number_of(name) for name in names})


def _set_newer(event: RawEvent, program: Program) -> None:
    """Put what newer writers say of an exec into its program; what is missing stays."""
    program.tty = event.number_of("tty", program.tty)
    program.loginuid = event.number_of("loginuid", program.loginuid)
    program.flags = event.number_of("flags")
    program.cap_inheritable = event.number_of("cap_inheritable", program.cap_inheritable)
    program.cap_permitted = event.number_of("cap_permitted", program.cap_permitted)
    program.cap_effective = event.number_of("cap_effective", program.cap_effective)
    program.exe_ino = event.number_of("exe_ino")
    program.exe_ino_ctime = event.number_of("exe_ino_ctime")
    program.exe_ino_mtime = event.number_of("exe_ino_mtime")
    program.pgid = event.number_of("pgid", program.pgid)
