"""Containers from what engines say, whatever kind they are of, each told once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich import containerd_metadata, cri_metadata, docker_metadata, podman_metadata
from hullwatch.sources.docker import DockerSource
from hullwatch.sources.engine import FORM_MADE

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from hullwatch.enrich.container import Container
    from hullwatch.sources.engine import Inspection

MAXIMUM_REMEMBERED = 4096  # containers; of one that was forgotten the engine's words are told again

FORMS: dict[str, Callable[[Inspection], Container]] = {
    "docker": docker_metadata.container_from,
    FORM_MADE: docker_metadata.container_made,
    "containerd": containerd_metadata.container_from,
    "cri": cri_metadata.container_from,
    "podman": podman_metadata.container_from,
}


class ContainerMetadata:
    """Makes containers of what an engine says, and remembers them: an end has only an id."""

    def __init__(self, emit: Callable[[Container], None]) -> None:
        """Hand containers to ``emit``; it may be called by several threads, one at a time."""
        self._emit = emit
        self._last: OrderedDict[str, Container] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, inspection: Inspection) -> None:
        """Emit the container that an inspection tells about, unless that is known already.

        What an engine does not know any more stays as it was known. A removed container is told as
        one that does not run. A request is always answered.
        """
        with self._lock:
            last = self._last.get(inspection.full_id)
            container = self._judge(inspection, last)
            if inspection.removed:
                self._last.pop(inspection.full_id, None)
            elif container.complete:
                self._last[inspection.full_id] = container
                self._last.move_to_end(inspection.full_id)
                if len(self._last) > MAXIMUM_REMEMBERED:
                    self._last.popitem(last=False)
            if (container != last and not (inspection.removed and last is None)) or inspection.requested:
                self._emit(container)

    @staticmethod
    def _judge(inspection: Inspection, last: Container | None) -> Container:
        if inspection.removed and last is not None:
            return msgspec.structs.replace(last, running=False, pid=0)
        container = FORMS[inspection.form](inspection)
        return last if last is not None and not container.complete else container


def docker_source(
    base_url: str,
    emit: Callable[[Container], None],
    connect: Callable[[], socket.socket] | None = None,
    tls: ssl.SSLContext | None = None,
) -> DockerSource:
    """Return a source that hands the containers of an engine to ``emit``; see ``DockerSource``."""
    return DockerSource(base_url, ContainerMetadata(emit).take, connect, tls)
