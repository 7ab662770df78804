"""What a field's value depends on: which parts of a record, or of the state around it.

The engine remembers verdicts by these parts (``detect/plan.py``), so an answer here may name too much,
never too little. ``tests/fields/test_inputs.py`` holds it against what the functions do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.fd import DESCRIBED, NAMED, OPENING
from hullwatch.fields.fd_names import NAME_FIELDS
from hullwatch.fields.fs import path_parameter, raw_parameter
from hullwatch.fields.proc_ns import NAMESPACE_FIELDS

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
OF_ANCESTRY = frozenset(
    [f"proc.{name}" for name in ("name", "exe", "exepath", "args", "cmdline", "exeline", "cmdnargs", "cmdlenargs")]
    + [f"proc.{name}" for name in ("pname", "pexe", "pexepath", "pcmdline", "cwd", "tty")]
    + [f"proc.{name}" for name in ("aname", "aexe", "aexepath", "acmdline", "aargs")]
    + ["proc.env", "proc.aenv", *NAMESPACE_FIELDS]
    + [f"proc.is_exe_{name}" for name in ("writable", "upper_layer", "lower_layer", "from_memfd")]
    + ["proc.is_container_entry", "proc.is_container_healthcheck", "user.uid", "user.loginuid", "group.gid"]
)
"""Fields of the process that are the same for all of one ancestry (``enrich/ancestry.py``), container and user.

