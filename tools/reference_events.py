"""The reference page of the event table."""

from __future__ import annotations

import tomllib

from hullwatch.events.table import EVENTS, FLAGS, HEADER_FIELDS, TABLES, TYPES, VERSION, EventType, merge

INTRODUCTION = f"""\
# Events

Every record that can stand in the stream between the sensor and the engine, version {VERSION} of the table. Names,
numbers, parameters and flag values are Falco's where Falco has them; what is our own is marked with *, and own numbers
begin at 1000.

## How a record lies in bytes

Little-endian. First the header, then the values of fixed size, widest first and otherwise in the order of the tables
below, then (from an even byte) a u16 length for each value of variable size, then zero bytes up to a multiple of 8,
then the values of variable size in the order of the tables, then zero bytes up to a multiple of 8.

## Paths

After a call that opened a file, or was given a descriptor, the path is that of the kernel's own object: no symbolic
link is in it, and nobody can change it. The file of a call that was given a *name* is out of reach when the call has
ended. Such a record has the flag `USER_MEMORY`, and its path is made of two parts: the directory that a relative name
begins at, from the kernel's objects, and the name as the caller wrote it. The name is made plain as text: double
slashes and `.` go, `..` takes the component before it away. So symbolic links in the name are not followed
(`/proc/self/fd/3/x` stays that), a `..` behind one is not where the kernel went, and another thread may have changed
the name meanwhile. What the caller wrote is in `nameraw` (`sourceraw`, `targetraw`), which is empty where it is the
path itself. The flag `TRUNCATED` says that a path was cut at its beginning, or that its directory did not fit and the
name stands alone; a name whose descriptor is none stands alone too.

"""

# What a field of the header means; the fields themselves are the table's.
HEADER_MEANINGS = {
    "length": "bytes of the whole record, a multiple of 8",
    "type": "the event's number",
    "flags": "record_flags, see below",
    "time": "ns since boot",
    "process_start": "when the process started, ns since boot: with pid, its key",
    "cgroup_id": "the control group that the process is in",
    "cgroup_hierarchy": "which hierarchy that is: 0 = the unified one",
    "uid": "effective user id",
    "pid": "process id",
    "tid": "thread id",
    "sequence": "counts the records of a CPU: a gap is a loss",
    "cpu": "where it happened",
    "reserved": "0",
}
CATEGORIES = {
    "process": "Processes",
    "user": "Users and groups",
    "signal": "Signals",
    "memory": "Memory",
    "file": "Files",
    "io-other": "Descriptors and io_uring",
    "net": "Network",
    "ipc": "Between processes",
    "other": "The kernel, device nodes and other calls",
    "container": "Containers",
    "internal": "State, which no rule sees",
    "control": "Orders from the engine to the sensor",
}


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def header() -> str:
    """Return the section about the header of every record."""
    rows = [(f"`{name}`", width, HEADER_MEANINGS[name]) for name, width in HEADER_FIELDS]
    return "### Header\n\n" + table(("field", "type", "meaning"), rows)


def types() -> str:
    """Return the section about the types of parameters."""
    rows = [
        (f"`{name}`{'*' * kind.own}", str(kind.size) if kind.size else "variable", "yes" if kind.signed else "")
        for name, kind in TYPES.items()
    ]
    return "### Types\n\n" + table(("type", "bytes", "signed"), rows)


def flags() -> str:
    """Return the section about flag values."""
    groups = [
        f"### {group}\n\n" + table(("flag", "value"), [(f"`{name}`", str(value)) for name, value in values.items()])
        for group, values in FLAGS.items()
    ]
    return "## Flags and reasons\n\n" + "\n".join(groups)


def section(rows: list[EventType]) -> str:
    """Return the section of the events that one row of the table makes."""
    first = rows[0]
    names = ", ".join(f"{row.name} ({row.number})" for row in rows)
    remarks = [first.doc]
    if first.changes:
        remarks.append(f"Sent too when a rule uses a field that it changes: {', '.join(first.changes)}.")
    elif first.state and first.syscall:
        remarks.append("Always sent, for the process and container state needs it; a failed one when a rule asks.")
    elif first.state:
        remarks.append("Always sent: the process and container state needs it.")
    if first.origin == "engine":
        remarks.append("Made by the engine.")
    parameters = [
        (
            f"`{item.name}`{'*' * item.own}",
            f"`{item.type}`",
            item.doc + (f" ({item.flags})" if item.flags and item.doc else item.flags),
        )
        for item in first.layout.parameters
    ]
    body = table(("parameter", "type", "meaning"), parameters) if parameters else "No parameters.\n"
    return f"### {names}\n\n{' '.join(remarks)}\n\n{body}"


def page() -> str:
    """Return the whole page."""
    by_number = {event.number: event for event in EVENTS}
    raw = merge(tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(TABLES.glob("*.toml")))
    groups = [[by_number[number] for number in row["numbers"].values()] for row in raw["events"]]
    parts = [INTRODUCTION + header(), types()]
    for category in dict.fromkeys(rows[0].category for rows in groups):
        parts.append(f"## {CATEGORIES[category]}\n")
        parts += [section(rows) for rows in groups if rows[0].category == category]
    parts.append(flags())
    return "\n".join(parts)
