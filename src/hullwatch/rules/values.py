"""The right side of a check: text to a value of the field's type."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from hullwatch.fields.catalogue import event_names, parameters
from hullwatch.fields.field import NUMBERS, TEXT, FieldType
from hullwatch.rules.patterns import packed_address
from hullwatch.rules.problem import ProblemError, UnknownFilterError, did_you_mean

if TYPE_CHECKING:
    from hullwatch.fields.field import Scalar
    from hullwatch.rules.syntax import Text

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}")
_BYTES_TYPES = frozenset({"BYTEBUF", "SOCKTUPLE", "SOCKADDR", "FDLIST", "CHARBUFARRAY", "CHARBUF_PAIR_ARRAY"})
_TEXT_TYPES = frozenset({"CHARBUF", "FSPATH", "FSRELPATH"})
MAPPED = bytes(10) + b"\xff\xff"  # an IPv4 address in IPv6 form begins so (RFC 4291, 2.5.5.2)


def parse_value(value: Text, kind: FieldType, field: str) -> Scalar:
    """Return a value as one of the field's type.

    Args:
        value: what stands in the condition.
        kind: the type.
        field: the field's name, for messages and for the names of event types.

    Raises:
        ProblemError: when it is none.
    """
    text = value.text
    if kind in TEXT:
        if field in {"evt.type", "syscall.type"} and text not in event_names():
            raise UnknownFilterError(
                f"There is no event type {text!r}{did_you_mean(text, event_names())}.",
                value.place.location(),
                "LOAD_ERR_COMPILE_CONDITION",
            )
        return text
    if kind is FieldType.BOOL:
        if text not in {"true", "false"}:
            raise _error(value, f"{field} is true or false, not {text!r}.")
        return text == "true"
    if kind is FieldType.PORT and not _NUMBER.fullmatch(text):
        return _service_port(value, field)
    if kind in NUMBERS:
        return _number(value, kind, field)
    if kind is FieldType.IPADDR:
        return _address(value, field)
    return text.encode("utf-8", "surrogateescape")


def parse_hexadecimal(value: Text, field: str) -> bytes:
    """Return the bytes that hexadecimal digits stand for.

    Raises:
        ProblemError: when they are none.
    """
    try:
        return bytes.fromhex(value.text)
    except ValueError:
        raise _error(value, f"{field} is compared with hexadecimal digits here, not with {value.text!r}.") from None


def parameter_type(name: str) -> FieldType:
    """Return the type that ``evt.rawarg`` has for a parameter."""
    kind = parameters()[name].type
    if kind in _TEXT_TYPES:
        return FieldType.CHARBUF
    return FieldType.BYTEBUF if kind in _BYTES_TYPES else FieldType.INT64


def _number(value: Text, kind: FieldType, field: str) -> int | float:
    if kind is FieldType.DOUBLE:
        try:
            return float(value.text)
        except ValueError:
            raise _error(value, f"{field} is a number, and {value.text!r} is not one.") from None
    if not _NUMBER.fullmatch(value.text):
        raise _error(value, f"{field} is a whole number, and {value.text!r} is not a valid one.")
    return int(value.text)


# Of IANA's registry; small systems have no /etc/services, and a rule must load there too.
_SERVICES = {
    "domain": 53,
    "ftp": 21,
    "http": 80,
    "https": 443,
    "imaps": 993,
    "kerberos": 88,
    "ldap": 389,
    "ldaps": 636,
    "mysql": 3306,
    "ntp": 123,
    "postgresql": 5432,
    "rsync": 873,
    "smtp": 25,
    "snmp": 161,
    "ssh": 22,
    "submission": 587,
    "syslog": 514,
    "telnet": 23,
}


def _service_port(value: Text, field: str) -> int:
    for protocol in ("tcp", "udp"):
        try:
            return socket.getservbyname(value.text, protocol)
        except (OSError, ValueError):
            continue
    if value.text in _SERVICES:
        return _SERVICES[value.text]
    raise _error(value, f"{field} is a port or the name of a service, and {value.text!r} is neither.")


def _address(value: Text, field: str) -> str:
    packed = packed_address(value.text)
    if packed is None:
        advice = "; for a network there are fd.net, fd.snet and fd.cnet" if "/" in value.text else ""
        raise _error(value, f"{field} is an address, and {value.text!r} is not one{advice}.")
    packed = packed.removeprefix(MAPPED)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _error(value: Text, sentence: str) -> ProblemError:
    return ProblemError(sentence, value.place.location(), "LOAD_ERR_COMPILE_CONDITION")
