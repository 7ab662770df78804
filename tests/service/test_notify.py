"""The protocol of sd_notify, spoken to a real datagram socket in the service manager's place."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from hullwatch.service.condition import RELOAD_PATIENCE, Condition
from hullwatch.service.notify import LONGEST_STATUS, Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Manager:
    """A service manager's socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self.socket.settimeout(0)

    def messages(self) -> list[list[str]]:
        """Return the messages that have come, line by line."""
        found: list[list[str]] = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@hullwatch-test-{os.getpid()}"


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    one = Manager(address)
    yield one
    one.socket.close()


def test_readiness_life_and_end_are_told(manager: Manager, address: str) -> None:
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    notifier = Notifier(environment)
    assert environment == {}
    assert notifier.patience == 30.0
    condition = Condition(notifier)
    condition.ready(170)
    condition.alive(1234)
    condition.stopping()
    assert manager.messages() == [
        ["READY=1", "STATUS=Watching with 170 rules."],
        ["WATCHDOG=1", "STATUS=Watching with 170 rules; they have seen 1,234 events."],
        ["STOPPING=1", "STATUS=Ending: what has come is judged and delivered."],
    ]


def test_a_reload_begins_and_ends_once(manager: Manager, address: str) -> None:
    condition = Condition(Notifier({"NOTIFY_SOCKET": address}))
    condition.reload()
    assert manager.messages() == []  # nothing is ready that could be reloaded
    condition.ready(1)
    condition.reload()
    condition.reloaded("done")
    condition.reloaded("done again")
    _, (begin, when, _), end = manager.messages()
    assert begin == "RELOADING=1"
    assert when.partition("=")[0] == "MONOTONIC_USEC"
    assert end == ["READY=1", "STATUS=done"]


def test_a_reload_that_does_not_end_is_given_up(manager: Manager, address: str) -> None:
    now = 0.0
    condition = Condition(Notifier({"NOTIFY_SOCKET": address}), lambda: now)
    condition.ready(1)
    assert condition.patience is None
    condition.reload()
    manager.messages()
    assert condition.patience == RELOAD_PATIENCE
    condition.look()
    assert manager.messages() == []
    now = RELOAD_PATIENCE
    condition.look()
    assert condition.patience is None
    ((ready, status),) = manager.messages()
    assert ready == "READY=1"
    assert "did not come to an end" in status


def test_a_crash_is_told_and_the_next_engine_is_ready_by_itself(manager: Manager, address: str) -> None:
    condition = Condition(Notifier({"NOTIFY_SOCKET": address}))
    condition.ready(1)
    condition.crashed(2)
    condition.reload()
    condition.ready(1)
    assert [message[0] for message in manager.messages()] == [
        "READY=1",
        "STATUS=The engine crashed (2 times lately) and is started again.",
        "READY=1",
    ]


def test_a_status_is_one_bounded_line(manager: Manager, address: str) -> None:
    Notifier({"NOTIFY_SOCKET": address}).status("a\nREADY=1\n" + "x" * 1000)
    ((line,),) = manager.messages()
    assert line.startswith("STATUS=a READY=1 xxx")
    assert len(line) == len("STATUS=") + LONGEST_STATUS


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}, {"NOTIFY_SOCKET": "/none/socket"}],
)
def test_without_somebody_to_tell_nothing_happens(environment: dict[str, str]) -> None:
    Notifier(environment).ready("x")


def test_a_watchdog_for_another_process_is_not_ours() -> None:
    assert Notifier({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).patience == 0.0
    assert Notifier({"WATCHDOG_USEC": "soon"}).patience == 0.0


def test_a_manager_that_does_not_read_makes_nobody_wait(manager: Manager, address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address})
    for _ in range(2000):  # more than a socket holds
        notifier.alive("x")
    assert len(manager.messages()) < 2000
