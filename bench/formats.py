"""How fast alerts are written in each format, on one core: with an issue and an incident, and each one another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bench.benchmark import Run, Sample, Value, benchmark
from hullwatch.formats.registry import FORMATS
from hullwatch.formats.sample import sample_alert, sample_placement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.alerts.alert import Alert

ALERTS = 2_000  # in a sample
ALERTS_QUICK = 200
NAMES = ("cef", "cloudevents", "ecs", "falco", "json", "leef", "ocsf", "otlp", "sarif", "text")


@benchmark(
    *(Value(f"formats.{name}", "alerts/CPU-s", f"an alert with issue and incident as {name}") for name in NAMES),
    limit=4,
)
def formats(run: Run) -> Iterator[Sample]:
    """Write alerts that differ in their process, path and time."""
    alerts = [_another(number) for number in range(ALERTS_QUICK if run.quick else ALERTS)]
    while True:
        yield {f"formats.{name}": _rate(name, alerts) for name in NAMES}


def _another(number: int) -> Alert:
    alert = sample_alert()
    path = f"/etc/sudoers.d/{number}"
    fields = alert.output_fields | {"proc.pid": number, "fd.name": path, "proc.cmdline": f"cat {path}"}
    said = f"A file of secrets is read (file={path} command=cat {path} user=root)"
    return replace(alert, id=f"r7k2-{number}", time=alert.time + number, message=said, output_fields=fields)


def _rate(name: str, alerts: list[Alert]) -> float:
    write, placement = FORMATS.get(name), sample_placement()
    begin = time.process_time()
    for alert in alerts:
        write(alert, placement)
    return len(alerts) / (time.process_time() - begin)
