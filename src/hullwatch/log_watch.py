"""The logs of containers through the rules to the alerts, in the process that takes audit events.

Files are followed in a thread that reads and judges by itself, so that requests of API servers get their turn; lines
that are sent or asked for (``log_deliveries.py``) are judged by the same judge in other threads. Alerts are handed over
where all are. (docs/adr/0039, 0042)
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import msgspec

from hullwatch.detect.log_judge import LogJudge
from hullwatch.enrich.log_container import container_of, with_docker, with_pod_of
from hullwatch.errors import CannotError
from hullwatch.sources.container_logs.following import LogFollower
from hullwatch.sources.container_logs.found_logs import DOCKER, FoundLog, FoundLogs, number_of
from hullwatch.sources.k8s_audit.counts import IntakeCounts
from hullwatch.sources.k8s_audit.inputs import NEVER, Input, Inputs
from hullwatch.sources.k8s_audit.log_place import Places
from hullwatch.store.pod_source import stored_pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from hullwatch.channel import Supervisor
    from hullwatch.config.settings import Settings
    from hullwatch.counters import Counters
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.container import Container
    from hullwatch.enrich.pods import PodSource
    from hullwatch.rules.loader import RuleSet
    from hullwatch.sources.container_logs.line import LogLine, Whose
    from hullwatch.sources.k8s_audit.log_file import Open

PLACES = "container-log-places.json"
LARGEST_DOCKER_FILE = 4 << 20  # bytes
ASK_AGAIN = 10.0  # seconds, for a pod that the cluster's state did not know
_DECODER = msgspec.json.Decoder(FoundLogs)


class LogWatch:
    """Judges lines, and follows files in a thread of its own.

    Attributes:
        inputs: where lines come from; none of them is ever silent for too long.
        follows: whether there are files to be followed.

    Args:
        settings: of the run.
        rules: that judge; of any sources.
        counters: get the lines.
        supervisor: to ask for files.
        state: the directory of what lasts.
        hand_over: takes matches when there is room, and returns the number of the last alert; raises EndingError.
        stored: returns the number up to which alerts are kept.
    """

    def __init__(
        self,
        settings: Settings,
        rules: RuleSet,
        counters: Counters,
        supervisor: Supervisor,
        state: Path,
        hand_over: Callable[[Sequence[Match]], int],
        stored: Callable[[], int],
    ) -> None:
        """Follow nothing yet."""
        self.inputs = Inputs(NEVER, {})
        self.stored = stored
        self.follows = bool(settings.container_logs.files)
        self._source = self.inputs.add("files", "file") if self.follows else None
        self._settings = settings
        self._state = state
        self._supervisor = supervisor
        self._hand_over = hand_over
        self._judge = LogJudge(rules, counters, every=settings.rules.match == "all")
        self._judge.container_of = self._container
        self._places = Places(state, PLACES)
        self._containers: dict[Whose, Container] = {}
        self._lock = threading.Lock()  # of the judge
        self._pods = threading.local()  # a thread has a connection of its own
        self._ask_again = 0.0
        self._problem = ""
        self._follower = LogFollower(
            self._look,
            self._opener,
            self,
            self._places,
            IntakeCounts() if self._source is None else self._source.counts,
            from_end=settings.container_logs.begin == "end",
        )

    def run(self, ending: threading.Event) -> None:
        """Follow until the end."""
        try:
            self._follower.run(ending)
        finally:
            self.close_pods()

    def close_pods(self) -> None:
        """Close what this thread knows pods by."""
        source: PodSource | None = getattr(self._pods, "source", None)
        if source is not None:
            source.close()

    def judge(
        self, lines: Iterable[LogLine], source: Input | None, came: Callable[[LogLine], bool] | None = None
    ) -> int:
        """Judge lines, in any thread; return the number of the last alert so far.

        Args:
            lines: in their order.
            source: the input that they came from.
            came: tells whether a line came before.

        Raises:
            EndingError: when there is to be an end before there is room for alerts.
        """
        found: list[Match] = []
        last: LogLine | None = None
        with self._lock:
            self._judge.came = came
            for line in lines:
                found += self._judge.matches(line)
                last = line
        if last is not None and source is not None:
            source.took(last.time)
        return self._hand_over(found)

    def settle(self) -> None:
        """Keep the places of all that is kept; when the thread has ended."""
        self._follower.settle()

    # ---- what the follower asks for

    def _look(self) -> FoundLogs:
        try:
            found = _DECODER.decode(self._supervisor.container_logs())
        except CannotError as error:
            self._problem = str(error)
            return FoundLogs(())
        self._problem = ""
        return found

    def _opener(self, found: FoundLog) -> Open:
        return lambda rotated: self._supervisor.open_container_log(number_of(found.number, rotated))

    def begun(self, found: FoundLog, of: Whose) -> None:
        """Find out what is known of the container of a log."""
        container = container_of(of)
        try:
            with open(self._supervisor.open_container_log(number_of(found.number, DOCKER)), "rb") as stream:  # noqa: PTH123 - a descriptor
                container = with_docker(container, stream.read(LARGEST_DOCKER_FILE))
        except (CannotError, OSError):
            pass  # it is not Docker's
        self._containers[of] = self._with_pod(container)

    def ended(self, of: Whose) -> None:
        """Forget a container."""
        self._containers.pop(of, None)

    def take(self, lines: Iterator[LogLine]) -> int:
        """Judge lines of a file; return the number of the last alert so far."""
        return self.judge(lines, self._source)

    def _container(self, of: Whose) -> Container:
        known = self._containers.get(of)
        if known is None:  # a line of a cloud's wrapper says itself whose it is
            return self._with_pod(container_of(of))
        if known.pod_uid and not known.owner_name and time.monotonic() >= self._ask_again:
            self._ask_again = time.monotonic() + ASK_AGAIN
            known = self._containers[of] = self._with_pod(known)
        return known

    def _with_pod(self, container: Container) -> Container:
        if not container.pod_uid:
            return container
        if not hasattr(self._pods, "source"):
            make = stored_pods(self._settings.kubernetes.api, self._state)
            self._pods.source = make() if make is not None else None
        source: PodSource | None = self._pods.source
        facts = source.pod(container.pod_uid) if source is not None else None
        return container if facts is None else with_pod_of(container, facts)

    # ---- what is told

    def problems(self) -> list[str]:
        """Return what keeps logs from being read, a sentence each."""
        found = [self._problem, self._follower.problem, self._places.problem]
        if self._follower.left_out:
            most = self._settings.container_logs.most_files
            found.append(
                f"There are more than {most:,} log files of containers, and only those that were written to last are "
                "followed: set container_logs.most_files higher."
            )
        if self._follower.refused:
            found.append(
                "A link among the log files of containers leads to what is no log of a container, and is not followed: "
                "look at who may write there."
            )
        return [one for one in found if one]

    def status(self) -> dict[str, object]:
        """Return how it goes, for ``hullwatch doctor``."""
        counts = self.inputs.counts()
        return {
            "files": len(self._follower),
            "too_many": self._follower.left_out,
            "refused": self._follower.refused,
            "by_wrapper": counts.events,
            "left_out": counts.left_out,
            "by_input": self.inputs.status(),
        }

    def told(self) -> list[str]:
        """Return what came of the run, a sentence a line."""
        counts = self.inputs.counts()
        wrappers = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.events.items()))
        lines = [f"Lines of containers' logs: {counts.total:,}{f' ({wrappers})' if wrappers else ''}."]
        if counts.left_out:
            reasons = "; ".join(f"{number:,} {reason}" for reason, number in sorted(counts.left_out.items()))
            lines.append(f"Left out of logs: {reasons}.")
        return lines
