"""What is ordinary in clusters, by the instance that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.api.baseline_desk import Decided
from hullwatch.api.client import decoded, decoded_lines
from hullwatch.baseline.known import Learnt, LearntHours, LearntValue
from hullwatch.store.baseline_file import Decision
from hullwatch.store.packing import clean
from hullwatch.store.reading import FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hullwatch.api.baseline_desk import BaselineWish
    from hullwatch.api.client import Client

_PATH = "/v1/kubernetes/baseline"


class RemoteBaseline:
    """Asks and decides through a client; see ``api.baseline_desk.BaselineDesk``."""

    def __init__(self, client: Client) -> None:
        """Take the client."""
        self._client = client

    def about(self) -> Learnt:
        """Return how much was learnt."""
        return decoded(self._client.get(_PATH), Learnt)

    def values(self, kind: str, limit: int) -> Iterator[LearntValue]:
        """Yield values of a kind, the newest first."""
        yield from self._told("values", {"kind": kind, **_limit(limit)}, LearntValue, "a value")

    def hours(self, limit: int) -> Iterator[LearntHours]:
        """Yield the hours of people."""
        yield from self._told("hours", _limit(limit), LearntHours, "hours")

    def decisions(self, limit: int) -> Iterator[Decision]:
        """Yield what people have decided, the last one first."""
        yield from self._told("decisions", _limit(limit), Decision, "a decision")

    def decide(self, wish: BaselineWish) -> list[Decided]:
        """Decide; return that as it is kept."""
        asked = clean(msgspec.to_builtins(wish))  # an argument need not be UTF-8
        return decoded(self._client.post(f"{_PATH}/decisions", asked), list[Decided])

    def _told(self, path: str, asked: Mapping[str, object], kind: Any, what: str) -> Iterator[Any]:
        yield from decoded_lines(self._client.lines(f"{_PATH}/{path}", asked), kind, what)


def _limit(limit: int) -> dict[str, object]:
    return {"limit": 0 if limit >= FOREVER else limit}
