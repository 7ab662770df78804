"""How fast lines of containers' logs are judged by the pack, from the lines of a file to matches."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING

from bench.benchmark import Run, Sample, Value, benchmark
from hullwatch.counters import Counters
from hullwatch.detect.log_judge import LogJudge
from hullwatch.rules.loader import load
from hullwatch.rules.pack import builtin_files
from hullwatch.sources.container_logs.unwrapping import unwrap
from hullwatch.sources.k8s_audit.counts import IntakeCounts

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = 40_000
LINES_QUICK = 8_000
_TIME = "2026-11-28T10:00:00.123456789Z"
_ID = "c" * 64
PATH = f"/var/lib/docker/containers/{_ID}/{_ID}-json.log"


def _texts(number: int) -> list[str]:
    """Return lines as four kinds of programs write them: a web server, JSON, Java, a component of Kubernetes."""
    made = random.Random(number)  # noqa: S311 - no secret
    found: list[str] = []
    for one in range(number):
        address = f"10.{made.randrange(9)}.{made.randrange(250)}.{made.randrange(250)}"
        found.append(
            (
                f'{address} - - [28/Nov/2026:10:00:00 +0000] "GET /app.{one}.js HTTP/1.1" 200 4521 "-" "Mozilla/5.0"',
                json.dumps({"level": "info", "ts": one, "msg": "request served", "path": f"/orders/{one}", "ms": 12}),
                f"2026-11-28 10:00:00,123 INFO  [main] shop.Order - order {one} of {address} was stored in 12 ms",
                f"I1128 10:00:00.123456       1 controller.go:{one % 900}] Reconciling object shop/web-{one}",
            )[one % 4]
        )
    return found


def _documents(number: int) -> list[bytes]:
    """Return the lines of files: half of them Docker's, half of them CRI's."""
    texts = _texts(number)
    docker = [json.dumps({"log": f"{one}\n", "stream": "stdout", "time": _TIME}).encode() for one in texts[::2]]
    return docker + [f"{_TIME} stdout F {one}".encode() for one in texts[1::2]]


@benchmark(
    Value("logs.lines", "lines/CPU-s", "lines of containers, of Docker's and CRI's files, to matches, the pack"),
    Value("logs.unwrap", "lines/CPU-s", "the same lines taken out of their files, and not judged"),
    limit=4.0,
)
def logs(run: Run) -> Iterator[Sample]:
    """Judge lines of which no rule wants anything, as nearly all are."""
    judge = LogJudge(load(builtin_files("container_log"), sources=frozenset({"container_log"})), Counters())
    number = LINES_QUICK if run.quick else LINES
    documents = _documents(number)
    while True:
        begin = time.process_time()
        for _ in unwrap(documents, IntakeCounts(), PATH):
            pass
        unwrapped = time.process_time() - begin
        begin = time.process_time()
        for line in unwrap(documents, IntakeCounts(), PATH):
            judge.matches(line)
        yield {"logs.lines": number / (time.process_time() - begin), "logs.unwrap": number / unwrapped}
