"""The cluster that is followed, by the instance that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from hullwatch.api.client import decoded, decoded_lines
from hullwatch.enrich.kubernetes.exec_request import ExecRequest
from hullwatch.enrich.kubernetes.plain import table
from hullwatch.errors import CannotError
from hullwatch.store.address_history import Holding
from hullwatch.store.known_cluster import About, Seen
from hullwatch.store.reading import FOREVER
from hullwatch.store.trail_memory import change_of, opening_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hullwatch.api.client import Client
    from hullwatch.enrich.kubernetes.plain import Plain
    from hullwatch.posture.changes import Change
    from hullwatch.posture.exposure_changes import ExposureChange

T = TypeVar("T")


class RemoteCluster:
    """Asks through a client; see ``store.known_cluster.KnownCluster``."""

    def __init__(self, client: Client) -> None:
        """Take the client."""
        self._client = client

    def about(self) -> About:
        """Return what is known."""
        found = decoded(self._client.get("/v1/kubernetes"), About)
        return msgspec.structs.replace(found, where=f"{found.where}, as the running Hullwatch told")

    def objects(self, kind: str = "", namespace: str = "") -> Iterator[Plain]:
        """Yield the objects."""
        asked = {"kind": kind, "namespace": namespace}
        for found in self._told("objects", asked, dict[str, Any], "an object"):
            yield table(found)

    def holdings(self, address: str, at: int | None = None) -> Iterator[Holding]:
        """Yield who had an address."""
        asked = {"address": address, "at": "" if at is None else str(at), "limit": 0}
        yield from self._told("addresses", asked, Holding, "an address")

    def requests(self, since: int, limit: int, pod: str = "") -> Iterator[ExecRequest]:
        """Yield requests to enter a pod."""
        asked = {"since": str(since) if since else "", "limit": 0 if limit >= FOREVER else limit, "pod": pod}
        yield from self._told("sessions", asked, ExecRequest, "a session")

    def seen(self, namespace: str = "", since: int = 0) -> Iterator[Seen]:
        """Yield what workloads connected to."""
        asked = {"namespace": namespace, "since": str(since) if since else ""}
        yield from self._told("connections", asked, Seen, "a connection")

    def rights(self, since: int = 0) -> Iterator[Change]:
        """Yield what runs saw being changed of roles and bindings."""
        yield from self._findings("rights/changes", {"since": str(since) if since else ""}, change_of)

    def opened(self, namespace: str = "", since: int = 0) -> Iterator[ExposureChange]:
        """Yield what runs saw being opened."""
        asked = {"namespace": namespace, "since": str(since) if since else ""}
        yield from self._findings("exposure/changes", asked, opening_of)

    def _findings(self, path: str, asked: Mapping[str, object], made: Callable[[dict[str, Any]], T]) -> Iterator[T]:
        for found in self._told(path, asked, dict[str, Any], "a change"):
            try:
                yield made(found)
            except (TypeError, KeyError, AttributeError) as error:
                raise CannotError(f"The running Hullwatch told of a change what is none: {error}.") from error

    def _told(self, path: str, asked: Mapping[str, object], kind: Any, what: str) -> Iterator[Any]:
        """Yield the lines of an answer, each of a type."""
        yield from decoded_lines(self._client.lines(f"/v1/kubernetes/{path}", asked), kind, what)
