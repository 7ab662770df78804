"""All container engines of a host as one source of containers: who is asked, and whose answer counts."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.container import ONLY_NAMED, unknown
from hullwatch.enrich.metadata import ContainerMetadata, docker_source
from hullwatch.sources.containerd import ContainerdSource
from hullwatch.sources.cri import CriSource
from hullwatch.sources.podman import PodmanSource

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from hullwatch.enrich.container import Container
    from hullwatch.sources.engine import EngineSource, EngineStatus
    from hullwatch.sources.engine_search import EngineAddress
    from hullwatch.sources.podman import PodmanFiles

MAXIMUM_ASKED = 8192  # containers whose answers are waited for
MAXIMUM_TOLD = 20_000  # containers that root's engines told of
NOT_KNOWN = "the engine does not know it"


class ContainerEngines:
    """Asks every engine for a container that is not known, and hands over the first that knows it.

    A rootless engine is its user's, who can have it say anything: it is believed only of containers that
    none of root's engines tells of, and only when those were asked first.
    """

    def __init__(self, emit: Callable[[Container], None]) -> None:
        """Begin without engines.

        Args:
            emit: is called in the engines' threads, so it has to be quick and safe for threads.
        """
        self._emit = emit
        self._lock = threading.Lock()  # guards what follows
        self._sources: dict[str, tuple[EngineSource, int]] = {}  # by URL, with the user
        self._asked: OrderedDict[str, dict[str, Container | None]] = OrderedDict()  # by id: what who answered
        self._told: OrderedDict[str, None] = OrderedDict()  # ids that root's engines told of
        self._started = False

    def add(
        self, address: EngineAddress, connect: Callable[[], socket.socket] | None, tls: ssl.SSLContext | None
    ) -> None:
        """Watch an engine; one that is watched already stays as it is.

        Args:
            address: of the engine.
            connect: returns a socket that is connected to it; None for one that is reached over the network.
            tls: for such a one.
        """
        with self._lock:
            if address.url in self._sources:
                return
        take = partial(self._take, address.url, address.user)
        if connect is None or address.scheme == "unix":
            source: EngineSource = docker_source(address.url, take, connect, tls)
        else:
            kind = ContainerdSource if address.scheme == "containerd" else CriSource
            source = kind(address.url, ContainerMetadata(take).take, connect)
        self._begin(address, source)

    def add_files(self, address: EngineAddress, files: PodmanFiles) -> None:
        """Watch podman by its files, as ``add`` does."""
        with self._lock:
            if address.url in self._sources:
                return
        take = partial(self._take, address.url, address.user)
        self._begin(address, PodmanSource(address.url, ContainerMetadata(take).take, files))

    def _begin(self, address: EngineAddress, source: EngineSource) -> None:
        with self._lock:
            self._sources[address.url] = source, address.user
            started = self._started
        if started:
            source.start()

    @property
    def statuses(self) -> list[EngineStatus]:
        """How it stands with each engine now."""
        return [source.status for source, _ in self._all()]

    @property
    def settled(self) -> bool:
        """Whether the containers that were there at the start are known, as far as there are engines to ask."""
        return all(source.settled for source, _ in self._all())

    def start(self) -> None:
        """Start following the engines; those that are added later are followed at once."""
        self._started = True
        for source, _ in self._all():
            source.start()

    def stop(self) -> None:
        """End the threads of all, within seconds even when engines hang."""
        for source, _ in self._all():
            source.halt()
        for source, _ in self._all():
            source.stop()

    def request(self, full_id: str) -> None:
        """Ask for a container that was seen and is not known; the answer comes through ``emit``."""
        with self._lock:
            sources = list(self._sources.items())
            if sources:
                self._asked[full_id] = {url: None for url, _ in sources}
                if len(self._asked) > MAXIMUM_ASKED:
                    self._asked.popitem(last=False)
        if not sources:
            self._emit(unknown(full_id, "no container engine was found"))
        for _, (source, _) in sources:
            source.request(full_id)

    def set_labels(self, full_id: str, labels: dict[str, str]) -> None:
        """Set labels of a container in the engines that can do so; an empty text takes one away."""
        for source, _ in self._all():
            if isinstance(source, ContainerdSource):
                source.set_labels(full_id, labels)

    def _all(self) -> list[tuple[EngineSource, int]]:
        with self._lock:
            return list(self._sources.values())

    def _take(self, url: str, user: int, container: Container) -> None:
        """Take what an engine says; called in its threads."""
        full_id = container.full_id
        if container.reason == ONLY_NAMED:
            if not user:  # the answer is on its way; a user's engine is believed only after those of root
                self._emit(container)
            return
        told: Container | None = container
        with self._lock:
            answers = self._asked.get(full_id)
            if answers is not None and url in answers:
                answers[url] = container
                told = self._decide(full_id, answers)
            elif user and full_id in self._told:
                told = None
            elif not user and container.complete:
                self._note_told(full_id)
        if told is not None:
            self._emit(told)

    def _decide(self, full_id: str, answers: dict[str, Container | None]) -> Container | None:
        """Return the answer to a request, or None while it is to be waited for."""
        of_root = [answer for url, answer in answers.items() if not self._sources[url][1]]
        complete = next((answer for answer in of_root if answer is not None and answer.complete), None)
        if complete is not None:
            self._note_told(full_id)
        elif None in of_root:
            return None
        else:
            complete = next((answer for answer in answers.values() if answer is not None and answer.complete), None)
            if complete is None and None in answers.values():
                return None
        del self._asked[full_id]
        if complete is not None:
            return complete
        missing = [answer for answer in answers.values() if answer is not None]
        found = next((answer for answer in missing if answer.reason == NOT_KNOWN), missing[0])
        return msgspec.structs.replace(found, type="")  # it is of another engine than those that were asked

    def _note_told(self, full_id: str) -> None:
        self._told[full_id] = None
        if len(self._told) > MAXIMUM_TOLD:
            self._told.popitem(last=False)
