"""Having a container paused by its engine, which then knows of it: ``docker ps`` shows it, ``docker unpause`` works.

The request is a fixed text with the container's id, and of the answer only the status is looked at: whoever has power
here reads nothing that an engine, or what runs in its containers, has written. Source: ``ContainerPause`` and
``ContainerUnpause`` of Docker's API, which podman serves too.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Literal

from hullwatch.channel import connect_unix

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 2.0  # seconds for an engine to do it
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_LONGEST = 64  # bytes of an answer that are looked at
_DONE = b"204"


def ask_engines(sockets: Iterable[str], container: str, do: Literal["pause", "unpause"]) -> bool:
    """Ask engines one after another; return whether one has done it.

    Args:
        sockets: of root's engines that have Docker's API; a user's own could do as it likes.
        container: its whole id, 64 digits of 0-9 and a-f.
        do: what is to be done.
    """
    return any(_ask(socket, container, do) for socket in sockets)


def _ask(path: str, container: str, do: str) -> bool:
    deadline = time.monotonic() + PATIENCE
    answer = b""
    try:
        with connect_unix(path, PATIENCE) as connection:
            connection.sendall(f"POST /containers/{container}/{do} HTTP/1.0\r\nHost: engine\r\n\r\n".encode("ascii"))
            while len(answer) < _LONGEST and b"\n" not in answer:
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                part = connection.recv(_LONGEST)
                if not part:
                    break
                answer += part
    except OSError:  # nobody answers there, or too late
        return False
    status = _STATUS.match(answer)
    return status is not None and status[1] == _DONE
