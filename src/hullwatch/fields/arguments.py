"""An event's parameters as the text that ``evt.arg`` and ``evt.args`` show."""

from __future__ import annotations

import errno
import functools
import signal
import stat
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.events.table import FLAGS
from hullwatch.fields.address import (
    end_text,
    read_address,
    read_tuple,
    read_unix_address,
    read_unix_tuple,
    tuple_text,
    unix_text,
)
from hullwatch.fields.fd import DIRECTORIES, opened_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.events.codec import Value
    from hullwatch.events.event import Event
    from hullwatch.events.table import Parameter
    from hullwatch.fields.address import Endpoint

EMPTY = "<NA>"  # Falco's text for a parameter without content
AT_FDCWD = -100
_FAMILY_MARKS = {1: "u", 2: "4", 10: "6", 16: "n"}
_DIRECTORIES = frozenset({"dirfd", "olddirfd", "newdirfd", "olddir", "newdir", "linkdirfd", "mountfd"})
_FILE_TYPE = 0o170000
_SIGNALS = {int(one): one.name for one in signal.Signals}
_REMEMBERED_FLAGS = 4096  # numbers; programs open their files in few ways
_FORMATS = {"mode": "octal", "inode_mode": "octal", "dev": "hex"}  # by name, where the table gives none
_OPEN_ACCESS = 3  # O_RDONLY | O_WRONLY, which together are O_RDWR


class ArgumentText(NamedTuple):
    """A parameter as text: ``number`` as it stands in ``evt.args`` before the parentheses, and ``text``."""

    text: str
    number: str = ""

    def full(self) -> str:
        """Return it as ``evt.args`` shows it."""
        return f"{self.number}({self.text})" if self.number else self.text


def argument_text(event: Event, parameter: Parameter) -> ArgumentText:
    """Return one parameter of an event as text."""
    value = event.params.get(parameter.name, "")
    if isinstance(value, str):
        return ArgumentText(value or EMPTY)
    if isinstance(value, bytes):
        return ArgumentText(_bytes_text(value, parameter) or EMPTY)
    if parameter.type == "FD":
        return _descriptor(event, value, parameter)
    return _number_text(value, parameter)


def _number_text(value: int, parameter: Parameter) -> ArgumentText:
    if value < 0 and (parameter.type == "ERRNO" or parameter.name == "res"):
        return ArgumentText(errno.errorcode.get(-value, str(value)), str(value))
    if parameter.type == "MODE":
        return ArgumentText(mode_text(value, FLAGS[parameter.flags]) or "0", f"0{value:o}" if value else "")
    if parameter.type == "SIGTYPE":
        return ArgumentText(_SIGNALS.get(value, str(value)), str(value))
    if parameter.type.startswith("ENUMFLAGS"):
        names = [name for name, number in FLAGS[parameter.flags].items() if number == value]
        return ArgumentText("|".join(names) or str(value), str(value))
    if parameter.flags:
        return _flags(value, parameter.flags)
    form = parameter.format or _FORMATS.get(parameter.name, "")
    if form == "octal":
        return ArgumentText(f"0{value:o}" if value else "0")
    return ArgumentText(f"{value:X}" if form == "hex" else str(value))


def _bytes_text(value: bytes, parameter: Parameter) -> str:
    if parameter.type == "SOCKTUPLE":
        return _tuple_text(value)
    if parameter.type == "SOCKADDR":
        return _address_text(value)
    if parameter.name in {"argv", "env"}:
        return value.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in value)


def _tuple_text(value: bytes) -> str:
    ends, name = read_tuple(value), read_unix_tuple(value)
    return tuple_text(*ends) if ends is not None else unix_text(name) if name is not None else ""


def _address_text(value: bytes) -> str:
    end = read_address(value)
    return end_text(end) if end is not None else read_unix_address(value) or ""


def _descriptor(event: Event, value: int, parameter: Parameter) -> ArgumentText:
    if parameter.name in _DIRECTORIES:
        return ArgumentText("AT_FDCWD", str(value)) if value == AT_FDCWD else ArgumentText(str(value))
    if value < 0:
        return ArgumentText(errno.errorcode.get(-value, str(value)), str(value))
    name = opened_path(event)
    if name:
        mode = stat.S_IFDIR if event.type.layout.name in DIRECTORIES else _number(event.params, "inode_mode")
        content = ("<d>" if stat.S_ISDIR(mode) else "<f>") + name
    else:
        content = _socket_content(event.params)
    return ArgumentText(content, str(value)) if content else ArgumentText(str(value))


def _socket_content(params: Mapping[str, Value]) -> str:
    """Return a socket as it stands behind its descriptor: the family's character, the protocol's, and the name."""
    both, one = params.get("tuple"), params.get("addr")
    if isinstance(both, bytes) and (ends := read_tuple(both)) is not None:
        return f"<{_ip_mark(ends[0], params)}>{tuple_text(*ends)}"
    if isinstance(one, bytes) and (end := read_address(one)) is not None:
        return f"<{_ip_mark(end, params)}>{end_text(end)}"
    if isinstance(both, bytes) and (name := read_unix_tuple(both)) is not None:
        return f"<u>{unix_text(name)}"
    if isinstance(one, bytes) and (name := read_unix_address(one)) is not None:
        return f"<u>{name}"
    return f"<{_FAMILY_MARKS.get(_number(params, 'domain'), 'o')}>" if "domain" in params else ""


def _ip_mark(end: Endpoint, params: Mapping[str, Value]) -> str:
    family = "4" if len(end.address) == 4 else "6"
    return family + {6: "t", 17: "u"}.get(_number(params, "l4proto"), "")


def _number(params: Mapping[str, Value], name: str) -> int:
    value = params.get(name, 0)
    return value if isinstance(value, int) else 0


def mode_text(value: int, names: Mapping[str, int]) -> str:
    """Return the names of permission bits and, last, of the file's type, joined with ``|``."""
    kind = value & _FILE_TYPE
    text = flags_text(value & ~_FILE_TYPE, names)
    return "|".join([text] * bool(text) + [name for name, bits in names.items() if bits == kind])


@functools.lru_cache(maxsize=_REMEMBERED_FLAGS)
def _flags(value: int, kind: str) -> ArgumentText:
    """Return a number whose bits the event table names under ``kind``."""
    nothing = "O_NONE" if kind == "file_flags" else str(value)
    return ArgumentText(flags_text(value, FLAGS[kind]) or nothing, str(value))


def flags_text(value: int, names: Mapping[str, int]) -> str:
    """Return the names of the flags that are set, joined with ``|``; of none, the name that stands for 0."""
    if not value:
        return next((name for name, number in names.items() if number == 0), "")
    set_names: list[str] = []
    if "O_RDWR" in names and value & _OPEN_ACCESS == _OPEN_ACCESS:
        set_names.append("O_RDWR")
        value &= ~_OPEN_ACCESS
    set_names += [name for name, bit in names.items() if bit.bit_count() == 1 and value & bit]
    return "|".join(set_names)
