"""How fast alerts are placed: each counted on its issue and, where it belongs to one, in its incident."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

from bench.alert_mix import ATTACKS, alerts
from bench.benchmark import CannotMeasureError, Run, Sample, Value, benchmark
from hullwatch.alerts.grouping import Grouper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.alerts.incident import Incident
    from hullwatch.alerts.issue import Issue

ALERTS = 100_000
ALERTS_QUICK = 5_000


class Nothing:
    """The memory of a store that is new."""

    def issue(self, fingerprint: str) -> Issue | None:
        """Return nothing: no issue is remembered."""
        del fingerprint

    def incident(self, identifier: str) -> Incident | None:
        """Return nothing: no incident is remembered."""
        del identifier

    def open_incidents(self, since: int) -> list[Incident]:
        """Return none."""
        del since
        return []


@benchmark(
    Value("grouping.place", "alerts/CPU-s", "alerts of 40 kinds over 500 containers to issues and incidents, no store"),
    limit=4,
    runs=3,
)
def grouping_place(run: Run) -> Iterator[Sample]:
    """Place the alerts of a busy hour, each with texts of its own."""
    made = list(alerts(ALERTS_QUICK if run.quick else ALERTS))
    gc.freeze()
    try:
        while True:
            grouper = Grouper(Nothing())
            begin = time.process_time()
            placed = grouper.place_all(made)
            seconds = time.process_time() - begin
            opened = sum(one.opened for one in placed)
            if opened != ATTACKS:
                raise CannotMeasureError(f"{opened} incidents were opened instead of {ATTACKS}: the grouping is wrong.")
            yield {"grouping.place": len(made) / seconds}
    finally:
        gc.unfreeze()