The others of the process may differ, as its id does; all of the container's are the same.
"""
_OF_CONTAINER_GROUPS = frozenset({"container", "k8s"})
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
}
_ROLES = {
    "fs.path.name": "name",
    "fs.path.nameraw": "name",
    "fs.path.source": "source",
    "fs.path.sourceraw": "source",
    "fs.path.target": "target",
    "fs.path.targetraw": "target",
}
_ABSOLUTE_ROLES = {None: "name", "src": "source", "dst": "target"}
_FILE_NAMES = frozenset({"fd.name", "fd.nameraw", "fd.directory", "fd.filename"})
_FILE_NUMBERS = {
    "fd.type": "inode_mode",
    "fd.typechar": "inode_mode",
    "fd.filetype": "inode_mode",
    "fd.is_upper_layer": "file_flags",
    "fd.is_lower_layer": "file_flags",
    "fd.dev": "dev",
    "fd.dev.major": "dev",
    "fd.dev.minor": "dev",
}
_OF_CONNECTION = frozenset(
    f"fd.{name}"
    for name in (
        *("type", "typechar", "sockfamily", "l4proto", "is_server", "connected", "ip", "net"),
        *("cip", "sip", "lip", "rip", "cnet", "snet", "lnet", "rnet", "sport", "sproto"),
    )
)
_OF_NEW_SOCKET = {
    "fd.name": frozenset({"domain"}),
    "fd.nameraw": frozenset({"domain"}),
    "fd.type": frozenset({"domain"}),
    "fd.typechar": frozenset({"domain"}),
    "fd.sockfamily": frozenset({"domain"}),
    "fd.l4proto": frozenset({"domain", "type", "proto"}),
    "fd.is_server": NOTHING,
    "fd.connected": NOTHING,
}
_OF_EITHER_END = frozenset({"fd.type", "fd.typechar", "fd.sockfamily", "fd.l4proto"})
_OF_REMOTE_END = frozenset({"fd.rip", "fd.rnet", "fd.rport", "fd.rproto"})
_GUESSED = frozenset({"shut_down", "message", "dns"})  # the client is found by the ports, both of them
_ADDRESS_ONLY = frozenset({"bound", "listening"})
_OF_DNS = frozenset(f"dns.{name}" for name in ("question", "type", "id", "is_answer", "rcode", "answer"))
_OF_DRIFT = frozenset(f"drift.{name}" for name in ("kind", "verdict", "place", "path", "sha256", "size", "reason"))
_OF_OWN = {name: frozenset({"data", "l4proto"}) for name in _OF_DNS} | {
    name: frozenset({name.removeprefix("drift.")}) for name in _OF_DRIFT
}
_SERVER_END = {"connection": "r", "accepted": "l"}  # our end of an accepted connection is the server's
_CONNECTIONS = frozenset(_SERVER_END)
_WHOLE = frozenset(
    {"CHARBUF", "FSPATH", "BYTEBUF", "UINT32", "UINT16", "UINT8", "FLAGS32", "MODE", "UID", "GID", "UINT64"}
    | {"INT32", "ENUMFLAGS32", "ENUMFLAGS16", "ENUMFLAGS8", "SIGTYPE", "PID", "INT64"}
)


def inputs(field: Field, argument: str | None, kind: EventType, *, failed: bool) -> Inputs:
    """Return what a field depends on, for calls of one type that failed or did not.

    Args:
        field: of the catalogue.
        argument: the field's argument; None without.
        kind: the row of the event table.
        failed: whether the result is negative.
    """
    if field.function is None or not field.is_of_calls:
        return NOTHING
    name = field.name
    if field.group in _PROCESS_GROUPS or name in _PROCESS_FIELDS:
        return None if name in _TIMED else _OF_PROCESS
    if field.group == "fd":
        of = _of_names if name in NAME_FIELDS else _of_descriptor
        return of(name, kind.layout, failed=failed)
    if name in _OF_TYPE:
        return NOTHING
    if name in _OF_DNS or name in _OF_DRIFT:
        return _OF_OWN[name] if kind.layout.name == field.group else NOTHING
    if name in {"evt.res", "evt.rawres"}:
        return _of_result(name, kind.layout, failed=failed)
    if name in _OF_OPEN:
        return _OF_OPEN[name] & set(kind.layout.scalars) if kind.layout.name in OPENING else NOTHING
    if name in _ROLES or name == "evt.abspath":
        return _of_path(name, argument, kind.layout)
    if name in {"evt.arg", "evt.rawarg"}:
        return _of_argument(argument or "", kind.layout, raw=name == "evt.rawarg")
    return None


def is_of_ancestry(field: Field) -> bool:
    """Tell whether a field of the process is the same for all of one ancestry, container and effective user."""
    return field.function is None or field.name in OF_ANCESTRY or field.group in _OF_CONTAINER_GROUPS


def _of_path(name: str, argument: str | None, layout: Layout) -> Inputs:
    role = _ROLES.get(name) or _ABSOLUTE_ROLES.get(argument)
    parameter = path_parameter(layout.name, role) if role is not None else None
    if parameter is None:
        return NOTHING
    if name == "fs.path.name" and layout.name == "open":
        return None  # the working directory too
    more = raw_parameter(layout.name, parameter) if name.endswith("raw") else None
    if name == "fs.path.source" and layout.name.startswith("symlink"):
        more = path_parameter(layout.name, "target")  # what a relative link is relative to
    return frozenset({parameter, more} if more is not None else {parameter})


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
    if layout.name in OPENING or layout.name in DESCRIBED:
        return _of_file(name, layout, failed=failed)
    if layout.name in NAMED:
        return None
    if layout.name == "socket":
        return NOTHING if failed else _OF_NEW_SOCKET.get(name)
    if layout.name in _ADDRESS_ONLY:
        return None
    if layout.name in _GUESSED:
        return _OF_PEER if name in _OF_EITHER_END or name in _OF_REMOTE_END else None
    if "fd" in layout.scalars and layout.name not in _CONNECTIONS:
        return None
    if layout.name not in _CONNECTIONS:
        return NOTHING
    if layout.name == "accepted" and failed:
        return NOTHING
    if name == "fd.num":
        return None
    end = _SERVER_END[layout.name]
    return _OF_PEER if name in _OF_CONNECTION or name in {f"fd.{end}port", f"fd.{end}proto"} else None


def _of_names(_: str, layout: Layout, *, failed: bool) -> Inputs:
    """Return what the names of addresses depend on: on what was answered until now, so on anything."""
    if layout.name not in _ADDRESS_ONLY and "tuple" not in layout.variables:
        return NOTHING
    return NOTHING if layout.name == "accepted" and failed else None


def _of_file(name: str, layout: Layout, *, failed: bool) -> Inputs:
    path = path_parameter(layout.name, "name")
    opening = layout.name in OPENING
    if opening and failed:
        return NOTHING
    if name in _FILE_NAMES and path is not None:
        return frozenset({path})
    parameter = _FILE_NUMBERS.get(name)
    if parameter is None:
        return None
    if opening:
        return frozenset({"flags" if parameter == "file_flags" else parameter})
    found = {parameter, "inode_mode"}  # which is 0 when there is no such descriptor
    return frozenset(found | {path} if parameter == "inode_mode" and path is not None else found)


def _of_argument(argument: str, layout: Layout, *, raw: bool) -> Inputs:
    found: Parameter | None = next((one for one in layout.parameters if one.name == argument), None)
    if found is None:
        # By number, or one that other events have, or that is made from the process.
        return NOTHING if not argument.isdecimal() and layout.name != "program" else None
    written = raw_parameter(layout.name, argument) if raw else None
    if written is not None:
        return frozenset({argument, written})
    return frozenset({argument}) if found.type in _WHOLE else None
