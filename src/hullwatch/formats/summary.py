"""The summary of a run: what was seen, what was lost and why, and what alerted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hullwatch.config.values import format_duration
from hullwatch.formats.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hullwatch.counters import Counters, ProcessCounts

SHOWN_PROCESSES = 5
_BOLD, _RED, _RESET = "\x1b[1m", "\x1b[31m", "\x1b[0m"


def summary(
    counters: Counters, *, now: int | None = None, colour: bool = False, did: str = "Watched for", told: str = ""
) -> str:
    """Return what a run did as several lines, ending with a newline.

    Args:
        counters: of the run.
        now: when it ended, ns since the epoch; the clock's time when None.
        colour: with ANSI colours.
        did: what was done, as the words before the time.
        told: what was told of the events; the number of alerts when empty.
    """
    end = time.time_ns() if now is None else now
    seconds = max(0.0, (end - counters.started) / 1e9)
    watched = format_duration(round(seconds, 1) if seconds < 10 else round(seconds))
    told = told or _number(sum(counters.alerts.values()), "alert")
    lines = [
        _paint(_BOLD, colour)
        + f"{did} {watched}: {_number(counters.events_total, 'event')}, {counters.dropped_total:,} dropped, "
        + f"{told}."
        + _paint(_RESET, colour)
    ]
    lines += _section("Alerts by rule:", _largest_first(counters.alerts))
    lines += _section("Events by type:", _largest_first(counters.events))
    dropped = {f"{kind}: {reason}": number for (kind, reason), number in counters.dropped.items()}
    lines += _section(
        _paint(_RED, colour) + "Dropped, by type and reason:" + _paint(_RESET, colour), _largest_first(dropped)
    )
    lines += _section("Busiest processes, by what they opened, connected to, ran and started:", _busiest(counters))
    lines += _section("Alerts that did not reach their reader:", _largest_first(counters.alerts_lost))
    lines += _section("What the keeper left out or removed:", _largest_first(counters.store))
    lines += _section(
        "Events that were to be kept and are not, or no longer:", _largest_first(counters.events_not_kept)
    )
    lines += _section("Files that could not be compared with their image:", _largest_first(counters.drift_unknown))
    lines += _section("Also:", _others(counters))
    return "\n".join(lines) + "\n"


def _busiest(counters: Counters) -> list[tuple[int, str]]:
    found = sorted(counters.processes.values(), key=lambda one: (-one.calls, one.name))
    return [(one.calls, _done_by(one)) for one in found[:SHOWN_PROCESSES]]


def _done_by(one: ProcessCounts) -> str:
    numbers = [_number(one.opens, "open"), _number(one.connects, "connection"), _number(one.programs, "program")]
    numbers += [f"{one.children:,} started", f"{one.bytes_read:,} bytes read", f"{one.bytes_written:,} written"]
    return f"{one.name}: {', '.join(numbers)}"


def _others(counters: Counters) -> list[tuple[int, str]]:
    """Return the single numbers that are worth a line when they are not 0."""
    rows = [
        (sum(counters.excluded.values()), "events of Hullwatch itself, left out"),
        (sum(counters.ruled_out.values()), "events that the kernel left out, for no rule can match them"),
        (sum(counters.shed.values()), "events that the kernel left out to stay within the CPU budget"),
        (counters.containers_seen, "containers seen"),
        (counters.held, "events that waited for their container's metadata"),
        (counters.held_timeout, "of them judged without it"),
        (counters.sensor_restarts, "restarts of the sensor"),
        (counters.tampered, "times that something of the sensor was changed by others"),
        (counters.unreadable_records, "records that could not be read"),
        (counters.out_of_order, "events that came too late to be put in order"),
        (counters.unannounced, "processes that were met without their start"),
        (counters.repaired, "of them told of since by a list of all processes"),
        (counters.slow_writes, "writes that had to wait for their reader"),
        (counters.processes_forgotten, "processes forgotten while they ran, for want of room"),
        (sum(counters.drift.values()), "files of containers compared with their image"),
        (counters.drift_not_asked, "not compared, for too many waited"),
        (counters.names_unknown, "domain names in rules that have no address here"),
        (counters.captures_saved, "captures saved by the flight recorder"),
        (counters.captures_not_saved, "alerts whose capture could not be saved"),
        (counters.captures_cut_short, "captures that ended before their time"),
        (counters.captures_short, "captures with less of the time before the alert, for want of memory"),
        (counters.captures_removed, "older captures removed to make room"),
        (counters.alerts_kept, "alerts kept in the store"),
        (counters.cut_alerts, "of them with texts that were cut, to be kept"),
        (counters.keeper_restarts, "restarts of the keeper"),
        (counters.events_kept, "events kept"),
        (counters.forgotten, "unfinished sequences and counts of rules, forgotten for want of room"),
    ]
    return [(number, words) for number, words in rows if number]


def _section(title: str, rows: Iterable[tuple[int, str]]) -> list[str]:
    lines = [(f"{number:,}", escape(words)) for number, words in rows]
    if not lines:
        return []
    width = max(len(number) for number, _ in lines)
    return [title, *(f"  {number:>{width}}  {words}" for number, words in lines)]


def _largest_first(numbers: Mapping[str, int]) -> list[tuple[int, str]]:
    return sorted(((number, name) for name, number in numbers.items()), key=lambda row: (-row[0], row[1]))


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _paint(code: str, colour: bool) -> str:  # noqa: FBT001 - a switch that every line passes on
    return code if colour else ""
