"""Metrics of containers' logs, and of what is learnt of clusters; both are in the status of the audit intake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hullwatch.metrics.exposition import Sample, by_label
from hullwatch.metrics.inputs import Input, inputs_of, last_age, left_out, of_inputs
from hullwatch.metrics.keeper_families import number, numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.metrics.exposition import Kind
    from hullwatch.metrics.view import View


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _logs(view: View) -> dict[str, Any]:
    return _table(view.audit.get("container_logs"))


def _of_logs(name: str) -> Callable[[View], list[Sample]]:
    return lambda view: [Sample(number(_logs(view).get(name)))] if _logs(view) else []


def _inputs(view: View) -> list[Input]:
    return inputs_of(_logs(view))


def _problems(view: View) -> list[Sample]:
    problems: object = _logs(view).get("problems")
    return [Sample(len(cast("list[str]", problems)) if isinstance(problems, list) else 0)] if _logs(view) else []


def _learnt(view: View) -> dict[str, Any]:
    return _table(view.audit.get("baseline"))


def _of_clusters(sample: Callable[[dict[str, Any]], float]) -> Callable[[View], list[Sample]]:
    def samples(view: View) -> list[Sample]:
        clusters = _table(_learnt(view).get("clusters"))
        return [Sample(sample(_table(one)), (("cluster", name),)) for name, one in clusters.items()]

    return samples


def _of_baseline(name: str) -> Callable[[View], list[Sample]]:
    return lambda view: [Sample(number(_learnt(view).get(name)))] if "values" in _learnt(view) else []


def _by(label: str, name: str) -> Callable[[View], list[Sample]]:
    return lambda view: by_label(label, numbers(_learnt(view).get(name)))


LOG_FAMILIES: tuple[tuple[str, Kind, str, Callable[[View], Iterable[Sample]]], ...] = (
    ("hullwatch_container_log_files", "gauge", "Log files of containers that are followed.", _of_logs("files")),
    (
        "hullwatch_container_log_files_left_out",
        "gauge",
        "Log files that are not followed, for there are more than container_logs.most_files.",
        _of_logs("too_many"),
    ),
    (
        "hullwatch_container_log_lines_total",
        "counter",
        "Lines of containers' logs that were judged, by input and its type.",
        of_inputs(_inputs, "events"),
    ),
    (
        "hullwatch_container_log_left_out_total",
        "counter",
        "What was not judged of logs, by input, type and reason.",
        left_out(_inputs),
    ),
    (
        "hullwatch_container_log_last_line_age_seconds",
        "gauge",
        "How long ago the last line came, by input and type; not there before the first.",
        last_age(_inputs),
    ),
    (
        "hullwatch_container_log_lag_seconds",
        "gauge",
        "Time from the last line's writing to its coming, by input and type.",
        of_inputs(_inputs, "lag"),
    ),
    ("hullwatch_container_log_problems", "gauge", "Files, links and log groups that cannot be read now.", _problems),
    (
        "hullwatch_baseline_learning",
        "gauge",
        "Whether a cluster is being learnt, and nothing new is told of it yet.",
        _of_clusters(lambda one: float(not one.get("learnt"))),
    ),
    (
        "hullwatch_baseline_learning_end_time_seconds",
        "gauge",
        "When learning ended or will end at the earliest, by cluster, in the time of its events.",
        _of_clusters(lambda one: (number(one.get("learnt")) or number(one.get("ends"))) / 1e9),
    ),
    (
        "hullwatch_baseline_values",
        "gauge",
        "Values that are known as ordinary, by cluster; kubernetes.baseline.most may be.",
        _of_clusters(lambda one: number(one.get("values"))),
    ),
    (
        "hullwatch_baseline_accepted_values",
        "gauge",
        "Values that people have accepted as ordinary.",
        _of_baseline("accepted"),
    ),
    ("hullwatch_baseline_file_bytes", "gauge", "Bytes of what is learnt on the disk.", _of_baseline("size")),
    ("hullwatch_baseline_news_total", "counter", "What was new and told, by its kind.", _by("kind", "told")),
    (
        "hullwatch_baseline_left_out_total",
        "counter",
        "Audit events that were not looked at for news, by reason.",
        _by("reason", "left_out"),
    ),
    (
        "hullwatch_baseline_forgotten_total",
        "counter",
        "Values that were forgotten, by reason: not seen for long, no room.",
        _by("reason", "forgotten"),
    ),
)
