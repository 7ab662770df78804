"""What it costs to deliver alerts: to put them into the queues, and from a queue to a receiver."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.benchmark import Run, Sample, Value, benchmark
from hullwatch.alerts.alert import Alert
from hullwatch.alerts.incident import Incident, Placement, Step
from hullwatch.alerts.issue import Issue
from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.outputs.router import Router

if TYPE_CHECKING:
    from collections.abc import Iterator

ALERTS = 4_000  # in a sample
ALERTS_QUICK = 500
FRAME = 100  # alerts that come together
FULL = 1 << 20  # bytes of the queue that is always full


def _batches(number: int) -> list[tuple[list[Alert], list[Placement]]]:
    """Return alerts as they come, each of another file, in incidents of twenty steps."""
    batches: list[tuple[list[Alert], list[Placement]]] = []
    for begin in range(0, number, FRAME):
        alerts = [_alert(one) for one in range(begin, min(number, begin + FRAME))]
        batches.append((alerts, [_placement(alert) for alert in alerts]))
    return batches


def _alert(number: int) -> Alert:
    return Alert(
        id=f"r7k2-{number}",
        time=1_795_304_405_001_002_003 + number,
        rule="Sensitive file read in a container",
        priority="Warning" if number % 3 else "Notice",
        message=f"A file of secrets is read (file=/etc/sudoers.d/{number} command=cat /etc/sudoers.d/{number})",
        output_fields={
            "container.id": "3f2a9c81d0b4",
            "container.image.repository": "registry.example/shop/web",
            "container.image.tag": "1.27",
            "container.name": "web",
            "fd.name": f"/etc/sudoers.d/{number}",
            "proc.cmdline": f"cat /etc/sudoers.d/{number}",
            "proc.name": "cat",
            "proc.pid": number,
            "user.name": "root",
        },
        tags=("T1003.008", "container", "filesystem"),
        hostname="node1",
        container_id="3f2a9c81d0b4",
        container_name="web",
        container_image="registry.example/shop/web:1.27",
        process="cat",
        labels={"cluster": "prod"},
    )


def _placement(alert: Alert) -> Placement:
    step = Step(at=1, last=2, count=1, issue="i5c3e9a", alert="r-0", rule=alert.rule, priority="Error", title="a step")
    issue = Issue(
        id="i5c3e9a",
        fingerprint="1:5c3e9a0b77d2",
        rule=alert.rule,
        priority="Error",
        workload="shop/web",
        title="cat reads /etc/shadow",
        first_seen=1,
        last_seen=2,
    )
    incident = Incident(id="n2f", title="Credentials are read in web", opened=1, last_seen=2, steps=[step] * 20)
    return Placement(alert=alert.id, issue=issue, incident=incident)


def _put(outputs: dict[str, dict[str, Any]], number: int) -> float:
    """Put alerts into the queues of outputs that deliver nothing; return alerts for each second of CPU time."""
    batches = _batches(number)
    with tempfile.TemporaryDirectory() as directory:
        router = Router(Settings(outputs=outputs), Counters(), Path(directory) / "outputs")
        for alerts, placements in batches[:2]:
            router.take(alerts, placements)
        begin = time.thread_time()
        for alerts, placements in batches:
            router.take(alerts, placements)
        speed = number / (time.thread_time() - begin)
        router.close()
    return speed


def _down(**options: object) -> dict[str, Any]:
    """Return an output whose receiver is never there, so that nothing but putting is measured."""
    return {"type": "http", "url": "http://127.0.0.1:9/", "retry_longest": 3600.0, "queue_size": 1 << 30, **options}


@benchmark(
    Value("outputs.take", "alerts/CPU-s", "alerts into the queue of one output"),
    Value(
        "outputs.take.three", "alerts/CPU-s", "the same with three outputs, one with a condition and one of incidents"
    ),
    Value("outputs.take.full", "alerts/CPU-s", "the same with one output whose queue is full"),
    runs=3,
    limit=6,
)
def take(run: Run) -> Iterator[Sample]:
    """Put alerts into queues."""
    number = ALERTS_QUICK if run.quick else ALERTS
    three = {
        "a": _down(),
        "b": _down(condition="proc.name = cat and not user.name = nobody"),
        "c": _down(when="incident"),
    }
    while True:
        yield {
            "outputs.take": _put({"a": _down()}, number),
            "outputs.take.three": _put(three, number),
            "outputs.take.full": _put({"a": _down(queue_size=FULL)}, number),
        }


@benchmark(
    Value("outputs.file", "messages/CPU-s", "alerts into a queue, out of it and into a file, as JSON"),
    Value("outputs.syslog", "messages/CPU-s", "the same over TCP to a syslog server on this host"),
    runs=3,
    limit=6,
)
def deliver(run: Run) -> Iterator[Sample]:
    """Deliver alerts."""
    number = ALERTS_QUICK if run.quick else ALERTS
    reader, port = _start_reader()
    try:
        while True:
            with tempfile.TemporaryDirectory() as directory:
                file = {"type": "file", "path": f"{directory}/alerts"}
                yield {
                    "outputs.file": _through(file, number),
                    "outputs.syslog": _through({"type": "syslog", "url": f"tcp://127.0.0.1:{port}"}, number),
                }
    finally:
        os.kill(reader, 9)
        os.waitpid(reader, 0)


def _through(output: dict[str, Any], number: int) -> float:
    batches = _batches(number)
    with tempfile.TemporaryDirectory() as directory:
        router = Router(Settings(outputs={"a": output}), Counters(), Path(directory) / "outputs")
        begin = time.process_time()
        for alerts, placements in batches:
            router.take(alerts, placements)
        while router.status()[0].delivered < number:
            time.sleep(0.002)
        speed = number / (time.process_time() - begin)
        router.close()
    return speed


def _start_reader() -> tuple[int, int]:
    """Start a process that reads and forgets what comes over TCP; return its id and the port."""
    server = socket.create_server(("127.0.0.1", 0))
    port: int = server.getsockname()[1]
    reader = os.fork()
    if reader:
        server.close()
        return reader, port
    try:
        while True:
            accepted, _ = server.accept()
            while accepted.recv(1 << 20):
                pass
            accepted.close()
    finally:
        os._exit(0)
