"""What is ordinary in clusters is told and decided by the instance, for those who may not read its files."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.store.baseline_file import FILE
from tests.api.conftest import HOSTILE, MEMBER, SERVICE, STRANGER, ask_as
from tests.api.members import find, verb_as
from tests.cli.in_process import Command, command
from tests.cli.test_k8s_baseline import learn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Answer, Held

__all__ = ["command"]
PATH = "/v1/kubernetes/baseline"


@pytest.fixture
def running(held: Held, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Held:
    """An instance that has learnt some hours of a cluster."""
    find(held, monkeypatch, tmp_path)
    if not (held.state / FILE).exists():
        learn(held.state)
        for path in held.state.glob(f"{FILE}*"):
            os.chown(path, SERVICE, SERVICE)
    return held


def verb(*words: str) -> list[Any]:
    """Run a verb as a member of the group."""
    return verb_as(MEMBER, "k8s", "baseline", *words)


def decide(held: Held, **wish: object) -> Answer:
    """Ask for a decision as a member of the group."""
    return ask_as(MEMBER, [SERVICE], held, f"{PATH}/decisions", wish)


def test_a_member_decides_in_the_name_that_the_kernel_knows_and_that_is_told_the_same_by_the_files(
    command: Command, running: Held
) -> None:
    accept = "accept", "registry", "ghcr.io/*"
    assert verb(*accept, "--dry-run") == [0, ["It would accept registry ghcr.io/*; 0 values of it are known."], ""]
    assert (verb(*accept)[0], "Say why" in verb(*accept)[2]) == (2, True)
    code, (line,), said = verb(*accept, "--why", HOSTILE)
    number = line.split(":")[0]
    assert (code, said) == (0, "")
    assert f"By uid {MEMBER} ({MEMBER}): Last" in line
    assert not set("\x1b\x9b\u202e") & set(line)
    assert verb("forget", "user", "alice", "--why", "left \udcff")[0] == 0  # no UTF-8
    assert verb("undo", number, "--why", "not ours")[1] == [
        f"{int(number) + 2}: registry ghcr.io/* is accepted no more (decision {number})."
    ]
    code, lines, _ = verb("decisions", "-o", "json")
    found = [json.loads(one) for one in lines[-3:]]
    assert [(one["verb"], one["value"], one["who"]) for one in found] == [
        ("accept", "ghcr.io/*", f"uid {MEMBER} ({MEMBER})"),
        ("forget", "alice", f"uid {MEMBER} ({MEMBER})"),
        ("undo", "ghcr.io/*", f"uid {MEMBER} ({MEMBER})"),
    ]
    flags = "--state-directory", str(running.state)
    assert command("k8s", "baseline", "accept", "user", "\udcff", "--why", "\udcff", *flags)[0] == 0
    for words in (["decisions"], ["decisions", "-o", "json"]):
        assert verb(*words) == list(command("k8s", "baseline", *words, *flags))


@pytest.mark.parametrize("words", ["", "-o json", "user", "call -n 1", "registry -o json", "hour", "hour -o json"])
def test_what_was_learnt_is_told_to_members_as_the_files_have_it_and_to_nobody_else(
    command: Command, running: Held, words: str
) -> None:
    by_file = command("k8s", "baseline", "show", *words.split(), "--state-directory", str(running.state))
    assert (by_file[0], len(by_file[1]) > 0) == (0, True)
    assert verb("show", *words.split()) == list(by_file)
    code, lines, said = verb_as(STRANGER, "k8s", "baseline", "show", *words.split())
    assert (code, lines, said.count("\n")) == (3, [], 1)


def test_all_that_is_new_by_an_alert_is_accepted_by_the_instance_which_alone_may_read_it(running: Held) -> None:
    found = ask_as(MEMBER, [SERVICE], running, "/v1/alerts?limit=1&form=whole").document["alert"]["id"]
    code, _, said = verb("accept", "--alert", found, "--why", "x")
    assert (code, f"Nothing is new by the alert {found}: its rule is" in said) == (2, True)
    assert "There is no alert" in verb("accept", "--alert", "nowhere", "--why", "x")[2]


def test_wishes_have_limits_and_what_is_wrong_with_them_is_a_sentence(running: Held) -> None:
    before = ask_as(MEMBER, [SERVICE], running, f"{PATH}/decisions?limit=0").body
    good = {"verb": "accept", "kind": "registry", "value": "x", "why": "y"}
    for change, sentence in (
        ({"why": "y" * 1001}, "more than 1000 characters"),
        ({"why": " "}, "Say why"),
        ({"value": " * "}, "every value there is"),
        ({"kind": "registri"}, "did you mean registry?"),
        ({"kind": "", "value": ""}, "Say what to accept"),
        ({"alert": "a"}, "Say what to accept"),
        ({"verb": "forget"}, "There is no registry x"),
        ({"verb": "undo"}, "takes its number and why"),
        ({"verb": "ack"}, "wrong"),
        ({"who": "root (0)"}, "wrong"),
    ):
        answer = decide(running, **{**good, **change})
        assert (answer.status, sentence in answer.error) == (400, True), answer
    assert decide(running, verb="undo", number=10**6, why="y").status == 400
    assert decide(running, **{**good, "value": "x" * (70 << 10)}).status == 413
    for path in ("values?kind=nothing", "values?kind=user&limit=-1", "decisions?limit=x"):
        assert ask_as(MEMBER, [SERVICE], running, f"{PATH}/{path}").status == 400
    assert ask_as(MEMBER, [SERVICE], running, f"{PATH}/decisions?limit=0").body == before
    assert len(ask_as(MEMBER, [SERVICE], running, f"{PATH}/values?kind=useragent&limit=1").body.splitlines()) == 1
