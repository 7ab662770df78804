"""Does an instance run, and does it lose events?"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from hullwatch.api.checks.check import Check
from hullwatch.config.values import format_duration

STATUS_FILE = "status.json"
LARGEST_STATUS = 1 << 20  # bytes
STALE = 10.0  # seconds; a running instance writes every second or so
MANY_DROPS = 0.001  # of all events: more than this is a reason to do something
_REASONS_SHOWN = 5


class DriftStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Files of containers that were compared with their image: by verdict, by reason, and those that were not."""

    compared: dict[str, int] = {}
    unknown: dict[str, int] = {}
    not_asked: int = 0


class FlightStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the flight recorder keeps, bytes, and what became of captures."""

    kept: int = 0
    saved: int = 0
    not_saved: int = 0
    cut_short: int = 0
    short_of_memory: int = 0
    removed: int = 0


class InstanceStatus(msgspec.Struct, kw_only=True):
    """What a running instance writes to ``status.json``; times in ns since the epoch."""

    started: int
    updated: int
    pid: int
    events: int = 0
    dropped: dict[str, dict[str, int]] = {}
    alerts: int = 0
    containers: int = 0
    sensor_restarts: int = 0
    shed: dict[str, int] = {}
    left_out: str = ""
    worst_loss: float = 0.0
    tampered: int = 0
    alerts_lost: dict[str, int] = {}
    drift: DriftStatus = DriftStatus()
    flight_recorder: FlightStatus = FlightStatus()
    unseen: list[str] = []


def instance(state: Path, now: int | None = None) -> list[Check]:
    """Check the instance of a state directory by its status file.

    Args:
        state: the state directory.
        now: ns since the epoch; the clock's time when None.
    """
    path = state / STATUS_FILE
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_STATUS)
        status = msgspec.json.decode(data, type=InstanceStatus)
    except FileNotFoundError:
        return [Check("instance", "ok", "No instance runs.")]
    except PermissionError:
        return [Check("instance", "warn", f"{path} may not be read by this user.", "sudo hullwatch doctor")]
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        return [Check("instance", "warn", f"{path} cannot be read: {error}.", f"rm {path}")]
    age = ((time.time_ns() if now is None else now) - status.updated) / 1e9
    if not Path(f"/proc/{status.pid}").exists():
        return [Check("instance", "ok", f"No instance runs; the last one ended {_span(age)} ago.")]
    if age > STALE:
        return [
            Check(
                "instance",
                "fail",
                f"Process {status.pid} has not written its status for {_span(age)}: it hangs, or is another program.",
                f"ps -fp {status.pid}   # if it is hullwatch: kill {status.pid}, and start it again",
            )
        ]
    return [_running(status), *_losses(status), *_drift(status.drift), *_flight(status.flight_recorder)]


def _flight(flight: FlightStatus) -> list[Check]:
    """Tell what the flight recorder keeps; an instance that keeps nothing has no rule that could ask for it."""
    if not flight.kept:
        return []
    sentence = f"{flight.kept:,} bytes of the last minutes are kept; {flight.saved:,} captures were saved"
    said = [
        (flight.not_saved, "alerts got none"),
        (flight.cut_short, "captures ended before their time"),
        (flight.short_of_memory, "have less of the time before, for want of flight_recorder.memory"),
        (flight.removed, "older ones were removed to make room"),
    ]
    sentence += "".join(f", {number:,} {words}" for number, words in said if number) + "."
    failed = flight.not_saved or flight.cut_short
    fix = 'journalctl -u hullwatch | grep "Capture "   # the alerts that say why' if failed else ""
    return [Check("flight", "warn" if failed else "ok", sentence, fix)]


def _running(status: InstanceStatus) -> Check:
    return Check(
        "instance",
        "ok",
        f"Process {status.pid} has run for {_span((status.updated - status.started) / 1e9)}: {status.events:,} events, "
        f"{status.alerts:,} alerts, {status.containers:,} containers.",
    )


def _losses(status: InstanceStatus) -> list[Check]:
    found: list[Check] = []
    rows = sorted(
        ((number, kind, reason) for kind, reasons in status.dropped.items() for reason, number in reasons.items()),
        reverse=True,
    )
    total = sum(number for number, _, _ in rows)
    if total:
        share = total / (status.events + total)
        worst = ", ".join(f"{kind} ({reason}) {number:,}" for number, kind, reason in rows[:_REASONS_SHOWN])
        many = share > MANY_DROPS or status.worst_loss > MANY_DROPS
        if status.worst_loss:
            worst += f"; at worst {status.worst_loss:.3%} of them within ten seconds"
        fix = "hullwatch run -r FILE...   # fewer rules, or rules that name event types, ask for fewer events"
        found.append(
            Check(
                "drops",
                "warn" if many else "ok",
                f"{total:,} events were lost ({share:.3%}): {worst}.",
                fix if many else "",
            )
        )
    else:
        found.append(Check("drops", "ok", "No event was lost."))
    if status.left_out or status.shed:
        found.append(_budget(status))
    if status.unseen:
        refused = ", ".join(status.unseen[:_REASONS_SHOWN])
        more = len(status.unseen) - _REASONS_SHOWN
        rest = f" and {more} more" if more > 0 else ""
        sentence = f"The kernel refused the programs for {refused}{rest}: rules that look at them see less."
        found.append(
            Check("events", "warn", sentence, "HULLWATCH_DEBUG=1 hullwatch run   # prints the kernel's reason")
        )
    if status.sensor_restarts:
        found.append(
            Check(
                "sensor", "warn", f"The sensor was restarted {status.sensor_restarts:,} times.", "journalctl -k -g oom"
            )
        )
    if status.tampered:
        found.append(
            Check(
                "tampering",
                "warn",
                f"Something of the sensor in the kernel was changed by others {status.tampered:,} times: the alerts "
                '"Sensor tampered with" say what, and by whom.',
            )
        )
    if status.alerts_lost:
        worst = ", ".join(
            f"{reason} {number:,}" for reason, number in sorted(status.alerts_lost.items())[:_REASONS_SHOWN]
        )
        found.append(Check("alerts", "warn", f"Alerts did not reach their reader: {worst}."))
    return found


def _budget(status: InstanceStatus) -> Check:
    total = sum(status.shed.values())
    if not status.left_out:
        return Check(
            "budget", "ok", f"Nothing is left out now; {total:,} calls were, to stay within sensor.cpu_budget."
        )
    sentence = f"To stay within sensor.cpu_budget these are left out now: {status.left_out}; {total:,} calls so far."
    fix = "hullwatch run --show-pushdown   # which rules ask for what; or set sensor.cpu_budget higher"
    return Check("budget", "warn", sentence, fix)


def _drift(drift: DriftStatus) -> list[Check]:
    total = sum(drift.compared.values())
    if not total and not drift.not_asked:
        return []
    outside = drift.compared.get("drift", 0)
    words = f"{total:,} files of containers were compared with their image, {outside:,} are not in it"
    if drift.unknown:
        rows = sorted(((number, reason) for reason, number in drift.unknown.items()), reverse=True)
        worst = ", ".join(f"{reason} {number:,}" for number, reason in rows[:_REASONS_SHOWN])
        words += f", of {sum(drift.unknown.values()):,} it is not known ({worst})"
    if drift.not_asked:
        return [Check("drift", "warn", f"{words}; {drift.not_asked:,} were not compared, for too many waited.")]
    return [Check("drift", "ok", f"{words}.")]


def _span(seconds: float) -> str:
    return format_duration(max(1, round(seconds)))
