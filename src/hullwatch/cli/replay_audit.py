"""Events of the Kubernetes API through the rules to the outputs: ``hullwatch replay FILE --source k8s_audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from hullwatch.baseline.cluster import minute
from hullwatch.cli.replay_documents import DocumentReplay
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.fields.audit_event import AUDIT_TYPE
from hullwatch.outputs.delivery import Delivery
from hullwatch.posture.trail import Trail
from hullwatch.sources.k8s_audit.reading import audit_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.app import Deliver
    from hullwatch.baseline.baseline import Baseline
    from hullwatch.config.settings import Settings
    from hullwatch.detect.engine import Match
    from hullwatch.rules.loader import RuleSet


class AuditReplay(DocumentReplay):
    """One replay of a file of events of the API."""

    kind = AUDIT_TYPE.name
    none = "event of the Kubernetes API (audit.k8s.io/v1)"

    def __init__(
        self, settings: Settings, rules: RuleSet, deliver: Deliver = Delivery, baseline: Baseline | None = None
    ) -> None:
        """Take rules of the source ``k8s_audit``, and what is known and learnt of what is ordinary."""
        super().__init__(settings, deliver)
        self._baseline = baseline
        every = settings.rules.match == "all"
        look = None if baseline is None else baseline.look
        self._judge = AuditJudge(rules, self.counters, every=every, trail=Trail(), look=look)

    def _events(self, stream: BinaryIO) -> Iterator[dict[str, Any]]:
        return audit_events(stream, self._leave_out)

    def _matches(self, event: dict[str, Any]) -> Sequence[Match]:
        return self._judge.matches(event)

    def _afterwards(self) -> list[str]:
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
