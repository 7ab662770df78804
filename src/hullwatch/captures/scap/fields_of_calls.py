"""Fields of the call itself (``evt.*``) for the events of .scap files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.captures.scap.arguments import EMPTY, argument_text, error_name
from hullwatch.captures.scap.lookup import answers
from hullwatch.captures.scap.raw_event import text_of
from hullwatch.captures.scap.table import NAMES, SIGNED, SIZES, TEXTS

if TYPE_CHECKING:
    from hullwatch.captures.scap.event import ScapEvent

_GENERIC = 1  # the last number of a generic event
_OPEN_FLAGS = NAMES["file_flags"].numbers
_OPENING = frozenset({"open", "openat", "openat2", "open_by_handle_at"})
_CREATING = _OPENING | {"creat"}
_EXECUTE_BITS = 0o111
_DATA = ("data", "msgcontrol")


def _is_call(event: ScapEvent) -> bool:
    """Whether the event is of a system call, and not one of the writer's own."""
    return event.raw.kind.enters or event.raw.kind.number % 2 == 1


@answers("syscall.type")
def syscall_type(event: ScapEvent) -> str | None:
    """Name of the system call."""
    return event.type.name if _is_call(event) else None


@answers("evt.dir")
def direction(event: ScapEvent) -> str:
    """``<`` for the end of a system call, ``>`` for its beginning and for other events."""
    return "<" if event.raw.kind.number % 2 else ">"


@answers("evt.args")
def args(event: ScapEvent) -> str:
    """All values as text: name=value, blank-separated."""
    kind = event.raw.kind
    if kind.number <= _GENERIC:
        return ""
    count = min(len(event.raw.values), len(kind.parameters))
    return " ".join(f"{kind.parameters[index].name}={argument_text(event, index).full()}" for index in range(count))


@answers("evt.info")
def info(event: ScapEvent) -> str:
    """The same as evt.args."""
    return args(event)


@answers("evt.arg")
def arg(event: ScapEvent, argument: str) -> str | None:
    """One value as text, by name or number; absent when the event has none of it."""
    index = int(argument) if argument.isdecimal() else event.raw.place(argument)
    if index >= min(len(event.raw.values), len(event.raw.kind.parameters)):
        return None
    return argument_text(event, index).text


@answers("evt.rawarg")
def rawarg(event: ScapEvent, argument: str) -> str | int | bytes | None:
    """One value as it is, by name; absent when it is empty or the event has none of it."""
    index = event.raw.place(argument)
    value = event.raw.bytes(index)
    if not value:
        return None
    kind = event.raw.kind.parameters[index].type
    if kind in SIZES:
        return int.from_bytes(value, "little", signed=kind in SIGNED)
    return text_of(value) or None if kind in TEXTS else value


@answers("evt.rawres")
def rawres(event: ScapEvent) -> int | None:
    """Result of the call: negative for an error; absent for events without one."""
    raw = event.raw
    if raw.kind.number % 2 == 0 or raw.kind.number <= _GENERIC or not raw.bytes(0):
        return None
    return raw.integer(0) if raw.kind.parameters[0].type in SIZES else None


@answers("evt.res")
def res(event: ScapEvent) -> str | None:
    """``SUCCESS``, or the name of the error."""
    value = rawres(event)
    if value is None:
        return None
    return "SUCCESS" if value >= 0 else error_name(value)


@answers("evt.failed")
def failed(event: ScapEvent) -> bool | None:
    """Whether the call failed; absent for events without a result."""
    value = rawres(event)
    return None if value is None else value < 0


@answers("evt.count.error")
def count_error(event: ScapEvent) -> int | None:
    """1 for a call that failed."""
    return 1 if failed(event) else None


@answers("evt.count.error.file")
def count_error_file(event: ScapEvent) -> int | None:
    """1 for a failed call of a file."""
    return 1 if failed(event) and event.type.category == "file" else None


@answers("evt.count.error.net")
def count_error_net(event: ScapEvent) -> int | None:
    """1 for a failed call of the network."""
    return 1 if failed(event) and event.type.category == "net" else None


@answers("evt.count.exit")
def count_exit(event: ScapEvent) -> int | None:
    """1 for the end of a call."""
    return 1 if event.raw.kind.number % 2 else None


def _is_io(event: ScapEvent, category: str) -> bool:
    return event.raw.kind.category == category


@answers("evt.is_io")
def is_io(event: ScapEvent) -> bool:
    """Whether data was read or written."""
    return event.raw.kind.category in {"io-read", "io-write"}


@answers("evt.is_io_read")
def is_io_read(event: ScapEvent) -> bool:
    """Whether data was read."""
    return _is_io(event, "io-read")


@answers("evt.is_io_write")
def is_io_write(event: ScapEvent) -> bool:
    """Whether data was written."""
    return _is_io(event, "io-write")


@answers("evt.io_dir")
def io_dir(event: ScapEvent) -> str | None:
    """``read`` or ``write``."""
    return {"io-read": "read", "io-write": "write"}.get(event.raw.kind.category)


@answers("evt.is_wait")
def is_wait(event: ScapEvent) -> bool:
    """Whether the call may wait for something."""
    return "waits" in event.raw.kind.marks


@answers("evt.buffer")
def buffer(event: ScapEvent) -> bytes | None:
    """Data that was read or written, as far as the writer kept it."""
    if not is_io(event):
        return None
    return event.raw.bytes_of("data") or None


@answers("evt.buflen")
def buflen(event: ScapEvent) -> int | None:
    """Bytes that were read or written."""
    if not event.raw.kind.category.startswith("io-") or event.raw.kind.enters or event.descriptor is None:
        return None
    value = rawres(event)
    return value if value is not None and value >= 0 else None


def _open_flags(event: ScapEvent) -> int:
    return event.raw.number_of("flags") if event.raw.kind.name in _OPENING else 0


@answers("evt.is_open_read")
def is_open_read(event: ScapEvent) -> bool:
    """Whether a file was opened, or asked for, to be read."""
    return bool(_open_flags(event) & _OPEN_FLAGS["O_RDONLY"])


@answers("evt.is_open_write")
def is_open_write(event: ScapEvent) -> bool:
    """Whether a file was opened, or asked for, to be written."""
    return bool(_open_flags(event) & _OPEN_FLAGS["O_WRONLY"])


@answers("evt.is_open_exec")
def is_open_exec(event: ScapEvent) -> bool:
    """Whether a file was to be made that may be executed."""
    if event.raw.kind.name not in _CREATING:
        return False
    making = _OPEN_FLAGS["O_CREAT"] | _OPEN_FLAGS["O_TMPFILE"]
    makes = event.raw.kind.name == "creat" or bool(_open_flags(event) & making)
    return makes and bool(event.raw.number_of("mode") & _EXECUTE_BITS)


@answers("evt.is_open_create")
def is_open_create(event: ScapEvent) -> bool:
    """Whether a file was made by being opened."""
    return event.raw.kind.name == "creat" or bool(_open_flags(event) & _OPEN_FLAGS["O_F_CREATED"])


__all__ = ["EMPTY"]
