"""Fields of the user and the group (``user.*``, ``group.*``)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.fields.field import field

if TYPE_CHECKING:
    from hullwatch.events.event import Event

NOT_SET = 0xFFFFFFFF
NO_NAME = "<NA>"  # the text that Falco has where an id has no name
ACCOUNTS_LIMIT = 1 << 22  # bytes read of an account file


class Account(NamedTuple):
    """A row of an account file."""

    name: str
    home: str = ""
    shell: str = ""


class AccountFile:
    """Names by number from ``/etc/passwd`` or ``/etc/group``, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._accounts: dict[int, Account] = {}
        self._checked = 0

    def find(self, number: int, now: int) -> Account | None:
        """Return the account of a number; ``now`` (ns) spares a look at the file more than once a second."""
        if abs(now - self._checked) >= 1_000_000_000 or self._stamp is None:
            self._checked = now
            self._refresh()
        return self._accounts.get(number)

    def _refresh(self) -> None:
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp == self._stamp:
                return
            with self.path.open("rb") as file:
                text = os.fsdecode(file.read(ACCOUNTS_LIMIT))
        except OSError:  # no such file: a host may have no accounts, and no number has a name then
            self._stamp, self._accounts = (0, 0), {}
            return
        self._stamp = stamp
        self._accounts = {}
        for line in text.splitlines():
            parts = line.split(":")
            if len(parts) > 2 and parts[2].isdecimal():
                home, shell = (parts[5], parts[6]) if len(parts) > 6 else ("", "")
                self._accounts.setdefault(int(parts[2]), Account(parts[0], home, shell))


USERS = AccountFile(Path("/etc/passwd"))
GROUPS = AccountFile(Path("/etc/group"))


def _account(event: Event, accounts: AccountFile, number: int) -> Account | None:
    """Find an account of the host; of a container, whose files are its own, only number 0 has a name."""
    if event.container.id != "host":
        return Account("root", "/root") if number == 0 else None
    return accounts.find(number, event.time)


@field("user.uid")
def uid(event: Event) -> int | None:
    """User id that the call was made with."""
    return event.uid if event.process is not None else None


@field("user.name")
def name(event: Event) -> str | None:
    """Name of the user."""
    if event.process is None:
        return None
    account = _account(event, USERS, event.uid)
    return account.name if account is not None else NO_NAME


@field("user.homedir")
def homedir(event: Event) -> str | None:
    """Home directory of the user."""
    if event.process is None:
        return None
    account = _account(event, USERS, event.uid)
    return account.home if account is not None else NO_NAME


@field("user.shell")
def shell(event: Event) -> str | None:
    """Login shell of the user."""
    if event.process is None:
        return None
    account = _account(event, USERS, event.uid)
    return account.shell if account is not None else NO_NAME


@field("user.loginuid")
def loginuid(event: Event) -> int | None:
    """User id that the session was logged in with; -1 when it was not."""
    if event.program is None:
        return None
    return -1 if event.program.loginuid == NOT_SET else event.program.loginuid


@field("user.loginname")
def loginname(event: Event) -> str | None:
    """Name of the user that the session was logged in with."""
    if event.program is None:
        return None
    if event.program.loginuid == NOT_SET:
        return NO_NAME
    account = USERS.find(event.program.loginuid, event.time)  # a login is the host's, in a container too
    return account.name if account is not None else NO_NAME


@field("group.gid")
def gid(event: Event) -> int | None:
    """Group id of the process."""
    return event.program.gid if event.program is not None else None


@field("group.name")
def group_name(event: Event) -> str | None:
    """Name of the group."""
    if event.program is None:
        return None
    account = _account(event, GROUPS, event.program.gid)
    return account.name if account is not None else NO_NAME
