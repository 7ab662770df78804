"""Verbs that the running instance answers say what they say of the store, and fall back to it."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.api.conftest import MEMBER, SERVICE, ask_as
from tests.cli.in_process import Command, command
from tests.receivers import WebReceiver

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Held

__all__ = ["command"]

WAKING = 64  # bytes that the process may read when nobody asks: what wakes it

VERBS = [
    ["alerts", "-n", "3"],
    ["alerts", "-n", "0", "-o", "json"],
    ["alerts", "proc.pid < 5", "--until", "1h"],
    ["alerts", "--rule", "Last*", "--priority", "warning", "--count"],
    ["alerts", "proc.name = nothing"],
    ["alerts", "proc.nam = x"],
    ["issues"],
    ["issues", "--all", "-o", "json"],
    ["issues", "show", "i_"],
    ["issues", "show", "../x"],
    ["incidents"],
    ["incidents", "-o", "json", "-n", "1"],
    ["incidents", "show", "n"],
    ["incidents", "show", "n", "-o", "json"],
    ["incidents", "why", "n"],
    ["incidents", "why", "n", "-o", "json"],
    ["decisions"],
    ["decisions", "-o", "json", "-n", "2"],
    ["issues", "mute", "--where", "proc.pid < 5", "--dry-run"],
    ["issues", "mute", "--where", "proc.nam = 5", "--dry-run"],
    ["issues", "unmute", "7777"],
    ["issues", "ack", "zzz"],
    ["store", "info"],
    ["store", "info", "-o", "json"],
    ["store", "check"],
    ["respond", "undo", "zzz"],
    ["events", "-n", "3"],
    ["events", "proc.name = wget", "-o", "json", "-p", "%evt.num %evt.time %fd.name"],
    ["events", "--since", "1h", "-o", "json", "-p", "%evt.num %fd.name"],
    ["events", "proc.name = nobody"],
    ["events", "proc.nam = x"],
    ["events", "--until", "5"],
]


@pytest.fixture
def running(held: Held, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Held:
    """Have verbs find the instance as they do: by the settings."""
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_RUN", str(held.run))
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_STATE", str(held.state))
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_CACHE", str(tmp_path))
    return held


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_verb_says_the_same_whoever_answers(command: Command, running: Held, verb: list[str]) -> None:
    asked = running.asked()
    by_instance = command(*verb)
    assert running.asked() - asked > WAKING, "it did not ask"
    os.environ["HULLWATCH_DIRECTORIES_RUN"] = f"{running.run}/nobody"  # put back by the fixture
    before = running.asked()
    by_store = command(*verb)
    assert running.asked() - before < WAKING, "it asked"
    assert by_instance == by_store


def test_issues_are_shown_and_decided_by_whoever_the_kernel_says(command: Command, running: Held) -> None:
    _, lines, _ = command("issues", "--all", "-o", "json")
    target = json.loads(lines[-1])["id"]
    assert command("issues", "show", target)[0] == 0
    for verb in (
        ["assign", target, "eve"],
        ["mute", target, "--for", "1d", "--why", "x"],
        ["unmute", target],
        ["ack", target],
    ):
        code, (said, *_), _ = command("issues", *verb)
        assert (code, said.startswith(f"{target}: ")) == (0, True)
    code, (said, *_), _ = command("issues", "mute", "--where", "proc.name = x", "--for", "1d", "--why", "y")
    number = said.split()[1].rstrip(":")
    assert command("issues", "unmute", number)[1][0].startswith(f"mute {number}: muted no more where proc.name = x by ")
    found = [json.loads(line) for line in command("decisions", "-o", "json", "-n", "4")[1]]
    assert all("(0)" in one["who"] or " as root" in one["who"] for one in found)
    assert running.asked()


def test_what_only_an_instance_knows_is_asked_of_it(command: Command, running: Held) -> None:
    assert command("metrics")[1][0].startswith("# HELP hullwatch_build_info")
    assert json.loads(command("metrics", "-o", "json")[1][0])["name"] == "hullwatch_build_info"
    assert command("outputs", "list")[1][1].split()[:2] == ["hook", "http"]
    assert "nothing is touched" in command("respond", "list")[1][0]
    assert command("store", "vacuum")[1][0].startswith(f"{running.state}/store.db had ")
    assert "There is no output" in command("outputs", "retry", "zz/../z")[2]
    checks = [json.loads(line) for line in command("doctor", "-o", "json")[1]]
    assert {"name": "api", "status": "ok", "sentence": f"Verbs are answered at {running.path}.", "fix": ""} in checks
    assert [one["name"] for one in checks[-4:]] == ["store", "output", "instance", "api"]
    code, lines, _ = command("escalation", "who", "--at", "2026-12-24T18:00", "--days", "1")
    assert (code, lines[0].split()[:2]) == (0, ["ROSTER", "on-call"])


def test_an_output_is_tried_by_the_instance_in_the_name_of_who_asks_and_its_secret_is_not_told(
    command: Command, running: Held
) -> None:
    web = WebReceiver()
    secret = running.state.parent / "hook-url"
    code, _, said = command("outputs", "test", "hook")  # there is no such file yet
    assert (code, f"the file {secret} cannot be read" in said) == (3, True)
    secret.touch(0o600)
    try:
        secret.write_text(f"{web.url}in/T0SECRET99")
        code, (line,), said = command("outputs", "test", "hook")
        assert (code, line.endswith(" was delivered to hook: 200 OK: thanks"), said) == (0, True, "")
        assert f"of Hullwatch on {socket.gethostname()}, by " in json.loads(web.requests[0].body)["output"]
        web.behave = lambda _: (403, "T0SECRET99 is wrong")
        code, (line,), _ = command("outputs", "test", "hook", "-o", "json")
        assert (code, json.loads(line)["delivered"], "T0SECRET99" in line) == (3, False, False)
        asked = ask_as(MEMBER, [SERVICE], running, "/v1/outputs/hook/test", {"dry_run": True})
        assert f", by uid {MEMBER} ({MEMBER});" in asked.document["would_send"], asked
        assert len(web.requests) == 2
    finally:
        secret.unlink()
        web.close()
    assert "There is no output" in command("outputs", "test", "hok")[2]


def test_an_instance_that_keeps_another_store_is_not_asked(
    command: Command, running: Held, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_STATE", str(tmp_path))
    code, _, said = command("issues")
    assert (code, f"There is no store at {tmp_path}/store.db" in said) == (3, True)
    assert running.path.exists()


def test_a_socket_where_others_may_put_one_is_not_trusted(command: Command, running: Held) -> None:
    running.run.chmod(0o730)
    try:
        asked = running.asked()
        assert command("store", "info")[0] == 0
        assert running.asked() == asked
    finally:
        running.run.chmod(0o710)
