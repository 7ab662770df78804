"""``hullwatch k8s baseline``, and replays that learn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from hullwatch.cli.errors import run_safely
from hullwatch.cli.k8s_baseline import complete_kind
from hullwatch.cli.main import app
from hullwatch.config.kubernetes_baseline_settings import BaselineSettings
from hullwatch.store.baseline_keeping import BaselineKeeping
from tests.baseline.events import HOUR, MONDAY, call, deployment
from tests.cli.in_process import Command, command
from tools.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]

PACK = ROOT / "src" / "hullwatch" / "packs" / "rules" / "kubernetes"
LOG = str(ROOT / "tests" / "data" / "kubernetes" / "audit.jsonl.gz")


def learn(state: Path) -> tuple[str, str]:
    """Learn some hours of alice's work; return the flags with which verbs look there."""
    run = BaselineKeeping(BaselineSettings(learn=3600.0), state)
    for hour in range(4):
        run.look(call(MONDAY + hour * HOUR))
        run.look(deployment(MONDAY + hour * HOUR))
    run.close()
    return "--state-directory", str(state)


def test_what_is_learnt_is_shown_with_since_when_how_often_and_whether_it_is_learning(
    command: Command, tmp_path: Path
) -> None:
    flags = learn(tmp_path)
    code, lines, _ = command("k8s", "baseline", "show", *flags)
    assert code == 0
    assert lines[0] == "Cluster (no name): since 2025-11-17 00:00 UTC, guarding since 2025-11-17 01:00 UTC."
    assert ["registry", "1", "2025-11-17", "03:00", "UTC"] in [line.split() for line in lines]
    code, (line,), _ = command("k8s", "baseline", "show", "registry", *flags, "-o", "json")
    assert json.loads(line) == {
        "cluster": "", "kind": "registry", "value": "registry.example", "count": 4, "new": False,
        "first": "2025-11-17T00:00:00.000000000Z", "last": "2025-11-17T03:00:00.000000000Z",
    }  # fmt: skip
    code, lines, _ = command("k8s", "baseline", "show", "hour", *flags)
    assert lines[1].split() == ["alice", "8", "1", "8", "0", "0", "0", "0", "0", "0", "00-04"]


def test_how_many_values_are_shown_is_a_limit_and_n_still_says_so(command: Command) -> None:
    shown = [
        command("k8s", "baseline", "show", "user", "--from", LOG, flag, "1") for flag in ("--limit", "--number", "-n")
    ]
    assert [len(lines) for _, lines, _ in shown] == [2, 2, 2]
    assert all("--limit 0 shows all" in said for _, _, said in shown)


def test_what_would_be_learnt_of_a_log_is_shown_without_keeping_anything(command: Command) -> None:
    code, lines, _ = command("k8s", "baseline", "show", "--from", LOG)
    assert code == 0
    assert lines[0] == "Cluster (no name): since 2026-11-21 21:34 UTC, learning until 2026-11-28 21:34 UTC."
    code, lines, _ = command("k8s", "baseline", "show", "grant", "--from", LOG, "-o", "json")
    assert {json.loads(line)["value"] for line in lines} == {
        "user:alice gets ClusterRole/reader everywhere",
        "sa:shop/web gets ClusterRole/cluster-admin everywhere",
        "user:system:anonymous gets ClusterRole/view everywhere",
        "user:mallory gets Role/podexec in shop",
    }


