"""The container engines of this host: looked for again and again, and what they say kept until it is taken."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from hullwatch.enrich.container import encode as encode_container
from hullwatch.enrich.pods import EnginesWithPods
from hullwatch.errors import CannotError
from hullwatch.events.codec import encode
from hullwatch.sources.docker_connection import tls_settings
from hullwatch.sources.engine_search import EngineAddress
from hullwatch.sources.podman import PodmanFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.channel import Supervisor
    from hullwatch.counters import Counters
    from hullwatch.enrich.container import Container
    from hullwatch.enrich.given_labels import GivenLabels
    from hullwatch.enrich.pods import PodSource

SEARCH_INTERVAL = 5.0  # seconds between looks for container engines
INBOX_MAXIMUM = 10_000  # answers of container engines that were not looked at yet


class FoundEngines(EnginesWithPods):
    """Finds the container engines, watches them, and hands over what they say as records.

    Args:
        supervisor: looks for them, and opens their sockets.
        counters: counts the answers that are too many.
        wake: called in an engine's thread when there is something to take.
        labels: that Hullwatch gave containers.
        pods: makes what knows the cluster's pods; None where nobody does.

    Raises:
        CannotError: when the supervisor does not answer.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        counters: Counters,
        wake: Callable[[], None],
        labels: GivenLabels,
        pods: Callable[[], PodSource] | None = None,
    ) -> None:
        """Find those that are there; they are not asked yet."""
        super().__init__(self._keep, pods)
        self._supervisor = supervisor
        self._counters = counters
        self._wake = wake
        self._labels = labels
        self._inbox: deque[Container] = deque()
        self._ended = threading.Event()
        self._find()

    @property
    def waiting(self) -> int:
        """How many answers were not taken yet."""
        return len(self._inbox)

    def start(self) -> None:
        """Follow the engines that are there, and look for others."""
        super().start()
        threading.Thread(target=self._keep_searching, name="engine-search", daemon=True).start()

    def stop(self) -> None:
        """End the threads of all, within seconds even when engines hang."""
        self._ended.set()
        super().stop()

    def take(self, now: Callable[[], int]) -> Iterator[bytes]:
        """Yield a record for each answer.

        Args:
            now: gives the time since boot, ns.
        """
        for full_id, labels in self._labels.changed().items():
            self.set_labels(full_id, labels)
            self.request(full_id)  # the answer, which comes soon, gets them
        while self._inbox:
            labelled = self._labels.on(self._inbox.popleft())
            yield encode("container", {"time": now()}, json=encode_container(labelled))

    def _keep(self, container: Container) -> None:
        """Keep what an engine says; called in the engines' threads."""
        if len(self._inbox) >= INBOX_MAXIMUM:
            self._counters.drop("container", "engine_behind")  # what waits for it is judged without, after a while
            return
        self._inbox.append(container)
        self._wake()

    def _keep_searching(self) -> None:
        """Look for container engines that have come since; in a thread, for the supervisor may wait for an engine."""
        while not self._ended.wait(SEARCH_INTERVAL):
            with contextlib.suppress(CannotError):  # a supervisor that is gone ends us soon
                self._find()

    def _find(self) -> None:
        """Watch the container engines that are there by now."""
        for number, found in enumerate(self._supervisor.container_engines()):
            address = EngineAddress(*found)
            if address.folder:
                opens = (self._supervisor.open_engine_state, self._supervisor.open_engine_images)
                self.add_files(address, PodmanFiles(*(partial(open_file, number) for open_file in opens)))
            elif address.socket:
                self.add(address, partial(self._supervisor.open_container_engine, number), None)
            else:
                self.add(address, None, tls_settings(os.environ))
