"""Fields of the paths that a file call names (``fs.path.*``).

A path that a call was given by name is made absolute and plain in the kernel (``events.md`` says how), but symbolic
links in it are not followed; what the caller wrote is in the ``raw`` fields.
"""

from __future__ import annotations

import functools
import posixpath
from typing import TYPE_CHECKING

from hullwatch.events.table import LAYOUTS
from hullwatch.fields.field import field

if TYPE_CHECKING:
    from hullwatch.events.event import Event


@functools.cache
def path_parameter(layout: str, role: str) -> str | None:
    """Return the parameter of a layout that is the call's ``name``, ``source`` or ``target``."""
    return next((one.name for one in LAYOUTS[layout].parameters if one.path == role), None)


@functools.cache
def raw_parameter(layout: str, parameter: str) -> str | None:
    """Return the parameter that has what the caller wrote where that is not the path itself."""
    for one in LAYOUTS[layout].parameters:
        if one.name == parameter and one.path and f"{one.path}raw" in LAYOUTS[layout].variables:
            return f"{one.path}raw"
    return None


def path_of(event: Event, role: str) -> str | None:
    """Return a path of the call as the event has it; None when it has none."""
    parameter = path_parameter(event.type.layout.name, role)
    value = event.params.get(parameter) if parameter is not None else None
    return value if isinstance(value, str) else None


def raw_of(event: Event, parameter: str) -> str | None:
    """Return what the caller wrote for a path; None when that is what the path says."""
    raw = raw_parameter(event.type.layout.name, parameter)
    value = event.params.get(raw) if raw is not None else None
    return value if isinstance(value, str) and value else None


def _as_written(event: Event, role: str) -> str | None:
    parameter = path_parameter(event.type.layout.name, role)
    if parameter is None:
        return None
    return raw_of(event, parameter) or path_of(event, role) or None


@field("fs.path.name")
def name(event: Event) -> str | None:
    """Path that the call works on, also when it failed; absolute, symbolic links not followed."""
    value = path_of(event, "name")
    if event.type.layout.name != "open" or value is None:
        return value or None
    if value.startswith("/") or event.program is None or not event.program.cwd:
        return value
    return f"{event.program.cwd.rstrip('/')}/{value}"


@field("fs.path.nameraw")
def nameraw(event: Event) -> str | None:
    """Path that the call works on, as the caller wrote it."""
    return path_of(event, "name") if event.type.layout.name == "open" else _as_written(event, "name")


@field("fs.path.source")
def source(event: Event) -> str | None:
    """What is renamed, linked to or mounted; of a symbolic link where it leads to, absolute."""
    value = path_of(event, "source") or None
    link = path_of(event, "target")
    if value is None or link is None or not event.type.layout.name.startswith("symlink"):
        return value
    return posixpath.normpath(f"{posixpath.dirname(link)}/{value}" if value[0] != "/" else value)


@field("fs.path.sourceraw")
def sourceraw(event: Event) -> str | None:
    """What is renamed, linked to or mounted, as the caller wrote it."""
    return _as_written(event, "source")


@field("fs.path.target")
def target(event: Event) -> str | None:
    """New name, link or directory that is mounted on; absolute, symbolic links not followed."""
    return path_of(event, "target") or None


@field("fs.path.targetraw")
def targetraw(event: Event) -> str | None:
    """New name, link or directory that is mounted on, as the caller wrote it."""
    return _as_written(event, "target")
