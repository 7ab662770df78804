"""What root can do to a running sensor: close its descriptors, take events out of its ring buffers."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

_LIBC = ctypes.CDLL(None, use_errno=True)
_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
_MAP_GET_FD_BY_ID = 14

# ptrace requests and registers of x86_64, by place (struct user_regs_struct).
_SINGLESTEP, _GETREGS, _SETREGS, _ATTACH, _DETACH = 9, 12, 13, 16, 17
_RAX, _RDI, _ORIG_RAX, _RIP, _REGISTERS = 10, 14, 15, 16, 27
_CLOSE = 3
_SYSCALL_BYTES = 2  # of the instruction, behind which a waiting process stands


def _ptrace(request: int, pid: int, data: object = None) -> None:
    if _LIBC.ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, data) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def close_descriptors(pid: int, descriptors: Iterable[int]) -> None:
    """Have a process that waits in a system call close descriptors of its own, as a debugger does (x86_64 only)."""
    _ptrace(_ATTACH, pid)
    try:
        os.waitpid(pid, 0)
        before, registers = (ctypes.c_uint64 * _REGISTERS)(), (ctypes.c_uint64 * _REGISTERS)()
        _ptrace(_GETREGS, pid, before)
        for descriptor in descriptors:
            registers[:] = before[:]
            registers[_RAX], registers[_RDI] = _CLOSE, descriptor
            registers[_ORIG_RAX], registers[_RIP] = 2**64 - 1, before[_RIP] - _SYSCALL_BYTES
            _ptrace(_SETREGS, pid, registers)
            _ptrace(_SINGLESTEP, pid)
            os.waitpid(pid, 0)
        _ptrace(_SETREGS, pid, before)
    finally:
        _ptrace(_DETACH, pid)


@contextmanager
def opened_ring(number: int) -> Generator[tuple[mmap.mmap, mmap.mmap]]:
    """Open a ring buffer by the map's number; gives the pages of its reader's and its writers' position."""
    attributes = struct.pack("<III", number, 0, 0).ljust(128, b"\0")
    ring = _LIBC.syscall(_BPF, _MAP_GET_FD_BY_ID, attributes, len(attributes))
    if ring < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        with (
            mmap.mmap(ring, mmap.PAGESIZE) as reader,
            mmap.mmap(ring, mmap.PAGESIZE, prot=mmap.PROT_READ, offset=mmap.PAGESIZE) as writer,
        ):
            yield reader, writer
    finally:
        os.close(ring)


def skip_all(reader: mmap.mmap, writer: mmap.mmap) -> None:
    """Move the reader's position behind all that was written: its owner finds nothing."""
    reader[:8] = writer[:8]
