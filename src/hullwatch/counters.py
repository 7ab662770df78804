"""What a run counts: events seen, and everything that was left out with the reason."""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import Any

import msgspec

# Ends of the buckets of the time from an event to its alert, seconds.
LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Latency(msgspec.Struct):
    """How long things took: how many of them in each bucket, the last without end, and all together in seconds."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS) + 1))
    sum: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one; a clock that was set back makes it no time at all."""
        took = max(0.0, seconds)
        self.counts[bisect_left(LATENCY_BOUNDS, took)] += 1
        self.sum += took


class ProcessCounts(msgspec.Struct, kw_only=True):
    """What a process has done since the sensor counts.

    Attributes:
        name: of the program that it runs, with its id and container.
    """

    name: str
    opens: int
    connects: int
    programs: int
    children: int
    bytes_read: int
    bytes_written: int

    @property
    def calls(self) -> int:
        """How much it did, but for the bytes."""
        return self.opens + self.connects + self.programs + self.children


PROCESSES_KEPT = 1 << 15


class Counters(msgspec.Struct, kw_only=True):
    """The numbers of one run; every stage adds to the same object.

    Attributes:
        started: when the run began, ns since the epoch.
        events: events that rules saw, by type.
        dropped: what was lost, by (type, reason); a type that is not known is ``*``.
        excluded: events of Hullwatch's own processes, left out on purpose, by type.
        ruled_out: events that the kernel left out, because no rule can match them, by type.
        shed: events that the kernel left out to stay within the CPU budget, by type.
        left_out: what is left out now to stay within the CPU budget, in words.
        worst_loss: the largest share of the events that was lost within ten seconds.
        tampered: how often the sensor found something of its own changed by others.
        alerts: alerts by rule.
        priorities: alerts by priority, as Falco writes it (``Warning``).
        rules_seen: priority and source of the rules that alerted.
        latency: from the event to its alert, handed to the outputs; None where events are not of now.
        alerts_lost: alerts that an output could not deliver, by reason.
        held: events that waited for their container's metadata.
        held_timeout: those of them that were judged without it.
        containers_seen: containers that an event or an engine named.
        sensor_restarts: how often the sensor ended and was started again.
        unreadable_records: records that could not be decoded.
        out_of_order: events that came too late to be put in order; they were judged.
        unannounced: processes that did something before anything had told of them: their start was lost.
        repaired: those of them that a list of all processes told of since.
        slow_writes: writes of an output that had to wait for its reader.
        processes_forgotten: processes that were forgotten while they ran, for want of room.
        drift: files of containers that were compared with their image, by verdict.
        drift_unknown: those of which it could not be found out, by reason.
        drift_not_asked: those that found no room among the questions.
        names_unknown: domain names in rules that have no address now.
        forgotten: what rules with state remembered by a key and had to forget early, for want of room.
        captures_saved: captures that the flight recorder has begun to write.
        captures_not_saved: alerts for which there is none though they ask for one.
        captures_cut_short: captures that ended before their time.
        captures_short: captures whose time before the alert is shorter than set, for want of memory.
        captures_removed: older captures that were removed for newer ones.
        flight_kept: bytes that the flight recorder keeps now.
        alerts_kept: alerts that the store has.
        alerts_waiting: alerts that wait for the keeper now, and the bytes that they take in memory.
        cut_alerts: alerts whose texts were cut, to be kept.
        keeper_restarts: how often the keeper ended and was started again.
        events_kept: events that were written, to be kept.
        events_not_kept: events that were to be kept and are not, or were removed since, by reason.
        store: what the keeper counted: alerts that came twice, were not grouped, or were removed, by reason.
        tier: the set of kernel programs that the sensor could load; empty before it has said so.
        lacks: what the kernel keeps from being seen or done, by the names of the event table.
        unseen: types of events that rules ask for and the kernel refused the programs of.
        processes: what each did, by start and id, when the sensor was asked for it; the first ``PROCESSES_KEPT``.
    """

    started: int = msgspec.field(default_factory=time.time_ns)
    events: dict[str, int] = {}
    dropped: dict[tuple[str, str], int] = {}
    excluded: dict[str, int] = {}
    ruled_out: dict[str, int] = {}
    shed: dict[str, int] = {}
    left_out: str = ""
    worst_loss: float = 0.0
    tampered: int = 0
    alerts: dict[str, int] = {}
    priorities: dict[str, int] = {}
    rules_seen: dict[str, tuple[str, str]] = {}
    latency: Latency | None = None
    alerts_lost: dict[str, int] = {}
    held: int = 0
    held_timeout: int = 0
    containers_seen: int = 0
    sensor_restarts: int = 0
    unreadable_records: int = 0
    out_of_order: int = 0
    unannounced: int = 0
    repaired: int = 0
    slow_writes: int = 0
    processes_forgotten: int = 0
    drift: dict[str, int] = {}
    drift_unknown: dict[str, int] = {}
    drift_not_asked: int = 0
    names_unknown: int = 0
    forgotten: int = 0
    captures_saved: int = 0
    captures_not_saved: int = 0
    captures_cut_short: int = 0
    captures_short: int = 0
    captures_removed: int = 0
    flight_kept: int = 0
    alerts_kept: int = 0
    alerts_waiting: tuple[int, int] = (0, 0)
    cut_alerts: int = 0
    keeper_restarts: int = 0
    store: dict[str, int] = {}
    events_kept: int = 0
    events_not_kept: dict[str, int] = {}
    tier: str = ""
    lacks: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    processes: dict[tuple[int, int], ProcessCounts] = {}

    def note_process(self, start: int, pid: int, counts: ProcessCounts) -> None:
        """Take the newest counts of a process."""
        if (start, pid) in self.processes or len(self.processes) < PROCESSES_KEPT:
            self.processes[start, pid] = counts

    def drop(self, kind: str, reason: str, number: int = 1) -> None:
        """Count ``number`` lost events of a type with the reason."""
        key = (kind, reason)
        self.dropped[key] = self.dropped.get(key, 0) + number

    def alert(self, rule: str, priority: str, source: str = "syscall") -> None:
        """Count one alert."""
        self.rules_seen[rule] = priority, source
        self.alerts[rule] = self.alerts.get(rule, 0) + 1
        self.priorities[priority] = self.priorities.get(priority, 0) + 1

    def found_drift(self, verdict: str, reason: str) -> None:
        """Count one file that was compared with its image."""
        self.drift[verdict] = self.drift.get(verdict, 0) + 1
        if verdict == "unknown":
            self.drift_unknown[reason] = self.drift_unknown.get(reason, 0) + 1

    def lose_alert(self, reason: str, number: int = 1) -> None:
        """Count alerts that did not reach their reader."""
        self.alerts_lost[reason] = self.alerts_lost.get(reason, 0) + number

    @property
    def events_total(self) -> int:
        """Events that rules saw."""
        return sum(self.events.values())

    @property
    def dropped_total(self) -> int:
        """Events that were lost."""
        return sum(self.dropped.values())

    @staticmethod
    def _latency(latency: Latency) -> dict[str, Any]:
        return {"bounds": LATENCY_BOUNDS, "counts": latency.counts, "sum": latency.sum}

    def to_status(self, *, pid: int, now: int | None = None) -> dict[str, Any]:
        """Return what the running instance writes to ``status.json`` for ``hullwatch doctor``.

        Args:
            pid: of the running instance.
            now: ns since the epoch; the clock's time when None.
        """
        dropped: dict[str, dict[str, int]] = {}
        for (kind, reason), number in sorted(self.dropped.items()):
            dropped.setdefault(kind, {})[reason] = number
        return {
            "pid": pid,
            "started": self.started,
            "updated": time.time_ns() if now is None else now,
            "events": self.events_total,
            "events_by_type": dict(sorted(self.events.items())),
            "dropped": dropped,
            "excluded": sum(self.excluded.values()),
            "ruled_out": dict(sorted(self.ruled_out.items())),
            "shed": dict(sorted(self.shed.items())),
            "left_out": self.left_out,
            "worst_loss": self.worst_loss,
            "tampered": self.tampered,
            "alerts": sum(self.alerts.values()),
            "alerts_by_rule": dict(sorted(self.alerts.items())),
            "rules_seen": dict(sorted(self.rules_seen.items())),
            "latency": None if self.latency is None else self._latency(self.latency),
            "alerts_lost": dict(sorted(self.alerts_lost.items())),
            "held": self.held,
            "held_timeout": self.held_timeout,
            "containers": self.containers_seen,
            "sensor_restarts": self.sensor_restarts,
            "unreadable_records": self.unreadable_records,
            "out_of_order": self.out_of_order,
            "unannounced": self.unannounced,
            "repaired": self.repaired,
            "slow_writes": self.slow_writes,
            "processes_forgotten": self.processes_forgotten,
            "forgotten": self.forgotten,
            "names_unknown": self.names_unknown,
            "drift": {
                "compared": dict(sorted(self.drift.items())),
                "unknown": dict(sorted(self.drift_unknown.items())),
                "not_asked": self.drift_not_asked,
            },
            "flight_recorder": {
                "kept": self.flight_kept,
                "saved": self.captures_saved,
                "not_saved": self.captures_not_saved,
                "cut_short": self.captures_cut_short,
                "short_of_memory": self.captures_short,
                "removed": self.captures_removed,
            },
            "store": {
                "kept": self.alerts_kept,
                "waiting": self.alerts_waiting[0],
                "waiting_bytes": self.alerts_waiting[1],
                "cut": self.cut_alerts,
                "keeper_restarts": self.keeper_restarts,
                "counts": dict(sorted(self.store.items())),
            },
            "kept_events": {"written": self.events_kept, "not_kept": dict(sorted(self.events_not_kept.items()))},
            "tier": self.tier,
            "lacks": list(self.lacks),
            "unseen": list(self.unseen),
        }
