"""Messages of the domain name system as they go over the wire (RFC 1035, 4), read as far as they can be.

They come from whoever runs in a container: every count, name and jump is limited, and a message that is cut or
contradicts itself gives what stood before.
"""

from __future__ import annotations

import functools
import socket
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAXIMUM_BYTES = 2047  # that the sensor sends of a message
MAXIMUM_RECORDS = 64  # of a message that are looked at
MAXIMUM_ANSWERS = 32  # that are kept
MAXIMUM_NAME = 255  # bytes of a name (RFC 1035, 2.3.4)
MAXIMUM_JUMPS = 16  # of a compressed name
MAXIMUM_ALIASES = 8  # of a name
MESSAGES_KEPT = 1024

_HEADER = 12
_POINTER = 0xC0
_IPV4, _IPV6, _ALIAS = 1, 28, 5  # A, AAAA, CNAME
_ADDRESS_SIZES = {_IPV4: 4, _IPV6: 16}
_NAME_TYPES = frozenset({2, _ALIAS, 12})  # NS and PTR too
_TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 28: "AAAA",
    29: "LOC", 33: "SRV", 35: "NAPTR", 39: "DNAME", 41: "OPT", 43: "DS", 44: "SSHFP", 46: "RRSIG", 47: "NSEC",
    48: "DNSKEY", 50: "NSEC3", 52: "TLSA", 64: "SVCB", 65: "HTTPS", 99: "SPF", 249: "TKEY", 250: "TSIG",
    251: "IXFR", 252: "AXFR", 255: "ANY", 256: "URI", 257: "CAA",
}  # fmt: skip
_CODES = (
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    "NOTZONE",
)  # fmt: skip


class Message(NamedTuple):
    """What a message says.

    Attributes:
        number: that question and answer share.
        is_answer: whether it is one.
        code: the result's name; empty for questions.
        question: the name that is asked for, in lower case and without the last dot; "." is the root.
        kind: of the question: A, AAAA, TXT, ...; TYPE999 for one without a name here (RFC 3597).
        answers: addresses and names.
    """

    number: int
    is_answer: bool
    code: str
    question: str
    kind: str
    answers: tuple[str, ...]


@functools.lru_cache(MESSAGES_KEPT)
def read_message(data: bytes, *, stream: bool = False) -> Message | None:
    """Return what a message says; None for bytes that are none.

    Args:
        data: the message.
        stream: whether it went over TCP, where its length may stand before it.
    """
    if stream and _begins_with_length(data):
        data = data[2:]
    if len(data) < _HEADER:
        return None
    number, flags, questions, answers = (int.from_bytes(data[at : at + 2], "big") for at in (0, 2, 4, 6))
    is_answer = bool(flags & 0x8000)
    if questions != 1:  # nobody sends more, and servers refuse them
        return None
    name, position = _name(data, _HEADER)
    if name is None or position + 4 > len(data):
        return None
    kind = int.from_bytes(data[position : position + 2], "big")
    code = flags & 15
    return Message(
        number=number,
        is_answer=is_answer,
        code=(_CODES[code] if code < len(_CODES) else f"RCODE{code}") if is_answer else "",
        question=name,
        kind=_TYPES.get(kind, f"TYPE{kind}"),
        answers=_answers(data, position + 4, answers) if is_answer else (),
    )


def _begins_with_length(data: bytes) -> bool:
    """Tell whether a message over TCP has its length before it, whole or cut."""
    length = int.from_bytes(data[:2], "big")
    return length == len(data) - 2 or (len(data) == MAXIMUM_BYTES and length > len(data) - 2)


class _Record(NamedTuple):
    """A record of an answer: whose it is, its type, the seconds that it holds, and where its content lies."""

    owner: str
    kind: int
    seconds: int
    begin: int
    end: int


def _records(data: bytes, position: int, count: int) -> Iterator[_Record]:
    for _ in range(min(count, MAXIMUM_RECORDS)):
        name, position = _name(data, position)
        begin = position + 10
        if name is None or begin > len(data):
            break
        kind = int.from_bytes(data[position : position + 2], "big")
        seconds = int.from_bytes(data[position + 4 : position + 8], "big")
        position = begin + int.from_bytes(data[begin - 2 : begin], "big")
        if position > len(data):
            break
        yield _Record(name, kind, seconds, begin, position)


def _answers(data: bytes, position: int, count: int) -> tuple[str, ...]:
    found: list[str] = []
    for record in _records(data, position, count):
        if len(found) >= MAXIMUM_ANSWERS:
            break
        value = _value(data, record.kind, record.begin, record.end)
        if value is not None:
            found.append(value)
    return tuple(found)


class Addresses(NamedTuple):
    """What an answer says of addresses.

    Attributes:
        names: that they have: the one that was asked for, and those that it is only another word for.
        seconds: how long each holds, by the packed address (4 or 16 bytes).
    """

    names: tuple[str, ...]
    seconds: dict[bytes, int]


