"""Is the sensor program there, and does it start?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.api.checks.check import Check

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 5.0  # seconds
_LONGEST_VERSION = 200  # characters


def sensor(configured: str = "") -> Check:
    """Check that the sensor is installed and says its version."""
    from hullwatch.config.paths import SENSOR, sensor_program

    program = sensor_program(configured)
    if program is None:
        sentence = (
            f"The sensor {configured} is no program."
            if configured
            else f"The sensor {SENSOR} is not installed: this is a checkout that was not built, or a wheel without it."
        )
        return Check("sensor", "fail", sentence, "make build")
    text = _ask(program)
    if text is None:
        return Check("sensor", "fail", f"The sensor {program} does not start.", "make build")
    return Check("sensor", "ok", f"{text} ({program}).")


def sensor_version(configured: str = "") -> str | None:
    """Return what the sensor says of its version and its libbpf's; None when there is no sensor."""
    from hullwatch.config.paths import sensor_program

    program = sensor_program(configured)
    return None if program is None else _ask(program)


def _ask(program: Path) -> str | None:
    import subprocess

    try:
        answer = subprocess.run(  # a list without a shell; the program is ours or the administrator's
            [str(program), "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode("utf-8", "replace").strip()[:_LONGEST_VERSION]
