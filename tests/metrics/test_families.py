"""Every metric has its line in the documents, and what dashboards and alert rules ask for is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml

from hullwatch.counters import LATENCY_BOUNDS, Counters, Latency
from hullwatch.metrics.families import FAMILIES, exposition
from hullwatch.metrics.processes import Usage
from hullwatch.metrics.view import View, look
from hullwatch.outputs.state import OutputState
from hullwatch.sources.k8s_audit.inputs import InputStatus
from hullwatch.store.cluster_status import ClusterStatus, FollowedStatus
from hullwatch.store.keeper_status import BatchSeconds, KeeperStatus
from tools.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DEPLOY = ROOT / "deploy"
NAME = re.compile(r"\b(?:hullwatch|falcosecurity)_[a-z0-9_]+\b")


def status() -> dict[str, Any]:
    """Return the status of a run in which everything happened that is counted."""
    counters = Counters(started=1_000_000_000_000, latency=Latency())
    counters.events |= {"execve": 5, "openat": 7}
    counters.drop("openat", "ring_full", 3)
    counters.drop("*", "unreadable")
    counters.alert("Shell in a container", "Notice")
    counters.alert('Rule "x"\n\x1b[31m', "Critical")
    counters.alert("Sensor lost", "Critical", "internal")
    counters.ruled_out["openat"] = 11
    counters.shed["openat"] = 13
    counters.lose_alert("standard output: its reader has gone")
    counters.found_drift("drift", "")
    assert counters.latency is not None
    for seconds in (0.003, 0.3, -1.0, 99.0):
        counters.latency.observe(seconds)
    now = {
        "rules": 170,
        "reloads": {"taken": 1, "refused": 2},
        "engine_restarts": 1,
        "shed_steps": 2,
        "queues": {"held_events": 3},
        "store": {"waiting": 11, "waiting_bytes": 1200, "keeper_restarts": 1},
        "engines": [{"url": "unix:///run/docker.sock", "reachable": True, "kind": "docker"}],
    }
    return msgspec.json.decode(msgspec.json.encode(counters.to_status(pid=1, now=1_005_000_000_000) | now))


def keeper() -> dict[str, Any]:
    """Return what a keeper writes to which everything happened that is counted."""
    took = BatchSeconds(counts=[1] * (len(LATENCY_BOUNDS) + 1), sum=2.5)
    written = KeeperStatus(
        pid=2, started=1, updated=1_007_000_000_000, kept=70, batches=14, batch_seconds=took, removed={"size": 5},
        counts={"came twice": 2}, written=1_006_000_000_000, problem="The disk is full.", incidents_open=4, size=1000,
        limit=2000,
    )  # fmt: skip
    return msgspec.json.decode(msgspec.json.encode(written))


def outputs() -> tuple[dict[str, Any], ...]:
    counters = Counters()
    first, second = (
        OutputState("siem", "http", counters, enabled=True),
        OutputState("me", "file", counters, enabled=True),
    )
    first.put(9)
    first.deliver(3)
    first.drop("its queue is full", 4, "Debug")
    first.drop("its queue is full", 1, "Warning")
    first.drop("damaged", 1)
    first.refuse("No.")
    first.fail("It does not answer.")
    off = OutputState("off", "file", counters, enabled=False)
    states = [first.now(depth=6, size=700, dead_letters=1)]
    states += [one.now(depth=0, size=0, dead_letters=0) for one in (second, off)]
    return tuple(msgspec.json.decode(msgspec.json.encode(states)))


def audit() -> dict[str, Any]:
    """Return what an intake of audit events writes to which everything happened that is counted."""
    counters = Counters()
    counters.alert("Exec into a pod", "Notice", "k8s_audit")
    hook = InputStatus("webhook", 7, {"came twice": 2}, 1, 900 * 10**9, 990 * 10**9, 1.5)
    file = InputStatus("file", since=410 * 10**9, silent=True)
    own: dict[str, Any] = {
        "rules": 155, "by_wrapper": {"native": 7}, "by_input": {"0.0.0.0:9443": hook, "/x.log": file}, "full": "No.",
        "requests": {"answered 401": 4, "too slow": 1}, "connections": 3, "waiting": {"bytes": 5},
        "blind": {"A": "why"}, "problems": ["x"], "certificate_ends": 2000.0,
        "container_logs": {
            "files": 3, "too_many": 2, "problems": ["y", "z"],
            "by_input": {
                "files": InputStatus("file", 9, {"not JSON": 4}, 0, 10**9, 1_000 * 10**9, 2.5),
                "/aws/x": InputStatus("cloudwatch", since=10**9),
            },
        },
        "baseline": {
            "values": 31, "accepted": 2, "size": 4096, "told": {"user": 3}, "left_out": {"of another form": 1},
            "forgotten": {"no room": 5}, "clusters": {
                "prod": {"began": 10**9, "ends": 9 * 10**9, "learnt": 8 * 10**9, "values": 30},
                "": {"began": 10**9, "ends": 7 * 10**9, "learnt": 0, "values": 1},
            },
        },
    }  # fmt: skip
    return msgspec.json.decode(msgspec.json.encode(counters.to_status(pid=1, now=1_009_000_000_000) | own))


def cluster() -> dict[str, Any]:
    """Return what follows a cluster and lacks a right."""
    pods = FollowedStatus(40, 1_004_000_000_000, 2, counts={"the API had forgotten where we were": 1})
    written = ClusterStatus(
        1, 10**12, 1_008_000_000_000, resources={"pods": pods, "roles": FollowedStatus(missing="list")}
    )
    return msgspec.json.decode(msgspec.json.encode(written))


def text() -> str:
    processes = {"supervisor": Usage(1.5, 1000, 2000), "engine": Usage(8.5, 3000, 4000)}
    return exposition(View(status(), processes, 1010.0, "a-host", "6.1.0", keeper(), outputs(), audit(), cluster()))


def without_help(said: str) -> list[str]:
    return [line for line in said.splitlines() if not line.startswith("#")]


def test_the_numbers_of_a_run_are_all_there() -> None:
    lines = without_help(text())
    for line in (
        'hullwatch_stage_events_total{stage="judged"} 12',
        'hullwatch_stage_events_total{stage="lost"} 4',
        'hullwatch_events_total{type="execve"} 5',
        'hullwatch_events_dropped_total{type="openat",reason="ring_full"} 3',
        'hullwatch_alerts_total{rule="Shell in a container",priority="Notice"} 1',
        'hullwatch_alerts_total{rule="Rule \\"x\\"\\\\n\\\\x1b[31m",priority="Critical"} 1',
        'hullwatch_alert_latency_seconds_bucket{le="0.001"} 1',
        'hullwatch_alert_latency_seconds_bucket{le="0.005"} 2',
        'hullwatch_alert_latency_seconds_bucket{le="10"} 3',
        "hullwatch_alert_latency_seconds_count 4",
        'hullwatch_rules_reloads_total{result="refused"} 2',
        'hullwatch_queue_length{queue="held_events"} 3',
        "hullwatch_status_age_seconds 5",
        'hullwatch_container_engine_up{url="unix:///run/docker.sock",kind="docker"} 1',
        'hullwatch_process_cpu_seconds_total{process="engine"} 8.5',
        'hullwatch_alerts_lost_total{reason="standard output: its reader has gone"} 1',
    ):
        assert line in lines


def test_the_numbers_of_the_keeper_are_there() -> None:
    lines = without_help(text())
    for line in (
        "hullwatch_keeper_status_age_seconds 3",
        "hullwatch_keeper_waiting_alerts 11",
        "hullwatch_keeper_waiting_bytes 1200",
        "hullwatch_keeper_restarts_total 1",
        "hullwatch_keeper_alerts_total 70",
        'hullwatch_keeper_batch_seconds_bucket{le="0.001"} 1',
        "hullwatch_keeper_batch_seconds_count 14",
        "hullwatch_keeper_batch_seconds_sum 2.5",
        'hullwatch_keeper_noted_total{reason="came twice"} 2',
        "hullwatch_incidents_open 4",
        "hullwatch_store_bytes 1000",
        "hullwatch_store_limit_bytes 2000",
        "hullwatch_store_failing 1",
        "hullwatch_store_written_time_seconds 1006",
        'hullwatch_store_removed_alerts_total{reason="size"} 5',
    ):
        assert line in lines


def test_the_numbers_of_each_output_are_there() -> None:
    lines = without_help(text())
    for line in (
        'hullwatch_output_up{output="siem",type="http"} 0',
        'hullwatch_output_up{output="me",type="file"} 1',
        'hullwatch_output_queue_length{output="siem"} 6',
        'hullwatch_output_queue_bytes{output="siem"} 700',
        'hullwatch_output_messages_total{output="siem"} 9',
        'hullwatch_output_delivered_total{output="siem"} 3',
        'hullwatch_output_failures_total{output="siem"} 1',
        'hullwatch_output_refused_total{output="siem"} 1',
        'hullwatch_output_dead_letters{output="siem"} 1',
        'hullwatch_output_dropped_total{output="siem",reason="its queue is full",priority="Debug"} 4',
        'hullwatch_output_dropped_total{output="siem",reason="its queue is full",priority="Warning"} 1',
        'hullwatch_output_dropped_total{output="siem",reason="damaged",priority="unknown"} 1',
    ):
        assert line in lines
    assert not any(line.startswith('hullwatch_output_up{output="off"') for line in lines)


def test_the_numbers_of_each_input_of_audit_events_are_there() -> None:
    lines = without_help(text())
    hook, file = 'input="0.0.0.0:9443",type="webhook"', 'input="/x.log",type="file"'
    for line in (
        "hullwatch_audit_status_age_seconds 1",
        "hullwatch_audit_rules_loaded 155",
        'hullwatch_audit_events_total{wrapper="native"} 7',
        f"hullwatch_audit_input_events_total{{{hook}}} 7",
        f'hullwatch_audit_left_out_total{{{hook},reason="came twice"}} 2',
        f"hullwatch_audit_out_of_order_total{{{hook}}} 1",
        f"hullwatch_audit_last_event_age_seconds{{{hook}}} 20",
        f"hullwatch_audit_last_event_age_seconds{{{file}}} 600",
        f"hullwatch_audit_lag_seconds{{{hook}}} 1.5",
        f"hullwatch_audit_silent{{{hook}}} 0",
        f"hullwatch_audit_silent{{{file}}} 1",
        'hullwatch_audit_alerts_total{rule="Exec into a pod",priority="Notice"} 1',
        'hullwatch_audit_requests_refused_total{code="401"} 4',
        'hullwatch_audit_connections_failed_total{reason="too slow"} 1',
        "hullwatch_audit_connections 3",
        "hullwatch_audit_waiting_bytes 5",
        "hullwatch_audit_full 1",
        "hullwatch_audit_blind_rules 1",
        "hullwatch_audit_problems 1",
        "hullwatch_audit_certificate_end_time_seconds 2000",
    ):
        assert line in lines


def test_the_numbers_of_logs_and_of_what_is_learnt_are_there() -> None:
    lines = without_help(text())
    files, group = 'input="files",type="file"', 'input="/aws/x",type="cloudwatch"'
    for line in (
        "hullwatch_container_log_files 3",
        "hullwatch_container_log_files_left_out 2",
        f"hullwatch_container_log_lines_total{{{files}}} 9",
        f"hullwatch_container_log_lines_total{{{group}}} 0",
        f'hullwatch_container_log_left_out_total{{{files},reason="not JSON"}} 4',
        f"hullwatch_container_log_last_line_age_seconds{{{files}}} 10",
        f"hullwatch_container_log_lag_seconds{{{files}}} 2.5",
        "hullwatch_container_log_problems 2",
        'hullwatch_baseline_learning{cluster="prod"} 0',
        'hullwatch_baseline_learning{cluster=""} 1',
        'hullwatch_baseline_learning_end_time_seconds{cluster="prod"} 8',
        'hullwatch_baseline_learning_end_time_seconds{cluster=""} 7',
        'hullwatch_baseline_values{cluster="prod"} 30',
        "hullwatch_baseline_accepted_values 2",
        "hullwatch_baseline_file_bytes 4096",
        'hullwatch_baseline_news_total{kind="user"} 3',
        'hullwatch_baseline_left_out_total{reason="of another form"} 1',
        'hullwatch_baseline_forgotten_total{reason="no room"} 5',
    ):
        assert line in lines
    assert not any(line.startswith(f"hullwatch_container_log_last_line_age_seconds{{{group}") for line in lines)


def test_the_numbers_of_the_cluster_that_is_followed_are_there() -> None:
    lines = without_help(text())
    for line in (
        "hullwatch_cluster_status_age_seconds 2",
        'hullwatch_cluster_objects{resource="pods"} 40',
        'hullwatch_cluster_age_seconds{resource="pods"} 6',
        'hullwatch_cluster_age_seconds{resource="roles"} 10',
        'hullwatch_cluster_lists_total{resource="pods"} 2',
        'hullwatch_cluster_problems_total{resource="pods",reason="the API had forgotten where we were"} 1',
        'hullwatch_cluster_right_missing{resource="pods",verb=""} 0',
        'hullwatch_cluster_right_missing{resource="roles",verb="list"} 1',
    ):
        assert line in lines


def test_a_run_of_audit_events_alone_has_its_numbers_and_none_of_an_instance_of_before(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_bytes(msgspec.json.encode({"started": 5, "updated": 9, "pid": 3}))
    (tmp_path / "kubernetes.json").write_bytes(msgspec.json.encode(audit() | {"pid": 0, "started": 8}))
    (tmp_path / "cluster.json").write_bytes(msgspec.json.encode(cluster() | {"pid": 4}))
    (tmp_path / "keeper.json").write_bytes(msgspec.json.encode({"updated": 9, "kept": 3}))
    view = look(tmp_path)
    assert (view.status, view.audit["rules"], view.cluster, view.keeper["kept"]) == ({}, 155, {}, 3)
    assert "hullwatch_audit_rules_loaded 155" in exposition(view)
    assert look(tmp_path, 3).audit == {}
    (tmp_path / "kubernetes.json").write_bytes(
        b'{"by_input": 3, "requests": [], "blind": 1, "updated": "x", "baseline": {"clusters": 3, "told": 1},'
        b'"container_logs": {"by_input": {"x": 5}, "files": "many", "problems": 1}}'
    )
    exposition(look(tmp_path))


def test_what_a_keeper_of_before_has_left_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "outputs.json").write_bytes(msgspec.json.encode({"updated": 7, "outputs": outputs()}))
    (tmp_path / "keeper.json").write_bytes(msgspec.json.encode({"updated": 7, "kept": 3}))
    (tmp_path / "status.json").write_bytes(msgspec.json.encode({"started": 5, "pid": 0}))
    view = look(tmp_path)
    assert (view.keeper["kept"], len(view.outputs)) == (3, 3)
    (tmp_path / "status.json").write_bytes(msgspec.json.encode({"started": 8, "pid": 0}))
    assert (look(tmp_path).keeper, look(tmp_path).outputs) == ({}, ())
    (tmp_path / "keeper.json").write_bytes(b'{"updated": 9, "batch_seconds": 3, "counts": 7, "kept": "x"}')
    (tmp_path / "outputs" / "outputs.json").write_bytes(b'{"updated": 9, "outputs": [{}, 3, {"state": []}]}')
    assert "hullwatch_keeper_alerts_total 0" in exposition(look(tmp_path))


def test_falcos_names_have_falcos_labels() -> None:
    lines = [line for line in without_help(text()) if line.startswith("falcosecurity_")]
    for line in (
        "falcosecurity_scap_n_evts_total 16",
        "falcosecurity_scap_n_drops_total 4",
        'falcosecurity_scap_n_drops_buffer_total{drop="open",dir="exit"} 3',
        'falcosecurity_falco_rules_matches_total{rule_name="Shell in a container",priority="5",source="syscall"} 1',
        'falcosecurity_evt_hostname_info{hostname="a-host"} 1',
        'falcosecurity_falco_kernel_release_info{kernel_release="6.1.0"} 1',
        "falcosecurity_falco_duration_seconds_total 10",
        "falcosecurity_falco_cpu_usage_ratio 1",
        "falcosecurity_falco_memory_rss_bytes 4000",
        "falcosecurity_falco_outputs_queue_num_drops_total 1",
    ):
        assert line in lines
    assert "Sensor lost" not in "".join(line for line in lines if "rules_matches" in line)


def test_before_the_first_status_there_is_only_what_the_kernel_and_the_program_say() -> None:
    names = {NAME.match(line) for line in without_help(exposition(View({}, {}, 1.0, "h", "k")))}
    assert {found[0] for found in names if found} == {
        "hullwatch_build_info",
        "falcosecurity_falco_version_info",
        "falcosecurity_falco_kernel_release_info",
        "falcosecurity_evt_hostname_info",
    }


def test_a_status_of_another_version_breaks_nothing() -> None:
    odd = {"events": "many", "dropped": {}, "drift": 3, "alerts_by_rule": {"x": 1}, "latency": None, "updated": 5}
    assert 'hullwatch_alerts_total{rule="x",priority=""} 1' in exposition(View(odd, {}, 1.0, "h", "k"))


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([a-z_0-9]+)` \| (\w+) \| (.+?) \|$", page, re.MULTILINE))
    assert rows == {(family.name, family.kind, family.meaning) for family in FAMILIES}


def asked_for() -> list[tuple[str, str]]:
    """Return each expression of the dashboard and the alert rules, with its file's name."""
    dashboard = json.loads((DEPLOY / "grafana" / "hullwatch.json").read_text(encoding="utf-8"))
    rules = yaml.safe_load((DEPLOY / "prometheus" / "hullwatch.rules.yaml").read_text(encoding="utf-8"))
    found = [(target["expr"], "hullwatch.json") for panel in dashboard["panels"] for target in panel["targets"]]
    found += [(dashboard["templating"]["list"][1]["query"], "hullwatch.json")]
    return found + [(rule["expr"], "hullwatch.rules.yaml") for group in rules["groups"] for rule in group["rules"]]


