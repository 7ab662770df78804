"""The engine's side of a sensor: a socket takes its place, so that what it is told can be read."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, cast

import pytest

from hullwatch.channel import Answer, Supervisor
from hullwatch.events import codec
from hullwatch.events.codec import encode
from hullwatch.events.table import VERSION
from hullwatch.sources.interest import Interest
from hullwatch.sources.kernel import _FRAME, _MAGIC
from hullwatch.sources.sensor import Sensor, SensorLostError
from hullwatch.sources.silence import ASK, LOST

if TYPE_CHECKING:
    from collections.abc import Iterator


class Starter:
    """In the supervisor's place: gives sockets, and says what holds the sensor."""

    def __init__(self) -> None:
        self.ends: list[socket.socket] = []
        self.why = ""
        self.woken = 0

    def start_sensor(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.settimeout(0)
        self.ends.append(theirs)
        return ours

    def sensor_end(self) -> Answer:
        return Answer(granted=True, text="it was ended by SIGKILL")

    def wake_sensor(self) -> str:
        self.woken += 1
        return self.why

    def orders(self) -> list[str]:
        """Return what the newest sensor was told since the last time."""
        data = self.ends[-1].recv(1 << 16)
        kinds = [codec.type_of(header) for _, header in codec.walk(data)]
        return [kind.name for kind in kinds if kind is not None]

    def speak(self) -> None:
        record = encode("clock")
        self.ends[-1].sendall(_FRAME.pack(_MAGIC, len(record), 1, VERSION, 0) + record)


@pytest.fixture
def starter() -> Iterator[Starter]:
    starter = Starter()
    yield starter
    for end in starter.ends:
        end.close()


@pytest.fixture
def sensor(starter: Starter) -> Iterator[Sensor]:
    sensor = Sensor(cast("Supervisor", starter), Interest(["openat"]))
    sensor.start_if_due(0.0)
    starter.orders()
    yield sensor
    sensor.close()


def test_what_is_to_be_left_out_is_told_at_once_and_to_the_next_sensor_too(starter: Starter, sensor: Sensor) -> None:
    sensor.shed(frozenset({"close"}), reads=True)
    assert starter.orders() == ["control_shed"]
    starter.ends[0].close()
    with pytest.raises(SensorLostError):
        sensor.read()
    sensor.start_if_due(float("inf"))
    assert starter.orders()[-1] == "control_shed"
    sensor.shed(frozenset(), reads=False)
    starter.orders()
    starter.ends[1].close()
    with pytest.raises(SensorLostError):
        sensor.read()
    sensor.start_if_due(float("inf"))
    assert "control_shed" not in starter.orders()


def test_a_silent_sensor_is_asked_why_and_what_held_it_is_told(starter: Starter, sensor: Sensor) -> None:
    starter.speak()
    sensor.read()
    starter.why = "stopped by a signal (SIGSTOP)"
    said = [sensor.look_after(second) for second in range(int(ASK) + 1)]
    assert said == [""] * int(ASK) + [starter.why]
    starter.speak()
    sensor.read()
    assert [sensor.look_after(second) for second in range(int(ASK) + 1, 2 * int(ASK))] == [""] * (int(ASK) - 1)
    assert starter.woken == 1


def test_one_that_says_nothing_and_that_nobody_holds_is_lost_after_a_while(starter: Starter, sensor: Sensor) -> None:
    assert [sensor.look_after(second) for second in range(100)] == [""] * 100  # it has not begun to speak
    starter.speak()
    sensor.read()
    assert [sensor.look_after(second) for second in range(100, 100 + int(LOST))] == [""] * int(LOST)
    with pytest.raises(SensorLostError, match="said nothing for 30 s"):
        sensor.look_after(100 + LOST)
    assert sensor.source is None
    sensor.start_if_due(float("inf"))
    assert len(starter.ends) == 2
