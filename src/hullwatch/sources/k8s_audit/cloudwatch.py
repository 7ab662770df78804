"""Asking CloudWatch Logs for the audit events of EKS, where nothing sends them (FilterLogEvents).

A time is asked for again as long as events may still be added to it: CloudWatch shows them some seconds late, and not
in order. What comes twice is known by its auditID and stage.
"""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.errors import CannotError, UsageError
from hullwatch.sources.k8s_audit.aws import AUDIT_STREAM
from hullwatch.sources.k8s_audit.feed import EndingError
from hullwatch.sources.k8s_audit.log_place import Place

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
        raise CannotError("Asking CloudWatch Logs needs boto3; install it: pip install 'hullwatch[s3]'") from error
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
    """

    def __init__(self, client: Any, group: str, feed: Feed, places: Places, *, every: float, from_end: bool) -> None:
        """Ask nothing yet."""
        self.problem = ""
        self._client = client
        self._group = group
        self._feed = feed
        self._places = places
        self._every = every
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
                self.problem = f"CloudWatch Logs does not answer for {self._group}: {error}"
                wait = min(2 * wait, max(FAILED, self._every))
            self._feed.ending.wait(wait)

    def ask(self) -> None:
        """Ask once for what is new, all pages of it; the time moves on when the alerts are kept."""
        newest, ticket, more = self._since, 0, None
        while not self._feed.ending.is_set():
            asked: dict[str, Any] = {
                "logGroupName": self._group,
                "logStreamNamePrefix": AUDIT_STREAM,
                "startTime": max(0, self._since - OVERLAP),
            }
            if more:
                asked["nextToken"] = more
            answer = self._client.filter_log_events(**asked)
            events: list[dict[str, Any]] = answer.get("events") or []
            newest = max([newest, *[int(event.get("timestamp") or 0) for event in events]])
            if events:
                ticket = self._feed.take([self._document(events)])
            more = answer.get("nextToken")
            if not more:
                break
        else:
            return  # the end comes between two pages: all of them are asked for again
        self._since = newest
        if self._feed.stored() >= ticket:
            self._places.keep(self._name, Place(offset=newest))

    def _document(self, events: list[dict[str, Any]]) -> bytes:
        """Return an answer as the payload of a subscription, which names the log group and with it the cluster."""
        return msgspec.json.encode(
            {
                "messageType": "DATA_MESSAGE",
                "logGroup": self._group,
                "logStream": events[0].get("logStreamName", ""),
                "logEvents": [{"message": event.get("message", "")} for event in events],
            }
        )
