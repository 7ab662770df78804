"""The pipeline's own decisions; what it does with real events is in tests/e2e."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from hullwatch.app import Watch
from hullwatch.config.reload import change
from hullwatch.config.settings import HoldSettings, OutputSettings, SensorSettings, Settings, StoreSettings
from hullwatch.events.codec import encode
from tests.rules.conftest import RULE, load_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hullwatch.channel import Supervisor


class NoEngines:
    """In the supervisor's place, on a host without container engines."""

    told: ClassVar[list[int]] = []  # with each sign of life

    @staticmethod
    def container_engines() -> list[tuple[str, int]]:
        return []

    @staticmethod
    def open_capture() -> None:
        """Nothing is recorded."""

    @staticmethod
    def alive(events: int) -> None:
        NoEngines.told.append(events)

    @staticmethod
    def open_flight_capture() -> None:
        """Nothing is saved."""

    @staticmethod
    def event_writer() -> None:
        """No event is kept."""

    @staticmethod
    def respond(_: str) -> str:
        return "nothing was done"


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watch]:
    """A pipeline with a budget of half a core, whose sensor was not started."""
    settings = Settings(
        output=OutputSettings(format="json"), sensor=SensorSettings(cpu_budget=0.5), store=StoreSettings(enabled=False)
    )
    rules = load_text(RULE.format(condition="evt.type = openat", output="x"))
    watching = Watch(settings, rules, cast("Supervisor", NoEngines()), tmp_path)
    yield watching
    watching._wake_read.close()
    watching._wake_write.close()


def test_a_use_above_the_budget_leaves_reads_out_and_tells_of_it(
    watching: Watch, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for second in range(12):
        monkeypatch.setattr(time, "process_time", lambda second=second: second * 0.4)
        watching._feed(encode("pulse", {"time": second}, pid=7, cpu_time=second * 200_000_000))
        watching._stay_within_budget(float(second))
    (alert,) = map(json.loads, capfd.readouterr().out.splitlines())
    assert (alert["rule"], alert["source"]) == ("Events left out", "internal")
    assert alert["output_fields"]["used"] == 0.6
    assert watching._sensor._shed == (frozenset(), True, False)
    assert watching.counters.to_status(pid=1)["left_out"] == "opens of files that only read"


def test_without_a_sensor_that_tells_its_time_nothing_is_left_out(
    watching: Watch, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for second in range(100):
        monkeypatch.setattr(time, "process_time", lambda second=second: second * 64.0)
        watching._stay_within_budget(float(second))
    assert capfd.readouterr().out == ""


def test_what_the_stream_says_of_hullwatch_is_an_alert(watching: Watch, capfd: pytest.CaptureFixture[str]) -> None:
    watching._feed(encode("clock", {"time": 5}, realtime=1_700_000_000_000_000_005))
    watching._feed(encode("tampered", {"time": 5}, what="the settings were changed", repaired=1))
    (alert,) = map(json.loads, capfd.readouterr().out.splitlines())
    assert alert["rule"] == "Sensor tampered with"
    assert alert["time"] == "2023-11-14T22:13:20.000000005Z"


def test_a_sign_of_life_is_given_only_when_the_sensor_has_sent_something_since(
    watching: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    NoEngines.told.clear()
    watching._ready = True
    watching._give_sign_of_life()
    assert NoEngines.told == []
    frames: list[Any] = [SimpleNamespace(records=encode("pulse", {"time": 1}, pid=7, cpu_time=1))]
    monkeypatch.setattr(watching._sensor, "read", lambda: frames)
    watching._read_sensor()
    watching._give_sign_of_life()
    watching._give_sign_of_life()
    assert NoEngines.told == [0]


def test_settings_that_are_read_again_are_in_force_at_once(watching: Watch, capfd: pytest.CaptureFixture[str]) -> None:
    before = watching._settings
    output = OutputSettings(format="json", cluster="north", node="n1")
    after = Settings(output=output, sensor=SensorSettings(cpu_budget=2.0), hold=HoldSettings(timeout=3.0))
    watching._take_settings(change(before, after))
    (alert,) = map(json.loads, capfd.readouterr().out.splitlines())
    assert alert["rule"] == "Settings reloaded"
    assert alert["labels"] == {"cluster": "north", "node": "n1"}
    assert "output.cluster, output.node, sensor.cpu_budget, hold.timeout" in alert["output"]
    assert watching._hold_timeout == 3_000_000_000
    assert watching._shedding.budget == 2.0
