"""Streams of .scap events that are made up: calls of a few threads, whole ones and such of which a part was lost."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hullwatch.captures.scap.table import KINDS, LONG_LENGTHS, SIZES, TEXTS
from tests.captures.scap.scap_files import block, event, i64, machine, section, thread, threads, u32

if TYPE_CHECKING:
    import random

    from hullwatch.captures.scap.table import EventKind, Parameter

OFTEN = frozenset(
    [
        "open",
        "openat",
        "openat2",
        "creat",
        "open_by_handle_at",
        "close",
        "socket",
        "connect",
        "accept",
        "bind",
        "dup",
        "dup3",
        "fcntl",
        "pipe",
        "sendto",
        "recvfrom",
        "recvmsg",
        "memfd_create",
        "eventfd",
        "epoll_create",
        "clone",
        "execve",
        "chdir",
        "fchdir",
        "setuid",
        "setsid",
        "prctl",
        "procexit",
        "unlink",
        "unlinkat",
        "rename",
        "read",
        "switch",
        "container",
        "useradded",
    ]
)
"""Names of events that change something, or that rules ask for."""
_USED = [kind for kind in KINDS.values() if LONG_LENGTHS not in kind.marks and not kind.number % 2]
_OFTEN = [kind for kind in _USED if kind.name in OFTEN]
_OPENING = [kind for kind in _USED if kind.name in {"open", "openat", "creat", "socket", "close", "fcntl", "connect"}]
_TIDS = (10, 10, 10, 11, 11, 12, 13, 1, 77)
_PATHS = (b"/etc/shadow", b"/etc/passwd", b"notes", b"../x", b"/tmp/a", b"<NA>", b"", b"/usr/bin/ls")
_NUMBERS = (0, 1, 2, 3, 3, 3, 4, 4, 5, 1029, -1, -2, -100)
_TUPLES = (
    b"",
    b"\x02\x0a\x00\x00\x01\x39\x30\x0a\x00\x00\x02\x50\x00",
    b"\x01" + bytes(16) + b"/run/socket\0",
    b"\x02\x7f\x00\x00\x01\x35\x00",
)
_JSON = tuple(
    f'{{"container":{{"id":"{id_}","type":0,"name":"{name}","image":"{name}"}}}}'.encode() + b"\0"
    for id_, name in (("0123456789ab", "incomplete"), ("0123456789ab", "web"), ("ba9876543210", "db"))
)
_CGROUPS = (b"", b"cpu=/\0", b"cpu=/docker/" + b"0123456789ab" * 5 + b"0123\0")
_SPAN = 5 * 10**8  # ns between events at most


def beginning() -> bytes:
    """Return what a stream begins with."""
    entries = (
        thread(1, 1, 0, "init"),
        thread(10, 10, 1, "cat", "/tmp"),
        thread(11, 10, 1, "cat"),
        thread(12, 12, 10, "sh"),
    )
    return section() + machine() + threads(*entries)


def made_up_stream(chance: random.Random, number: int) -> bytes:
    """Return the blocks of about so many events: mostly calls that were made before, by threads that take turns."""
    parts: list[bytes] = []
    calls: list[list[tuple[EventKind, list[bytes], bool]]] = []
    begun: dict[int, list[tuple[EventKind, list[bytes], bool]]] = {}
    moment = 1_700_000_000_000_000_000
    while len(parts) < number:
        moment += chance.randrange(_SPAN)
        tid = chance.choice(_TIDS)
        left = begun.get(tid)
        if not left:
            if not calls or chance.random() < 0.25:
                calls.append(_call(chance))
            left = begun[tid] = list(chance.choice(calls[-12:]))
        kind, values, is_old = left.pop(0)
        if chance.random() < 0.97:  # some are lost
            parts.append(_event(kind, values, tid, moment, is_old=is_old))
    return b"".join(parts)


def _call(chance: random.Random) -> list[tuple[EventKind, list[bytes], bool]]:
    """Return the beginning and the end of a call, or an event that is none."""
    kinds = _OFTEN if chance.random() < 0.6 else _OPENING if chance.random() < 0.7 else _USED
    kind = chance.choice(kinds)
    is_old = chance.random() < 0.25
    return [(one, _values(chance, one), is_old) for one in (kind, KINDS.get(kind.number + 1)) if one is not None]


def _values(chance: random.Random, kind: EventKind) -> list[bytes]:
    count = len(kind.parameters)
    if chance.random() < 0.2:
        count = chance.randrange(count + 1)
    return [_value(chance, one, kind) for one in kind.parameters[:count]]


def _event(kind: EventKind, values: list[bytes], tid: int, moment: int, *, is_old: bool) -> bytes:
    if not is_old:
        return event(kind.number, *values, tid=tid, time=moment)
    rest = struct.pack(f"<{len(values)}H", *map(len, values)) + b"".join(values)
    return block(0x204, struct.pack("<HQqIH", 0, moment, tid, 22 + len(rest), kind.number) + rest)


def _value(chance: random.Random, parameter: Parameter, kind: EventKind) -> bytes:
    if chance.random() < 0.03:
        return b""
    if parameter.name in {"json", "data"} and kind.name == "container":
        return chance.choice(_JSON)
    if parameter.name == "cgroups":
        return chance.choice(_CGROUPS)
    if parameter.type in TEXTS:
        return chance.choice(_PATHS) + b"\0"
    if parameter.type in {"SOCKTUPLE", "SOCKADDR"}:
        return chance.choice(_TUPLES)
    size = SIZES.get(parameter.type, 0)
    if parameter.type in {"PID", "PID32"} and size == 8:
        return i64(chance.choice((0, 1, 10, 11, 12, 13, 14, -3)))
    if size == 8:
        return i64(chance.choice(_NUMBERS))
    if size == 4:
        return u32(chance.choice((0, 1, 2, 3, 1 << 12, 1 << 16, 1 << 13)))
    return bytes(chance.choice((0, 1, 3, 26)) for _ in range(min(size, 1))) + bytes(max(size - 1, 0))
