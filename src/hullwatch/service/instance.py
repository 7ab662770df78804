"""The one instance of a host, and the terminal that it was started from."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from pathlib import Path


def take_lock(directory: Path) -> int:
    """Return the descriptor that marks this as the one instance of the host.

    Raises:
        CannotError: when another one has it.
    """
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        other = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise CannotError(
            f"Hullwatch runs on this host already (process {other}); one instance sees everything. End it first, or "
            "see what it does with 'hullwatch doctor'."
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def has_terminal() -> bool:
    """Whether there is a terminal that this process belongs to."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
