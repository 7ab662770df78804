"""Fields of the file or connection that the call is about (``fd.*``)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from hullwatch.events.table import FLAGS, LAYOUTS
from hullwatch.fields.field import field
from hullwatch.fields.fs import path_of

if TYPE_CHECKING:
    from hullwatch.events.event import Event

_FILE_FLAGS = FLAGS["file_flags"]
_KINDS = {
    stat.S_IFREG: "regular",
    stat.S_IFDIR: "directory",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def number_of(event: Event, name: str) -> int | None:
    """Return a parameter that is a number; None when the event has none of that name."""
    value = event.params.get(name)
    return value if isinstance(value, int) else None


OPENING = frozenset({"open", "open_by_handle"})
"""Layouts of calls that open a file: where they failed there is none."""
DESCRIBED = frozenset(layout.name for layout in LAYOUTS.values() if "file_flags" in layout.scalars)
"""Layouts of calls that are given a descriptor, with what the kernel knows of its file."""
NAMED = {"change_directory_to_descriptor": "path", "load_module_file": "name", "map_memory": "name"}
"""Layouts of calls that are given a descriptor, of whose file only the path is known, and the parameter that has it."""
DIRECTORIES = frozenset({"change_directory_to_descriptor"})


def is_open(event: Event) -> bool:
    """Tell whether the event has a descriptor of a file."""
    layout = event.type.layout.name
    if layout in OPENING:
        return (number_of(event, "fd") or 0) >= 0
    if layout in NAMED:
        return opened_path(event) is not None
    return layout in DESCRIBED and number_of(event, "inode_mode") != 0


def opened_path(event: Event) -> str | None:
    """Return the path of the descriptor's file; None for events without one."""
    layout = event.type.layout.name
    if layout in OPENING:
        return path_of(event, "name") if is_open(event) else None
    if layout in NAMED:
        value = event.params.get(NAMED[layout])
        return value if isinstance(value, str) and value and (number_of(event, "fd") or 0) >= 0 else None
    return path_of(event, "name") or None if layout in DESCRIBED else None


def _open_number(event: Event, name: str) -> int | None:
    return number_of(event, name) if event.type.layout.name not in NAMED and is_open(event) else None


@field("fd.num")
def num(event: Event) -> int | None:
    """Number of the descriptor; absent when none was opened."""
    value = number_of(event, "fd")
    return value if value is not None and value >= 0 else None


@field("fd.filetype")
def filetype(event: Event) -> str | None:
    """What the descriptor is of: regular, directory, char, block, fifo or socket."""
    mode = _open_number(event, "inode_mode")
    return _KINDS.get(stat.S_IFMT(mode)) if mode is not None else None


@field("fd.directory")
def directory(event: Event) -> str | None:
    """Directory of the descriptor's file."""
    path = opened_path(event)
    return (path.rpartition("/")[0] or "/") if path is not None else None


@field("fd.filename")
def filename(event: Event) -> str | None:
    """Name of the descriptor's file, without its directory."""
    path = opened_path(event)
    return path.rpartition("/")[2] if path is not None else None


@field("fd.uid")
def uid(event: Event) -> str | None:
    """Thread id and descriptor number, joined."""
    value = num(event)
    return f"{event.tid}{value}" if value is not None else None


@field("fd.containerdirectory")
def container_directory(event: Event) -> str | None:
    """Container id and directory, joined with a colon."""
    path = directory(event)
    return f"{event.container.id}:{path}" if path is not None else None


@field("fd.dev")
def dev(event: Event) -> int | None:
    """Device number of the file system that holds the file."""
    return _open_number(event, "dev")


@field("fd.dev.major")
def dev_major(event: Event) -> int | None:
    """Major device number of the file system that holds the file."""
    value = dev(event)
    return os.major(value) if value is not None else None


@field("fd.dev.minor")
def dev_minor(event: Event) -> int | None:
    """Minor device number of the file system that holds the file."""
    value = dev(event)
    return os.minor(value) if value is not None else None


@field("fd.ino")
def ino(event: Event) -> int | None:
    """Inode number of the file."""
    return _open_number(event, "ino")


@field("fd.is_upper_layer")
def is_upper_layer(event: Event) -> bool | None:
    """Whether the file lies in the container's own layer."""
    return _layer(event, "FD_UPPER_LAYER")


@field("fd.is_lower_layer")
def is_lower_layer(event: Event) -> bool | None:
    """Whether the file lies in a layer of the image."""
    return _layer(event, "FD_LOWER_LAYER")


def _layer(event: Event, flag: str) -> bool | None:
    value = _open_number(event, "flags" if event.type.layout.name in OPENING else "file_flags")
    return bool(value & _FILE_FLAGS[flag]) if value is not None else None
