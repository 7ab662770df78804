"""What sensors saw workloads connect to, for alerts about openings: read where the engine's thread writes it.

Openings are few; what was read for one is remembered for some seconds, so that many at once cost little.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from typing import TYPE_CHECKING

from hullwatch.errors import UsageError
from hullwatch.posture.data_stores import data_stores
from hullwatch.posture.peers import Holder
from hullwatch.store.address_history import AddressHistory
from hullwatch.store.cluster_tables import open_cluster
from hullwatch.store.contacts import Contacts, connection_of, open_contacts
from hullwatch.store.database import NoStoreError, StoreError
from hullwatch.store.trail_memory import TrailMemory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hullwatch.config.settings import Settings
    from hullwatch.posture.connections import Connection
    from hullwatch.posture.data_stores import DataStores
    from hullwatch.store.contacts import Contact
    from hullwatch.store.database import Database

MOST = 500  # contacts of a namespace
FRESH = 10.0  # seconds that what was read is good for
RETRY = 60.0  # seconds until a database that does not answer is asked again: openings wait for it


class StoredSightings:
    """Reads them; where they cannot be read, none are known. See ``posture.trail_behind.Sightings``.

    Args:
        url: of the store; empty for the file.
        state: the state directory.
        stores: recognises databases and vaults.
        clock: seconds.
    """

    def __init__(self, url: str, state: Path, stores: DataStores, clock: Callable[[], float] = time.monotonic) -> None:
        """Open nothing yet."""
        self.stores = stores
        self._url, self._state, self._clock = url, state, clock
        self._contacts: Database | None = None
        self._cluster: Database | None = None
        self._read: dict[str, tuple[Connection, ...]] = {}
        self._holders: dict[tuple[str, int], tuple[Holder, ...]] = {}
        self._until = self._retry = 0.0

    def connections(self, namespace: str) -> tuple[Connection, ...]:
        """Return what workloads of a namespace connected to; of many those to databases and the last ones."""
        if self._clock() >= self._until:
            self._until = self._clock() + FRESH
            self._read.clear()
            self._holders.clear()
        if namespace not in self._read:
            self._read[namespace] = tuple(connection_of(one) for one in self._find(namespace))
        return self._read[namespace]

    def holders(self, address: str, when: int) -> tuple[Holder, ...]:
        """Return who had an address at a time."""
        key = address, when
        if key not in self._holders:
            self._holders[key] = self._find_holders(address, when)
        return self._holders[key]

    def _find(self, namespace: str) -> list[Contact]:
        if self._clock() < self._retry:
            return []
        try:
            if self._contacts is None:
                self._contacts = open_contacts(self._url, self._state)
            return Contacts(self._contacts).foremost(namespace, MOST)
        except NoStoreError:  # no sensor has noted any
            return []
        except StoreError:
            self._contacts = _closed(self._contacts)
            self._retry = self._clock() + RETRY
            return []

    def _find_holders(self, address: str, when: int) -> tuple[Holder, ...]:
        try:
            if self._cluster is None:
                self._cluster = open_cluster(self._state)
            held = AddressHistory(self._cluster).at(address, when)
            return tuple(Holder(one.kind, one.namespace, one.name) for one in held)
        except StoreError:
            self._cluster = _closed(self._cluster)
            return ()

    def close(self) -> None:
        """Let go of the files."""
        self._contacts, self._cluster = _closed(self._contacts), _closed(self._cluster)


def _closed(database: Database | None) -> None:
    if database is not None:
        with contextlib.suppress(StoreError):
            database.close()


def preload(settings: Settings) -> None:
    """Read what says what databases are known by, while the files can still be read, and import what is used late."""
    importlib.import_module("hullwatch.posture.exposure")
    data_stores()
    with contextlib.suppress(UsageError):  # it is told by ``memory_of_run``
        data_stores(settings.kubernetes.data_stores)


def memory_of_run(settings: Settings, state: Path, tell: Callable[[str], None]) -> TrailMemory:
    """Return where a run keeps what the audit log tells of rights and openings, with what sensors saw.

    Args:
        settings: of the run.
        state: the state directory.
        tell: is told that a file of data stores is wrong; it is left out.
    """
    try:
        stores = data_stores(settings.kubernetes.data_stores)
    except UsageError as error:
        tell(f"Warning: {error} Openings are told with the databases that Hullwatch knows itself.")
        stores = data_stores()
    return TrailMemory(state, StoredSightings(settings.store.url, state, stores))
