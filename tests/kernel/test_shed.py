"""Calls that are left out to save time: they are counted in the kernel, and nothing else is."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from hullwatch.events.table import BY_NAME
from tests.kernel.observation import Sensor
from tests.kernel.test_sensor import has_drop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OPENAT2 = 437
WANTED = ("openat", "openat2", "connect", "close", "sendto", "dns")


@pytest.fixture(scope="module")
def shedding() -> Iterator[Sensor]:
    with Sensor(interest=WANTED) as running:
        yield running


def act(here: Path, call: Callable[..., int]) -> Callable[[], None]:
    """Return what opens a file in every way, and more."""

    def acts() -> None:
        flags = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_CREAT, os.O_RDONLY | os.O_TRUNC)
        for flag in flags:
            os.close(os.open(here / "file", flag | os.O_CLOEXEC))
            how = struct.pack("<QQQ", flag, 0o600 if flag & os.O_CREAT else 0, 0)
            os.close(call(OPENAT2, -100, bytes(here / "file"), how, len(how)))
        with contextlib.suppress(FileNotFoundError):
            os.open("/sensor/shed", os.O_RDONLY)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", 9))
        subprocess.run(["true"], check=True)

    return acts


def test_opens_that_only_read_are_counted_and_the_others_come(
    here: Path, call: Callable[..., int], shedding: Sensor
) -> None:
    shedding.shed([], reads=True)
    position = len(shedding._records)
    seen = shedding.during(act(here, call)).of("openat", "openat2", "connect", "execve")
    for name in ("openat", "openat2"):
        opens = seen.of(name, pid=os.getpid()).where(name=str(here / "file"))
        assert len(opens) == 4  # for writing, for both, and those that make or cut the file
    assert not seen.of("openat").where(name="/sensor/shed")
    assert seen.of("connect", pid=os.getpid())
    assert seen.of("execve").where(comm="true")
    for name in ("openat", "openat2"):
        shedding.wait_for(has_drop(name, "SHED"), min(position, len(shedding._records)))
    shedding.shed([], reads=False)
    seen = shedding.during(act(here, call))
    for name in ("openat", "openat2"):
        assert len(seen.of(name, pid=os.getpid()).where(name=str(here / "file"))) == 5


def test_what_is_left_out_to_save_time_stands_before_what_looks_at_the_process(
    here: Path, call: Callable[..., int], shedding: Sensor
) -> None:
    shedding.set_interest(WANTED, narrowed=("openat", "openat2", "close"))
    shedding.shed(["close"], reads=True)
    seen = shedding.during(act(here, call))
    for name in ("openat", "openat2"):
        assert len(seen.of(name, pid=os.getpid()).where(name=str(here / "file"))) == 4
    assert not seen.of("close")
    shedding.shed([], reads=False)
    seen = shedding.during(act(here, call))
    assert len(seen.of("openat", pid=os.getpid()).where(name=str(here / "file"))) == 5
    assert seen.of("close", pid=os.getpid())
    shedding.set_interest(WANTED)


def test_whole_types_are_counted_and_a_call_that_is_two_events_stays_while_one_of_them_is_wanted(
    here: Path, call: Callable[..., int], shedding: Sensor
) -> None:
    def sends() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", ("127.0.0.1", 9))

    shedding.shed(["openat", "openat2", "close", "sendto"], reads=True)
    position = len(shedding._records)
    seen = shedding.during(act(here, call))
    assert not seen.of("openat", "openat2", "close")
    assert seen.of("connect", pid=os.getpid())
    for name in ("openat", "openat2", "close"):
        shedding.wait_for(has_drop(name, "SHED"), min(position, len(shedding._records)))
    assert shedding.during(sends).of("sendto", pid=os.getpid())  # questions of the name system are asked with it
    shedding.set_interest(["openat", "close", "sendto"])
    assert not shedding.during(sends).of("sendto")
    shedding.shed([], reads=False)
    assert shedding.during(sends).of("sendto", pid=os.getpid())
    assert shedding.during(act(here, call)).of("openat", "close", pid=os.getpid())


def test_what_carries_state_cannot_be_left_out() -> None:
    assert not BY_NAME["clone"].syscall  # the order that names calls to leave out takes none of these
    assert not BY_NAME["procexit"].syscall