def test_a_value_is_accepted_with_a_reason_and_that_can_be_tried_and_undone(command: Command, tmp_path: Path) -> None:
    flags = learn(tmp_path)
    accept = ("k8s", "baseline", "accept", "registry", "ghcr.io")
    code, lines, _ = command(*accept, "--dry-run", *flags)
    assert (code, lines) == (0, ["It would accept registry ghcr.io; 0 values of it are known."])
    assert command(*accept, *flags)[0] == 2
    code, (line,), _ = command(*accept, "--why", "ours now", *flags)
    assert line.startswith("1: registry ghcr.io is accepted, and never new; 0 values of it are known. By ")
    assert line.endswith(": ours now")
    assert command("k8s", "baseline", "undo", "1", "--why", "not ours", *flags)[0] == 0
    assert command("k8s", "baseline", "forget", "user", "alice", "--why", "left", *flags)[0] == 0
    code, lines, _ = command("k8s", "baseline", "decisions", *flags, "-o", "json")
    found = [json.loads(line) for line in lines]
    assert [(one["verb"], one["kind"], one["value"], one["why"], one["undone"]) for one in found] == [
        ("accept", "registry", "ghcr.io", "ours now", 2),
        ("undo", "registry", "ghcr.io", "not ours", 1),
        ("forget", "user", "alice", "left", 0),
    ]
    code, lines, _ = command("k8s", "baseline", "decisions", *flags)
    assert "accept (undone by 2)" in lines[3]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("accept", "registri", "x", "--why", "w"), "did you mean registry?"),
        (("accept", "registry", "*", "--why", "w"), "every value there is"),
        (("accept", "registry", "--why", "w"), "KIND and VALUE, or --alert ID"),
        (("forget", "user", "nobody", "--why", "w"), "There is no user nobody"),
        (("undo", "7", "--why", "w"), "no accepted value with the number 7"),
        (("show", "managd"), "did you mean managed?"),
        (("show", "--from", "/nowhere"), "/nowhere"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    code, _, said = command("k8s", "baseline", *arguments, *learn(tmp_path))
    assert code == 2
    assert sentence in said


def test_all_that_is_new_by_an_alert_is_accepted(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_STATE", str(tmp_path))
    flags = learn(tmp_path)
    log = tmp_path / "audit.log"
    log.write_text(json.dumps(deployment(MONDAY + 4 * HOUR, "ghcr.io/tools/sh:1")))
    kept = str(tmp_path / "baseline.db")
    assert command("replay", str(log), "--source", "k8s_audit", "--store", "--baseline", kept)[0] == 0
    lines = command("alerts", "--rule", "Image of a new registry", "-o", "json", *flags)[1]
    (alert,) = map(json.loads, lines)
    code, (line,), _ = command("k8s", "baseline", "accept", "--alert", alert["id"], "--why", "seen with Bob", *flags)
    assert code == 0
    assert line.startswith("1: registry ghcr.io is accepted")
    assert command("k8s", "baseline", "accept", "--alert", "k2", "--why", "w", *flags)[0] == 2


def test_kinds_are_completed() -> None:
    assert complete_kind("user") == ["user", "useragent", "user.useragent", "user.network"]


def replay(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Return the exit code, the alerts, and standard error of a replay, which writes past Python's own streams."""
    rules = [flag for name in ("base", "baseline") for flag in ("-r", str(PACK / f"{name}.yaml"))]
    words = ["replay", *arguments, "--source", "k8s_audit", "-o", "json", *rules]
    main = typer.main.get_command(app).main
    code = run_safely(lambda: main(words, prog_name="hullwatch", standalone_mode=False))
    said = capfd.readouterr()
    return code, [json.loads(line) for line in said.out.splitlines()], said.err


def test_a_replay_learns_until_a_time_and_then_tells_what_is_new(capfd: pytest.CaptureFixture[str]) -> None:
    assert replay(capfd, LOG)[1] == []
    code, alerts, said = replay(capfd, LOG, "--learn-until", "2026-11-21T21:35:06Z")
    assert code == 0
    assert {one["rule"] for one in alerts} == {
        "Image of a new registry", "Workload delivered in a new way", "Account for emergencies used",
        "New grant of a role", "New program calls", "New user calls", "Namespace used for the first time",
        "Person does what they never did",
    }  # fmt: skip
    grant = next(one for one in alerts if one["rule"] == "New grant of a role")["output_fields"]
    assert grant["ka.new.grant.why"] == "first seen now; learnt since 2026-11-21; 0 other grants known"
    assert "was learnt until 2026-11-21 21:35 UTC" in said


def test_a_replay_knows_what_was_kept_and_leaves_it_as_it_is(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    learn(tmp_path)
    log, kept = tmp_path / "audit.log", tmp_path / "baseline.db"
    before = kept.read_bytes()
    later = MONDAY + 5 * HOUR
    log.write_text("".join(json.dumps(one) + "\n" for one in (call(later), deployment(later), call(later, "mallory"))))
    code, alerts, _ = replay(capfd, str(log), "--baseline", str(kept))
    assert code == 0
    assert [one["rule"] for one in alerts if "first seen now" in one["output"]] == ["New user calls"]
    assert kept.read_bytes() == before


def test_flags_of_learning_are_for_audit_events(command: Command) -> None:
    code, _, said = command("replay", LOG, "--learn-until", "2026-11-21")
    assert code == 2
    assert "for --source k8s_audit" in said
