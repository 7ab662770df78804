"""The intake of audit events as a run has it where nothing else is set, but for the processes around it.

What is learnt, the trail of rights, the cluster's state and the alerts are all there, and what lasts is written; alerts
are made, formatted and packed as they are for standard output and the keeper, and then dropped.
"""

from __future__ import annotations

import gzip
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.alerts.maker import AlertMaker
from hullwatch.alerts.mask import Masker
from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.formats.falco import falco
from hullwatch.rules.loader import load
from hullwatch.rules.pack import builtin_files
from hullwatch.sources.k8s_audit.pipeline import Pipeline
from hullwatch.store.baseline_keeping import BaselineKeeping
from hullwatch.store.cluster_audit import AuditLook
from hullwatch.store.kept.choosing import Chosen
from hullwatch.store.packing import pack
from hullwatch.store.trail_memory import TrailMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.detect.engine import Match

LOG = Path(__file__).parent.parent / "tests" / "data" / "kubernetes" / "audit.jsonl.gz"
LASTS = 10 * 60  # seconds from one replay of the log to the next
_TIMES = re.compile(rb'("(?:requestReceivedTimestamp|stageTimestamp)":")(2026-11-21T21:\d\d)')
_FORM = "%Y-%m-%dT%H:%M"


class AuditReplay:
    """The log of a real cluster again and again: each time with other ids, ten minutes later.

    Args:
        times: how many replays there will be, of which the last is of now; 0: the first has the log's own time.
    """

    def __init__(self, times: int = 0) -> None:
        """Read it."""
        self.lines = gzip.decompress(LOG.read_bytes()).splitlines()
        self._turn = 0
        began = time.mktime(time.strptime("2026-11-21T21:34", _FORM))
        self._later = time.time() - began - times * LASTS if times else 0.0

    def again(self) -> list[bytes]:
        """Return the lines of the next replay."""
        self._turn += 1
        ids, known = b'"auditID":"%x-' % self._turn, dict[bytes, bytes]()

        def later(found: re.Match[bytes]) -> bytes:
            if found[2] not in known:
                written = time.mktime(time.strptime(found[2].decode(), _FORM)) + self._later + self._turn * LASTS
                known[found[2]] = time.strftime(_FORM, time.localtime(written)).encode()
            return found[1] + known[found[2]]

        return [_TIMES.sub(later, line.replace(b'"auditID":"', ids, 1)) for line in self.lines]


class AuditIntake:
    """Takes documents; see ``hullwatch.audit_watch``, which wires the same.

    Attributes:
        alerts: how many there were.

    Args:
        state: the directory of what lasts.
        settings: of a run.
    """

    def __init__(self, state: Path, settings: Settings | None = None) -> None:
        """Wire the stages, with the built-in rules."""
        settings = Settings() if settings is None else settings
        self.alerts = 0
        self.counters = Counters()
        self.memory = TrailMemory(state)
        self.baseline = BaselineKeeping(settings.kubernetes.baseline, state)
        self.look = AuditLook("", state, objects=True)
        rules = load(builtin_files("k8s_audit"), sources=frozenset({"k8s_audit"}))
        chosen = Chosen.by_audit(settings.events, learns=True)
        self.judge = AuditJudge(
            chosen.judged(rules), self.counters, trail=self.memory.trail(), look=self.baseline.judging
        )
        self._maker = AlertMaker(Masker(settings.mask.patterns), "", {}, with_origin=True)
        self.pipeline: Pipeline[Match] = Pipeline(
            self.judge.matches, self._hand_over, self.look.take, settings.kubernetes.audit.remember, self._settle
        )

    def _hand_over(self, matches: Sequence[Match], _: dict[str, object]) -> int:
        for match in matches:
            if not match.rule.keeps_only:
                self._maker.take(match)
        for alert in self._maker.made() if matches else ():
            falco(alert)
            pack(alert)
            self.alerts += 1
        return 0

    def _settle(self) -> None:
        self.look.tick()
        self.baseline.settle()

    async def take(self, documents: list[bytes], together: int = 100) -> None:
        """Judge documents, so many at once, and do what is due."""
        for begin in range(0, len(documents), together):
            await self.pipeline.take(documents[begin : begin + together])
        self.memory.flush()
        self.baseline.tick()

    def close(self) -> None:
        """Write what is left, and let go of the files."""
        self.look.close()
        self.memory.close()
        self.baseline.close()
