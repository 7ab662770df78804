"""Asking CloudWatch Logs for the audit events of EKS, or for logs of containers, where nothing sends them.

(FilterLogEvents.) A time is asked for again as long as events may still be added to it: CloudWatch shows them some
seconds late, and not in order. What comes twice is known by its auditID and stage, or by the id of CloudWatch.
"""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.errors import CannotError, UsageError
from hullwatch.extras import install
from hullwatch.sources.k8s_audit.aws import AUDIT_STREAM
from hullwatch.sources.k8s_audit.feed import EndingError
from hullwatch.sources.k8s_audit.log_place import Place
from hullwatch.sources.k8s_audit.recent import Recent

if TYPE_CHECKING:
    from hullwatch.sources.k8s_audit.feed import Feed
    from hullwatch.sources.k8s_audit.log_place import Places

OVERLAP = 120_000  # ms that are asked for again
FAILED = 30.0  # seconds until the next try, at most, when asking fails


def make_client(region: str, url: str) -> Any:
    """Return a client of CloudWatch Logs; credentials are those that boto3 finds (a role, the environment, files).

    Raises:
        CannotError: without boto3.
        UsageError: when it cannot be made with these settings.
    """
    try:
        library: Any = importlib.import_module("boto3.session")
        configuration: Any = importlib.import_module("botocore.config")
        errors: Any = importlib.import_module("botocore.exceptions")
    except ImportError as error:
        raise CannotError(f"Asking CloudWatch Logs needs boto3; install it: {install('s3')}") from error
    try:
        return library.Session(region_name=region or None).client(
            "logs",
            endpoint_url=url or None,
            config=configuration.Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 3}),
        )
    except (errors.BotoCoreError, ValueError) as error:
        raise UsageError(f"CloudWatch Logs cannot be asked (kubernetes.audit.eks_region, eks_url): {error}") from error


class LogGroup:
    """Asks one log group for what is new, in a thread.

    Attributes:
        problem: why it cannot be asked, a sentence; empty while it can.

    Args:
        client: of CloudWatch Logs.
        group: its name.
        feed: takes the events.
        places: where the time is kept up to which all is kept.
        every: seconds between questions.
        from_end: whether a group of which nothing is known is begun now; else one hour ago.
        prefix: what the names of the log streams begin with that are asked for; empty for all.
        overlap: ms that are asked for again each time.
        remember: how many events are known again by their ids and not handed over twice; 0 where the feed knows them.
    """

    def __init__(  # noqa: PLR0913 - what a question is made of
        self,
        client: Any,
        group: str,
        feed: Feed,
        places: Places,
        *,
        every: float,
        from_end: bool,
        prefix: str = AUDIT_STREAM,
        overlap: int = OVERLAP,
        remember: int = 0,
    ) -> None:
        """Ask nothing yet."""
        self.problem = ""
        self._client = client
        self._group = group
        self._feed = feed
        self._places = places
        self._every = every
        self._prefix = prefix
        self._overlap = overlap
        self._remember = remember
        self._recent = Recent(remember)
        self._ticket = 0  # of the last alert that stands before the time
        place = places.get(self._name)
        now = int(time.time() * 1000)
        self._since = place.offset if place is not None else now if from_end else now - 3_600_000

    @property
    def _name(self) -> str:
        return f"cloudwatch:{self._group}"

    def run(self) -> None:
        """Ask until the end."""
        wait = self._every
        if self._places.get(self._name) is None:  # before anything is asked: what comes while we are away is then new
            self._places.keep(self._name, Place(offset=self._since))
        while not self._feed.ending.is_set():
            try:
                self.ask()
                self.problem, wait = "", self._every
            except EndingError:
                return
            except Exception as error:  # noqa: BLE001 - whatever boto3 raises: told, and tried again
                self._recent = Recent(self._remember)  # the last ones may not have been taken
                self.problem = f"CloudWatch Logs does not answer for {self._group}: {error}"
                wait = min(2 * wait, max(FAILED, self._every))
            self._feed.ending.wait(wait)

    def ask(self) -> None:
        """Ask once for what is new, all pages of it; the time moves on when the alerts are kept."""
        newest, more = self._since, None
        while not self._feed.ending.is_set():
            asked: dict[str, Any] = {
                "logGroupName": self._group,
                "startTime": max(0, self._since - self._overlap),
            }
            if self._prefix:
                asked["logStreamNamePrefix"] = self._prefix
            if more:
                asked["nextToken"] = more
            answer = self._client.filter_log_events(**asked)
            events: list[dict[str, Any]] = answer.get("events") or []
            newest = max([newest, *[int(event.get("timestamp") or 0) for event in events]])
            new = [event for event in events if not self._came(event)]
            if new:
                self._ticket = self._feed.take(self._documents(new))
            more = answer.get("nextToken")
            if not more:
                break
        else:
            return  # the end comes between two pages: all of them are asked for again
        self._since = newest
        if self._feed.stored() >= self._ticket:
            self._places.keep(self._name, Place(offset=newest))

    def _came(self, event: dict[str, Any]) -> bool:
        """Tell whether an event was taken in an answer of before."""
        return self._remember > 0 and self._recent.came(str(event.get("eventId") or ""), "", "")

    def _documents(self, events: list[dict[str, Any]]) -> list[bytes]:
        """Return an answer as payloads of a subscription, which name the log group, and with it the cluster."""
        streams: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            streams.setdefault(str(event.get("logStreamName") or ""), []).append(event)
        return [
            msgspec.json.encode(
                {
                    "messageType": "DATA_MESSAGE",
                    "logGroup": self._group,
                    "logStream": stream,
                    "logEvents": [
                        {
                            "id": event.get("eventId") or "",
                            "timestamp": event.get("timestamp"),
                            "message": event.get("message", ""),
                        }
                        for event in found
                    ],
                }
            )
            for stream, found in streams.items()
        ]
