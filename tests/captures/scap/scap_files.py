"""Captures for tests: those of sysdig and Falco, and small ones that are written here."""

from __future__ import annotations

import functools
import gzip
import struct

from tools.repository import ROOT

DATA = ROOT / "tests" / "data" / "scap"
CAPTURES = sorted(path.name for path in DATA.glob("*.scap"))

SECTION = struct.pack("<IHHQ", 0x1A2B3C4D, 1, 2, 0xFFFF_FFFF_FFFF_FFFF)


@functools.cache
def unpacked(capture: str) -> bytes:
    """Return the data of a capture."""
    data = (DATA / capture).read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def block(kind: int, body: bytes) -> bytes:
    """Return a block."""
    length = 12 + len(body) + -len(body) % 4
    return struct.pack("<II", kind, length) + body + bytes(-len(body) % 4) + struct.pack("<I", length)


def section() -> bytes:
    """Return the block that a capture begins with."""
    return block(0x0A0D0D0A, SECTION)


def machine(name: str = "made", cpus: int = 2) -> bytes:
    """Return the block that describes the machine."""
    body = struct.pack("<IQQ128sQQQQ", cpus, 1 << 30, 1 << 22, name.encode(), 0, 0, 0, 0)
    return block(0x201, body)


def text(value: str) -> bytes:
    """Return text of a list."""
    return struct.pack("<H", len(value)) + value.encode()


def thread(tid: int, pid: int, ptid: int, comm: str, cwd: str = "/") -> bytes:
    """Return an entry of the newest list of processes."""
    body = struct.pack("<qqqqq", tid, pid, ptid, pid, pid) + text(comm) + text(comm) + text(f"/bin/{comm}")
    body += text("") + text(cwd) + struct.pack("<qIIIIIIQQ", 1024, 0, 0, 0, 0, 0, 0, 0, 0)
    body += text("") + struct.pack("<qq", tid, pid) + text("cpu=/") + text("/")
    return struct.pack("<I", len(body) + 4) + body


def threads(*entries: bytes) -> bytes:
    """Return a list of processes."""
    return block(0x215, b"".join(entries))


def event(number: int, *values: bytes, tid: int = 10, time: int = 1_700_000_000_000_000_000, cpu: int = 0) -> bytes:
    """Return the block of an event."""
    lengths = struct.pack(f"<{len(values)}H", *map(len, values))
    rest = lengths + b"".join(values)
    head = struct.pack("<QqIHI", time, tid, 26 + len(rest), number, len(values))
    return block(0x216, struct.pack("<H", cpu) + head + rest)


def i64(value: int) -> bytes:
    """Return a number of 8 bytes."""
    return struct.pack("<q", value)


def u32(value: int) -> bytes:
    """Return a number of 4 bytes."""
    return struct.pack("<I", value)


def opened(path: str, fd: int = 3, tid: int = 10, flags: int = 1, directory: int = -100) -> bytes:
    """Return an openat."""
    return event(307, i64(fd), i64(directory), path.encode() + b"\0", u32(flags), u32(0), u32(0), i64(7), tid=tid)


def closed(fd: int = 3, tid: int = 10) -> bytes:
    """Return a close."""
    return event(5, i64(0), i64(fd), tid=tid)


def small_capture() -> bytes:
    """Return a capture that has a little of everything: lists, an open, a read, a close, and the end of a process."""
    user = b"\x00" + u32(0) + u32(0) + text("root") + text("/root") + text("/bin/sh")
    group = b"\x01" + u32(0) + text("root")
    files = struct.pack("<Q", 10) + struct.pack("<IqQB", 4 + 17 + 4 + 2 + 8, 0, 5, 16) + u32(1) + text("/dev/pts")
    parts = [
        section(), machine(), block(0x206, user + group),
        threads(thread(1, 1, 0, "init"), thread(10, 10, 1, "cat", "/tmp")),
        block(0x218, files), opened("notes"), event(7, i64(5), b"hello", i64(3), u32(80)), closed(),
        event(186, i64(0), i64(0), b"\0", b"\0", i64(1)),
    ]  # fmt: skip
    return b"".join(parts)
