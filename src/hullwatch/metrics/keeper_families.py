"""Metrics of what becomes of alerts behind the engine: the keeper, its store, and the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hullwatch.metrics.exposition import Sample, by_label, histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.metrics.exposition import Kind
    from hullwatch.metrics.view import View

_WORKING = {"new": 1.0, "working": 1.0, "failing": 0.0}  # an output that is off is left out


def _keeper(name: str, scale: float = 1.0) -> Callable[[View], list[Sample]]:
    """Give a number that the keeper has written; nothing before it has."""
    return lambda view: [Sample(number(view.keeper.get(name)) / scale)] if view.keeper else []


def _keeper_table(name: str) -> Callable[[View], list[Sample]]:
    return lambda view: by_label("reason", numbers(view.keeper.get(name)))


def _age(view: View) -> list[Sample]:
    return [Sample(max(0.0, view.now - number(view.keeper.get("updated")) / 1e9))] if view.keeper else []


def _failing(view: View) -> list[Sample]:
    return [Sample(float(bool(view.keeper.get("problem"))))] if view.keeper else []


def _batch_seconds(view: View) -> list[Sample]:
    found = view.keeper.get("batch_seconds")
    told = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return histogram(told["bounds"], told["counts"], told["sum"]) if told.get("counts") else []


def _written(view: View) -> list[Sample]:
    when = number(view.keeper.get("written"))
    return [Sample(when / 1e9)] if when else []


def _engine(path: str) -> Callable[[View], list[Sample]]:
    """Give a number that the engine knows of the keeper."""
    return lambda view: [Sample(view.number(path))] if view.status and view.keeper else []


def _output(name: str) -> Callable[[View], list[Sample]]:
    """Give a number of each output."""
    return lambda view: [Sample(number(one.get(name)), _labels(one)) for one in view.outputs]


def _up(view: View) -> list[Sample]:
    return [
        Sample(_WORKING[str(one.get("state"))], (*_labels(one), ("type", str(one.get("type")))))
        for one in view.outputs
        if str(one.get("state")) in _WORKING
    ]


def _dropped(view: View) -> list[Sample]:
    return [
        Sample(count, (*_labels(one), ("reason", reason), ("priority", priority)))
        for one in view.outputs
        for reason, table in _tables(one.get("dropped_by_priority")).items()
        for priority, count in numbers(table).items()
    ]


def _tables(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _labels(one: dict[str, Any]) -> tuple[tuple[str, str]]:
    return (("output", str(one.get("name"))),)


def number(value: object) -> float:
    """Return a number; 0 for what is none."""
    return value if isinstance(value, (int, float)) else 0


def numbers(value: object) -> dict[str, float]:
    """Return the numbers of a table by their names."""
    items = cast("dict[str, object]", value).items() if isinstance(value, dict) else ()
    return {name: one for name, one in items if isinstance(one, (int, float))}


KEEPER_FAMILIES: tuple[tuple[str, Kind, str, Callable[[View], Iterable[Sample]]], ...] = (
    (
        "hullwatch_keeper_status_age_seconds",
        "gauge",
        "How old the keeper's numbers are: it writes them every 2 s.",
        _age,
    ),
    (
        "hullwatch_keeper_waiting_alerts",
        "gauge",
        "Alerts that wait in the engine until the keeper has them.",
        _engine("store.waiting"),
    ),
    (
        "hullwatch_keeper_waiting_bytes",
        "gauge",
        "Memory that those take; 64 MiB at most.",
        _engine("store.waiting_bytes"),
    ),
    (
        "hullwatch_keeper_restarts_total",
        "counter",
        "Times the keeper was started again.",
        _engine("store.keeper_restarts"),
    ),
    ("hullwatch_keeper_alerts_total", "counter", "Alerts that were stored.", _keeper("kept")),
    (
        "hullwatch_keeper_batch_seconds",
        "histogram",
        "How long it took to store the alerts that came together, with the outputs' queues.",
        _batch_seconds,
    ),
    (
        "hullwatch_keeper_noted_total",
        "counter",
        "What the keeper could not do with alerts as it should, by reason.",
        _keeper_table("counts"),
    ),
    ("hullwatch_incidents_open", "gauge", "Incidents that nobody has closed.", _keeper("incidents_open")),
    ("hullwatch_store_bytes", "gauge", "Bytes of the store on the disk.", _keeper("size")),
    ("hullwatch_store_limit_bytes", "gauge", "Bytes that it may have (store.largest).", _keeper("limit")),
    ("hullwatch_store_failing", "gauge", "Whether alerts cannot be stored now.", _failing),
    ("hullwatch_store_written_time_seconds", "gauge", "When alerts were stored last.", _written),
    (
        "hullwatch_store_removed_alerts_total",
        "counter",
        "Alerts that were removed from the store, by reason.",
        _keeper_table("removed"),
    ),
    ("hullwatch_output_up", "gauge", "Whether the last attempt to deliver to an output went well.", _up),
    ("hullwatch_output_queue_length", "gauge", "Messages that wait for an output.", _output("depth")),
    ("hullwatch_output_queue_bytes", "gauge", "Bytes of its queue on the disk.", _output("size")),
    ("hullwatch_output_messages_total", "counter", "Messages that were put into its queue.", _output("put")),
    ("hullwatch_output_delivered_total", "counter", "Messages that its receiver has.", _output("delivered")),
    ("hullwatch_output_failures_total", "counter", "Attempts to deliver that failed.", _output("failures")),
    ("hullwatch_output_refused_total", "counter", "Messages that its receiver refused.", _output("refused")),
    (
        "hullwatch_output_dead_letters",
        "gauge",
        "Refused messages that are kept, to be sent again by 'hullwatch outputs retry'.",
        _output("dead_letters"),
    ),
    (
        "hullwatch_output_dropped_total",
        "counter",
        "Messages that an output was not told of, by reason and priority.",
        _dropped,
    ),
)
