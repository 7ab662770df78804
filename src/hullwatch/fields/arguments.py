"""An event's parameters as the text that ``evt.arg`` and ``evt.args`` show."""

from __future__ import annotations

import errno
import functools
import stat
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.events.table import FLAGS
from hullwatch.fields.address import read_tuple, tuple_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.events.codec import Value
    from hullwatch.events.event import Event
    from hullwatch.events.table import Parameter

EMPTY = "<NA>"  # Falco's text for a parameter without content
AT_FDCWD = -100
_REMEMBERED_FLAGS = 4096  # numbers; programs open their files in few ways
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
    if parameter.type == "ERRNO" and value < 0:
        return ArgumentText(errno.errorcode.get(-value, str(value)), str(value))
    if parameter.flags:
        return _flags(value, parameter.flags)
    if parameter.name in {"mode", "inode_mode"}:
        return ArgumentText(f"0{value:o}" if value else "0")
    if parameter.name == "dev":
        return ArgumentText(f"{value:X}")
    return ArgumentText(str(value))


def _bytes_text(value: bytes, parameter: Parameter) -> str:
    if parameter.type == "SOCKTUPLE":
        ends = read_tuple(value)
        return tuple_text(*ends) if ends is not None else ""
    if parameter.name == "argv":
        return value.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in value)


def _descriptor(event: Event, value: int, parameter: Parameter) -> ArgumentText:
    if parameter.name == "dirfd":
        return ArgumentText("AT_FDCWD", str(value)) if value == AT_FDCWD else ArgumentText(str(value))
    if value < 0:
        return ArgumentText(errno.errorcode.get(-value, str(value)), str(value))
    content = ""
    name, address = event.params.get("name"), event.params.get("tuple")
    if isinstance(name, str):
        mode = event.params.get("inode_mode", 0)
        content = ("<d>" if isinstance(mode, int) and stat.S_ISDIR(mode) else "<f>") + name
    elif isinstance(address, bytes) and (ends := read_tuple(address)) is not None:
        family = "4" if len(ends[0].address) == 4 else "6"
        letter = {6: "t", 17: "u"}.get(_number(event.params, "l4proto"), "")
        content = f"<{family}{letter}>{tuple_text(*ends)}"
    return ArgumentText(content, str(value)) if content else ArgumentText(str(value))


def _number(params: Mapping[str, Value], name: str) -> int:
    value = params.get(name, 0)
    return value if isinstance(value, int) else 0


@functools.lru_cache(maxsize=_REMEMBERED_FLAGS)
def _flags(value: int, kind: str) -> ArgumentText:
    """Return a number whose bits the event table names under ``kind``."""
    return ArgumentText(flags_text(value, FLAGS[kind]) or str(value), str(value))


def flags_text(value: int, names: Mapping[str, int]) -> str:
    """Return the names of the flags that are set, joined with ``|``."""
    set_names: list[str] = []
    if "O_RDWR" in names and value & _OPEN_ACCESS == _OPEN_ACCESS:
        set_names.append("O_RDWR")
        value &= ~_OPEN_ACCESS
    set_names += [name for name, bit in names.items() if bit.bit_count() == 1 and value & bit]
    return "|".join(set_names)
