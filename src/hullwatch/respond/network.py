"""Taking a container's network interfaces down and up again, in its own network namespace."""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
from pathlib import Path

import msgspec

from hullwatch.errors import CannotError

PATIENCE = 5.0  # seconds
_CLONE_NEWNET = 0x40000000
_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914  # SIOCGIFFLAGS, SIOCSIFFLAGS of linux/sockios.h
_UP, _LOOPBACK = 0x1, 0x8  # of linux/if.h
_REQUEST = struct.Struct("16sh22x")  # struct ifreq
_LONGEST = 1 << 16


def set_network(pid: int, *, up: bool) -> list[str]:
    """Take all interfaces but the loopback of a process's network namespace up, or down; return those that changed.

    A child does it, for a namespace is left by ending only.

    Raises:
        CannotError: when it is the host's network, or cannot be done.
    """
    namespace, own = (Path(f"/proc/{one}/ns/net") for one in (pid, "self"))
    try:
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotError(f"process {pid} has ended") from error
    try:
        if os.fstat(descriptor).st_ino == own.stat().st_ino:
            raise CannotError("it uses the network of the host")
        return _in_child(descriptor, up=up)
    finally:
        os.close(descriptor)


def _in_child(namespace: int, *, up: bool) -> list[str]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        answer: tuple[list[str], str] = ([], "")
        try:
            answer = (_change(namespace, up=up), "")
        except BaseException as error:  # noqa: BLE001 - a child of a fork may end in one way only
            answer = ([], f"its network cannot be changed: {error}")
        finally:
            os.write(write, msgspec.json.encode(answer))
            os._exit(0)
    os.close(write)
    try:
        if not select.select([read], [], [], PATIENCE)[0]:
            os.kill(child, signal.SIGKILL)
            raise CannotError(f"its network was not changed within {PATIENCE:g} s")
        changed, problem = msgspec.json.decode(os.read(read, _LONGEST), type=tuple[list[str], str])
    except msgspec.DecodeError as error:
        raise CannotError("what changes its network has ended without a word") from error
    finally:
        os.close(read)
        os.waitpid(child, 0)
    if problem:
        raise CannotError(problem)
    return changed


def _change(namespace: int, *, up: bool) -> list[str]:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    changed: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for _, name in socket.if_nameindex():
            request = array.array("B", _REQUEST.pack(name.encode(), 0))
            fcntl.ioctl(control, _GET_FLAGS, request)
            flags = _REQUEST.unpack(request)[1]
            if flags & _LOOPBACK or bool(flags & _UP) is up:
                continue
            fcntl.ioctl(control, _SET_FLAGS, _REQUEST.pack(name.encode(), flags ^ _UP))
            changed.append(name)
    return changed
