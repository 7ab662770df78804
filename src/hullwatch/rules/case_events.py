"""Events of test cases: readable values of a YAML file to the events that rules see."""

from __future__ import annotations

import errno
import signal
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hullwatch.config.values import parse_duration
from hullwatch.enrich.container import HOST, Container
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.errors import UsageError
from hullwatch.events.dns_message import write_message
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME, FLAGS, TYPES, EventType, Parameter
from hullwatch.fields.address import write_address, write_tuple, write_unix_address, write_unix_tuple
from hullwatch.rules.document import Mapping, Scalar, Sequence
from hullwatch.rules.problem import ProblemError, did_you_mean

if TYPE_CHECKING:
    from hullwatch.rules.document import Node

EVENT_KEYS = frozenset({"type", "params", "proc", "container", "user", "time", "after", "cpu", "tid"})
_PROGRAM_NUMBERS = (
    "tty",
    "uid",
    "gid",
    "loginuid",
    "pgid",
    "sid",
    "exe_ino",
    "exe_ino_ctime",
    "exe_ino_mtime",
    "cap_inheritable",
    "cap_permitted",
    "cap_effective",
)
_PROCESS_KEYS = frozenset(
    {"name", "exe", "exepath", "args", "cmdline", "cwd", "filename", "pid", "vpid", "flags", "outside", "parent", "env"}
) | set(_PROGRAM_NUMBERS)
_CONTAINER_KEYS = frozenset(Container.__struct_fields__)
_KINDS = {
    "regular": stat.S_IFREG | 0o644,
    "directory": stat.S_IFDIR | 0o755,
    "char": stat.S_IFCHR | 0o666,
    "block": stat.S_IFBLK | 0o660,
    "fifo": stat.S_IFIFO | 0o600,
    "socket": stat.S_IFSOCK | 0o600,
}
_NEW_SOCKET = {"domain": 2, "type": 1}  # of IPv4, for a stream
_NO_CONTENT = {"CHARBUF": "", "FSPATH": "", "BYTEBUF": b"", "SOCKTUPLE": b"", "SOCKADDR": b""}
_UNIX_MARKS = ("/", "@")  # a path, or a name in no file system
_DIRECTORIES = ("dirfd", "olddirfd", "newdirfd", "olddir", "newdir", "linkdirfd")
_FIRST_PID = 4000
_DEFAULT_TIME = 1_700_000_000_000_000_000  # ns since the epoch; any moment will do


def case_error(sentence: str, node: Node) -> ProblemError:
    """Return the error of a case that does not have the right form."""
    return ProblemError(sentence, node.location(), "LOAD_ERR_YAML_VALIDATE")


def check_keys(node: Mapping, known: frozenset[str], what: str) -> None:
    """Refuse keys that are not known.

    Raises:
        ProblemError: with the nearest known key.
    """
    for key, _ in node.entries:
        if key.text not in known:
            raise case_error(f"{what} has no key {key.text!r}{did_you_mean(key.text, known)}.", key)


def plain(node: Node) -> Any:
    """Return a node as a Python value: numbers, true, false and null where YAML has them, otherwise text."""
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key.text: plain(value) for key, value in node.entries}
    if node.style:
        return node.text
    words = {"true": True, "false": False, "null": None, "~": None, "": None}
    if node.text in words:
        return words[node.text]
    try:
        return int(node.text, 0)
    except ValueError:
        return node.text


def read_event(node: Node, number: int, before: int | None = None) -> Event:
    """Return the event that a map describes.

    Args:
        node: the map.
        number: of the event.
        before: the time of the event before it, ns since the epoch; None for the first.

    Raises:
        ProblemError: when it has a wrong key or value; the place is that of the value.
    """
    if not isinstance(node, Mapping):
        raise case_error("An event is a map such as {type: execve, proc: {name: bash}}.", node)
    check_keys(node, EVENT_KEYS, "An event")
    kind = _event_type(node)
    container = _container(node.get("container"))
    process = _process(node.get("proc"), container, depth=0)
    user = node.get("user")
    uid = _user(user) if user is not None else (process.program.uid if process is not None else 0)
    return Event(
        number=number,
        time=_time(node, _DEFAULT_TIME if before is None else before),
        type=kind,
        params=_parameters(node.get("params"), kind),
        process=process,
        container=container,
        uid=uid,
        tid=_integer(node, "tid", process.pid if process is not None else 0),
        cpu=_integer(node, "cpu", 0),
    )


