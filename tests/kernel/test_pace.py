"""How often the sensor sends: orders that answer what it sent do not hasten it."""

from __future__ import annotations

import os
import select
import time

from hullwatch.sources.interest import Interest
from hullwatch.sources.kernel import KernelSource
from tests.kernel.observation import TIMEOUT, end_of, start

LOOK_INTERVAL = 0.012  # seconds: DRAIN_INTERVAL_MS in native/sensor/sensor.h
FRAMES = 40


def test_an_answer_to_every_frame_does_not_make_the_sensor_send_more_often() -> None:
    process, connection = start()
    source = KernelSource(connection)
    source.set_interest(Interest(["openat"]))
    frames, answered, begin = 0, 0, 0.0
    deadline = time.monotonic() + TIMEOUT
    while frames < FRAMES:
        assert time.monotonic() < deadline, f"{frames} frames came"
        os.close(os.open(__file__, os.O_RDONLY))  # something to tell
        select.select([source], [], [], 0.001)
        came = len(source.read())
        begin = begin or (time.monotonic() if came else 0.0)
        frames += came
        if came:
            source.rule_out(answered.to_bytes(8, "little"))
            answered += 1
    passed = time.monotonic() - begin
    source.close()
    assert end_of(process) == (0, "")
    assert answered >= FRAMES / 2
    assert passed >= (FRAMES / 2) * LOOK_INTERVAL, f"{frames} frames in {passed:.3f} s"
