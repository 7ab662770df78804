"""What the process that takes audit events and logs of containers writes every second, and reading it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from hullwatch.api.checks.check import Check
from hullwatch.sources.k8s_audit.inputs import InputStatus

STATUS_FILE = "kubernetes.json"  # in the state directory
LARGEST_STATUS = 1 << 20  # bytes
STALE = 15.0  # seconds


class LogStatus(msgspec.Struct):
    """Of logs of containers: files that are followed, that are too many, links that are refused, and each input."""

    files: int = 0
    too_many: int = 0
    refused: int = 0
    by_input: dict[str, InputStatus] = {}
    left_out: dict[str, int] = {}
    problems: list[str] = []


class ClusterLearnt(msgspec.Struct):
    """Of a cluster that is learnt; times in ns since the epoch, ``learnt`` is 0 while learning goes on."""

    began: int = 0
    ends: int = 0
    learnt: int = 0
    values: int = 0


class BaselineStatus(msgspec.Struct, frozen=True):
    """Of what is ordinary: clusters by their name, and what was told, left out and forgotten."""

    enabled: bool = False
    values: int = 0
    clusters: dict[str, ClusterLearnt] = {}
    accepted: int = 0
    size: int = 0
    told: dict[str, int] = {}
    left_out: dict[str, int] = {}
    forgotten: dict[str, int] = {}


class IntakeStatus(msgspec.Struct):
    """What the process writes; times in ns since the epoch."""

    pid: int
    updated: int
    alerts: int = 0
    takes_events: bool = True
    by_wrapper: dict[str, int] = {}
    by_input: dict[str, InputStatus] = {}
    left_out: dict[str, int] = {}
    truncated: list[str] = []
    requests: dict[str, int] = {}
    refused: str = ""
    problems: list[str] = []
    full: str = ""
    blind: dict[str, str] = {}
    credentials: str = ""
    container_logs: LogStatus | None = None
    baseline: BaselineStatus = BaselineStatus()


def read_intake(state: Path, name: str, what: str, now: int | None) -> tuple[IntakeStatus, int] | list[Check]:
    """Return what the process has written last, and the time; checks that say why where there is nothing to read.

    Args:
        state: the state directory.
        name: of the checks.
        what: is taken, for sentences.
        now: ns since the epoch; the clock's time when None.
    """
    path = state / STATUS_FILE
    try:
        with path.open("rb") as stream:
            status = msgspec.json.decode(stream.read(LARGEST_STATUS), type=IntakeStatus)
    except FileNotFoundError:
        return [Check(name, "ok", f"{what[0].upper()}{what[1:]} have not been taken yet.")]
    except PermissionError:
        return [Check(name, "warn", f"{path} may not be read by this user.", "sudo hullwatch doctor")]
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        return [Check(name, "warn", f"{path} cannot be read: {error}.", f"rm {path}")]
    if not Path(f"/proc/{status.pid}").exists():
        return [Check(name, "ok", f"No instance takes {what} now.")]
    moment = time.time_ns() if now is None else now
    age = (moment - status.updated) / 1e9
    if age > STALE:
        sentence = f"The process that takes {what} has not written its status for {age:.0f} s."
        return [Check(name, "fail", sentence, "journalctl -u hullwatch   # why it ends, or what it waits for")]
    return status, moment
