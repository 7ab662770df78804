"""Fields of threads, users and groups whose answers are others for the events of .scap files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.captures.scap.lookup import answers
from hullwatch.fields.proc import ancestors

if TYPE_CHECKING:
    from hullwatch.captures.scap.event import ScapEvent
    from hullwatch.captures.scap.lists import Account

NO_NAME = "<NA>"
_NOT_SET = 0xFFFFFFFF


@answers("thread.tid")
def tid(event: ScapEvent) -> int:
    """Thread id on the host."""
    return event.tid


@answers("thread.ismain")
def ismain(event: ScapEvent) -> bool | None:
    """Whether the thread is the first of its process."""
    return event.thread.is_leader and event.thread.is_known if event.thread is not None else None


@answers("thread.vtid")
def vtid(event: ScapEvent) -> int | None:
    """Thread id in its own pid namespace."""
    return event.thread.vtid if event.thread is not None and event.thread.vtid >= 0 else None


@answers("thread.cgroups")
def cgroups(event: ScapEvent) -> str | None:
    """Control groups as subsystem=path, blank-separated."""
    if event.thread is None or not event.thread.cgroups:
        return None
    return " ".join(_strings(event.thread.cgroups))


@answers("thread.cgroup")
def cgroup(event: ScapEvent, argument: str) -> str | None:
    """Path of the control group of a subsystem."""
    if event.thread is None:
        return None
    begin = f"{argument}="
    return next((one[len(begin) :] for one in _strings(event.thread.cgroups) if one.startswith(begin)), None)


def _strings(value: bytes) -> list[str]:
    return [one for one in value.decode("utf-8", "surrogateescape").split("\0") if one]


@answers("proc.cwd")
def cwd(event: ScapEvent) -> str | None:
    """Working directory; empty when it is not known."""
    return event.thread.cwd if event.thread is not None else None


@answers("proc.duration")
def duration(event: ScapEvent) -> int | None:
    """How long the process had run, ns; absent for one that was there before the capture."""
    thread = event.thread
    return event.time - thread.time if thread is not None and thread.time else None


@answers("proc.vpid")
def vpid(event: ScapEvent) -> int | None:
    """Process id in its own pid namespace."""
    return event.thread.vpid if event.thread is not None and event.thread.vpid >= 0 else None


@answers("proc.vpgid")
def vpgid(event: ScapEvent) -> int | None:
    """Process group id in its own pid namespace."""
    return event.thread.vpgid if event.thread is not None and event.thread.vpgid >= 0 else None


@answers("proc.sname")
def sname(event: ScapEvent) -> str | None:
    """Name of the session's leader; empty when it is not known."""
    if event.program is None or event.process is None:
        return None
    sid = event.program.sid
    leader = event.state.threads.find(sid) if sid > 0 else None
    if leader is not None:
        return leader.program.comm
    name = ""  # the leader has ended: the oldest ancestor of the session stands for it
    for ancestor in ancestors(event.process) if sid > 0 else ():
        if ancestor.program.sid != sid:
            break
        name = ancestor.program.comm
    return name


def _account(event: ScapEvent, number: int, *, is_group: bool = False) -> Account | None:
    accounts, container = event.state.accounts, event.container
    name = "" if container.id == "host" else container.id
    return accounts.group(name, number) if is_group else accounts.user(name, number)


def _user(event: ScapEvent) -> Account | None:
    return _account(event, event.uid)


@answers("user.uid")
def user_uid(event: ScapEvent) -> int | None:
    """Effective user id."""
    return event.uid if event.thread is not None else None


@answers("user.name")
def user_name(event: ScapEvent) -> str | None:
    """Name of the user, as the capture has it."""
    if event.thread is None:
        return None
    account = _user(event)
    return account.name if account is not None else NO_NAME


@answers("user.homedir")
def homedir(event: ScapEvent) -> str | None:
    """Home directory of the user."""
    if event.thread is None:
        return None
    account = _user(event)
    return account.home if account is not None else NO_NAME


@answers("user.shell")
def shell(event: ScapEvent) -> str | None:
    """Login shell of the user."""
    if event.thread is None:
        return None
    account = _user(event)
    return account.shell if account is not None else NO_NAME


@answers("user.loginuid")
def loginuid(event: ScapEvent) -> int | None:
    """User id that the session was logged in with; -1 when it was not."""
    if event.program is None:
        return None
    return -1 if event.program.loginuid == _NOT_SET else event.program.loginuid


@answers("user.loginname")
def loginname(event: ScapEvent) -> str | None:
    """Name of the user that the session was logged in with."""
    if event.program is None:
        return None
    account = event.state.accounts.user("", event.program.loginuid)
    return account.name if account is not None else NO_NAME


@answers("group.gid")
def gid(event: ScapEvent) -> int | None:
    """Group id of the process."""
    return event.program.gid if event.program is not None else None


@answers("group.name")
def group_name(event: ScapEvent) -> str | None:
    """Name of the group."""
    if event.program is None:
        return None
    account = _account(event, event.program.gid, is_group=True)
    return account.name if account is not None else NO_NAME


@answers("evt.hostname")
def hostname(event: ScapEvent) -> str:
    """Name of the machine that was recorded."""
    return event.state.machine.hostname
