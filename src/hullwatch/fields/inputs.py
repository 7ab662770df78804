"""What a field's value depends on: which parts of a record, or of the state around it.

The engine remembers verdicts by these parts (``detect/plan.py``), so an answer here may name too much,
never too little. ``tests/fields/test_inputs.py`` holds it against what the functions do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hullwatch.events.table import EventType, Layout, Parameter
    from hullwatch.fields.field import Field

Inputs = frozenset[str] | None
"""Names of parameters of the event, ``PROCESS``, ``PEER`` or ``RESULT``; None if it can be anything, as the time."""

PROCESS = "process"
"""The process with its ancestors, what they run, its container, and the effective user."""
PEER = "peer"
"""Both ends of a connection without the client's port, which is another one every time, and the protocol."""
RESULT = "result"
"""The error of a failed call."""

NOTHING: frozenset[str] = frozenset()  # the event's type, and whether the call failed, say it all
_OF_PROCESS = frozenset({PROCESS})
_OF_PEER = frozenset({PEER})
_PROCESS_GROUPS = frozenset({"proc", "container", "k8s"})
_PROCESS_FIELDS = frozenset(
    {
        *("user.uid", "user.loginuid", "group.gid"),
        *("thread.cap_inheritable", "thread.cap_permitted", "thread.cap_effective"),
    }
)
_TIMED = frozenset({"container.duration", "proc.duration", "proc.ppid.duration"})
_OF_TYPE = frozenset(
    {
        "evt.type",
        "evt.type.is",
        "evt.category",
        "evt.source",
        "evt.dir",
        "evt.is_async",
        "evt.count",
        "evt.count.exit",
        "evt.count.error",
        "evt.count.error.file",
        "evt.count.error.net",
        "evt.failed",
        "evt.is_io",
        "evt.is_io_read",
        "evt.is_io_write",
        "evt.is_wait",
        "syscall.type",
    }
)
_OF_OPEN = {
    "evt.is_open_read": frozenset({"flags"}),
    "evt.is_open_write": frozenset({"flags"}),
    "evt.is_open_create": frozenset({"flags"}),
    "evt.is_open_exec": frozenset({"flags", "mode"}),
    "evt.abspath": frozenset({"name"}),
    "fs.path.nameraw": frozenset({"name"}),
    "fs.path.name": None,  # the working directory too
}
_OF_OPENED = {
    "fd.name": frozenset({"name"}),
    "fd.nameraw": frozenset({"name"}),
    "fd.directory": frozenset({"name"}),
    "fd.filename": frozenset({"name"}),
    "fd.type": frozenset({"inode_mode"}),
    "fd.typechar": frozenset({"inode_mode"}),
    "fd.filetype": frozenset({"inode_mode"}),
    "fd.is_upper_layer": frozenset({"flags"}),
    "fd.is_lower_layer": frozenset({"flags"}),
    "fd.dev": frozenset({"dev"}),
    "fd.dev.major": frozenset({"dev"}),
    "fd.dev.minor": frozenset({"dev"}),
}
_OF_CONNECTION = frozenset(
    f"fd.{name}"
    for name in (
        *("type", "typechar", "sockfamily", "l4proto", "is_server", "connected", "ip", "net"),
        *("cip", "sip", "lip", "rip", "cnet", "snet", "lnet", "rnet", "sport", "sproto"),
    )
)
_SERVER_END = {"connection": "r", "accepted": "l"}  # our end of an accepted connection is the server's
_CONNECTIONS = frozenset(_SERVER_END)
_WHOLE = frozenset(
    {
        *("CHARBUF", "FSPATH", "BYTEBUF", "UINT32", "UINT16", "UINT8", "FLAGS32", "UID", "GID", "UINT64"),
        *("ENUMFLAGS32", "ENUMFLAGS16", "SIGTYPE", "PID", "INT64"),
    }
)


def inputs(field: Field, argument: str | None, kind: EventType, *, failed: bool) -> Inputs:
    """Return what a field depends on, for calls of one type that failed or did not.

    Args:
        field: of the catalogue.
        argument: the field's argument; None without.
        kind: the row of the event table.
        failed: whether the result is negative.
    """
    if field.function is None:
        return NOTHING
    name = field.name
    if field.group in _PROCESS_GROUPS:
        return None if name in _TIMED else _OF_PROCESS
    if name in _PROCESS_FIELDS:
        return _OF_PROCESS
    if field.group == "fd":
        return _of_descriptor(name, kind.layout, failed=failed)
    if name in _OF_TYPE:
        return NOTHING
    if name in {"evt.res", "evt.rawres"}:
        return _of_result(name, kind.layout, failed=failed)
    if name in _OF_OPEN:
        return _OF_OPEN[name] if kind.layout.name == "open" else NOTHING
    if name in {"evt.arg", "evt.rawarg"}:
        return _of_argument(argument or "", kind.layout)
    return None


def result_parameter(layout: Layout) -> str | None:
    """Return the parameter that says whether a call failed: negative if so; None for events that are no calls."""
    return next((name for name in ("res", "fd") if name in layout.scalars), None)


def _of_result(name: str, layout: Layout, *, failed: bool) -> Inputs:
    if result_parameter(layout) is None:
        return None
    if failed:
        return frozenset({RESULT})
    return NOTHING if name == "evt.res" else None


def _of_descriptor(name: str, layout: Layout, *, failed: bool) -> Inputs:
    if layout.name == "open":
        return NOTHING if failed else _OF_OPENED.get(name)
    if "fd" in layout.scalars and layout.name not in _CONNECTIONS:
        return None
    if layout.name not in _CONNECTIONS:
        return NOTHING
    if name == "fd.num":
        return None
    end = _SERVER_END[layout.name]
    return _OF_PEER if name in _OF_CONNECTION or name in {f"fd.{end}port", f"fd.{end}proto"} else None


def _of_argument(argument: str, layout: Layout) -> Inputs:
    found: Parameter | None = next((one for one in layout.parameters if one.name == argument), None)
    if found is None:
        # By number, or one that other events have, or that is made from the process.
        return NOTHING if not argument.isdecimal() and layout.name != "program" else None
    return frozenset({argument}) if found.type in _WHOLE else None
