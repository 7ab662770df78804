"""Mounts as /proc/PID/mountinfo has them, and the directories of the host that an overlay is made of.

Format: proc_pid_mountinfo(5); the options of an overlay: the kernel's Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOUNTINFO_MAXIMUM = 4 << 20  # bytes that are read: tens of thousands of mounts
LOWERS_MAXIMUM = 512  # the kernel's own limit is 500
_OCTAL = re.compile(rb"\\([0-7]{3})")
_SEPARATOR = b"-"


class Mount(NamedTuple):
    """One mount of a process.

    Attributes:
        number: its id.
        device: ``major:minor`` of its file system.
        root: which directory of the file system it shows.
        point: where, as the process sees it.
        kind: of file system.
        options: of the file system.
    """

    number: int
    device: bytes
    root: bytes
    point: bytes
    kind: bytes
    options: bytes

    @property
    def is_overlay(self) -> bool:
        """Whether it is an overlay of the kernel's."""
        return self.kind == b"overlay"

    @property
    def is_memory(self) -> bool:
        """Whether its files are in memory only."""
        return self.kind in {b"tmpfs", b"ramfs", b"devtmpfs", b"hugetlbfs"}


class Layers(NamedTuple):
    """The directories of the host that a container's root is made of; ``lowers`` from the top down.

    Attributes:
        upper: what the container has of its own.
        lowers: the image's.
        form: ``overlay`` when the kernel puts them together, and says of each file where it lies; ``fuse`` when a
            program does, which nobody but the container's user may ask for files; ``copy`` when ``upper`` began as a
            copy of the only lower one, so that all files are the container's own.
    """

    upper: bytes
    lowers: tuple[bytes, ...]
    form: Literal["overlay", "fuse", "copy"] = "overlay"


def parse(text: bytes) -> list[Mount]:
    """Return the mounts of a mountinfo; a line that is cut or strange is left out."""
    mounts: list[Mount] = []
    for line in text.split(b"\n"):
        words = line.split(b" ")
        try:
            behind = words.index(_SEPARATOR, 6)
            number = int(words[0])
            root, point = _unescape(words[3]), _unescape(words[4])
            # What the octal escapes stand for is decoded in the options later: they have escapes of their own.
            mounts.append(Mount(number, words[2], root, point, words[behind + 1], words[behind + 3]))
        except (ValueError, IndexError):
            continue
    return mounts


def root_of(mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount of the root directory: the last one there, which hides the others."""
    return next((mount for mount in reversed(mounts) if mount.point == b"/"), None)


def by_number(mounts: Iterable[Mount], number: int) -> Mount | None:
    """Return the mount with this id."""
    return next((mount for mount in mounts if mount.number == number), None)


def device_of(found: os.stat_result) -> bytes:
    """Return the device of a file as mountinfo writes it."""
    return b"%d:%d" % (os.major(found.st_dev), os.minor(found.st_dev))


def _unescape(text: bytes) -> bytes:
    return _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), text)


def layers_of(mount: Mount, host: Sequence[Mount]) -> Layers | None:
    """Return the layers of an overlay as paths of the host; None when they cannot be found.

    Engines give the kernel short names, relative to a directory that no longer shows: then it is one above the upper
    layer, or above the place where the host has the same overlay mounted.

    Args:
        mount: the overlay.
        host: the mounts of the host.
    """
    upper, lowers = _options(mount.options)
    if not upper or not lowers or len(lowers) > LOWERS_MAXIMUM:
        return None
    paths = (upper, *lowers)
    if not all(path.startswith(b"/") for path in paths):
        beside = [one.point for one in host if one.device == mount.device]
        base = next((base for base in _above([upper, *beside]) if _all_below(base, paths)), None)
        if base is None:
            return None
        paths = tuple(path if path.startswith(b"/") else base + b"/" + path for path in paths)
    return Layers(paths[0], paths[1:]) if all(map(_is_directory, paths)) else None


def _options(text: bytes) -> tuple[bytes, list[bytes]]:
    """Return the upper layer and the lower ones, as the overlay was given them (a backslash protects , and :)."""
    upper, lowers = b"", list[bytes]()
    for option in re.split(rb"(?<!\\),", text.replace(rb"\134", b"\\")):
        name, _, value = option.partition(b"=")
        if name == b"upperdir":
            upper = _plain(value)
        elif name == b"lowerdir":
            lowers = [_plain(part) for part in re.split(rb"(?<!\\):", value) if part]
        elif name in {b"lowerdir+", b"datadir+"}:  # as the newer calls for mounting have them, one by one
            lowers.append(_plain(value))
    return upper, lowers


def _plain(value: bytes) -> bytes:
    return re.sub(rb"\\([,:\\])", rb"\1", _unescape(value))


def _above(paths: Iterable[bytes]) -> Iterable[bytes]:
    """Yield all directories above absolute paths, the nearest first."""
    for path in paths:
        directory = path if path.startswith(b"/") else b""
        while len(directory) > 1:
            directory = directory.rpartition(b"/")[0]
            yield directory


def _all_below(base: bytes, paths: Iterable[bytes]) -> bool:
    return all(_is_directory(path if path.startswith(b"/") else base + b"/" + path) for path in paths)


def _is_directory(path: bytes) -> bool:
    return Path(os.fsdecode(path)).is_dir()