def test_every_metric_that_the_dashboard_and_the_alert_rules_name_exists() -> None:
    known = {family.name for family in FAMILIES}
    known |= {"hullwatch_alert_latency_seconds_bucket", "hullwatch_keeper_batch_seconds_bucket"}
    expressions = asked_for()
    assert len(expressions) > 20
    assert [(name, file) for text, file in expressions for name in NAME.findall(text) if name not in known] == []


def test_every_label_that_the_dashboard_and_the_alert_rules_name_exists() -> None:
    labels = set(re.findall(r'[{,]([a-z_]+)="', text())) | {"instance"}
    for expression, file in asked_for():
        for names in re.findall(r"by \(([^)]*)\)", expression):
            assert {name.strip() for name in names.split(",")} <= labels, file


def promtool(*arguments: str, given: str = "", folder: Path | None = None) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: apt-get install --no-install-recommends prometheus)")
    done = subprocess.run(
        [program, *arguments], input=given, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def test_promtool_finds_nothing_wrong_with_the_metrics() -> None:
    promtool("check", "metrics", given=text())


def test_promtool_finds_the_alert_rules_right_and_they_fire_when_they_should() -> None:
    folder = DEPLOY / "prometheus"
    promtool("check", "rules", "hullwatch.rules.yaml", folder=folder)
    promtool("test", "rules", "hullwatch.rules.test.yaml", folder=folder)
