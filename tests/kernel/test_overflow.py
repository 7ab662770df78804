"""Ring buffers overflow because nobody reads: the loss is counted and told, the gap repaired, and it goes on."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any, cast

from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.sources import sensor as sensor_module
from hullwatch.sources.interest import Interest
from hullwatch.sources.sensor import Sensor
from tests.kernel.observation import TIMEOUT, end_of, start
from tests.kernel.test_sensor import OPEN_LOOP
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from hullwatch.channel import Supervisor
    from hullwatch.enrich.process import Process

RULE = """
- {rule: marked, desc: d, condition: evt.type = openat and fd.name endswith overflow-mark, output: "%proc.name",
   priority: NOTICE}
"""


class Starter:
    """In the supervisor's place: starts a sensor whose ring buffers and socket hold little."""

    process: subprocess.Popen[str]

    def start_sensor(self) -> socket.socket:
        self.process, ours = start("--ring-bytes=131072")
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        return ours


class Engine:
    """What reads a sensor, without the rest of Hullwatch."""

    def __init__(self) -> None:
        self.starter = Starter()
        self.sensor = Sensor(cast("Supervisor", self.starter), Interest(["openat"]))
        self.sensor.start_if_due(0.0)
        self.counters = Counters()
        self.stream = Stream(load_text(RULE), self.counters, lambda _: None, 100)
        self.matched: list[str] = []
        self.told: list[str] = []

    def read_until(self, condition: Callable[[], object]) -> None:
        limit = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < limit, (self.told, self.counters.dropped)
            source = self.sensor.source
            assert source is not None
            select.select([source], [], [], 0.5)
            for frame in self.sensor.read():
                self.matched += [match.rule.name for match in self.stream.feed(frame.records)]
            self.told += [notice.rule for notice in self.stream.assembler.take_notices()]
            self.sensor.repair_gaps(self.stream.assembler.gaps, time.monotonic())

    def process(self, pid: int) -> Process | None:
        processes = self.stream.assembler.tree._processes.values()
        return next((one for one in processes if one.pid == pid and one.program.comm), None)

    def program(self, pid: int) -> str | None:
        found = self.process(pid)
        return None if found is None else found.program.comm


def test_what_overflowed_is_counted_told_and_repaired_and_the_next_event_is_seen(
    child: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensor_module, "SNAPSHOT_INTERVAL", 0.1)
    mark = tmp_path / "overflow-mark"
    mark.touch()
    engine = Engine()
    try:
        engine.read_until(lambda: engine.process(os.getpid()))
        child(OPEN_LOOP, "30000")  # nobody reads meanwhile: all is full now
        with subprocess.Popen(["sleep", "60"]) as missed:
            try:
                child(OPEN_LOOP, "3000")
                assert engine.process(missed.pid) is None
                engine.read_until(lambda: engine.told)
                assert engine.told == ["Events lost"]
                assert engine.counters.dropped["openat", "ring_full"] > 0
                # Its fork may have found room where its exec had none: the repair is known by the program.
                engine.read_until(lambda: engine.program(missed.pid) == "sleep")
                subprocess.run(["cat", mark], check=True)
                engine.read_until(lambda: engine.matched)
            finally:
                missed.kill()
    finally:
        engine.sensor.close()
        ended = end_of(engine.starter.process)
    assert ended == (0, "")
