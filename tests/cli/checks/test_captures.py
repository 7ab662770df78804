"""What doctor says of the flight recorder's captures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hullwatch.cli.checks.captures import captures
from hullwatch.config.flight_files import FlightFiles
from hullwatch.config.settings import FlightRecorderSettings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may look at the captures")


def test_it_says_how_many_there_are_and_how_large(tmp_path: Path) -> None:
    settings = FlightRecorderSettings(files=7)
    assert "No capture was saved yet" in captures(settings, tmp_path).sentence
    with FlightFiles(settings, tmp_path).open(0)[0] as stream:
        stream.write(bytes(1234))
    check = captures(settings, tmp_path)
    assert (check.status, check.name) == ("ok", "captures")
    assert check.sentence == f"{tmp_path}/captures has 1 of 7 captures, 1,234 of 1,073,741,824 bytes."


def test_it_warns_of_a_disk_without_room_and_fails_for_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    FlightFiles(FlightRecorderSettings(), tmp_path)
    check = captures(FlightRecorderSettings(file_size=1 << 60), tmp_path)
    assert check.status == "warn"
    assert "bytes are free there" in check.sentence
    assert captures(FlightRecorderSettings(directory=str(tmp_path / "missing")), tmp_path).status == "fail"
    assert captures(FlightRecorderSettings(enabled=False), tmp_path).status == "ok"
