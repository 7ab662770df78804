"""What the engine tells a sensor of variables of the environment, when it starts it and when the rules change."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, cast

import pytest

from hullwatch.events.codec import decode, type_of, walk
from hullwatch.sources.interest import Interest
from hullwatch.sources.sensor import Sensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.channel import Supervisor


class OneSensor:
    """A supervisor whose sensor is the other end of a socket pair."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()

    def start_sensor(self) -> socket.socket:
        return self.theirs

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the orders that have come since, by name."""
        self.ours.settimeout(0)
        orders = self.ours.recv(1 << 16)
        found = [(type_of(header), offset) for offset, header in walk(orders)]
        return [(kind.name, decode(kind, orders, offset)) for kind, offset in found if kind is not None]


@pytest.fixture
def supervisor() -> Iterator[OneSensor]:
    one = OneSensor()
    with one.ours, one.theirs:
        yield one


def test_a_sensor_is_told_what_to_read_before_it_lists_anything(supervisor: OneSensor) -> None:
    sensor = Sensor(cast("Supervisor", supervisor), Interest(["openat"]), ("LD_PRELOAD",))
    sensor.start_if_due(0.0)
    names = [name for name, _ in supervisor.told()]
    assert names == ["control_environment", "control_interest", "control_forget", "control_snapshot"]


def test_other_variables_are_asked_for_with_a_new_list_of_the_processes_that_run(supervisor: OneSensor) -> None:
    sensor = Sensor(cast("Supervisor", supervisor), Interest(["openat"]), ("LD_PRELOAD",))
    sensor.start_if_due(0.0)
    supervisor.told()
    sensor.want(Interest(["openat"]), ("LD_PRELOAD", "HOME"))
    told = supervisor.told()
    assert [name for name, _ in told] == ["control_interest", "control_environment", "control_snapshot"]
    assert told[1][1] == {"names": b"LD_PRELOAD\0HOME\0"}
    sensor.want(Interest(["openat"]), ("LD_PRELOAD", "HOME"))
    with pytest.raises(BlockingIOError):
        supervisor.told()
    sensor.want(Interest(["connect"]), ("LD_PRELOAD", "HOME"))
    assert [name for name, _ in supervisor.told()] == ["control_interest"]


def test_without_pushdown_nothing_of_what_is_wanted_is_left_out(supervisor: OneSensor) -> None:
    sensor = Sensor(cast("Supervisor", supervisor), Interest(["kill"], ["kill"], ["kill"]), pushdown=False)
    sensor.start_if_due(0.0)
    told = dict(supervisor.told())
    assert "control_forget" not in told
    interest = told["control_interest"]
    assert (len(interest["types"]), interest["narrowed"], interest["succeeded"]) == (2, b"", b"")
