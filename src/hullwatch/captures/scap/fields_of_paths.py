"""Fields of the paths that a file call names (``fs.path.*``, ``evt.abspath``)."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from hullwatch.captures.scap.lookup import answers

if TYPE_CHECKING:
    from hullwatch.captures.scap.event import ScapEvent

_NAMES = {
    **dict.fromkeys(("open", "openat", "openat2", "creat", "unlinkat", "umount", "umount2"), "name"),
    **dict.fromkeys(("mkdir", "mkdirat", "rmdir", "unlink", "chown", "lchown"), "path"),
    **dict.fromkeys(("chmod", "fchmodat"), "filename"),
    "fchownat": "pathname", "open_by_handle_at": "path",
}  # fmt: skip
_SOURCES = {
    **dict.fromkeys(("rename", "renameat", "renameat2", "link", "linkat"), "oldpath"),
    **dict.fromkeys(("symlink", "symlinkat"), "target"),
    "mount": "dev",
}
_TARGETS = {
    **dict.fromkeys(("rename", "renameat", "renameat2", "link", "linkat"), "newpath"),
    **dict.fromkeys(("symlink", "symlinkat"), "linkpath"),
    "mount": "dir",
}
_ROLES = {None: _NAMES, "src": _SOURCES, "dst": _TARGETS}


def _whole(event: ScapEvent, roles: dict[str, str]) -> str | None:
    """Return the path in a role, absolute where that can be told."""
    parameter = roles.get(event.raw.kind.name)
    if parameter is None or event.thread is None or event.raw.kind.enters:
        return None
    return event.state.paths.path(event.raw, event.thread, parameter) or None


def _written(event: ScapEvent, roles: dict[str, str]) -> str | None:
    parameter = roles.get(event.raw.kind.name)
    return event.raw.text_of(parameter) or None if parameter is not None and not event.raw.kind.enters else None


@answers("fs.path.name")
def name(event: ScapEvent) -> str | None:
    """Path that the call works on, absolute."""
    return _whole(event, _NAMES)


@answers("fs.path.nameraw")
def nameraw(event: ScapEvent) -> str | None:
    """Path that the call works on, as it was written."""
    return _written(event, _NAMES)


@answers("fs.path.source")
def source(event: ScapEvent) -> str | None:
    """What is renamed, linked to or mounted."""
    if event.raw.kind.name not in {"symlink", "symlinkat"}:
        return _whole(event, _SOURCES)
    written, link = _written(event, _SOURCES), _whole(event, _TARGETS)
    if written is None or link is None or written[0] == "/":
        return written
    return posixpath.normpath(f"{posixpath.dirname(link)}/{written}")


@answers("fs.path.sourceraw")
def sourceraw(event: ScapEvent) -> str | None:
    """What is renamed, linked to or mounted, as it was written."""
    return _written(event, _SOURCES)


@answers("fs.path.target")
def target(event: ScapEvent) -> str | None:
    """New name, link, or directory that is mounted on."""
    return _whole(event, _TARGETS)


@answers("fs.path.targetraw")
def targetraw(event: ScapEvent) -> str | None:
    """New name, link, or directory that is mounted on, as it was written."""
    return _written(event, _TARGETS)


@answers("evt.abspath")
def abspath(event: ScapEvent, argument: str | None) -> str | None:
    """Whole path that the call names; with ``src`` and ``dst`` those of a call with two."""
    roles = _ROLES.get(argument)
    path = _whole(event, roles) if roles is not None else None
    return path if path is not None and path.startswith("/") else None
