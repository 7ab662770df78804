"""How fast alerts are made and written: a match to a line of JSON, on one core."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

from bench.benchmark import CannotMeasureError, Run, Sample, Value, benchmark
from bench.pipeline import Pipeline, discarded_output
from bench.stream import Host
from hullwatch.events.codec import encode
from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

ALERTS = 20_000  # in a sample
ALERTS_QUICK = 500


class DifferentHost(Host):
    """A host where nothing comes twice: each event is a new process with its own arguments that opens its own file.

    No memory of earlier texts helps, so it is slower than any real stream.
    """

    def _event(self) -> bytes:
        parent, child = self._starters[self._pid % len(self._starters)], self._new_process(self._pid % len(self._ids))
        number = f"{child.pid:012x}"
        return b"".join(
            (
                encode(
                    "clone",
                    self._header(parent),
                    res=child.pid,
                    child_start=child.start,
                    vpid=child.pid,
                    comm="runsv",
                ),
                encode(
                    "execve",
                    self._header(child),
                    argv=f"python3\0-m\0shop.jobs.{number}\0--queue=orders-{number}\0".encode(),
                    ptid=parent.pid,
                    cwd="/srv",
                    comm=f"job-{child.pid}",
                    cgroup_v2=f"/system.slice/docker-{self._ids[child.container]}.scope",
                    trusted_exepath=f"/opt/jobs/{number}/bin/python3",
                    filename=f"/opt/jobs/{number}/bin/python3",
                    pgid=child.pid,
                    sid=child.pid,
                    vpid=child.pid,
                    gid=1000,
                    loginuid=0xFFFFFFFF,
                    exe_ino=4711,
                ),
                encode(
                    "openat",
                    self._header(child),
                    fd=7,
                    dirfd=-100,
                    name=f"/etc/sudoers.d/{number}",
                    flags=FLAGS["file_flags"]["O_RDONLY"],
                    dev=64,
                    ino=4711,
                    inode_mode=0o100644,
                ),
            )
        )


@benchmark(
    Value("alerts.json", "alerts/CPU-s", "a match to a line of JSON: render, mask, encode, write to /dev/null"),
    limit=8,
)
def alerts_json(run: Run) -> Iterator[Sample]:
    """Write alerts of many processes and containers as JSON."""
    yield from _rates("alerts.json", run, lambda wanted: Host(types=wanted, sensitive=1.0))


@benchmark(
    Value(
        "alerts.json.distinct", "alerts/CPU-s", "the same when every alert has a process, arguments and path of its own"
    ),
    limit=8,
)
def alerts_json_distinct(run: Run) -> Iterator[Sample]:
    """Write alerts that have nothing in common."""
    yield from _rates("alerts.json.distinct", run, lambda _: DifferentHost())


def _rates(name: str, run: Run, make_host: Callable[[Collection[str]], Host]) -> Iterator[Sample]:
    with discarded_output():
        pipeline = Pipeline("json")
        host = make_host(pipeline.wanted)
        pipeline.feed(host.beginning())
        gc.freeze()  # as ``hullwatch.app`` does when it has started
        try:
            while True:
                yield {name: _rate(pipeline, host, ALERTS_QUICK if run.quick else ALERTS)}
        finally:
            gc.unfreeze()


def _rate(pipeline: Pipeline, host: Host, events: int) -> float:
    """Return alerts per second of CPU time for the next events of a host; finding the matches is not counted."""
    alerts, seconds = 0, 0.0
    for batch in host.batches(events):
        matches = pipeline.matches(batch)
        begin = time.process_time()
        pipeline.delivery.matches(matches)
        seconds += time.process_time() - begin
        alerts += len(matches)
    if alerts < events / 2:
        raise CannotMeasureError(f"only {alerts} of {events} events made an alert: bench/alerts.py is wrong.")
    return alerts / seconds
