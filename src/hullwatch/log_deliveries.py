"""Lines of containers' logs that are sent to the webhook, or asked for at CloudWatch Logs: from there to the judge.

Requests are answered in the event loop; their lines are judged outside of it, in one thread, some hundred at a time.
"""

from __future__ import annotations

import asyncio
import io
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from hullwatch.sources.container_logs.line import NOBODY
from hullwatch.sources.container_logs.repeats import Repeats
from hullwatch.sources.container_logs.unwrapping import Unwrapper
from hullwatch.sources.k8s_audit.cloudwatch import LogGroup
from hullwatch.sources.k8s_audit.counts import CONTROL, TWICE, IntakeCounts
from hullwatch.sources.k8s_audit.documents import documents
from hullwatch.sources.k8s_audit.feed import EndingError
from hullwatch.sources.k8s_audit.http_head import RefusedError
from hullwatch.sources.k8s_audit.log_place import Places
from hullwatch.sources.k8s_audit.pipeline import AT_ONCE, Taken

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from pathlib import Path

    from hullwatch.config.settings import Settings
    from hullwatch.log_watch import LogWatch
    from hullwatch.sources.container_logs.line import LogLine
    from hullwatch.sources.k8s_audit.inputs import Input

PLACES = "container-log-groups.json"
OVERLAP = 30_000  # ms that CloudWatch is asked for again: a log of containers is large, and comes within seconds
MOST_IDS = 400_000  # of lines that CloudWatch gave, that are known again


class LogRequests:
    """Judges the lines of requests.

    Args:
        logs: judges.
        name: of the input.
        remember: how many lines are known again, of those that rules are asked for.
    """

    def __init__(self, logs: LogWatch, name: str, remember: int) -> None:
        """Take nothing yet."""
        self._logs = logs
        self._source = logs.inputs.add(name, "webhook")
        self._repeats = Repeats(remember)
        self._thread = ThreadPoolExecutor(1, "logs of requests")

    def delivery(self) -> Delivery:
        """Return what takes the lines of one request."""
        return Delivery(self._logs, self._source, self._repeats, self._thread)

    async def take(self, body: bytes) -> Taken:
        """Judge a body in which everything is lines of containers' logs, whatever stands in them.

        Raises:
            RefusedError: when the process ends.
        """
        counts, delivery = IntakeCounts(), self.delivery()
        lines: list[LogLine] = []
        try:
            for line in Unwrapper(counts, NOBODY).lines(documents(io.BytesIO(body), counts)):
                lines.append(line)
                if len(lines) == AT_ONCE:
                    await delivery.judge(lines, count=False)
                    lines = []
            if lines:
                await delivery.judge(lines, count=False)
        finally:
            self._source.counts.add(counts)
        reasons = [reason for reason in counts.left_out if reason != CONTROL]
        return delivery.taken(counts.total, reasons[0] if reasons else "")

    def close(self) -> None:
        """End the thread, after what it does now."""
        self._thread.submit(self._logs.close_pods)
        self._thread.shutdown(wait=False)


class Delivery:
    """The lines of one request.

    Args:
        logs: judges.
        source: counts.
        repeats: knows lines again.
        thread: judges in it.
    """

    def __init__(self, logs: LogWatch, source: Input, repeats: Repeats, thread: ThreadPoolExecutor) -> None:
        """Have none yet."""
        self._logs = logs
        self._source = source
        self._delivered = repeats.delivery()
        self._thread = thread
        self._ticket = 0

    async def judge(self, lines: Sequence[LogLine], *, count: bool = True) -> int:
        """Judge lines; return the number of the last alert so far.

        Raises:
            RefusedError: when the process ends.
        """
        counts, before = self._source.counts, self._delivered.again
        for line in lines if count else ():
            counts.take(line.wrapper)
        judge = partial(self._logs.judge, lines, self._source, self._delivered.came)
        try:
            self._ticket = await asyncio.get_running_loop().run_in_executor(self._thread, judge)
        except (EndingError, RuntimeError):  # the second when the thread has been closed
            raise RefusedError(503, "The process ends; send it again.", Retry_After="5") from None
        if self._delivered.again > before:
            counts.leave_out(TWICE, self._delivered.again - before)
        return self._ticket

    def taken(self, number: int, unusable: str) -> Taken:
        """Return what came of the request."""
        return Taken(number, self._ticket, unusable, time.time_ns())


class _Feed:
    """The judge as a log group sees it, in its thread."""

    def __init__(self, logs: LogWatch, source: Input, ending: threading.Event) -> None:
        self.ending = ending
        self.stored = logs.stored
        self._logs = logs
        self._source = source
        self._repeats = Repeats(MOST_IDS)

    def take(self, documents: list[bytes]) -> int:
        lines = Unwrapper(self._source.counts, NOBODY).lines(documents)
        return self._logs.judge(lines, self._source, self._repeats.delivery().came)


def log_groups(settings: Settings, logs: LogWatch, client: Any, state: Path, ending: threading.Event) -> list[LogGroup]:
    """Return what asks the log groups that the settings name, each to be run in a thread of its own."""
    found: list[LogGroup] = []
    names = settings.container_logs.log_groups
    places = Places(state, PLACES) if names else None
    for name in names:
        assert places is not None
        feed = _Feed(logs, logs.inputs.add(name, "cloudwatch"), ending)
        every, from_end = settings.kubernetes.audit.eks_every, settings.container_logs.begin == "end"
        found.append(
            LogGroup(
                client, name, feed, places, every=every, from_end=from_end, prefix="", overlap=OVERLAP,
                remember=MOST_IDS,
            )
        )  # fmt: skip
    return found
