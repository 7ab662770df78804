"""How fast alerts are kept and found again: 40 rules over 500 containers, each alert with a process of its own."""

from __future__ import annotations

import gc
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.benchmark import Run, Sample, Value, benchmark
from hullwatch.alerts.alert import Alert
from hullwatch.alerts.grouping import Grouper
from hullwatch.alerts.origin import Ancestor, Origin
from hullwatch.config.settings import StoreSettings
from hullwatch.keeper_process import COLLECT_AFTER
from hullwatch.store.keeping import Keeping, Packed
from hullwatch.store.packing import pack
from hullwatch.store.reading import AlertReader, Wanted
from hullwatch.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

TOGETHER = 2000  # alerts of a batch, as many as the keeper takes when it is behind
ALERTS = 50_000  # of a sample
ALERTS_QUICK = 10_000
LISTED = 1_000_000
LISTED_QUICK = 20_000
FIRST = 20_000  # of them that are made up; the others are the same again
STEP = 1_000_000  # ns from one alert to the next
CONDITION = "container.name = web-17 and proc.name = sh"
_RULES, _CONTAINERS, _SERVICES = 40, 500, 20
_START = 1_795_000_000_000_000_000  # ns since the epoch
_PRIORITIES = ("Debug", "Notice", "Warning", "Critical")


class MadeUpAlerts:
    """Alerts one after another, the same in every run."""

    def __init__(self) -> None:
        """Begin with the first."""
        self._chance = random.Random(6)  # noqa: S311 - the same in every run
        self._number = 0

    def batch(self, number: int) -> list[Packed]:
        """Return the next alerts, as they reach the keeper."""
        return [self._packed() for _ in range(number)]

    def _packed(self) -> Packed:
        self._number += 1
        made = self._alert(self._number)
        return Packed(f"bench-{self._number:x}", made.time, pack(made)[0])

    def _alert(self, number: int) -> Alert:
        container, rule = self._chance.randrange(_CONTAINERS), self._chance.randrange(_RULES)
        pid = self._chance.randrange(1 << 22)
        service = container % _SERVICES
        command = f"sh -c cat /etc/shadow /srv/jobs/{pid:x}"
        lineage = tuple(Ancestor(pid - above, 10**12 + pid - above, "sh", command) for above in range(3))
        return Alert(
            time=_START + number * STEP,
            rule=f"A made-up rule of the pack, number {rule}",
            priority=_PRIORITIES[rule % len(_PRIORITIES)],
            message=f"Something was read that is secret (file=/etc/shadow command={command} user=root pid={pid})",
            output_fields={
                "fd.name": "/etc/shadow",
                "proc.name": "sh",
                "proc.cmdline": command,
                "proc.pid": pid,
                "user.name": "root",
                "container.id": f"{container:012x}",
                "container.name": f"web-{container}",
                "container.image.repository": f"registry.example/shop/service-{service}",
                "container.image.tag": "1.25",
            },
            tags=("T1003.008", "container", "mitre_credential_access"),
            hostname="bench",
            container_id=f"{container:012x}",
            container_name=f"web-{container}",
            container_image=f"registry.example/shop/service-{service}:1.25",
            process="sh",
            origin=Origin(
                workload=f"shop/Deployment/service-{service}",
                container=f"{container:064x}",
                user="root",
                tree=f"{container}.1",
                processes=lineage,
            ),
        )


@benchmark(
    Value(
        "store.ingest",
        "alerts/CPU-s",
        "alerts as the engine hands them over, grouped, compressed and written, on one core",
    ),
    runs=3,
    limit=10,
)
def ingest(run: Run) -> Iterator[Sample]:
    """Keep alerts in batches; to make them up is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        keeping = _keeping(Path(folder))
        alerts = MadeUpAlerts()
        before = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)  # as the keeper does
        try:
            while True:
                yield {"store.ingest": _fill(keeping, alerts, ALERTS_QUICK if run.quick else ALERTS)}
        finally:
            gc.set_threshold(*before)
            gc.unfreeze()
            keeping.close()


@benchmark(
    Value("store.list", "ms", "listing the newest 100 of a million stored alerts that a condition holds for"),
    Value("store.size", "bytes/alert", "what each takes in the file"),
    runs=5,
    limit=5,
)
def listing(run: Run) -> Iterator[Sample]:
    """Fill a store, and list what is in it; only the listing is measured."""
    number = LISTED_QUICK if run.quick else LISTED
    with tempfile.TemporaryDirectory() as folder:
        _repeat(_keeping(Path(folder)), Path(folder) / "store.db", number, run)
        database = SqliteDatabase(Path(folder) / "store.db", write=False)
        size = database.used() / number
        while True:
            begin = time.perf_counter()
            reader = AlertReader(database)
            found = list(reader.newest_first(Wanted(CONDITION), 100))
            passed = 1000 * (time.perf_counter() - begin)
            assert found
            yield {"store.list": passed, "store.size": size}


def _keeping(folder: Path) -> Keeping:
    database = SqliteDatabase(folder / "store.db", make=True)
    return Keeping(database, StoreSettings(largest=1 << 34), Grouper)


def _fill(keeping: Keeping, alerts: MadeUpAlerts, number: int) -> float:
    """Return alerts per second of CPU time."""
    seconds = 0.0
    for _ in range(0, number, TOGETHER):
        batch = alerts.batch(TOGETHER)
        begin = time.process_time()
        keeping.take(batch)
        seconds += time.process_time() - begin
    return number / seconds


def _repeat(keeping: Keeping, path: Path, number: int, run: Run) -> None:
    """Fill a store soon: with the same alerts again and again, under other ids and times."""
    alerts = MadeUpAlerts()
    first = min(number, FIRST)
    _fill(keeping, alerts, first)
    keeping.close()
    database = SqliteDatabase(path)
    for copies in range(1, number // first):
        run.progress(f"{copies * first:,} alerts are stored")
        database.write(
            "INSERT INTO alerts (id, time, placement, body) "
            "SELECT ? || id, time + ?, placement, body FROM alerts WHERE number <= ?",
            (f"{copies}-", copies * first * STEP, first),
        )
    database.close()
