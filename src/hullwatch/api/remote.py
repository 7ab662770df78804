"""Asking and deciding by the instance that runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hullwatch.alerts.incident import Incident
from hullwatch.alerts.issue import Decision, Issue
from hullwatch.api.client import decoded, decoded_lines
from hullwatch.api.desk import OPEN, IncidentReport, IssueReport, StoreInfo, Trial, WholeAlert
from hullwatch.api.upkeep import PATIENCE, Smaller, Soundness
from hullwatch.errors import UsageError
from hullwatch.store.reading import FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.api.client import Client
    from hullwatch.api.desk import Among, Wish
    from hullwatch.store.reading import Found, Wanted

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")


class RemoteDesk:
    """Asks and decides through a client; the answers are those of the desk behind the socket."""

    def __init__(self, client: Client) -> None:
        """Take the client."""
        self.client = client

    def alerts(self, wanted: Wanted, limit: int) -> Iterator[Found]:
        """Yield alerts, the newest first."""
        lines = self.client.lines("/v1/alerts", {**_asked(wanted), **_limit(limit), "form": "whole"})
        for one in decoded_lines(lines, WholeAlert, "an alert"):
            yield one.found

    def count(self, wanted: Wanted) -> int:
        """Return how many alerts there are."""
        return decoded(self.client.get("/v1/alerts/count", _asked(wanted)), dict[str, int])["count"]

    def issues(self, states: Sequence[str], limit: int, since: int) -> list[Issue]:
        """Return issues in some states."""
        return decoded(self.client.get("/v1/issues", _group(states, limit, since)), list[Issue])

    def incidents(self, states: Sequence[str], limit: int, since: int) -> list[Incident]:
        """Return incidents in some states."""
        asked = {**_group(states, limit, since), "form": "whole"}
        return decoded(self.client.get("/v1/incidents", asked), list[Incident])

    def issue(self, written: str) -> IssueReport:
        """Return what is known of an issue."""
        return decoded(self.client.get(_one("issues", written), {"form": "whole"}), IssueReport)

    def incident(self, written: str) -> IncidentReport:
        """Return what is known of an incident."""
        return decoded(self.client.get(_one("incidents", written), {"form": "whole"}), IncidentReport)

    def decisions(self, limit: int) -> list[Decision]:
        """Return what people have decided, the last one first."""
        return decoded(self.client.get("/v1/decisions", _limit(limit)), list[Decision])

    def decide(self, wish: Wish) -> Decision:
        """Decide; return it as it is kept."""
        return decoded(self.client.post("/v1/decisions", wish), Decision)

    def trial(self, among: Among, target: str, condition: str) -> Trial:
        """Return what a mute would have muted."""
        asked = {"among": among, "target": target, "condition": condition}
        return decoded(self.client.get("/v1/decisions/trial", asked), Trial)

    def ids(self, among: Among, beginning: str) -> list[str]:
        """Return ids for the completion of a shell."""
        return decoded(self.client.get("/v1/ids", {"among": among, "beginning": beginning}), list[str])

    def info(self) -> StoreInfo:
        """Return how much is kept."""
        return decoded(self.client.get("/v1/store"), StoreInfo)

    def soundness(self) -> list[Soundness]:
        """Return whether what is kept is sound."""
        return decoded(self.client.get("/v1/store/check", patience=PATIENCE), list[Soundness])

    def make_smaller(self) -> list[Smaller]:
        """Make what is kept smaller."""
        return decoded(self.client.post("/v1/store/vacuum", None, PATIENCE), list[Smaller])

    def undo(self, container: str) -> list[str]:
        """Take back what was done to a container."""
        return decoded(self.client.post("/v1/responses/undo", {"container": container}), list[str])


def _one(among: Among, written: str) -> str:
    if not _ID.fullmatch(written):
        raise UsageError(f"There is no {among.removesuffix('s')} \"{written[:80]}\": 'hullwatch {among}' lists them.")
    return f"/v1/{among}/{written}"


def _limit(limit: int) -> dict[str, object]:
    return {"limit": 0 if limit >= FOREVER else limit}


def _group(states: Sequence[str], limit: int, since: int) -> dict[str, object]:
    every = "" if tuple(states) == OPEN else "true"
    return {"all": every, "since": since or "", **_limit(limit)}


def _asked(wanted: Wanted) -> dict[str, object]:
    return {
        "condition": wanted.condition,
        "since": wanted.since or "",
        "until": "" if wanted.until >= FOREVER else wanted.until,
        "rule": list(wanted.rules),
        "priority": wanted.priority,
        "issue": wanted.issue,
        "incident": wanted.incident,
    }
