"""What is known of the cluster that is followed: its objects, how new they are, what workloads connected to."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

import msgspec

from hullwatch.errors import UsageError
from hullwatch.store.address_history import AddressHistory
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_tables import FILE, open_cluster, open_requests
from hullwatch.store.contacts import Contact, Contacts, open_contacts
from hullwatch.store.database import NoStoreError
from hullwatch.store.exec_requests import ExecRequests
from hullwatch.store.packing import clean
from hullwatch.store.trail_memory import kept_findings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from hullwatch.enrich.kubernetes.exec_request import ExecRequest
    from hullwatch.enrich.kubernetes.plain import Plain
    from hullwatch.posture.changes import Change
    from hullwatch.posture.exposure_changes import ExposureChange
    from hullwatch.posture.trail import Told
    from hullwatch.store.address_history import Holding

_MOST_HOLDERS = 4  # of an address at one time
NO_FINDINGS = (
    "Say which audit log to look at with --from. Where 'hullwatch run' takes audit events (kubernetes.audit), "
    "what it saw is kept, and --from is not needed."
)


class NoFindingsError(UsageError):
    """No run has looked for what the audit log tells of rights and openings."""


class KnownKind(msgspec.Struct, frozen=True):
    """How one kind of object is known.

    Attributes:
        objects: how many.
        alive: when they were last known to be there as they are, ns since the epoch; 0: from files or an audit log.
        problem: what keeps the kind from being followed, a sentence; empty for nothing.
        went_wrong: how often something did while the kind was followed, by reason, since that began last.
    """

    objects: int = 0
    alive: int = 0
    problem: str = ""
    went_wrong: dict[str, int] = {}


class About(msgspec.Struct, frozen=True):
    """What is known, and where that stands."""

    where: str
    kinds: dict[str, KnownKind]

    @property
    def objects(self) -> int:
        """How many objects are known."""
        return sum(one.objects for one in self.kinds.values())


class Seen(msgspec.Struct, frozen=True):
    """What a workload connected to, and what had that address then: kind, namespace and name of each."""

    contact: Contact
    holders: list[tuple[str, str, str]] = []


class KnownCluster(Protocol):
    """Tells of the cluster: from its file, or by the instance that runs."""

    def about(self) -> About:
        """Return what is known."""
        ...

    def objects(self, kind: str = "", namespace: str = "") -> Iterator[Plain]:
        """Yield the objects: of one kind, of one namespace, or all."""
        ...

    def holdings(self, address: str, at: int | None = None) -> Iterator[Holding]:
        """Yield who had an address at a time (ns), or ever, the last one first."""
        ...

    def requests(self, since: int, limit: int, pod: str = "") -> Iterator[ExecRequest]:
        """Yield requests to enter a pod (``NAMESPACE/NAME``, or a name; or any) since a time (ns), the last first."""
        ...

    def seen(self, namespace: str = "", since: int = 0) -> Iterator[Seen]:
        """Yield what workloads of a namespace, or all, connected to since a time (ns); none where nothing was noted."""
        ...

    def rights(self, since: int = 0) -> Iterator[Change]:
        """Yield what runs saw being changed of roles and bindings since a time (ns), the oldest first.

        Raises:
            NoFindingsError: when no run looked for it.
        """
        ...

    def opened(self, namespace: str = "", since: int = 0) -> Iterator[ExposureChange]:
        """Yield what runs saw being opened to the outside since a time (ns), the oldest first.

        Raises:
            NoFindingsError: when no run looked for it.
        """
        ...


class ClusterFile:
    """Tells what stands in the state directory.

    Args:
        url: of the store; connections are in its database, where it is PostgreSQL.
        state: the state directory.
    """

    def __init__(self, url: str, state: Path) -> None:
        """Open nothing yet."""
        self._url, self._state = url, state

    def about(self) -> About:
        """Return what is known.

        Raises:
            NoStoreError: when nothing is.
        """
        with contextlib.closing(Cluster(open_cluster(self._state))) as cluster:
            counts, problems = cluster.counts(), cluster.problems()
            kinds = {
                kind: KnownKind(
                    counts.get(kind, 0), cluster.alive_at(kind), problems.get(kind, ""), cluster.counted_of(kind)
                )
                for kind in sorted({*counts, *problems})
            }
        return About(str(self._state / FILE), kinds)

    def objects(self, kind: str = "", namespace: str = "") -> Generator[Plain]:
        """Yield the objects.

        Raises:
            NoStoreError: when nothing is known.
        """
        with contextlib.closing(Cluster(open_cluster(self._state))) as cluster:
            yield from cluster.objects(kind, clean(namespace))

    def holdings(self, address: str, at: int | None = None) -> Generator[Holding]:
        """Yield who had an address.

        Raises:
            NoStoreError: when nothing is known.
        """
        with contextlib.closing(open_cluster(self._state)) as database:
            for one in AddressHistory(database).every(address):
                if at is None or one.lasted(at):
                    yield one

    def requests(self, since: int, limit: int, pod: str = "") -> Generator[ExecRequest]:
        """Yield requests to enter a pod.

        Raises:
            NoStoreError: when there are none yet.
        """
        namespace, _, name = clean(pod).rpartition("/")
        with contextlib.closing(ExecRequests(open_requests(self._url, self._state))) as requests:
            yield from requests.newest_first(since, limit, name, namespace)

    def seen(self, namespace: str = "", since: int = 0) -> Generator[Seen]:
        """Yield what workloads connected to."""
        try:
            found = open_contacts(self._url, self._state)
        except NoStoreError:
            return
        with contextlib.ExitStack() as opened:
            opened.enter_context(contextlib.closing(found))
            history = None
            with contextlib.suppress(NoStoreError):
                history = AddressHistory(opened.enter_context(contextlib.closing(open_cluster(self._state))))
            for one in Contacts(found).all(namespace, since):
                then = [] if history is None else history.at(one.address, one.at)[:_MOST_HOLDERS]
                yield Seen(one, [(holding.kind, holding.namespace, holding.name) for holding in then])

    def rights(self, since: int = 0) -> Generator[Change]:
        """Yield what runs saw being changed of roles and bindings."""
        with contextlib.closing(self._found(since)) as found:
            for told in found:
                yield from told.rights

    def opened(self, namespace: str = "", since: int = 0) -> Generator[ExposureChange]:
        """Yield what runs saw being opened."""
        with contextlib.closing(self._found(since)) as found:
            for told in found:
                if told.exposure is not None and namespace in {"", told.exposure.namespace}:
                    yield told.exposure

    def _found(self, since: int) -> Generator[Told]:
        try:
            yield from kept_findings(self._state, since)
        except NoStoreError:
            raise NoFindingsError(NO_FINDINGS) from None
