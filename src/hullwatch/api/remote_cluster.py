"""The cluster that is followed, by the instance that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.api.client import decoded
from hullwatch.enrich.kubernetes.plain import table
from hullwatch.errors import CannotError
from hullwatch.store.known_cluster import About, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.api.client import Client
    from hullwatch.enrich.kubernetes.plain import Plain

_SEEN = msgspec.json.Decoder(Seen)


class RemoteCluster:
    """Asks through a client; see ``store.known_cluster.KnownCluster``."""

    def __init__(self, client: Client) -> None:
        """Take the client."""
        self._client = client

    def about(self) -> About:
        """Return what is known."""
        found = decoded(self._client.get("/v1/kubernetes"), About)
        return msgspec.structs.replace(found, where=f"{found.where}, as the running Hullwatch told")

    def objects(self) -> Iterator[Plain]:
        """Yield the objects."""
        for line in self._client.lines("/v1/kubernetes/objects", {}):
            try:
                yield table(msgspec.json.decode(line))
            except msgspec.MsgspecError as error:
                raise CannotError(f"The running Hullwatch told of an object what is none: {error}.") from error

    def seen(self, namespace: str = "", since: int = 0) -> Iterator[Seen]:
        """Yield what workloads connected to."""
        asked = {"namespace": namespace, "since": str(since) if since else ""}
        for line in self._client.lines("/v1/kubernetes/connections", asked):
            try:
                yield _SEEN.decode(line)
            except msgspec.MsgspecError as error:
                raise CannotError(f"The running Hullwatch told of a connection what is none: {error}.") from error
