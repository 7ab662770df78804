"""The verbs over the store, as people type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hullwatch.store import deciding
from hullwatch.store.deciding import who
from hullwatch.store.sqlite import SqliteDatabase
from tests.cli.in_process import Command, command
from tests.store.stored import SHELL, alert, batch, keeping, packed

__all__ = ["command"]

FLAGS = "--state-directory"


@pytest.fixture
def state(tmp_path: Path) -> str:
    """A store with forty alerts of three rules in two containers, the last one now."""
    now = time.time_ns()
    database = SqliteDatabase(tmp_path / "store.db", make=True)
    keeper = keeping(database)
    keeper.take(batch(0, 30))
    keeper.take(batch(30, 9, rule="Quiet", priority="Notice", container_id="ba9876543210", container_name="db"))
    keeper.take([packed(alert(0, time=now, rule="Last\x1b[2J", priority="Critical", process="nc"), 39)])
    database.close()
    return str(tmp_path)


def test_alerts_are_listed_the_newest_first_and_escaped(command: Command, state: str) -> None:
    code, lines, _ = command("alerts", FLAGS, state)
    assert code == 0
    assert len(lines) == 40
    assert "Critical Last\\x1b[2J | web-1" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (["container.name = db"], 9),
        (["proc.pid < 5"], 6),
        (["--since", "1h"], 1),
        (["--until", "1h", "-n", "0"], 39),
        (["--rule", "Qui*", "--rule", "Last*"], 10),
        (["--priority", "warning", "alert.rule != Quiet"], 31),
        (["-n", "7"], 7),
        (["proc.name = nothing"], 0),
    ],
)
def test_alerts_are_chosen(command: Command, state: str, arguments: list[str], number: int) -> None:
    code, lines, said = command("alerts", *arguments, FLAGS, state)
    assert (code, len(lines)) == (0, number)
    assert bool(said) == (number == 0)
    if "-n" not in arguments:
        assert command("alerts", *arguments, "--count", FLAGS, state)[1] == [str(number)]


def test_alerts_as_json_are_falcos_with_their_place(command: Command, state: str) -> None:
    _, lines, _ = command("alerts", "-o", "json", "-n", "1", FLAGS, state)
    found = json.loads(lines[0])
    assert (found["rule"], found["id"], found["hostname"]) == ("Last\x1b[2J", "run-27", "node-1")
    assert found["issue"].startswith("i")
    assert found["incident"].startswith("n")
    assert found["output_fields"]["proc.name"] == "bash"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["alerts", "proc.nam = x"], "The condition is wrong at character 1"),
        (["alerts", "--since", "yesterday"], '"yesterday" is no time'),
        (["alerts", "--since", "2026-13-01"], "is no time: write how long ago (24h)"),
        (["alerts", "-n", "-1"], "-n is 0 or more"),
        (["issues", "show", "i_"], 'There is no issue "i_"'),
        (["incidents", "show", ""], 'There is no incident ""'),
        (["issues", "ack", "i"], "is the beginning of several issues"),
        (["issues", "mute", "--for", "1d", "--why", "x"], "Say what to mute"),
        (["issues", "mute", "--where", "proc.nam = x", "--for", "1d", "--why", "x"], "The condition is wrong"),
        (["issues", "mute", "--where", "proc.name = x", "--why", "x"], "Say for how long with --for"),
        (["issues", "mute", "--where", "proc.name = x", "--for", "1d"], "Say why with --why"),
        (["issues", "unmute", "7"], 'Nothing is muted by "7"'),
    ],
)
def test_what_is_wrong_is_a_sentence(command: Command, state: str, arguments: list[str], sentence: str) -> None:
    code, lines, said = command(*arguments, FLAGS, state)
    assert (code, lines) == (2, [])
    assert sentence in said


def test_an_unknown_id_names_the_nearest(command: Command, state: str) -> None:
    _, lines, _ = command("issues", "-o", "json", FLAGS, state)
    known = json.loads(lines[0])["id"]
    wrong = known[:-1] + ("0" if known[-1] != "0" else "1")
    code, _, said = command("issues", "show", wrong, FLAGS, state)
    assert code == 2
    assert f"the nearest are {known}" in said


def test_an_id_where_a_verb_belongs_and_one_of_the_other_kind_are_told_what_they_lack(
    command: Command, state: str
) -> None:
    _, lines, _ = command("issues", "-o", "json", FLAGS, state)
    known = json.loads(lines[0])["id"]
    assert command("issues", known, FLAGS, state)[2].endswith(f"hullwatch issues show {known}\n")
    said = f'"{known}" is one of the issues: hullwatch issues show {known}\n'
    assert command("incidents", "show", known, FLAGS, state) == (2, [], said)


def test_what_was_decided_and_found_is_told_to_programs_too(command: Command, state: str) -> None:
    _, lines, _ = command("issues", "-o", "json", FLAGS, state)
    known = json.loads(lines[0])["id"]
    for verb, *more in (["ack"], ["assign", "bob"], ["close", "--reason", "x"], ["reopen"], ["mute"], ["unmute"]):
        wanted = ["--for", "1d", "--why", "x"] if verb == "mute" else []
        _, (line,), _ = command("issues", verb, known, *more, *wanted, "-o", "json", FLAGS, state)
        assert (json.loads(line)["verb"], json.loads(line)["target"]) == (verb, known)
    assert json.loads(command("store", "check", "-o", "json", FLAGS, state)[1][0])["problems"] == []
    smaller = json.loads(command("store", "vacuum", "-o", "json", FLAGS, state)[1][0])
    assert smaller["after"] <= smaller["before"]
    assert json.loads(command("store", "upgrade", "-o", "json", FLAGS, state)[1][0])["version"] >= 1


def test_without_a_store_people_are_told_what_makes_one(command: Command, tmp_path: Path) -> None:
    for verb in (["alerts"], ["issues"], ["incidents"], ["decisions"], ["store", "info"], ["issues", "ack", "i1"]):
        code, _, said = command(*verb, FLAGS, str(tmp_path))
        assert code == 3
        assert f"There is no store at {tmp_path}/store.db: it is made when 'hullwatch run' starts." in said


def issue_of(command: Command, state: str, rule: str) -> str:
    _, lines, _ = command("issues", "--all", "-o", "json", FLAGS, state)
    return next(found["id"] for found in map(json.loads, lines) if found["rule"] == rule)


def test_what_is_closed_is_not_acknowledged_and_what_is_open_not_opened_again(command: Command, state: str) -> None:
    known = issue_of(command, state, SHELL)
    assert command("issues", "reopen", known, FLAGS, state) == (2, [], f"{known} is open already.\n")
    command("issues", "close", known, "--reason", "x", FLAGS, state)
    code, _, said = command("issues", "ack", known, FLAGS, state)
    assert (code, said) == (2, f"{known} is closed: 'hullwatch issues reopen {known}' opens it again.\n")
    assert [json.loads(line)["verb"] for line in command("decisions", "-o", "json", FLAGS, state)[1]] == ["close"]


def test_issues_are_listed_shown_and_decided_on(command: Command, state: str) -> None:
    _, lines, _ = command("issues", FLAGS, state)
    assert lines[0].startswith("ID ")
    assert len(lines) == 4
    known = issue_of(command, state, SHELL)
    assert command("issues", "ack", known[:6], FLAGS, state)[1] == [f"{known}: acknowledged by {who()}."]
    command("issues", "assign", known, "bob", FLAGS, state)
    command("issues", "close", known, "--reason", "the image is fixed", FLAGS, state)
    assert len(command("issues", FLAGS, state)[1]) == 3
    _, lines, _ = command("issues", "show", known, FLAGS, state)
    assert lines[1].endswith("closed, bob looks after it, in nginx:1.25")
    assert [line.split("  ", 2)[2] for line in lines[-3:]] == [
        f"acknowledged by {who()}",
        f"assigned to bob by {who()}",
        f"closed by {who()}: the image is fixed",
    ]
    command("issues", "reopen", known, FLAGS, state)
    _, lines, _ = command("issues", "show", known, "-o", "json", FLAGS, state)
    found = json.loads(lines[0])
    assert (found["state"], found["assignee"], len(found["alerts"])) == ("open", "bob", 5)
    assert [one["verb"] for one in found["decisions"]] == ["ack", "assign", "close", "reopen"]
    _, lines, _ = command("decisions", "-o", "json", "-n", "1", FLAGS, state)
    assert json.loads(lines[0])["verb"] == "reopen"
    assert len(command("decisions", FLAGS, state)[1]) == 4


def test_a_mute_can_be_tried_made_and_ended(command: Command, state: str) -> None:
    known = issue_of(command, state, SHELL)
    for arguments, number in ((["--where", "proc.pid < 5"], 6), ([known], 30), ([known, "--where", "proc.pid < 5"], 5)):
        _, lines, _ = command("issues", "mute", *arguments, "--dry-run", "-o", "json", FLAGS, state)
        assert json.loads(lines[0]) == {"would_mute": number, "kept": 40}
    assert command("decisions", FLAGS, state)[1] == ["Nobody has decided anything yet."]
    command("issues", "mute", known, "--for", "7d", "--why", "known", FLAGS, state)
    _, lines, _ = command("issues", "mute", "--where", "proc.name = x", "--for", "1h", "--why", "y", FLAGS, state)
    assert lines[0].startswith("mute 2: muted until ")
    assert any(line.startswith(known) and " muted " in line for line in command("issues", FLAGS, state)[1])
    assert command("issues", "unmute", known, FLAGS, state)[1] == [f"{known}: muted no more by {who()}."]
    assert command("issues", "unmute", "2", FLAGS, state)[0] == 0
    assert command("issues", "unmute", "2", FLAGS, state)[0] == 2
    assert not any("muted" in line for line in command("issues", FLAGS, state)[1])


def test_incidents_are_listed_shown_and_explained(command: Command, state: str, tmp_path: Path) -> None:
    _, lines, _ = command("incidents", FLAGS, state)
    assert len(lines) == 2
    known = lines[1].split()[0]
    _, lines, _ = command("incidents", "show", known, FLAGS, state)
    assert any(SHELL in line for line in lines)
    assert json.loads(command("incidents", "show", known, "-o", "json", FLAGS, state)[1][0])["count"] == 31
    drawing = tmp_path / "tree.svg"
    assert command("incidents", "show", known, "--svg", str(drawing), FLAGS, state) == (0, [], "")
    assert drawing.read_text().startswith("<?xml")
    assert command("incidents", "show", known, "--svg", str(drawing), FLAGS, state)[0] == 2  # it is there
    _, lines, _ = command("incidents", "why", known, FLAGS, state)
    assert lines[1].endswith("it opened the incident")
    assert lines[2].endswith("the same container")
    assert lines[-1] == "  container 0123456789ab"
    _, lines, _ = command("incidents", "why", known, "-o", "json", FLAGS, state)
    assert [step["why"] for step in json.loads(lines[0])["steps"]] == ["", "the same container"]
    command("incidents", "close", known, "--reason", "done", FLAGS, state)
    assert len(command("incidents", FLAGS, state)[1]) == 1
    assert len(command("incidents", "--all", FLAGS, state)[1]) == 2


def test_the_store_is_described_checked_and_made_smaller(command: Command, state: str, tmp_path: Path) -> None:
    _, lines, _ = command("store", "info", "-o", "json", FLAGS, state)
    found = json.loads(lines[0])
    assert (found["alerts"], found["issues"], found["incidents"], found["removed"]) == (40, 3, 1, {})
    assert any(line.split() == ["alerts", "40"] for line in command("store", "info", FLAGS, state)[1])
    assert command("store", "check", FLAGS, state)[1] == [f"{tmp_path}/store.db is sound."]
    assert command("store", "vacuum", FLAGS, state)[0] == 0
    data = bytearray((tmp_path / "store.db").read_bytes())
    for begin in range(8192, len(data), 4096):
        data[begin : begin + 64] = b"\xff" * 64
    (tmp_path / "store.db").write_bytes(data)
    code, lines, said = command("store", "check", FLAGS, state)
    assert code in {1, 3}
    assert lines or "is damaged" in said


def test_ids_are_completed(command: Command, state: str) -> None:
    known = issue_of(command, state, SHELL)
    for words, expected in ((f"hullwatch issues show {known[:3]}", known), ("hullwatch incidents ack n", "n012345")):
        environment = {
            **os.environ,
            "HULLWATCH_DIRECTORIES_STATE": state,
            "_HULLWATCH_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": "3",
        }
        program = Path(sys.executable).with_name("hullwatch")
        done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
        assert done.stdout.split() == [expected]


def test_who_decides_is_who_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    login = tmp_path / "loginuid"
    monkeypatch.setattr(deciding, "LOGIN", login)
    monkeypatch.setattr("os.getuid", lambda: 0)
    login.write_text("1\n")
    assert who({"SUDO_UID": "2"}) == "daemon (1) as root"
    login.write_text("4294967295")
    assert who({"SUDO_UID": "2"}) == "bin (2) as root"
    assert who({"SUDO_UID": "99999999999999"}) == who({}) == "root (0)"
    monkeypatch.setattr("os.getuid", lambda: 1)
    assert who({"SUDO_UID": "2"}) == "daemon (1)"


def test_a_replay_keeps_its_alerts_only_when_it_is_told_to(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_STATE", str(tmp_path / "state"))
    events, rules = tmp_path / "events.ndjson", tmp_path / "rules.yaml"
    events.write_text('{"evt.type": "openat", "fd.name": "/etc/shadow", "proc.name": "cat"}\n' * 3)
    rules.write_text(
        "- {rule: R, desc: d, condition: fd.name = /etc/shadow, output: '%fd.name', priority: ERROR,"
        " warn_evttypes: false}\n"
    )
    assert command("replay", str(events), "-r", str(rules))[0] == 0
    assert not (tmp_path / "state").exists()
    said = command("replay", str(events), "-r", str(rules), "--store")[2]
    assert "3  alerts kept in the store" in said
    assert command("alerts", "proc.name = cat", "--count")[1] == ["3"]
    assert len(command("issues")[1]) == 2