def _event_type(node: Mapping) -> EventType:
    name = node.get("type")
    if not isinstance(name, Scalar):
        raise case_error("An event needs a type, such as 'type: execve'.", name or node)
    kind = BY_NAME.get(name.text)
    if kind is None or not kind.is_event:
        known = [one.name for one in BY_NAME.values() if one.is_event]
        raise case_error(f"There is no event {name.text!r} here{did_you_mean(name.text, known)}.", name)
    return kind


def _time(node: Mapping, before: int) -> int:
    after = node.get("after")
    if after is None:
        return _integer(node, "time", before)
    if not isinstance(after, Scalar) or node.key("time") is not None:
        raise case_error("An event has a 'time' in ns since 1970, or 'after' the one before it, such as 30s.", after)
    try:
        return before + round(parse_duration(after.text) * 1e9)
    except UsageError as error:
        raise case_error(str(error), after) from None


def _integer(node: Mapping, key: str, default: int) -> int:
    value = node.get(key)
    if value is None:
        return default
    number = plain(value)
    if not isinstance(number, int) or isinstance(number, bool):
        raise case_error(f"{key!r} is a whole number.", value)
    return number


def _user(node: Node) -> int:
    value = plain(node)
    if value == "root":
        return 0
    if isinstance(value, dict) and isinstance(value.get("uid"), int):  # pyright: ignore[reportUnknownMemberType] - a YAML map
        return int(value["uid"])  # pyright: ignore[reportUnknownArgumentType] - a YAML map
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise case_error("'user' is a number, root, or {uid: number}.", node)


def _container(node: Node | None) -> Container:
    if node is None or (isinstance(node, Scalar) and node.text == "host"):
        return HOST
    if not isinstance(node, Mapping):
        raise case_error("'container' is a map such as {id: abc, image: nginx}, or host.", node)
    check_keys(node, _CONTAINER_KEYS, "A container")
    values = {"id": "0123456789ab", "name": "box", "type": "docker", **plain(node)}
    values["id"] = str(values["id"])
    try:
        return msgspec.convert(values, Container)
    except msgspec.ValidationError as error:
        raise case_error(f"This container is not valid: {error}.", node) from None


def _process(node: Node | None, container: Container, depth: int, *, outside: bool = False) -> Process | None:
    if node is None:
        return None
    if not isinstance(node, Mapping):
        raise case_error("A process is a map such as {name: bash, parent: {name: nginx}}.", node)
    check_keys(node, _PROCESS_KEYS, "A process")
    outside = outside or plain(node.get("outside") or Scalar("false", node.source, node.index)) is True
    parent = _process(node.get("parent"), container, depth + 1, outside=outside)
    pid = _integer(node, "pid", _FIRST_PID - depth)
    home = "" if container.id == "host" or outside else container.full_id or container.id
    process = Process(ProcessKey(pid, pid), parent, _program(node), home)
    process.vpid = _integer(node, "vpid", pid)
    return process


def _program(node: Mapping) -> Program:
    values = plain(node)
    words = _words(node, "cmdline")
    exepath = str(values.get("exepath", ""))
    name = str(values.get("name") or PurePosixPath(exepath or (words[0] if words else "")).name)
    exe = str(values.get("exe") or (words[0] if words else exepath or name))
    program = Program(name[:15], exe, tuple(_words(node, "args") or words[1:]), exepath)
    program.cwd = str(values.get("cwd", "/"))
    program.filename = str(values.get("filename") or exepath)
    for key in _PROGRAM_NUMBERS:
        setattr(program, key, _integer(node, key, getattr(program, key)))
    env = node.get("env")
    program.env = _variables(env) if env is not None else ()
    flags = node.get("flags")
    program.flags = _flags(flags, FLAGS["execve_flags"]) if flags is not None else 0
    return program


def _variables(node: Node) -> tuple[str, ...]:
    if not isinstance(node, Mapping) or not all(isinstance(value, Scalar) for _, value in node.entries):
        raise case_error("'env' is a map of variables, such as {LD_PRELOAD: /tmp/x.so}.", node)
    return tuple(f"{key.text}={value.text}" for key, value in node.entries if isinstance(value, Scalar))


def _words(node: Mapping, key: str) -> list[str]:
    """Return a command line as words: a list as it is, text split at blanks."""
    value = node.get(key)
    if value is None:
        return []
    if isinstance(value, Scalar):
        return value.text.split()
    if isinstance(value, Sequence) and all(isinstance(item, Scalar) for item in value.items):
        return [item.text for item in value.items if isinstance(item, Scalar)]
    raise case_error(f"{key!r} is text or a list of texts.", value)


