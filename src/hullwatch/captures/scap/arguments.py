"""The values of an event as the text that ``evt.arg`` and ``evt.args`` show."""

from __future__ import annotations

import errno
import signal
import struct
from typing import TYPE_CHECKING

from hullwatch.captures.scap.descriptors import LETTERS, Descriptor
from hullwatch.captures.scap.paths import AT_FDCWD
from hullwatch.captures.scap.raw_event import text_of
from hullwatch.captures.scap.table import NAMES, SIGNED, SIZES, TEXTS, Parameter
from hullwatch.fields.address import end_text, read_address, read_tuple, read_unix_address, tuple_text
from hullwatch.fields.arguments import ArgumentText

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.scap.event import ScapEvent

EMPTY = "<NA>"  # Falco's text for a value that is not there
_NOTHING = "NULL"  # the same for data and addresses
_EMPTY_TEXTS = {"BYTEBUF": _NOTHING, "SOCKTUPLE": _NOTHING}
_SIGNALS = {int(one): one.name for one in signal.Signals}
_ERRORS = {
    **errno.errorcode,
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    516: "ERESTART_RESTARTBLOCK",
}
_NOT_SET = 0xFFFFFFFF
_POLLED = struct.Struct("<qh")
_MOST_POLLED = 64
_UNIX_ENDS = 17
_LONGEST_TUPLE = 37  # bytes of the ends of a connection
_LETTERS = {"tcp": "t", "udp": "u", "icmp": "i", "raw": "r"}


def error_name(result: int) -> str:
    """Return the name of a negative result."""
    return _ERRORS.get(-result, str(result))


def argument_text(event: ScapEvent, index: int) -> ArgumentText:
    """Return one value of an event as text."""
    parameter, value = event.raw.kind.parameters[index], event.raw.bytes(index)
    if not value:
        return ArgumentText(_EMPTY_TEXTS.get(parameter.type, EMPTY))
    return _text(event, parameter, value)


def _text(event: ScapEvent, parameter: Parameter, value: bytes) -> ArgumentText:
    kind = parameter.type
    if kind == "DYN":
        return _variant(event, parameter, value)
    other = _OTHERS.get(kind)
    if other is not None:
        return other(event, parameter, value)
    if kind not in SIZES:
        return ArgumentText("".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in value))
    return _number(event, parameter, int.from_bytes(value, "little", signed=kind in SIGNED))


def _variant(event: ScapEvent, parameter: Parameter, value: bytes) -> ArgumentText:
    types = {number: kind for kind, number in NAMES[parameter.names].numbers.items()}
    kind = types.get(value[0])
    if kind is None or SIZES.get(kind, len(value) - 1) != len(value) - 1:
        return ArgumentText(EMPTY)
    if len(value) == 1:
        return ArgumentText(_EMPTY_TEXTS.get(kind, EMPTY))
    return _text(event, parameter._replace(type=kind, names=""), value[1:])


def _number(event: ScapEvent, parameter: Parameter, value: int) -> ArgumentText:
    number = _NUMBERS.get(parameter.type)
    if number is not None:
        return number(event, value)
    if value < 0 and (parameter.type == "ERRNO" or parameter.name == "res"):
        return ArgumentText(error_name(value), str(value))
    if parameter.names:
        return ArgumentText(names_text(value, parameter) or str(value), str(value))
    if parameter.type == "ERRNO":
        return ArgumentText(str(value))
    if parameter.format == "oct":
        return ArgumentText(f"0{value:o}" if value else "0")
    return ArgumentText(f"{value:X}" if parameter.format == "hex" and value >= 0 else str(value))


def names_text(value: int, parameter: Parameter) -> str:
    """Return the names of a number's flags, joined with ``|``, or of the number; empty when it has none."""
    numbers = NAMES[parameter.names].numbers
    if parameter.type.startswith("ENUM"):
        return "|".join(name for name, number in numbers.items() if number == value)
    whole = [name for name, number in numbers.items() if number == value]
    found: list[str] = []
    for name, number in numbers.items():
        if number == value and not found:
            return whole[0]
        if number and value & number == number:
            found.append(name)
            value &= ~number
    return "|".join(found) or (whole[0] if whole else "")


def _descriptor(event: ScapEvent, value: int) -> ArgumentText:
    if value == AT_FDCWD:
        return ArgumentText("AT_FDCWD", str(value))
    if value < 0:
        return ArgumentText(error_name(value), str(value))
    if event.thread is None:
        return ArgumentText(str(value))
    found = event.thread.shares.files.get(value)
    if found is None and value == event.fd_number:
        found = event.descriptor
    return ArgumentText(_content(found), str(value)) if found is not None else ArgumentText(str(value))


