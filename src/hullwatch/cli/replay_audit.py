"""Events of the Kubernetes API through the rules to the outputs: ``hullwatch replay FILE --source k8s_audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from hullwatch.baseline.cluster import minute
from hullwatch.cli.replay_loop import Progress
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.errors import UsageError
from hullwatch.fields.audit_event import AUDIT_TYPE
from hullwatch.formats.summary import summary
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.standard_error import say, say_lines
from hullwatch.outputs.stdout import has_colours
from hullwatch.posture.trail import Trail
from hullwatch.sources.k8s_audit.reading import audit_events

if TYPE_CHECKING:
    from hullwatch.app import Deliver
    from hullwatch.baseline.baseline import Baseline
    from hullwatch.config.settings import Settings
    from hullwatch.rules.loader import RuleSet

EVENTS_BETWEEN = 1000  # looks at the clock


class AuditReplay:
    """One replay of a file of events of the API.

    Attributes:
        counters: of the replay; what is no event is a drop with its reason.
    """

    def __init__(
        self, settings: Settings, rules: RuleSet, deliver: Deliver = Delivery, baseline: Baseline | None = None
    ) -> None:
        """Take rules of the source ``k8s_audit``, and what is known and learnt of what is ordinary."""
        self.counters = Counters()
        self._baseline = baseline
        every = settings.rules.match == "all"
        look = None if baseline is None else baseline.look
        self._judge = AuditJudge(rules, self.counters, every=every, trail=Trail(), look=look)
        self._delivery = deliver(settings, self.counters)

    def run(self, stream: BinaryIO, name: str) -> int:
        """Judge all events, tell what came of them, and return the exit code.

        Raises:
            UsageError: when the input cannot be read to its end, or nothing in it is an event; the summary was printed.
        """
        progress = Progress(stream, "events")
        number = 0
        try:
            for number, audit in enumerate(audit_events(stream, self._leave_out), start=1):
                if matches := self._judge.matches(audit):
                    progress.clear()
                    self._delivery.matches(matches)
                if number % EVENTS_BETWEEN == 0:
                    progress.show(number)
                    self._delivery.tick()
                if self._delivery.gone:
                    break
        except OSError as error:
            reason = error.strerror or "its data cannot be read"
            raise UsageError(f"{name} cannot be read behind event {number:,}: {reason}.") from error
        finally:
            progress.clear()
            self._delivery.close()
            say_lines(summary(self.counters, colour=has_colours(2), did="Judged in"))
            for sentence in self._learnt():
                say(sentence)
        if self.counters.dropped and not self.counters.events:
            raise UsageError(f"{name} has no event of the Kubernetes API (audit.k8s.io/v1).")
        return 1 if self._delivery.failed else 0

    def _learnt(self) -> list[str]:
        """Return what came of learning, a sentence for each cluster that was learnt to its end."""
        if self._baseline is None:
            return []
        said: list[str] = []
        for cluster in self._baseline.clusters.values():
            name = f" {cluster.name}" if cluster.name else ""
            if cluster.learnt:
                news = sum(self._baseline.told.values())
                said.append(f"Baseline: the cluster{name} was learnt until {minute(cluster.learnt)}; {news:,} news.")
        return said

    def _leave_out(self, reason: str) -> None:
        self.counters.drop(AUDIT_TYPE.name, reason)


def baseline_of(settings: Settings, file: str | None, until: str | None) -> Baseline | None:
    """Return what is ordinary, as a replay begins; None where nothing is to be learnt.

    Args:
        settings: of the replay.
        file: a baseline that was kept, which is read and not changed; None for none.
        until: when learning ends; None for the settings' time.

    Raises:
        UsageError: for a time that is none.
        StoreError: when the file cannot be read.
    """
    from pathlib import Path

    from hullwatch.config.values import parse_time
    from hullwatch.store.baseline_file import BaselineFile
    from hullwatch.store.baseline_keeping import make_baseline

    if not (settings.kubernetes.baseline.enabled or file or until):
        return None
    baseline, span = make_baseline(settings.kubernetes.baseline, parse_time(until) if until else 0)
    if file:
        kept = BaselineFile(Path(file).expanduser())
        kept.load(baseline, span)
        kept.close()
    return baseline
