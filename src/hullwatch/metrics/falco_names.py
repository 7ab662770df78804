"""The metrics that Falco has too, under its names, so that dashboards made for it go on working.

Source: Falco documentation, "Falco Metrics", of version 0.44. Names that are not here have no counterpart: those of
plugins, of the hashes of files, of the host itself, and times in nanoseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import hullwatch
from hullwatch.config.values import PRIORITIES
from hullwatch.metrics.exposition import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.metrics.exposition import Kind
    from hullwatch.metrics.view import View

# What Falco calls the groups of calls whose events did not fit into the ring buffer.
_GROUPS = {
    **dict.fromkeys(("clone", "clone3", "fork", "vfork"), "clone_fork"),
    **dict.fromkeys(("execve", "execveat"), "execve"),
    **dict.fromkeys(("open", "openat", "openat2", "creat"), "open"),
    **dict.fromkeys(("connect",), "connect"),
    **dict.fromkeys(("close", "close_range"), "close"),
    **dict.fromkeys(("procexit",), "proc_exit"),
    **dict.fromkeys(
        ("unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "link", "linkat",
         "symlink", "symlinkat"),
        "dir_file",
    ),
}  # fmt: skip


def _matches(view: View) -> list[Sample]:
    seen = cast("dict[str, list[str]]", view.status.get("rules_seen", {}))
    samples: list[Sample] = []
    for name, number in view.table("alerts_by_rule").items():
        priority, source = seen.get(name, ["", ""])
        if source == "internal" or priority not in PRIORITIES:
            continue
        place = str(PRIORITIES.index(priority))  # Falco gives the number: 0 is Emergency
        samples.append(Sample(number, (("rule_name", name), ("priority", place), ("source", source))))
    return samples


def _all_events(view: View) -> list[Sample]:
    """Events that the kernel had for us, those among them that found no room."""
    if not view.status:
        return []
    return [Sample(view.number("events") + sum(number for _, _, number in view.dropped()))]


def _drops(view: View) -> list[Sample]:
    return [Sample(sum(number for _, _, number in view.dropped()))] if view.status else []


def _buffer_drops(view: View) -> list[Sample]:
    return [
        Sample(number, (("drop", _GROUPS.get(kind, "other_interest")), ("dir", "exit")))
        for kind, reason, number in view.dropped()
        if reason == "ring_full"
    ]


def _output_drops(view: View) -> list[Sample]:
    return [Sample(sum(view.table("alerts_lost").values()))] if view.status else []


def _duration(view: View) -> list[Sample]:
    return [Sample(max(0.0, view.now - view.number("started") / 1e9))] if view.status else []


def _cpu_share(view: View) -> list[Sample]:
    """CPU seconds of all processes for each second of the run: what ``ps`` calls %CPU, as a share."""
    if not view.status or not view.processes:
        return []
    seconds = max(1.0, view.now - view.number("started") / 1e9)
    return [Sample(sum(usage.cpu for usage in view.processes.values()) / seconds)]


def _resident(view: View) -> list[Sample]:
    return [Sample(sum(usage.resident for usage in view.processes.values()))] if view.processes else []


def _addressed(view: View) -> list[Sample]:
    return [Sample(sum(usage.addressed for usage in view.processes.values()))] if view.processes else []


FALCO_FAMILIES: tuple[tuple[str, Kind, str, Callable[[View], Iterable[Sample]]], ...] = (
    (
        "falcosecurity_falco_version_info",
        "gauge",
        "Version, of Hullwatch; always 1.",
        lambda _: [Sample(1, (("version", hullwatch.__version__),))],
    ),
    (
        "falcosecurity_falco_kernel_release_info",
        "gauge",
        "The kernel of this host; always 1.",
        lambda view: [Sample(1, (("kernel_release", view.kernel),))],
    ),
    (
        "falcosecurity_evt_hostname_info",
        "gauge",
        "Name of this host; always 1.",
        lambda view: [Sample(1, (("hostname", view.host),))],
    ),
    ("falcosecurity_falco_duration_seconds_total", "counter", "How long the engine has run.", _duration),
    ("falcosecurity_falco_cpu_usage_ratio", "gauge", "Cores that all processes used since the start.", _cpu_share),
    ("falcosecurity_falco_memory_rss_bytes", "gauge", "Memory in use by all processes.", _resident),
    ("falcosecurity_falco_memory_vsz_bytes", "gauge", "Memory that all processes address.", _addressed),
    ("falcosecurity_falco_outputs_queue_num_drops_total", "counter", "Alerts that were not delivered.", _output_drops),
    ("falcosecurity_falco_rules_matches_total", "counter", "Alerts by rule; 0 is the priority Emergency.", _matches),
    ("falcosecurity_scap_n_evts_total", "counter", "Events that the kernel had for rules, lost ones too.", _all_events),
    ("falcosecurity_scap_n_drops_total", "counter", "Events that were lost.", _drops),
    (
        "falcosecurity_scap_n_drops_buffer_total",
        "counter",
        "Events that found no room in a ring buffer, by Falco's groups of calls.",
        _buffer_drops,
    ),
)
