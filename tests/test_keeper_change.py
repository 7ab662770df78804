"""A keeper that goes by other settings while it runs: real outputs, their queues, and what people are told."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hullwatch.config.settings import EscalationSettings, Settings, StoreSettings
from hullwatch.keeper_change import make_outputs
from hullwatch.keeper_process import Keeper
from hullwatch.outputs.router import Router
from hullwatch.outputs.state import FOLDER
from hullwatch.service.policies import Policies
from hullwatch.store.frames import MAXIMUM_MESSAGE, TOLD, make_pair
from tests.store.standin import StandIn
from tests.store.stored import alert

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hullwatch.store.frames import Told

ESCALATION = b"policies: [{name: all, steps: [{tell: [one]}]}]\n"
PATIENCE = 20.0


class Running:
    """A keeper of which the test is the supervisor and the engine."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.state = folder
        self._engine, end = make_pair()
        self._orders, taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._taken, self._end = taken, end
        self.keeper = Keeper([end], settings, folder, StandIn, make_outputs(settings, folder, {}), orders=taken)

    @property
    def router(self) -> Router:
        assert isinstance(self.keeper._outputs, Router)
        return self.keeper._outputs

    def order(self, policies: Policies) -> Told:
        """Send an order as the supervisor does; return what the keeper says of it."""
        memory = os.memfd_create("test")
        os.write(memory, msgspec.msgpack.encode(policies))
        socket.send_fds(self._orders, [b"use"], [memory])
        os.close(memory)
        self.keeper._take_order(self._taken)
        return TOLD.decode(self._engine.recv(MAXIMUM_MESSAGE))

    def close(self) -> None:
        if self.keeper._outputs is not None:
            self.keeper._outputs.close()
        for end in (self._engine, self._orders, self._taken, self._end):
            end.close()


def settings_of(folder: Path, *names: str, **sections: Any) -> Settings:
    outputs = {name: {"type": "file", "path": str(folder / f"{name}.log")} for name in names}
    return Settings(outputs=outputs, **sections)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path, settings_of(tmp_path, "one", "gone"))
    yield made
    made.close()


def lines_of(path: Path, number: int) -> list[str]:
    deadline = time.monotonic() + PATIENCE
    while not path.exists() or len(found := path.read_text().splitlines()) < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_outputs_that_stay_go_on_and_others_come_and_go(running: Running, tmp_path: Path) -> None:
    stays = running.router._outputs[0]
    running.router.take([alert(1)], [None])
    told = running.order(Policies(settings_of(tmp_path, "one", "new")))
    assert told.events == []
    assert [output.name for output in running.router._outputs] == ["one", "new"]
    assert running.router._outputs[0] is stays
    running.router.take([alert(2)], [None])
    assert len(lines_of(tmp_path / "one.log", 2)) == 2
    assert len(lines_of(tmp_path / "new.log", 1)) == 1
    assert len(lines_of(tmp_path / "gone.log", 1)) == 1  # what it had in hand


def test_an_output_that_is_another_one_now_takes_over_the_queue(running: Running, tmp_path: Path) -> None:
    stalled: dict[str, Any] = {"type": "http", "url": "http://127.0.0.1:1/"}
    running.order(Policies(Settings(outputs={"one": stalled})))
    running.router.take([alert(3), alert(4)], [None, None])
    running.order(Policies(settings_of(tmp_path, "one")))
    assert len(lines_of(tmp_path / "one.log", 2)) == 2


def test_what_cannot_be_had_leaves_everything_as_it_was_and_is_said(running: Running, tmp_path: Path) -> None:
    (tmp_path / FOLDER / "bad").write_text("no directory")
    told = running.order(Policies(settings_of(tmp_path, "two", "bad")))
    ((rule, priority, said),) = told.events
    assert (rule, priority) == ("Settings not in force", "Error")
    assert "Outputs and escalation stay as they were" in said
    running.router.take([alert(5)], [None])
    assert len(lines_of(tmp_path / "one.log", 1)) == 1
    assert len(lines_of(tmp_path / "gone.log", 1)) == 1
    assert not (tmp_path / "two.log").exists()


def test_another_escalation_file_counts_at_once_and_progress_stays(running: Running, tmp_path: Path) -> None:
    where = EscalationSettings("/etc/escalation.yaml")
    told = running.order(Policies(settings_of(tmp_path, "one", escalation=where), ESCALATION))
    assert told.events == [("Escalation reloaded", "Informational", "The escalation file was read again: 1 policy.")]
    assert running.keeper._escalation is not None
    assert [one.name for one in running.keeper._escalation.policies] == ["all"]
    told = running.order(Policies(settings_of(tmp_path, "two", escalation=where), ESCALATION))
    assert 'There is no output "one"' in told.events[0][2]
    assert [one.name for one in running.keeper._escalation.policies] == ["all"]
    told = running.order(Policies(settings_of(tmp_path, "one")))
    assert told.events[0][2] == "Nobody is told of incidents by policies now."


def test_the_stores_limits_are_the_new_ones(running: Running, tmp_path: Path) -> None:
    keeping = running.keeper._open()
    running.order(Policies(settings_of(tmp_path, "one", store=StoreSettings(keep=60.0, largest=1 << 25))))
    assert (keeping.retention._keep, keeping.retention._largest) == (60_000_000_000, 1 << 25)
    keeping.close()
