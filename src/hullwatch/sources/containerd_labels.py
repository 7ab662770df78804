"""Setting labels of containers in containerd, the one engine that can change those of a container that is there.

Source: ``Containers.Update`` of containerd's API, version 1: the mask names each label, so others stay; an empty text
takes one away.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from hullwatch.sources.engine_errors import EngineError
from hullwatch.sources.grpc_connection import GrpcConnection
from hullwatch.sources.protobuf import write

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_UPDATE = "/containerd.services.containers.v1.Containers/Update"
MOST_WAITING = 256  # containers; what is more is in Hullwatch's own file only


class Labeller:
    """Sets labels in a thread of its own, which lives while there is something to do.

    Args:
        connect: returns a socket that is connected to the engine.
        namespaces: returns those that a container may be in.
    """

    def __init__(self, connect: Callable[[], socket.socket], namespaces: Callable[[str], list[str]]) -> None:
        """Connect to nothing yet."""
        self._connect = connect
        self._namespaces = namespaces
        self._waiting: queue.SimpleQueue[tuple[str, dict[str, str]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._works = False

    def set(self, full_id: str, labels: dict[str, str]) -> None:
        """Set labels soon; where the engine does not know the container, nothing happens."""
        if self._waiting.qsize() >= MOST_WAITING:
            return
        self._waiting.put((full_id, labels))
        with self._lock:
            if not self._works:
                self._works = True
                threading.Thread(target=self._work, name="containerd-labels", daemon=True).start()

    def _work(self) -> None:
        connection = GrpcConnection(self._connect)
        while True:
            try:
                full_id, labels = self._waiting.get_nowait()
            except queue.Empty:
                with self._lock:
                    if self._waiting.empty():
                        self._works = False
                        break
                continue
            for namespace in self._namespaces(full_id):
                try:
                    connection.call(_UPDATE, _request(full_id, labels), metadata={"containerd-namespace": namespace})
                    break
                except EngineError:  # it is in another namespace, or gone; our own file has them all the same
                    continue
        connection.close()


def _request(full_id: str, labels: dict[str, str]) -> bytes:
    """Return an UpdateContainerRequest: container (1) of id (1) and labels (2), and update_mask (2) of paths (1)."""
    entries = [(2, write([(1, name), (2, value)])) for name, value in labels.items()]
    mask = write([(1, f"labels.{name}") for name in labels])
    return write([(1, write([(1, full_id), *entries])), (2, mask)])
