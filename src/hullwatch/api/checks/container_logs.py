"""Are logs of containers read, how many files are followed, when did the last line come, and what is left out?

That nothing comes is no finding: a program may have nothing to say, and a host no containers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.api.checks.check import Check
from hullwatch.api.checks.intake_status import LogStatus, read_intake
from hullwatch.config.container_log_settings import takes_logs
from hullwatch.config.values import format_duration

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.config.container_log_settings import ContainerLogSettings
    from hullwatch.sources.k8s_audit.inputs import InputStatus

NAME = "container logs"
LATE = 300.0  # seconds from a line to its coming
_SHOWN = 6


def container_logs(state: Path, logs: ContainerLogSettings, now: int | None = None) -> list[Check]:
    """Check the reading of logs by the status file of the process that takes them.

    Args:
        state: the state directory.
        logs: the settings of it.
        now: ns since the epoch; the clock's time when None.
    """
    if not takes_logs(logs):
        return []
    found = read_intake(state, NAME, "logs of containers", now)
    if isinstance(found, list):
        return found
    status, moment = found
    if status.container_logs is None:
        return [Check(NAME, "ok", "The instance that runs does not take logs of containers.")]
    read = status.container_logs
    checks = [_files(read)] if logs.files else []
    checks += [_input(name, one, moment) for name, one in read.by_input.items()]
    checks += [Check(NAME, "warn", problem, "hullwatch config explain container_logs") for problem in read.problems]
    shown = sorted(read.left_out.items(), key=lambda one: -one[1])[:_SHOWN]
    if shown:
        left_out = "; ".join(f"{number:,} {why}" for why, number in shown)
        checks.append(Check(NAME, "ok", f"Left out: {left_out}."))
    return checks


def _files(read: LogStatus) -> Check:
    if not read.files:
        return Check(NAME, "ok", "There is no file now that container_logs.files names.")
    return Check(NAME, "ok", f"{read.files:,} files are followed.")


def _input(name: str, status: InputStatus, now: int) -> Check:
    """Tell when the last line came from an input."""
    if not status.last:
        return Check(NAME, "ok", f"{name}: no line has come yet.")
    quiet = format_duration(max(1, round((now - status.last) / 1e9)))
    sentence = f"{name}: {status.events:,} lines; the last one came {quiet} ago."
    if status.lag <= LATE:
        return Check(NAME, "ok", sentence)
    late = f" It was {format_duration(round(status.lag))} old then."
    return Check(NAME, "warn", sentence + late, "date   # is the clock right? else what carries the lines is behind")
