"""The metrics that there are: a table of names, kinds, meanings, and where the numbers come from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import hullwatch
from hullwatch.metrics.exposition import Sample, by_label, family_text, histogram
from hullwatch.metrics.falco_names import FALCO_FAMILIES
from hullwatch.metrics.keeper_families import KEEPER_FAMILIES
from hullwatch.metrics.kubernetes_families import KUBERNETES_FAMILIES
from hullwatch.metrics.log_families import LOG_FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.metrics.exposition import Kind
    from hullwatch.metrics.view import View


class Family(NamedTuple):
    """A metric: its name, kind and meaning, and what gives its samples of a look at an instance."""

    name: str
    kind: Kind
    meaning: str
    samples: Callable[[View], Iterable[Sample]]


def _number(path: str) -> Callable[[View], list[Sample]]:
    """Give one number of the status; nothing before there is a status."""
    return lambda view: [Sample(view.number(path))] if view.status else []


def _table(path: str, label: str) -> Callable[[View], list[Sample]]:
    return lambda view: by_label(label, view.table(path))


def _seconds(path: str) -> Callable[[View], list[Sample]]:
    """Give a time, which the status has in ns."""
    return lambda view: [Sample(view.number(path) / 1e9)] if view.number(path) else []


def _build(_: View) -> list[Sample]:
    return [Sample(1, (("version", hullwatch.__version__), ("python", sys.version.split()[0])))]


def _age(view: View) -> list[Sample]:
    return [Sample(max(0.0, view.now - view.number("updated") / 1e9))] if view.status else []


def _stages(view: View) -> list[Sample]:
    stages = {
        "left_out_own": view.number("excluded"),
        "left_out_in_kernel": sum(view.table("ruled_out").values()),
        "shed_in_kernel": sum(view.table("shed").values()),
        "lost": sum(number for _, _, number in view.dropped()),
        "held_for_metadata": view.number("held"),
        "held_too_long": view.number("held_timeout"),
        "judged": view.number("events"),
        "alerted": view.number("alerts"),
    }
    return by_label("stage", stages) if view.status else []


def _dropped(view: View) -> list[Sample]:
    return [Sample(number, (("type", kind), ("reason", reason))) for kind, reason, number in view.dropped()]


def _latency(view: View) -> list[Sample]:
    found = cast("dict[str, Any]", view.status.get("latency") or {})
    return histogram(found["bounds"], found["counts"], found["sum"]) if found else []


def _alerts(view: View) -> list[Sample]:
    rules = cast("dict[str, list[str]]", view.status.get("rules_seen", {}))
    return [
        Sample(number, (("rule", name), ("priority", rules.get(name, ["", ""])[0])))
        for name, number in view.table("alerts_by_rule").items()
    ]


def _engines(view: View) -> list[Sample]:
    engines = cast("list[dict[str, Any]]", view.status.get("engines", []))
    return [
        Sample(float(bool(one.get("reachable"))), (("url", str(one.get("url"))), ("kind", str(one.get("kind") or ""))))
        for one in engines
    ]


def _captures(view: View) -> list[Sample]:
    return by_label("result", {key: value for key, value in view.table("flight_recorder").items() if key != "kept"})


def _cpu(view: View) -> list[Sample]:
    return [Sample(usage.cpu, (("process", role),)) for role, usage in view.processes.items()]


def _memory(view: View) -> list[Sample]:
    return [Sample(usage.resident, (("process", role),)) for role, usage in view.processes.items()]


FAMILIES: tuple[Family, ...] = (
    Family("hullwatch_build_info", "gauge", "Version of Hullwatch and of Python; always 1.", _build),
    Family("hullwatch_start_time_seconds", "gauge", "When the engine that runs was started.", _seconds("started")),
    Family(
        "hullwatch_status_age_seconds", "gauge", "How old these numbers are: the engine writes them every 2 s.", _age
    ),
    Family("hullwatch_stage_events_total", "counter", "Events by what became of them, from the kernel on.", _stages),
    Family("hullwatch_events_total", "counter", "Events that rules saw, by type.", _table("events_by_type", "type")),
    Family("hullwatch_events_dropped_total", "counter", "Events that were lost, by type and reason.", _dropped),
    Family(
        "hullwatch_events_ruled_out_total",
        "counter",
        "Events that the kernel left out because no rule can match them, by type.",
        _table("ruled_out", "type"),
    ),
    Family(
        "hullwatch_events_shed_total",
        "counter",
        "Events that the kernel left out to stay within the CPU budget, by type.",
        _table("shed", "type"),
    ),
    Family(
        "hullwatch_shedding_steps", "gauge", "Steps of leaving out that are in force; 0: none.", _number("shed_steps")
    ),
    Family(
        "hullwatch_worst_loss_ratio",
        "gauge",
        "The largest share of the events that was lost within ten seconds.",
        _number("worst_loss"),
    ),
    Family(
        "hullwatch_events_out_of_order_total",
        "counter",
        "Events that came too late to be put in order.",
        _number("out_of_order"),
    ),
    Family(
        "hullwatch_unreadable_records_total",
        "counter",
        "Records that cannot be decoded.",
        _number("unreadable_records"),
    ),
    Family("hullwatch_queue_length", "gauge", "What waits in the engine, by queue.", _table("queues", "queue")),
    Family("hullwatch_alerts_total", "counter", "Alerts by rule and priority.", _alerts),
    Family(
        "hullwatch_alerts_lost_total",
        "counter",
        "Alerts that an output could not deliver, by reason.",
        _table("alerts_lost", "reason"),
    ),
    Family(
        "hullwatch_events_kept_total",
        "counter",
        "Events that were written, to be kept.",
        _number("kept_events.written"),
    ),
    Family(
        "hullwatch_events_not_kept_total",
        "counter",
        "Events that were to be kept and are not, or were removed since, by reason.",
        _table("kept_events.not_kept", "reason"),
    ),
    Family(
        "hullwatch_alert_latency_seconds",
        "histogram",
        "Time from the event in the kernel until its alert is handed to the outputs.",
        _latency,
    ),
    Family("hullwatch_slow_writes_total", "counter", "Writes that waited for their reader.", _number("slow_writes")),
    Family("hullwatch_rules_loaded", "gauge", "Rules that judge now.", _number("rules")),
    Family(
        "hullwatch_rules_reloads_total",
        "counter",
        "Changed rules or settings, by what became of them.",
        _table("reloads", "result"),
    ),
    Family("hullwatch_containers_total", "counter", "Containers that were seen.", _number("containers")),
    Family("hullwatch_container_engine_up", "gauge", "Whether a container engine's events are followed.", _engines),
    Family(
        "hullwatch_sensor_restarts_total", "counter", "Times the sensor was started again.", _number("sensor_restarts")
    ),
    Family(
        "hullwatch_engine_restarts_total", "counter", "Times the engine was started again.", _number("engine_restarts")
    ),
    Family(
        "hullwatch_tampering_total",
        "counter",
        "Times something of the sensor was changed by others.",
        _number("tampered"),
    ),
    Family(
        "hullwatch_processes_unannounced_total",
        "counter",
        "Processes that did something though nothing had told of their start.",
        _number("unannounced"),
    ),
    Family(
        "hullwatch_processes_forgotten_total",
        "counter",
        "Processes that were forgotten while they ran, for want of room.",
        _number("processes_forgotten"),
    ),
    Family(
        "hullwatch_rule_states_forgotten_total",
        "counter",
        "Unfinished sequences and counts of rules that were forgotten for want of room.",
        _number("forgotten"),
    ),
    Family(
        "hullwatch_drift_files_total",
        "counter",
        "Files of containers that were compared with their image, by verdict.",
        _table("drift.compared", "verdict"),
    ),
    Family(
        "hullwatch_drift_not_asked_total",
        "counter",
        "Files that were not compared, for too many waited.",
        _number("drift.not_asked"),
    ),
    Family(
        "hullwatch_flight_recorder_bytes",
        "gauge",
        "Bytes that the flight recorder keeps.",
        _number("flight_recorder.kept"),
    ),
    Family(
        "hullwatch_flight_recorder_captures_total",
        "counter",
        "Captures of the flight recorder, by what became of them.",
        _captures,
    ),
    Family("hullwatch_process_cpu_seconds_total", "counter", "CPU time that each process took.", _cpu),
    Family("hullwatch_process_resident_memory_bytes", "gauge", "Memory in use by each process.", _memory),
    *(Family(*one) for one in KEEPER_FAMILIES),
    *(Family(*one) for one in KUBERNETES_FAMILIES),
    *(Family(*one) for one in LOG_FAMILIES),
    *(Family(*one) for one in FALCO_FAMILIES),
)


def exposition(view: View) -> str:
    """Return all metrics in Prometheus' text format."""
    return "".join(family_text(one.name, one.kind, one.meaning, one.samples(view)) for one in FAMILIES)
