"""What the cluster knows of a container's pod, put into the container's metadata before that is a record.

So a capture has it too (decision 3), and rules pay nothing for it. What the cluster tells later is another record of
the same container: events from then on have it.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.enrich.bounded import bounded, table
from hullwatch.enrich.engines import ContainerEngines

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.enrich.container import Container
    from hullwatch.enrich.kubernetes.pod_facts import PodFacts

LOOK_EVERY = 1.0  # seconds between looks for pods that have changed
REMEMBERED = 4096  # containers of pods
WAITING = 10_000  # containers that were not looked at yet
_END = 2.0  # seconds


class PodSource:
    """Knows pods; used in one thread."""

    def pod(self, uid: str) -> PodFacts | None:
        """Return what is known of a pod; None for nothing."""
        raise NotImplementedError

    def changed(self) -> list[PodFacts]:
        """Return the pods of which something changed since the last time."""
        raise NotImplementedError

    def close(self) -> None:
        """Know nothing any more."""
        raise NotImplementedError


class PodJoiner:
    """Stands between the container engines and who takes containers from them, in a thread of its own.

    Args:
        emit: takes containers; called in this thread, or in the caller's for those that are in no pod.
        source: knows pods; made in this thread.
    """

    def __init__(self, emit: Callable[[Container], None], source: Callable[[], PodSource]) -> None:
        """Begin at once."""
        self._emit = emit
        self._make_source = source
        self._waiting: queue.Queue[Container | None] = queue.Queue(WAITING)
        self._known: OrderedDict[str, tuple[Container, Container]] = OrderedDict()  # by id: as told, and as handed on
        self._of_pod: dict[str, set[str]] = {}  # ids of containers by the pod's uid
        self._thread = threading.Thread(target=self._work, name="pods", daemon=True)
        self._thread.start()

    def take(self, container: Container) -> None:
        """Take a container from an engine; may be called in any thread."""
        if not container.pod_uid:
            self._emit(container)
            return
        try:
            self._waiting.put_nowait(container)
        except queue.Full:
            self._emit(container)  # without what the cluster knows, which is better than not at all

    def stop(self) -> None:
        """End the thread."""
        self._waiting.put(None)
        self._thread.join(_END)

    def _work(self) -> None:
        source = self._make_source()
        try:
            while True:
                try:
                    container = self._waiting.get(timeout=LOOK_EVERY)
                except queue.Empty:
                    self._look_again(source)
                    continue
                if container is None:
                    return
                self._join(container, source.pod(container.pod_uid))
        finally:
            source.close()

    def _join(self, container: Container, facts: PodFacts | None) -> None:
        joined = container if facts is None else with_pod(container, facts)
        if container.running:
            self._remember(container, joined)
        else:
            self._forget(container.full_id)
        self._emit(joined)

    def _look_again(self, source: PodSource) -> None:
        for facts in source.changed():
            for full_id in sorted(self._of_pod.get(facts.uid, ())):
                told, before = self._known[full_id]
                joined = with_pod(told, facts)
                if joined != before:
                    self._known[full_id] = told, joined
                    self._emit(joined)

    def _remember(self, container: Container, joined: Container) -> None:
        self._forget(container.full_id)
        self._known[container.full_id] = container, joined
        self._of_pod.setdefault(container.pod_uid, set()).add(container.full_id)
        if len(self._known) > REMEMBERED:
            self._forget(next(iter(self._known)))

    def _forget(self, full_id: str) -> None:
        known = self._known.pop(full_id, None)
        if known is None:
            return
        ids = self._of_pod.get(known[0].pod_uid, set())
        ids.discard(full_id)
        if not ids:
            self._of_pod.pop(known[0].pod_uid, None)


class EnginesWithPods(ContainerEngines):
    """All container engines of a host, and what the cluster knows of the pods of their containers."""

    def __init__(self, emit: Callable[[Container], None], source: Callable[[], PodSource] | None = None) -> None:
        """Begin without engines.

        Args:
            emit: takes containers; called in the threads of others.
            source: makes what knows pods; None where nobody does.
        """
        self._joiner = PodJoiner(emit, source) if source is not None else None
        super().__init__(emit if self._joiner is None else self._joiner.take)

    def stop(self) -> None:
        """End the threads of all."""
        super().stop()
        if self._joiner is not None:
            self._joiner.stop()


def with_pod(container: Container, facts: PodFacts) -> Container:
    """Return a container with what the cluster knows of its pod; what the engine told of names stays."""
    left_out: list[str] = []
    told: dict[str, Any] = {
        "pod_name": container.pod_name or facts.name,
        "pod_namespace": container.pod_namespace or facts.namespace,
        "pod_ip": container.pod_ip or facts.address,
        "pod_labels": table(facts.labels, "labels of the pod", left_out) if facts.labels else container.pod_labels,
        "owner_kind": facts.owner_kind or container.owner_kind,
        "owner_name": facts.owner_name or container.owner_name,
        "replica_set": facts.replica_set,
        "replication_controller": facts.replication_controller,
        "node": facts.node,
        "service_account": facts.service_account,
        "namespace_labels": table(facts.namespace_labels, "labels of the namespace", left_out),
    }
    values = {name: bounded(value) if isinstance(value, str) else value for name, value in told.items()}
    reason = "; ".join(filter(None, (container.reason, *left_out)))
    return msgspec.structs.replace(container, **values, reason=reason)
