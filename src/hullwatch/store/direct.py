"""Keeping alerts in the process that makes them, where nobody waits for it: of captures that are judged again."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from hullwatch.store.database import StoreError
from hullwatch.store.frames import alert_id
from hullwatch.store.keeping import Packed
from hullwatch.store.packing import pack

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.counters import Counters
    from hullwatch.store.keeping import Keeping

TOGETHER = 1000  # alerts that are written at once


class DirectKeeper:
    """Writes alerts to a store as an output does."""

    gone = True  # nobody reads it: a run whose other outputs have gone may end

    def __init__(self, keeping: Keeping, counters: Counters) -> None:
        """Begin with none."""
        self._keeping = keeping
        self._counters = counters
        self._run = f"{int(time.time()):x}{secrets.token_hex(3)}"
        self._number = 0
        self._waiting: list[Packed] = []

    def send(self, alert: Alert) -> None:
        """Take an alert; it is written with others."""
        body, cut = pack(alert)
        self._counters.cut_alerts += cut
        self._number += 1
        self._waiting.append(Packed(alert.id or alert_id(self._run, self._number), alert.time, body))

    def flush(self) -> None:
        """Write what was taken, when it is much."""
        if len(self._waiting) >= TOGETHER:
            self._write()

    def tick(self) -> None:
        """Write what was taken."""
        self._write()

    def close(self) -> None:
        """Write what is left."""
        self._write()
        for reason, number in self._keeping.take_counts().items():
            self._counters.store[reason] = self._counters.store.get(reason, 0) + number
        self._keeping.close()

    def _write(self) -> None:
        if not self._waiting:
            return
        try:
            self._counters.alerts_kept += len(self._keeping.take(self._waiting).alerts)
        except StoreError as error:
            self._counters.lose_alert(f"the store: {error}", len(self._waiting))
        self._waiting.clear()
