"""A program for 32-bit x86, byte by byte: no compiler of this machine can be relied on to make one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BASE = 0x0804_8000
_HEADERS = 52 + 32  # ELF header and one program header


def write_opener(path: Path, name: bytes, code: int) -> None:
    """Write a program that opens ``name``, whatever comes of it, and ends with an exit code."""
    text = b"".join(
        [
            b"\xb8" + struct.pack("<I", 5),  # mov eax, open
            b"\xbb" + struct.pack("<I", _BASE + _HEADERS + 31),  # mov ebx, name
            b"\x31\xc9",  # xor ecx, ecx
            b"\xcd\x80",  # int 0x80
            b"\xb8" + struct.pack("<I", 1),  # mov eax, exit
            b"\xbb" + struct.pack("<I", code),  # mov ebx, code
            b"\xcd\x80",  # int 0x80
            b"\x90" * 5,
        ]
    )
    assert len(text) == 31
    content = text + name + b"\0"
    size = _HEADERS + len(content)
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, _BASE + _HEADERS, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 0, _BASE, _BASE, size, size, 5, 4096)
    path.write_bytes(header + segment + content)
    path.chmod(0o755)
