"""Who is at the other end of a connection, as the kernel knows them, and what they may.

Nothing here is what a caller says of themselves. The kernel notes process, user and group when a connection is made.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.store.deciding import NOT_SET, account

if TYPE_CHECKING:
    from collections.abc import Sequence

_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid
_PEERGROUPS, _PEERPIDFD = 59, 77  # SO_PEERGROUPS, SO_PEERPIDFD of asm-generic/socket.h; the second since Linux 6.5
_MOST = 1024  # bytes that Python asks for: 256 groups


class Peer(NamedTuple):
    """A caller.

    Attributes:
        uid: of the user.
        groups: all that they are in.
        name: for people: the account, and who logged in before they became it.
    """

    uid: int
    groups: frozenset[int]
    name: str


class Rights(NamedTuple):
    """Who may what: root and the service's user all, the members of the group read and decide.

    Attributes:
        service: user that the service runs as.
        group: of the socket.
    """

    service: int
    group: int

    def may_ask(self, peer: Peer) -> bool:
        """Tell whether somebody may read and decide; the mode of the socket says the same."""
        return self.may_all(peer) or self.group in peer.groups

    def may_all(self, peer: Peer) -> bool:
        """Tell whether somebody may do everything."""
        return peer.uid in {0, self.service}


def peer_of(connection: socket.socket) -> Peer:
    """Return who made a connection.

    Raises:
        OSError: when the kernel does not tell.
    """
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(data)
    return Peer(uid, frozenset({gid, *_groups(connection, uid, gid)}), account(uid, _login(connection, pid, uid)))


def _groups(connection: socket.socket, uid: int, gid: int) -> Sequence[int]:
    with contextlib.suppress(OSError):
        data = connection.getsockopt(socket.SOL_SOCKET, _PEERGROUPS, _MOST)
        return struct.unpack(f"{len(data) // 4}I", data)
    with contextlib.suppress(KeyError):  # more than that: as the accounts say
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    return ()


def _login(connection: socket.socket, pid: int, uid: int) -> int:
    """Return the user who logged in, where that is certain.

    The kernel tells it of a process, which may have ended since, and another have its number. So the process is held by
    a descriptor, and has to live still when it was read; of root it is believed without, for root may be who they like.
    """
    try:
        login = int(Path(f"/proc/{pid}/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return NOT_SET
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, _PEERPIDFD, 4)
    except OSError:
        return login if uid == 0 else NOT_SET
    held = struct.unpack("i", data)[0]
    try:
        ended = select.poll()
        ended.register(held, select.POLLIN)
        return NOT_SET if ended.poll(0) else login
    finally:
        os.close(held)
