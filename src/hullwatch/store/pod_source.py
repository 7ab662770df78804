"""Pods from the file of the cluster's state, for who joins them with containers; without the file nothing is known."""

from __future__ import annotations

import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING

from hullwatch.enrich.pods import PodSource
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_tables import open_cluster
from hullwatch.store.database import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hullwatch.config.kubernetes_api_settings import KubernetesApiSettings
    from hullwatch.enrich.kubernetes.pod_facts import PodFacts

LOOK_EVERY = 5.0  # seconds between looks whether the file is there


def stored_pods(api: KubernetesApiSettings, state: Path) -> Callable[[], StoredPods] | None:
    """Return what makes the pods' source; None where the cluster is not followed."""
    return partial(StoredPods, state) if api.credentials != "none" else None


class StoredPods(PodSource):
    """Reads the file in the state directory."""

    def __init__(self, state: Path) -> None:
        """Open nothing yet."""
        self._state = state
        self._cluster: Cluster | None = None
        self._number = 0  # of the last change that was told
        self._look_at = 0.0

    def pod(self, uid: str) -> PodFacts | None:
        """Return what is known of a pod."""
        if not self._is_open():
            return None
        assert self._cluster is not None
        try:
            return self._cluster.pod(uid)
        except StoreError:
            self.close()
            return None

    def changed(self) -> list[PodFacts]:
        """Return the pods of which something changed since the last time, some hundred at most."""
        if not self._is_open():
            return []
        assert self._cluster is not None
        try:
            self._number, found = self._cluster.changed_pods(self._number)
        except StoreError:
            self.close()
            return []
        return found

    def close(self) -> None:
        """Close the file."""
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None

    def _is_open(self) -> bool:
        if self._cluster is None and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY
            with contextlib.suppress(StoreError):
                self._cluster = Cluster(open_cluster(self._state))
        return self._cluster is not None