def _content(descriptor: Descriptor) -> str:
    mark = LETTERS.get(descriptor.kind, "o")
    if descriptor.is_ip:
        mark += _LETTERS.get(descriptor.protocol, "") if descriptor.destination is not None else ""
    return f"<{mark}>{descriptor.text}"


def _thread(event: ScapEvent, value: int) -> ArgumentText:
    if value < 0:
        return ArgumentText(error_name(value), str(value))
    found = event.state.threads.find(value)
    return ArgumentText(found.program.comm, str(value)) if found is not None else ArgumentText(str(value))


def _user(event: ScapEvent, value: int) -> ArgumentText:
    return _account(event, value, is_group=False)


def _group(event: ScapEvent, value: int) -> ArgumentText:
    return _account(event, value, is_group=True)


def _account(event: ScapEvent, value: int, *, is_group: bool) -> ArgumentText:
    if value == _NOT_SET:
        return ArgumentText("<NONE>", "-1")
    accounts = event.state.accounts
    container = "" if event.container.id == "host" else event.container.id
    found = accounts.group(container, value) if is_group else accounts.user(container, value)
    return ArgumentText(found.name if found is not None else EMPTY, str(value))


def _signal(_: ScapEvent, value: int) -> ArgumentText:
    return ArgumentText(_SIGNALS[value], str(value)) if value in _SIGNALS else ArgumentText(str(value))


def _duration(_: ScapEvent, value: int) -> ArgumentText:
    return ArgumentText(f"{value / 1e9:g}s", str(value))


def _truth(_: ScapEvent, value: int) -> ArgumentText:
    return ArgumentText("true" if value else "false")


def _mode(_: ScapEvent, value: int) -> ArgumentText:
    names = NAMES["mknod_mode"].numbers
    text = "|".join(name for name, bit in names.items() if bit.bit_count() == 1 and value & bit)
    return ArgumentText(text or "0", f"0{value:o}" if value else "")


_NUMBERS: dict[str, Callable[[ScapEvent, int], ArgumentText]] = {
    **dict.fromkeys(("FD", "FD32"), _descriptor),
    **dict.fromkeys(("PID", "PID32"), _thread),
    "UID": _user, "GID": _group, "SIGTYPE": _signal, "RELTIME": _duration, "BOOL": _truth, "MODE": _mode,
}  # fmt: skip


def _string(event: ScapEvent, parameter: Parameter, value: bytes) -> ArgumentText:
    text = text_of(value)
    if parameter.type == "CHARBUF" or text.startswith("/") or not text or text == EMPTY or event.thread is None:
        return ArgumentText(text)
    whole = event.state.paths.path(event.raw, event.thread, parameter.name)
    return ArgumentText(whole, text if whole != text else "")


def _tuple(_: ScapEvent, __: Parameter, value: bytes) -> ArgumentText:
    ends = read_tuple(value[:_LONGEST_TUPLE])
    if ends is not None:
        return ArgumentText(tuple_text(*ends))
    if len(value) < _UNIX_ENDS or value[0] != 1:
        return ArgumentText(EMPTY)
    ends_text = f"{int.from_bytes(value[1:9], 'little'):x}->{int.from_bytes(value[9:17], 'little'):x}"
    return ArgumentText(f"{ends_text} {text_of(value[_UNIX_ENDS:])}")


def _address(_: ScapEvent, __: Parameter, value: bytes) -> ArgumentText:
    end = read_address(value[:_LONGEST_TUPLE])
    return ArgumentText(end_text(end) if end is not None else (read_unix_address(value) or EMPTY).rstrip("\0"))


def _polled(event: ScapEvent, _: Parameter, value: bytes) -> ArgumentText:
    files = event.thread.shares.files if event.thread is not None else {}
    parts: list[str] = []
    for number, flags in _POLLED.iter_unpack(value[2 : 2 + (len(value) - 2) // _POLLED.size * _POLLED.size]):
        found = files.get(number)
        parts.append(f"{number}:{LETTERS.get(found.kind, 'o') if found is not None else ''}{flags & 0xFFFF:x}")
        if len(parts) == _MOST_POLLED:
            break
    return ArgumentText(" ".join(parts))


def _call(event: ScapEvent, _: Parameter, __: bytes) -> ArgumentText:
    return ArgumentText(event.type.name)


_OTHERS: dict[str, Callable[[ScapEvent, Parameter, bytes], ArgumentText]] = {
    **dict.fromkeys(TEXTS, _string),
    "SOCKTUPLE": _tuple, "SOCKADDR": _address, "FDLIST": _polled, "SYSCALLID": _call,
}  # fmt: skip
