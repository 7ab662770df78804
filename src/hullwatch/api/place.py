"""Where an instance listens, and what both sides of its socket know."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SOCKET = "api.sock"  # in the run directory
STATE_HEADER = "Hullwatch-State"  # which store the caller means; another instance's is not answered for
LONGEST_BODY = 64 << 10  # bytes of a request
LONGEST_HEAD = 16 << 10
IDLE = 600.0  # seconds without a connection, after which the process that answers ends
LIBRARIES = ("litestar", "uvicorn")  # that the process which answers needs, the extra `api`
NDJSON = "application/x-ndjson"
SYSTEM = Path("/run/hullwatch")  # the run directory of an instance that root has started


def sockets(run: Path) -> Iterable[Path]:
    """Return where an instance may listen: in one's own run directory, and the system's."""
    return dict.fromkeys((run / SOCKET, SYSTEM / SOCKET))


def missing() -> list[str]:
    """Return the libraries that are needed to answer and are not installed."""
    return [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
