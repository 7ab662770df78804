"""Fields of the event itself (``evt.*``)."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from hullwatch.events.table import FLAGS
from hullwatch.fields.arguments import EMPTY, argument_text
from hullwatch.fields.fd import OPENING
from hullwatch.fields.field import field
from hullwatch.fields.fs import path_of, raw_of

if TYPE_CHECKING:
    from hullwatch.events.event import Event

_OPEN_FLAGS = FLAGS["file_flags"]
_EXECUTE_BITS = 0o111
_META = frozenset({"procexit", "container"})  # no system calls
_NO_CALLS = _META | {"dns"}
_SENDS = frozenset({"sendto", "sendmsg", "sendmmsg"})
_RECEIVES = frozenset({"recvfrom", "recvmsg", "recvmmsg"})
_NETWORK = frozenset({"connect", "accept", "accept4"})


@field("evt.num")
def num(event: Event) -> int:
    """Number of the event, counted from 1."""
    return event.number


@field("evt.type")
def name(event: Event) -> str:
    """Name of the event, mostly that of the system call."""
    return event.type.name


@field("syscall.type")
def syscall_type(event: Event) -> str | None:
    """Name of the system call; absent for other events."""
    return None if event.type.name in _NO_CALLS else event.type.name


@field("evt.type.is")
def type_is(event: Event, argument: str) -> int | None:
    """1 for events of that type, absent for others."""
    return 1 if event.type.name == argument else None


@field("evt.category")
def category(event: Event) -> str:
    """Category of the event: file, net, process, ..."""
    return event.type.category


@field("evt.source")
def source(event: Event) -> str:  # noqa: ARG001 - every field takes the event
    """Where the event comes from: ``syscall``."""
    return "syscall"


@field("evt.dir")
def direction(event: Event) -> str:
    """``<`` for a system call that has ended, ``>`` for other events."""
    return ">" if event.type.name in _META else "<"


@field("evt.is_async")
def is_async(event: Event) -> bool:  # noqa: ARG001 - every field takes the event
    """Whether the event was made by a plugin beside the stream: false."""
    return False


@field("evt.hostname")
def hostname(event: Event) -> str:  # noqa: ARG001 - every field takes the event
    """Name of the host."""
    return socket.gethostname()


@field("evt.cpu")
def cpu(event: Event) -> int:
    """Number of the CPU that the call was made on."""
    return event.cpu


@field("evt.count")
def count(event: Event) -> int:  # noqa: ARG001 - every field takes the event
    """Always 1."""
    return 1


@field("evt.count.exit")
def count_exit(event: Event) -> int | None:
    """1 for a completed system call."""
    return None if event.type.name in _NO_CALLS else 1


@field("evt.count.error")
def count_error(event: Event) -> int | None:
    """1 for a call that failed; absent otherwise."""
    return 1 if failed(event) else None


@field("evt.count.error.file")
def count_error_file(event: Event) -> int | None:
    """1 for a failed call of a file; absent otherwise."""
    return 1 if failed(event) and event.type.category == "file" else None


@field("evt.count.error.net")
def count_error_net(event: Event) -> int | None:
    """1 for a failed call of the network; absent otherwise."""
    return 1 if failed(event) and event.type.category == "net" else None


@field("evt.args")
def args(event: Event) -> str:
    """All parameters as text: name=value, blank-separated."""
    parameters = event.type.layout.parameters
    return " ".join(f"{one.name}={argument_text(event, one).full()}" for one in parameters if not one.hidden)


@field("evt.info")
def info(event: Event) -> str:
    """The same as evt.args."""
    return args(event)


@field("evt.arg")
def arg(event: Event, argument: str) -> str | None:
    """One parameter as text, by name or number; absent when the event has none of it."""
    parameters = event.type.layout.parameters
    if argument.isdecimal():
        return argument_text(event, parameters[int(argument)]).text if int(argument) < len(parameters) else None
    for parameter in parameters:
        if parameter.name == argument:
            return argument_text(event, parameter).text
    return _program_argument(event, argument) if event.type.layout.name == "program" else None


def _program_argument(event: Event, argument: str) -> str | None:
    """Return what Falco has as a parameter of a program's start and we have in the process."""
    if event.program is None or event.process is None:
        return None
    exe, args = _asked_for(event) if failed(event) else (event.program.exe, " ".join(event.program.args))
    texts = {
        "exe": exe,
        "args": args,
        "pid": str(event.process.pid),
        "tid": str(event.tid),
        "uid": str(event.uid),
        "pgid": str(event.program.pgid),
    }
    value = texts.get(argument)
    return value if value is None else value or EMPTY


