"""Where podman keeps what it knows of its containers, for users without its service: found and opened for the engine.

Podman has no process that runs all the time; its service answers only where somebody has switched it on. What it knows
stands in each user's storage, in a bbolt file (until 4.x) or an SQLite one (from 5.0), beside a list of images.
Sources: the manual pages containers-storage.conf(5), subuid(5), and what podman 4.3 and 5.4 write.

The supervisor opens them, and these are paths in directories of users, who can have them lead anywhere and hang (a home
on a network). So a process of its own does it, which is left behind when it takes too long, and what it opens counts
only when it is a regular file of that user's.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
import socket
import stat
import time
import tomllib
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# SQLite lies beside the layers, or in podman's own directory where that was named.
STATES = ("db.sql", "libpod/db.sql", "libpod/bolt_state.db")
IMAGES = tuple(f"{driver}-images/images.json" for driver in ("overlay", "vfs", "btrfs", "zfs"))
SYSTEM = "/var/lib/containers/storage"
SYSTEM_SETTINGS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
OF_USERS = ".local/share/containers/storage"
SETTINGS_OF_USERS = ".config/containers/storage.conf"
SUBORDINATES = "/etc/subuid"  # who may have containers of their own stands there
MAXIMUM_USERS = 256
MAXIMUM_SETTINGS = 1 << 16  # bytes
MAXIMUM_ANSWER = 1 << 16
PATIENCE = 1.0  # seconds
LOST_MAXIMUM = 4  # processes that hang; with so many nothing is looked for
SEARCH_INTERVAL = 30.0  # seconds between looks; between them the answer stays

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class _Settings(msgspec.Struct):
    storage: dict[str, object] = {}


Storage = tuple[str, int]  # the directory, and the user whose it is


class StorageSearch:
    """Finds the storages of a host; asked often, it looks rarely."""

    def __init__(self) -> None:
        """Know of none."""
        self._found: list[Storage] = []
        self._next = 0.0

    def find(self) -> list[Storage]:
        """Return the directories in which podman keeps containers now, with the users whose they are."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SEARCH_INTERVAL
            with contextlib.suppress(CannotError, msgspec.MsgspecError):
                answer, _ = _in_another_process(lambda: (msgspec.json.encode(list(_storages())), None))
                self._found = msgspec.json.decode(answer, type=list[Storage])
        return self._found


_lost: list[int] = []  # processes that hang


def open_state(folder: str, user: int) -> int:
    """Return a descriptor of the file in which podman keeps the state of its containers.

    Raises:
        CannotError: with the reason.
    """
    return _open_newest(folder, STATES, user)


def open_images(folder: str, user: int) -> int:
    """Return a descriptor of the list of images; for errors see ``open_state``."""
    return _open_newest(folder, IMAGES, user)


def _open_newest(folder: str, names: tuple[str, ...], user: int) -> int:
    _, descriptor = _in_another_process(lambda: (b"", _newest(folder, names, user)))
    if descriptor is None:
        raise CannotError(f"there is no file of podman's in {folder} that user {user} owns and that can be opened")
    return descriptor


# ---- in a process of its own


def _newest(folder: str, names: tuple[str, ...], user: int) -> int | None:
    """Return a descriptor of the file that was written last, of those that are the user's."""
    best: tuple[int, int] | None = None
    for name in names:
        with contextlib.suppress(OSError):
            descriptor = _open_regular(os.path.join(folder, name))  # noqa: PTH118 - a text
            found = os.fstat(descriptor)
            if found.st_uid == user:
                best = max(best or (0, -1), (found.st_mtime_ns, descriptor))
    return None if best is None else best[1]


def _open_regular(path: str) -> int:
    """Return a descriptor of a file that is looked at before it is opened: opening a device can do something.

    Raises:
        OSError: when there is none, or it is something else.
    """
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise FileNotFoundError(path)
        return os.open(f"/proc/self/fd/{place}", _READ)
    finally:
        os.close(place)


def _storages() -> Iterator[Storage]:
    for folder, user in _candidates():
        descriptor = _newest(folder, STATES, user)
        if descriptor is not None:
            os.close(descriptor)
            yield folder, user


def _candidates() -> Iterator[Storage]:
    yield next((found for path in SYSTEM_SETTINGS if (found := _setting(path, "graphroot"))), SYSTEM), 0
    template = next((found for path in SYSTEM_SETTINGS if (found := _setting(path, "rootless_storage_path"))), "")
    for user in islice(_users(), MAXIMUM_USERS):
        home = user.pw_dir
        common = template.replace("$HOME", home).replace("$UID", str(user.pw_uid)).replace("$USER", user.pw_name)
        own = _setting(os.path.join(home, SETTINGS_OF_USERS), "graphroot")  # noqa: PTH118 - texts
        yield own or common or os.path.join(home, OF_USERS), user.pw_uid  # noqa: PTH118


def _users() -> Iterator[pwd.struct_passwd]:
    with contextlib.suppress(OSError):
        for line in Path(SUBORDINATES).read_bytes()[:MAXIMUM_ANSWER].decode("utf-8", "replace").splitlines():
            name = line.partition(":")[0]
            with contextlib.suppress(KeyError, ValueError):
                user = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
                if user.pw_uid:
                    yield user


def _setting(path: str, name: str) -> str:
    """Return an absolute path of the table ``storage`` of a settings file; empty when it has none."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        with os.fdopen(_open_regular(path), "rb") as stream:
            found = msgspec.convert(tomllib.loads(stream.read(MAXIMUM_SETTINGS).decode()), type=_Settings)
        value = found.storage.get(name)
        return value if isinstance(value, str) and value.startswith(("/", "$HOME/")) else ""
    return ""


def _in_another_process(work: Callable[[], tuple[bytes, int | None]]) -> tuple[bytes, int | None]:
    """Do something that may hang: return the answer and the descriptor that come of it.

    Raises:
        CannotError: when it takes too long, or fails.
    """
    for lost in _lost.copy():
        if _has_ended(lost):
            _lost.remove(lost)
    if len(_lost) >= LOST_MAXIMUM:
        raise CannotError("the directories of users hang, so podman's files are not looked for")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        _be_other_process(theirs, work)
    theirs.close()
    try:
        if not select.select([ours], [], [], PATIENCE)[0]:
            raise CannotError("looking for podman's files takes too long")
        data, descriptors, _, _ = socket.recv_fds(ours, MAXIMUM_ANSWER, 1)
        if not data:
            raise CannotError("looking for podman's files failed")
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - the library has it so
        return data[1:], descriptors[0] if descriptors else None
    finally:
        ours.close()
        os.kill(pid, signal.SIGKILL)  # it has nothing else to do; where it hangs it ends when it can
        if not any(_has_ended(pid) or time.sleep(0.002) for _ in range(20)):
            _lost.append(pid)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _be_other_process(end: socket.socket, work: Callable[[], tuple[bytes, int | None]]) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        os.closerange(3, end.fileno())  # what the supervisor has must not stay open through one that hangs
        os.closerange(end.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        data, descriptor = work()
        socket.send_fds(end, [b"." + data], [] if descriptor is None else [descriptor])
        code = 0
    finally:
        os._exit(code)
