"""Metrics of Kubernetes: the intake of audit events, and what follows the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hullwatch.metrics.exposition import Sample, by_label
from hullwatch.metrics.inputs import Input, inputs_of, last_age, left_out, of_inputs, tables
from hullwatch.metrics.keeper_families import number, numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hullwatch.metrics.exposition import Kind
    from hullwatch.metrics.view import View

_ANSWERED = "answered "  # with it begins what the webhook counts of its refusals; the status of HTTP follows


def _age(view: View, written: Mapping[str, Any]) -> list[Sample]:
    return [Sample(max(0.0, view.now - number(written.get("updated")) / 1e9))] if written else []


def _of_audit(name: str) -> Callable[[View], list[Sample]]:
    return lambda view: [Sample(number(view.audit.get(name)))] if view.audit else []


def _inputs(view: View) -> list[Input]:
    return inputs_of(view.audit)


def _events(view: View) -> list[Sample]:
    return by_label("wrapper", numbers(view.audit.get("by_wrapper")))


def _alerts(view: View) -> list[Sample]:
    seen = cast("dict[str, list[str]]", view.audit.get("rules_seen") or {})
    return [
        Sample(count, (("rule", name), ("priority", (seen.get(name) or [""])[0])))
        for name, count in numbers(view.audit.get("alerts_by_rule")).items()
    ]


def _refused(view: View) -> list[Sample]:
    found = numbers(view.audit.get("requests"))
    return [
        Sample(count, (("code", reason.removeprefix(_ANSWERED)),))
        for reason, count in found.items()
        if reason.startswith(_ANSWERED)
    ]


def _lost(view: View) -> list[Sample]:
    found = numbers(view.audit.get("requests"))
    return by_label("reason", {name: count for name, count in found.items() if not name.startswith(_ANSWERED)})


def _waiting(view: View) -> list[Sample]:
    return [Sample(numbers(view.audit.get("waiting")).get("bytes", 0))] if view.audit else []


def _full(view: View) -> list[Sample]:
    return [Sample(float(bool(view.audit.get("full"))))] if view.audit else []


def _blind(view: View) -> list[Sample]:
    blind: object = view.audit.get("blind")
    return [Sample(len(cast("dict[str, str]", blind)) if isinstance(blind, dict) else 0)] if view.audit else []


def _certificate(view: View) -> list[Sample]:
    end = number(view.audit.get("certificate_ends"))
    return [Sample(end)] if end else []


def _problems(view: View) -> list[Sample]:
    problems: object = view.audit.get("problems")
    return [Sample(len(cast("list[str]", problems)) if isinstance(problems, list) else 0)] if view.audit else []


def _kinds(view: View) -> list[tuple[tuple[tuple[str, str]], dict[str, Any]]]:
    return [((("resource", name),), one) for name, one in tables(view.cluster.get("resources"))]


def _of_kinds(name: str) -> Callable[[View], list[Sample]]:
    return lambda view: [Sample(number(one.get(name)), labels) for labels, one in _kinds(view)]


def _kind_age(view: View) -> list[Sample]:
    """Return how old what is known is; of what was never known, how long it has been asked for."""
    started = number(view.cluster.get("started"))
    return [
        Sample(max(0.0, view.now - (number(one.get("alive")) or started) / 1e9), labels) for labels, one in _kinds(view)
    ]


def _kind_problems(view: View) -> list[Sample]:
    return [
        Sample(count, (*labels, ("reason", reason)))
        for labels, one in _kinds(view)
        for reason, count in numbers(one.get("counts")).items()
    ]


def _missing(view: View) -> list[Sample]:
    return [
        Sample(float(bool(one.get("missing"))), (*labels, ("verb", str(one.get("missing") or ""))))
        for labels, one in _kinds(view)
    ]


KUBERNETES_FAMILIES: tuple[tuple[str, Kind, str, Callable[[View], Iterable[Sample]]], ...] = (
    (
        "hullwatch_audit_status_age_seconds",
        "gauge",
        "How old the numbers of the audit intake are: it writes them every second.",
        lambda view: _age(view, view.audit),
    ),
    ("hullwatch_audit_rules_loaded", "gauge", "Rules that judge audit events now.", _of_audit("rules")),
    ("hullwatch_audit_events_total", "counter", "Audit events that came, by what they were wrapped in.", _events),
    (
        "hullwatch_audit_input_events_total",
        "counter",
        "Audit events that came, by input and its type.",
        of_inputs(_inputs, "events"),
    ),
    (
        "hullwatch_audit_left_out_total",
        "counter",
        "What was not judged, by input, type and reason: truncated, not JSON, klog, came twice and others.",
        left_out(_inputs),
    ),
    (
        "hullwatch_audit_out_of_order_total",
        "counter",
        "Audit events that came more than a minute after newer ones, by input and type.",
        of_inputs(_inputs, "out_of_order"),
    ),
    (
        "hullwatch_audit_last_event_age_seconds",
        "gauge",
        "How long ago the last audit event came, by input and type; before the first: since it is listened to.",
        last_age(_inputs, "since"),
    ),
    (
        "hullwatch_audit_lag_seconds",
        "gauge",
        "Time from the last event's stage to its coming, by input and type.",
        of_inputs(_inputs, "lag"),
    ),
    (
        "hullwatch_audit_silent",
        "gauge",
        "Whether no event has come for kubernetes.audit.silence, by input and type.",
        of_inputs(_inputs, "silent"),
    ),
    ("hullwatch_audit_alerts_total", "counter", "Alerts of audit events by rule and priority.", _alerts),
    (
        "hullwatch_audit_requests_refused_total",
        "counter",
        "Requests to the webhook that were refused, by code of HTTP.",
        _refused,
    ),
    (
        "hullwatch_audit_connections_failed_total",
        "counter",
        "Connections to the webhook that came to nothing, by reason.",
        _lost,
    ),
    ("hullwatch_audit_connections", "gauge", "Connections to the webhook that are open.", _of_audit("connections")),
    ("hullwatch_audit_waiting_bytes", "gauge", "Bytes of alerts that wait to be kept.", _waiting),
    ("hullwatch_audit_full", "gauge", "Whether nothing is taken now: alerts cannot be kept, or too many wait.", _full),
    ("hullwatch_audit_blind_rules", "gauge", "Rules of which the audit policy hides what they need.", _blind),
    ("hullwatch_audit_problems", "gauge", "Inputs and places that cannot be read or kept now.", _problems),
    (
        "hullwatch_audit_certificate_end_time_seconds",
        "gauge",
        "When the webhook's certificate runs out, seconds since the epoch.",
        _certificate,
    ),
    (
        "hullwatch_cluster_status_age_seconds",
        "gauge",
        "How old the numbers of what follows the cluster are: it writes them every 5 s.",
        lambda view: _age(view, view.cluster),
    ),
    ("hullwatch_cluster_objects", "gauge", "Objects of the cluster that are known, by resource.", _of_kinds("objects")),
    (
        "hullwatch_cluster_age_seconds",
        "gauge",
        "How long ago what is known of a resource was known to be true.",
        _kind_age,
    ),
    (
        "hullwatch_cluster_lists_total",
        "counter",
        "Times a resource was listed whole: at the start, and when the API had forgotten where we were.",
        _of_kinds("lists"),
    ),
    (
        "hullwatch_cluster_problems_total",
        "counter",
        "What went wrong while a resource was followed, by resource and reason (410 Gone, lost connections).",
        _kind_problems,
    ),
    (
        "hullwatch_cluster_right_missing",
        "gauge",
        "Whether the right to a resource is missing, and to which verb.",
        _missing,
    ),
)
