"""Lines of containers' logs that are sent to the webhook, or asked for at CloudWatch Logs: from there to the judge.

Requests are answered in the event loop; their lines are judged outside of it, in one thread, some hundred at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from hullwatch.sources.container_logs.joining import LOST, PATIENCE, Joiner
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
    from collections.abc import Callable, Sequence
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
        self._joiner = Joiner()  # of the thread
        self._looking: asyncio.TimerHandle | None = None

    def delivery(self) -> Delivery:
        """Return what takes the lines of one request."""
        return Delivery(self, self._source, self._repeats)

    async def judge(self, lines: Sequence[LogLine], came: Callable[[LogLine], bool]) -> int:
        """Judge lines, and what is whole by them, in the thread; return the number of the last alert so far.

        Raises:
            EndingError, RuntimeError: when the process ends.
        """
        loop = asyncio.get_running_loop()

        def work() -> int:
            return self._logs.judge(self._joiner.join(lines), self._source, came)

        try:
            return await loop.run_in_executor(self._thread, work)
        finally:
            self._source.counts.leave_out_all(self._joiner.left_out)
            if len(self._joiner) and self._looking is None:
                self._looking = loop.call_later(PATIENCE, lambda: loop.create_task(self._judge_expired()))

    async def _judge_expired(self) -> None:
        """Judge what there is of lines whose end did not come; look again while others are waited for."""
        self._looking = None
        with contextlib.suppress(EndingError, RuntimeError):
            await self.judge((), self._repeats.delivery().came)

    async def take(self, body: bytes) -> Taken:
        """Judge a body in which everything is lines of containers' logs, whatever stands in them.

        Raises:
            RefusedError: when the process ends.
        """
        counts, delivery = IntakeCounts(), self.delivery()
        lines: list[LogLine] = []
        try:
            unwrapper = Unwrapper(counts, NOBODY)
            for line in itertools.chain(unwrapper.lines(documents(io.BytesIO(body), counts)), unwrapper.rest()):
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
        if self._looking is not None:
            self._looking.cancel()
        if len(self._joiner):
            self._source.counts.leave_out(LOST, len(self._joiner))
        self._thread.submit(self._logs.close_pods)
        self._thread.shutdown(wait=False)


class Delivery:
    """The lines of one request.

    Args:
        requests: judges.
        source: counts.
        repeats: knows lines again.
    """

    def __init__(self, requests: LogRequests, source: Input, repeats: Repeats) -> None:
        """Have none yet."""
        self._requests = requests
        self._source = source
        self._delivered = repeats.delivery()
        self._ticket = 0

    async def judge(self, lines: Sequence[LogLine], *, count: bool = True) -> int:
        """Judge lines; return the number of the last alert so far.

        Raises:
            RefusedError: when the process ends.
        """
        counts, before = self._source.counts, self._delivered.again
        for line in lines if count else ():
            counts.take(line.wrapper)
        try:
            self._ticket = await self._requests.judge(lines, self._delivered.came)
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
        self._joiner = Joiner()

    def take(self, documents: list[bytes]) -> int:
        lines = self._joiner.join(Unwrapper(self._source.counts, NOBODY).lines(documents))
        try:
            return self._logs.judge(lines, self._source, self._repeats.delivery().came)
        finally:
            self._source.counts.leave_out_all(self._joiner.left_out)


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
