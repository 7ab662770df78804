"""Are audit events of Kubernetes taken, and what of them is left out?"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from hullwatch.api.checks.check import Check

STATUS_FILE = "kubernetes.json"  # in the state directory
LARGEST_STATUS = 1 << 20  # bytes
STALE = 15.0  # seconds
_SHOWN = 6


class IntakeStatus(msgspec.Struct):
    """What the process that takes audit events writes; times in ns since the epoch."""

    pid: int
    updated: int
    alerts: int = 0
    by_wrapper: dict[str, int] = {}
    left_out: dict[str, int] = {}
    requests: dict[str, int] = {}
    problems: list[str] = []
    last_event: float = 0.0


def audit_events(state: Path, *, wanted: bool, now: int | None = None) -> list[Check]:
    """Check the intake by its status file.

    Args:
        state: the state directory.
        wanted: whether audit events are to be taken.
        now: ns since the epoch; the clock's time when None.
    """
    name = "audit events"
    if not wanted:
        return []
    path = state / STATUS_FILE
    try:
        with path.open("rb") as stream:
            status = msgspec.json.decode(stream.read(LARGEST_STATUS), type=IntakeStatus)
    except FileNotFoundError:
        return [Check(name, "ok", "Audit events of Kubernetes have not been taken yet.")]
    except PermissionError:
        return [Check(name, "warn", f"{path} may not be read by this user.", "sudo hullwatch doctor")]
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        return [Check(name, "warn", f"{path} cannot be read: {error}.", f"rm {path}")]
    if not Path(f"/proc/{status.pid}").exists():
        return [Check(name, "ok", "No instance takes audit events now.")]
    age = ((time.time_ns() if now is None else now) - status.updated) / 1e9
    if age > STALE:
        sentence = f"The process that takes audit events has not written its status for {age:.0f} s."
        return [Check(name, "fail", sentence, "journalctl -u hullwatch   # why it ends, or what it waits for")]
    events = sum(status.by_wrapper.values())
    taken = f"{events:,} events, {status.alerts:,} alerts; the last event came {status.last_event:.0f} s ago."
    found = [Check(name, "ok", taken)]
    found += [Check(name, "warn", problem) for problem in status.problems]
    for what, counts in (("Left out", status.left_out), ("Requests", status.requests)):
        shown = sorted(counts.items(), key=lambda one: -one[1])[:_SHOWN]
        if shown:
            found.append(Check(name, "ok", f"{what}: " + "; ".join(f"{number:,} {why}" for why, number in shown) + "."))
    return found
