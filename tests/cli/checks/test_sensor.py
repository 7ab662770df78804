from pathlib import Path

import pytest

from hullwatch.cli.checks import sensor as sensor_check
from hullwatch.cli.checks.sensor import sensor, sensor_version


def program(folder: Path, script: str) -> str:
    path = folder / "sensor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_sensor_that_says_its_version_is_fine(tmp_path: Path) -> None:
    path = program(tmp_path, 'echo "hullwatch-sensor 1, event table 1, libbpf v1.1"')
    assert sensor(path).status == "ok"
    assert sensor_version(path) == "hullwatch-sensor 1, event table 1, libbpf v1.1"


@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$"])
def test_a_sensor_that_does_not_start_fails(tmp_path: Path, script: str) -> None:
    check = sensor(program(tmp_path, script))
    assert (check.status, check.sentence.endswith("does not start.")) == ("fail", True)


def test_a_sensor_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor_check, "TIMEOUT", 0.2)
    assert sensor(program(tmp_path, "exec sleep 60")).status == "fail"


def test_a_sensor_that_is_not_there_fails_and_says_how_to_build_it(tmp_path: Path) -> None:
    check = sensor(str(tmp_path / "none"))
    assert (check.status, check.fix) == ("fail", "make build")
    assert sensor_version(str(tmp_path / "none")) is None