def _asked_for(event: Event) -> tuple[str, str]:
    """Return the first argument and the others of a program that could not be run."""
    argv = event.params.get("argv")
    words = argv.decode("utf-8", "surrogateescape").split("\0") if isinstance(argv, bytes) else [""]
    return words[0], " ".join(words[1:]).rstrip()


@field("evt.rawarg")
def rawarg(event: Event, argument: str) -> str | int | bytes | None:
    """One parameter as it is, by name; absent when it is empty or the event has none of it."""
    value = raw_of(event, argument) or event.params.get(argument)
    return None if value in ("", b"") else value


@field("evt.rawres")
def rawres(event: Event) -> int | None:
    """Result of the call: negative for an error; absent for events without one."""
    params = event.params
    value = params.get("res", params.get("fd"))
    return value if isinstance(value, int) and event.type.name not in _NO_CALLS else None


@field("evt.res")
def res(event: Event) -> str | None:
    """``SUCCESS``, or the name of the error."""
    value = rawres(event)
    if value is None:
        return None
    return "SUCCESS" if value >= 0 else errno.errorcode.get(-value, str(value))


@field("evt.failed")
def failed(event: Event) -> bool | None:
    """Whether the call failed; absent for events without a result."""
    value = rawres(event)
    return None if value is None else value < 0


def _open_flags(event: Event) -> int:
    """Return the flags of an opening call; 0 for every other event."""
    value = event.params.get("flags", 0) if event.type.layout.name in OPENING else 0
    return value if isinstance(value, int) else 0


@field("evt.is_open_read")
def is_open_read(event: Event) -> bool:
    """Whether a file was opened, or asked for, to be read."""
    return bool(_open_flags(event) & _OPEN_FLAGS["O_RDONLY"])


@field("evt.is_open_write")
def is_open_write(event: Event) -> bool:
    """Whether a file was opened, or asked for, to be written."""
    return bool(_open_flags(event) & _OPEN_FLAGS["O_WRONLY"])


@field("evt.is_open_exec")
def is_open_exec(event: Event) -> bool:
    """Whether a file was to be made that may be executed."""
    making = _OPEN_FLAGS["O_CREAT"] | _OPEN_FLAGS["O_TMPFILE"]
    mode = event.params.get("mode", 0)
    return bool(_open_flags(event) & making) and isinstance(mode, int) and bool(mode & _EXECUTE_BITS)


@field("evt.is_open_create")
def is_open_create(event: Event) -> bool:
    """Whether a file was made by being opened."""
    return bool(_open_flags(event) & _OPEN_FLAGS["O_F_CREATED"])


@field("evt.is_io")
def is_io(event: Event) -> bool:
    """Whether data was sent or received; reads and writes of files are not watched."""
    return event.type.name in _SENDS or event.type.name in _RECEIVES


@field("evt.is_io_read")
def is_io_read(event: Event) -> bool:
    """Whether data was received; reads of files are not watched."""
    return event.type.name in _RECEIVES


@field("evt.is_io_write")
def is_io_write(event: Event) -> bool:
    """Whether data was sent; writes of files are not watched."""
    return event.type.name in _SENDS


@field("evt.is_wait")
def is_wait(event: Event) -> bool:
    """Whether the call may wait for something."""
    return event.type.name in _NETWORK


@field("evt.abspath")
def abspath(event: Event, argument: str | None) -> str | None:
    """Whole path that the call names; with ``src`` and ``dst`` those of a call with two."""
    role = {None: "name", "src": "source", "dst": "target"}.get(argument)
    path = path_of(event, role) if role is not None else None
    return path if path is not None and path.startswith("/") else None
