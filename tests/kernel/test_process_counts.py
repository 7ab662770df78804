"""What each process does is counted in the kernel when it is asked for, whatever is sent as an event."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.kernel.observation import Sensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMES = ("opens", "connects", "programs", "children", "bytes_read", "bytes_written")


@pytest.fixture(scope="module")
def counting() -> Iterator[Sensor]:
    with Sensor(interest=[]) as running:
        assert not running.count_processes()  # it begins with the first time
        yield running


def ours(sensor: Sensor) -> dict[str, int]:
    found = sensor.count_processes().of("process_counts", pid=os.getpid())
    return {name: found[0].number(name) if found else 0 for name in NAMES}


def change(sensor: Sensor, act: Callable[[], object]) -> dict[str, int]:
    """Return by how much an act changes the counts of this process, of what it touches."""
    before = ours(sensor)
    act()
    after = ours(sensor)
    return {name: after[name] - before[name] for name in NAMES}


def test_opens_are_counted_and_failed_ones_are_not(counting: Sensor, here: Path) -> None:
    def act() -> None:
        for _ in range(50):
            os.close(os.open(here / "file", os.O_RDONLY))
            with pytest.raises(FileNotFoundError):
                os.open(here / "nothing", os.O_RDONLY)

    assert change(counting, act)["opens"] == 50


def test_nothing_is_counted_while_that_is_left_out_to_save_time_and_what_was_is_kept(
    counting: Sensor, here: Path
) -> None:
    def act() -> None:
        for _ in range(20):
            os.close(os.open(here / "file", os.O_RDONLY))

    assert change(counting, act)["opens"] >= 20
    counting.shed([], reads=False, counts=True)
    try:
        before = ours(counting)
        act()
        assert ours(counting) == before
    finally:
        counting.shed([], reads=False)
    assert change(counting, act)["opens"] == 20


def test_connections_are_counted_also_those_that_are_on_their_way(counting: Sensor) -> None:
    def act() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            for blocking in (True, False):
                with socket.socket() as client:
                    client.setblocking(blocking)
                    client.connect_ex(server.getsockname())
        with socket.socket() as client:
            client.connect_ex(("127.0.0.1", 1))  # nobody is there

    assert change(counting, act)["connects"] == 2


def test_bytes_are_counted_by_their_direction(counting: Sensor, here: Path) -> None:
    def act() -> None:
        descriptor = os.open(here / "file", os.O_RDWR)
        os.write(descriptor, b"x" * 1_000_000)
        os.pread(descriptor, 100_000, 0)
        os.close(descriptor)

    changed = change(counting, act)  # the sensor's own stream is read by this process too
    assert 1_000_000 <= changed["bytes_written"] < 1_100_000
    assert changed["bytes_read"] >= 100_000


def test_children_and_programs_are_counted_of_whoever_makes_and_runs_them(counting: Sensor) -> None:
    statements = """
import json, os, sys
for _ in range(3):
    if os.fork() == 0:
        os._exit(0)
    os.wait()
sys.stdout.write(json.dumps([os.getpid()])); sys.stdout.flush()
os.execv("/bin/sleep", ["sleep", "30"])
"""
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", statements], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        (pid,) = json.loads(process.stdout.read(len(str([process.pid]))))
        while True:  # until it runs its second program
            one = counting.count_processes().one("process_counts", pid=pid)
            if one.number("programs") == 2:
                break
    finally:
        process.kill()
        process.communicate()
    assert one.number("children") == 3
    assert one.header.process_start