@functools.lru_cache(MESSAGES_KEPT)
def read_addresses(data: bytes, *, stream: bool = False) -> Addresses | None:
    """Return the addresses that an answer gives the name that was asked for; None for other messages.

    Records of other names, that nobody asked for, are left out.

    Args:
        data: the message.
        stream: whether it went over TCP, where its length may stand before it.
    """
    if stream and _begins_with_length(data):
        data = data[2:]
    flags, questions, answers = (int.from_bytes(data[at : at + 2], "big") for at in (2, 4, 6))
    if len(data) < _HEADER or not flags & 0x8000 or flags & 15 or questions != 1 or not answers:
        return None
    name, position = _name(data, _HEADER)
    if name is None or name == "." or position + 4 > len(data):
        return None
    names, seconds = [name], dict[bytes, int]()
    for record in _records(data, position + 4, answers):
        if record.owner not in names or len(seconds) >= MAXIMUM_ANSWERS:
            continue
        if record.kind == _ALIAS:
            alias = _name(data, record.begin)[0]
            if alias is not None and alias not in names and len(names) <= MAXIMUM_ALIASES:
                names.append(alias)
        elif record.end - record.begin == _ADDRESS_SIZES.get(record.kind):
            seconds[data[record.begin : record.end]] = record.seconds
    return Addresses(tuple(names), seconds) if seconds else None


def _value(data: bytes, kind: int, begin: int, end: int) -> str | None:
    if kind == _IPV4 and end - begin == 4:
        return socket.inet_ntop(socket.AF_INET, data[begin:end])
    if kind == _IPV6 and end - begin == 16:
        return socket.inet_ntop(socket.AF_INET6, data[begin:end])
    return _name(data, begin)[0] if kind in _NAME_TYPES else None


def _name(data: bytes, position: int) -> tuple[str | None, int]:
    """Return the name at a position and where it ends; None for one that is cut, too long or runs in circles."""
    labels: list[bytes] = []
    length, jumps, end = 0, 0, -1
    while position < len(data):
        size = data[position]
        if size >= _POINTER:
            if position + 2 > len(data):
                break
            target = int.from_bytes(data[position : position + 2], "big") & 0x3FFF
            end = position + 2 if end < 0 else end
            jumps += 1
            if target >= position or jumps > MAXIMUM_JUMPS:  # only what stands before can be meant
                break
            position = target
            continue
        position += 1
        if size == 0:
            return _text(labels), position if end < 0 else end
        length += size + 1
        if size > 63 or length > MAXIMUM_NAME or position + size > len(data):
            break
        labels.append(data[position : position + size])
        position += size
    return None, len(data)


def _text(labels: list[bytes]) -> str:
    """Return a name as text: a dot or backslash within a label has a backslash before it (RFC 4343, 2.1)."""
    escaped = [label.replace(b"\\", b"\\\\").replace(b".", b"\\.").lower() for label in labels]
    return b".".join(escaped).decode("utf-8", "surrogateescape") or "."


def write_message(question: str, kind: str, answers: tuple[str, ...] | None = None) -> bytes:
    """Return a message: a question or, with ``answers``, one with its answers.

    Args:
        question: the name.
        kind: A, AAAA, ..., or TYPE and a number.
        answers: addresses, names, or the name of a result such as NXDOMAIN.

    Raises:
        ValueError: when a kind or an answer is not known, or a name has an empty or too long part.
    """
    numbers = {name: number for number, name in _TYPES.items()}
    number = numbers[kind] if kind in numbers else int(kind.removeprefix("TYPE"))
    codes = [_CODES.index(one) for one in answers or () if one in _CODES]
    records = [one for one in answers or () if one not in _CODES]
    flags = 0x0100 if answers is None else 0x8180 | (codes[0] if codes else 0)
    head = b"".join(part.to_bytes(2, "big") for part in (1, flags, 1, len(records), 0, 0))
    return head + _packed(question) + number.to_bytes(2, "big") + b"\0\1" + b"".join(map(_record, records))


def _record(answer: str) -> bytes:
    """Return one record of the name that is asked for: an address, or another name."""
    for kind, family in ((_IPV4, socket.AF_INET), (_IPV6, socket.AF_INET6)):
        try:
            return _packed_record(kind, socket.inet_pton(family, answer))
        except OSError:
            continue
    return _packed_record(_ALIAS, _packed(answer))


def _packed_record(kind: int, content: bytes) -> bytes:
    """Return a record of the question's name."""
    return b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1" + bytes(4) + len(content).to_bytes(2, "big") + content


def _packed(name: str) -> bytes:
    labels = [label.encode("utf-8", "surrogateescape") for label in name.rstrip(".").split(".")] if name != "." else []
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError(f"{name!r} is no name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
