"""How fast events of the Kubernetes API are judged by the pack, from lines of JSON to matches."""

from __future__ import annotations

import asyncio
import gzip
import io
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from bench.audit_intake import LOG, AuditIntake, AuditReplay
from bench.benchmark import Run, Sample, Value, benchmark
from hullwatch.baseline.baseline import Baseline
from hullwatch.baseline.cluster import Span
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.posture.trail import Trail
from hullwatch.rules.loader import load
from hullwatch.rules.pack import builtin_files
from hullwatch.sources.k8s_audit.reading import audit_events

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = frozenset({"k8s_audit"})
DAY = 86_400.0  # seconds
TIMES = 8  # that the log is judged in a sample, with other ids each time
TIMES_QUICK = 2


@benchmark(
    Value("k8s.audit", "events/CPU-s", "events of the Kubernetes API, lines of JSON to matches, the pack"),
    Value("k8s.audit.decode", "events/CPU-s", "the same lines decoded, and nothing else done"),
    limit=3.0,
)
def k8s_audit(run: Run) -> Iterator[Sample]:
    """Judge and learn the log of a real cluster, and follow what it changes, again and again."""
    look = Baseline(Span(7 * DAY, 30 * DAY)).look  # as a run has it: what is ordinary is learnt
    rules = load(builtin_files("k8s_audit"), sources=SOURCES)
    judge = AuditJudge(rules, Counters(), every=True, trail=Trail(), look=look)
    times = TIMES_QUICK if run.quick else TIMES
    lines = gzip.decompress(LOG.read_bytes())
    number = 0
    while True:
        number += 1
        data = b"".join(lines.replace(b'"auditID":"', b'"auditID":"%d-%d-' % (number, one)) for one in range(times))
        begin = time.process_time()
        for line in io.BytesIO(data):
            msgspec.json.decode(line)
        decoded = time.process_time() - begin
        begin, events = time.process_time(), 0
        for audit in audit_events(cast("BinaryIO", io.BytesIO(data)), lambda _: None):
            judge.matches(audit)
            events += 1
        yield {"k8s.audit": events / (time.process_time() - begin), "k8s.audit.decode": events / decoded}


@benchmark(
    Value("k8s.audit.run", "events/CPU-s", "the same by all that a run does with them where nothing is set"),
    limit=3.0,
)
def k8s_audit_run(run: Run) -> Iterator[Sample]:
    """Judge the log, and write what is learnt, the trail of rights, the cluster's objects; make its alerts."""
    times, replay = TIMES_QUICK if run.quick else TIMES, AuditReplay()
    with tempfile.TemporaryDirectory() as state:
        intake = AuditIntake(Path(state))
        try:
            while True:
                lines = [line for _ in range(times) for line in replay.again()]
                begin = time.process_time()
                asyncio.run(intake.take(lines))
                yield {"k8s.audit.run": len(lines) / (time.process_time() - begin)}
        finally:
            intake.close()