def _parameters(node: Node | None, kind: EventType) -> dict[str, Any]:
    """Return the parameters of an event; what is left out is what a call that worked has."""
    known = {one.name: one for one in kind.layout.parameters}
    values: dict[str, Any] = {name: _default(one) for name, one in known.items()}
    if node is None:
        return values
    if not isinstance(node, Mapping):
        raise case_error("'params' is a map such as {name: /etc/passwd, flags: O_RDONLY}.", node)
    check_keys(node, frozenset(known), f"The event {kind.name}")
    for key, value in node.entries:
        values[key.text] = _parameter(value, known[key.text])
    result = values.get("fd", 0)
    if "inode_mode" in known and isinstance(result, int) and result < 0:
        values["inode_mode"] = 0
    return values


def _default(parameter: Parameter) -> Any:
    defaults: dict[str, Any] = {
        "fd": 3,
        **dict.fromkeys(_DIRECTORIES, -100),
        "inode_mode": _KINDS["regular"],
        "l4proto": 6,
        **_NEW_SOCKET,
    }
    if parameter.name in defaults:
        return defaults[parameter.name]
    return _NO_CONTENT.get(parameter.type, 0)


def _parameter(node: Node, parameter: Parameter) -> Any:
    value = plain(node)
    if TYPES[parameter.type].size == 0:
        return _content(node, value, parameter)
    return _number(node, value, parameter)


def _content(node: Node, value: Any, parameter: Parameter) -> str | bytes:
    """Return a value of variable size."""
    if parameter.type == "SOCKTUPLE":
        return _tuple(node, str(value))
    if parameter.type == "SOCKADDR":
        return _address(node, str(value))
    if parameter.name == "data":
        return _dns_message(node, str(value))
    if parameter.type in {"CHARBUF", "FSPATH"}:
        return node.text if isinstance(node, Scalar) else str(value)
    words = cast("list[Any]", value) if isinstance(value, list) else str(value).split()
    return b"".join(str(word).encode() + b"\0" for word in words)


def _number(node: Node, value: Any, parameter: Parameter) -> int:
    if parameter.type == "MODE" and isinstance(node, Scalar) and node.text.isdecimal():
        return _octal(node)
    if parameter.type == "SIGTYPE" and isinstance(value, str) and value in signal.Signals.__members__:
        return int(signal.Signals[value])
    if parameter.flags:
        return _flags(node, FLAGS[parameter.flags])
    if parameter.name == "inode_mode" and value in _KINDS:
        return _KINDS[value]
    if isinstance(value, str) and (found := getattr(errno, value, None)) is not None:
        return -int(found)
    if not isinstance(value, int):
        raise case_error(f"{parameter.name!r} is a number or the name of an error, such as ENOENT.", node)
    return int(value)


def _octal(node: Scalar) -> int:
    """Return permissions as chmod(1) takes them: 4755, not 0o4755."""
    try:
        return int(node.text, 8)
    except ValueError:
        raise case_error(f"{node.text!r} is no mode: write 4755, or S_ISUID|S_IXUSR.", node) from None


def _tuple(node: Node, text: str) -> bytes:
    if text.startswith(_UNIX_MARKS):
        return write_unix_tuple(text)
    left, arrow, right = text.partition("->")
    try:
        if not arrow:
            raise ValueError
        return write_tuple(_end(left), _end(right))
    except ValueError:
        raise case_error(
            f"{text!r} is no connection: write 10.0.0.2:40000->93.184.216.34:80, or /path.", node
        ) from None


def _dns_message(node: Node, text: str) -> bytes:
    """Return a question such as ``example.com A``, or one with answers: ``example.com A -> 192.0.2.1``."""
    left, arrow, right = text.partition("->")
    try:
        name, kind = left.split()
        return write_message(name, kind, tuple(right.split()) if arrow else None)
    except ValueError:
        sentence = f"{text!r} is no DNS message: write 'example.com A', or 'example.com A -> 192.0.2.1'."
        raise case_error(sentence, node) from None


def _address(node: Node, text: str) -> bytes:
    if text.startswith(_UNIX_MARKS):
        return write_unix_address(text)
    try:
        return write_address(*_end(text))
    except ValueError:
        raise case_error(f"{text!r} is no address: write 0.0.0.0:80, [::]:80, /path or @name.", node) from None


def _end(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def _flags(node: Node, names: dict[str, int]) -> int:
    value = plain(node)
    if isinstance(value, int):
        return value
    total = 0
    for name in str(value).split("|"):
        if name not in names:
            raise case_error(f"There is no flag {name!r}{did_you_mean(name, names)}.", node)
        total |= names[name]
    return total
