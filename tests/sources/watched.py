"""A source of containers with what it emitted."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING

from hullwatch.sources.docker import DockerSource

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from hullwatch.sources.engine import Inspection


SOON = 10  # seconds; far more than anything here takes on a busy machine


class Watch:
    """A source with what it emitted."""

    def __init__(self, url: str, connect: Callable[[], socket.socket] | None = None) -> None:
        self.emitted: queue.SimpleQueue[Inspection] = queue.SimpleQueue()
        self.source = DockerSource(url, self.emitted.put, connect)
        self.source.start()

    def next(self, condition: Callable[[Inspection], bool] = lambda _: True) -> Inspection:
        end = time.monotonic() + SOON
        while True:
            inspection = self.emitted.get(timeout=max(end - time.monotonic(), 0))
            if condition(inspection):
                return inspection

    def wait_until(self, condition: Callable[[DockerSource], bool]) -> None:
        end = time.monotonic() + SOON
        while not condition(self.source):
            assert time.monotonic() < end, self.source.status
            threading.Event().wait(0.01)
