from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from hullwatch.sources.silence import ASK, Silence, why_silent

if TYPE_CHECKING:
    from pathlib import Path


def test_a_sensor_that_speaks_is_not_asked() -> None:
    silence = Silence()
    for second in range(100):
        silence.look(second)
        assert not silence.is_to_be_asked()
        silence.heard()


def test_one_that_is_silent_is_asked_once_in_a_while() -> None:
    silence = Silence()
    asked: list[int] = []
    for second in range(11):
        silence.look(second)
        if silence.is_to_be_asked():
            asked.append(second)
    assert asked == [ASK, 2 * ASK, 3 * ASK]


def test_the_time_in_which_we_did_not_look_is_not_its_silence() -> None:
    silence = Silence()
    silence.look(0)
    silence.look(3600)  # this machine slept, or somebody stopped us
    assert silence.seconds < ASK
    silence.look(0)
    assert silence.seconds < ASK


def test_a_process_that_was_stopped_is_told_from_one_that_waits() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert why_silent(process.pid) == ""
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            assert why_silent(process.pid) == "stopped by a signal (SIGSTOP)"
        finally:
            process.kill()
    assert why_silent(process.pid) == ""


@pytest.mark.parametrize("state", ["t (tracing stop)", "T (stopped)"])
def test_a_debugger_that_holds_it_is_named(state: str, tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text(f"Name:\tx\nState:\t{state}\nTracerPid:\t42\n")
    assert why_silent(7, tmp_path) == "held by a debugger, process 42"
