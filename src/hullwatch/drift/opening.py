"""Opening what strangers named: below a directory and nowhere else, without waiting, and only regular files."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPENAT2 = 437  # the system call's number, on every architecture
_NO_MAGIC_LINKS, _NO_SYMLINKS, _BENEATH, _IN_ROOT = 0x02, 0x04, 0x08, 0x10  # linux/openat2.h
_HOW = struct.Struct("QQQ")
# A pipe or a device must not hold us up, and a terminal must not become ours.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
TICKS = os.sysconf("SC_CLK_TCK")

_libc = ctypes.CDLL(None, use_errno=True)


class NoRegularFileError(OSError):
    """What a path leads to is no regular file."""


def open_below(directory: int, path: bytes, flags: int = _READ) -> int:
    """Return a descriptor of a path of real names below a directory; symbolic links are errors.

    Raises:
        OSError: as ``open`` does.
    """
    return _openat2(directory, path.lstrip(b"/") or b".", flags, _BENEATH | _NO_SYMLINKS | _NO_MAGIC_LINKS)


def open_in_root(directory: int, path: bytes) -> int:
    """Return a descriptor of a path as a process with this root directory would follow it.

    Raises:
        OSError: as ``open`` does.
    """
    return _openat2(directory, path, _READ, _IN_ROOT | _NO_MAGIC_LINKS)


def _openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    how = _HOW.pack(flags, 0, resolve)
    found = _libc.syscall(_OPENAT2, directory, ctypes.c_char_p(path), ctypes.c_char_p(how), _HOW.size)
    if found < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(found)


def regular(descriptor: int) -> os.stat_result:
    """Return what is known of an open file.

    Raises:
        NoRegularFileError: when it is something else.
    """
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise NoRegularFileError
    return found


def open_process(pid: int, start: int) -> int | None:
    """Return a descriptor of a process's directory in /proc, which never leads to another process; None when it ended.

    Args:
        pid: on the host.
        start: ns since boot.
    """
    try:
        directory = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # The name in brackets can be anything; behind the last bracket the fields are numbers.
        fields = read_file(directory, "stat", 4096).rpartition(b")")[2].split()
        if int(fields[19]) == start * TICKS // 1_000_000_000:
            return directory
    except (OSError, ValueError, IndexError):
        pass
    os.close(directory)
    return None


def parent_of(directory: int) -> int:
    """Return the parent of the process of a directory in /proc.

    Raises:
        OSError: when it has ended.
    """
    fields = read_file(directory, "stat", 4096).rpartition(b")")[2].split()
    if len(fields) < 2:
        raise ProcessLookupError
    return int(fields[1])


def read_file(directory: int, name: str, maximum: int) -> bytes:
    """Return the beginning of a file of /proc."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read(maximum)


def mount_id(descriptor: int) -> int:
    """Return the number of the mount through which a file was opened, as mountinfo has it."""
    with open(f"/proc/self/fdinfo/{descriptor}", "rb") as stream:  # noqa: PTH123 - a path that we made
        lines: Mapping[bytes, bytes] = dict(line.split(b":", 1) for line in stream.read().splitlines() if b":" in line)
    return int(lines[b"mnt_id"])
