"""The cluster that an instance follows is told by it to those who may not read its file."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.enrich.kubernetes.exec_request import ExecRequest
from hullwatch.enrich.kubernetes.resources import BY_NAME
from hullwatch.enrich.kubernetes.trimming import trimmed
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_tables import open_cluster, open_requests
from hullwatch.store.contacts import Contact, Contacts, open_contacts
from hullwatch.store.exec_requests import AT_ONCE, ExecRequests
from hullwatch.store.trail_memory import TrailMemory
from tests.api.conftest import HOSTILE, MEMBER, SERVICE, STRANGER, ask_as
from tests.api.members import find, verb_as
from tests.cli.in_process import Command, command
from tests.kubernetes_api import pod
from tests.posture.events import wrote
from tests.posture.exposed import made as exposed
from tests.posture.test_trail import role
from tests.store.test_trail_memory import NODE_PORT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Held

__all__ = ["command"]
PODS = BY_NAME["pods"]
MANY = AT_ONCE + 3  # sessions: more than are read at once


def follow(state: Path) -> None:
    """Write what a run would know: two pods, of which one connected to the other."""
    followed = Cluster(open_cluster(state, make=True))
    with followed.batch():
        for found in (pod("db-0", ip="10.0.0.9"), pod("web-1", ip="10.0.0.8")):
            followed.put(PODS, trimmed(found, PODS.kind, PODS.version))
        followed.alive(PODS)
    followed.close()
    seen = open_contacts("", state, make=True)
    now = time.time_ns()
    Contacts(seen).put([Contact("shop", "Pod", "web-1", "10.0.0.9", 6379, 6, "web-1", "", 1, now, now)])
    seen.close()
    requests = ExecRequests(open_requests("", state, make=True))
    for number in range(MANY):
        name = "db-0" if number else "web-1"
        requests.add(
            ExecRequest(audit=f"a{number}", at=number // 2, user=HOSTILE, namespace="shop", pod=name, command=("id",))
        )
    requests.close()
    memory = TrailMemory(state)
    trail = memory.trail()
    long_ago = "2020-01-01T00:00:00Z"
    service = exposed({"service": NODE_PORT})
    for event in (
        wrote("create", role("get", "list"), auditID="a"),
        wrote("update", role("list", "delete"), by=HOSTILE, auditID="b"),
        wrote("create", service, auditID="c", requestReceivedTimestamp=long_ago),
        wrote("create", service | {"metadata": {"namespace": "bank", "name": HOSTILE}}, auditID="d"),
    ):
        trail.take(event)
    memory.close()


@pytest.fixture
def running(held: Held, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Held:
    """An instance that follows a cluster, for callers who have another place for what lasts."""
    find(held, monkeypatch, tmp_path)
    if not (held.state / "kubernetes.db").exists():
        follow(held.state)
    return held


@pytest.mark.parametrize(
    "verb",
    [
        "objects", "objects Pod", "objects -n shop -o json", "objects -o json", "ip 10.0.0.9", "ip 10.0.0.9 -o json",
        "ip 10.0.0.9 --at 1h", "sessions", "sessions shop/web-1 -o json", "sessions --limit 0",
        "sessions web-1 -n shop", "sessions -n shop --limit 3",
        "sessions --since 2030-01-01",
    ],
)  # fmt: skip
def test_who_may_ask_but_not_read_the_files_sees_what_stands_in_them(
    command: Command, running: Held, verb: str
) -> None:
    by_file = command("k8s", *verb.split(), "--state-directory", str(running.state))
    assert by_file[0] == 0
    assert by_file[1]
    assert verb_as(MEMBER, "k8s", *verb.split()) == list(by_file)
    code, lines, said = verb_as(STRANGER, "k8s", *verb.split())
    assert (code, lines, said.count("\n")) == (3, [], 1)


@pytest.mark.parametrize(
    ("verb", "number"),
    [
        ("exposure --changes", 2), ("exposure --changes -n bank -o json", 1), ("exposure --changes -n none", 0),
        ("rbac changes --fail-on low", 2), ("rbac changes -o json", 2),
    ],
)  # fmt: skip
def test_what_runs_found_in_the_audit_log_is_told_by_the_instance_as_by_the_file(
    command: Command, running: Held, verb: str, number: int
) -> None:
    by_file = command("k8s", *verb.split(), "--state-directory", str(running.state))
    told = [line for line in by_file[1] if not line.startswith("  ")]
    assert (by_file[0], len(told)) == (int("--fail-on" in verb), number)
    assert verb_as(MEMBER, "k8s", *verb.split()) == list(by_file)
    code, lines, said = verb_as(STRANGER, "k8s", *verb.split())
    assert (code, lines) == (2, [])
    assert "Say which audit log to look at with --from" in said


def test_words_that_are_no_utf_8_are_looked_for_like_others(command: Command, running: Held) -> None:
    for words in (["objects", "-n", "\udcff"], ["sessions", "\udcff/x"]):
        by_file = command("k8s", *words, "--state-directory", str(running.state))
        assert (by_file[0], len(by_file[1])) == (0, 1)
        assert verb_as(MEMBER, "k8s", *words) == list(by_file)


def test_questions_about_the_cluster_have_limits_and_errors_are_sentences(running: Held) -> None:
    def ask(path: str) -> Any:
        return ask_as(MEMBER, [SERVICE], running, f"/v1/kubernetes/{path}")

    assert len(ask("sessions").body.splitlines()) == 100
    every = [json.loads(line) for line in ask("sessions?limit=0").body.splitlines()]
    assert [one["at"] for one in every] == sorted((number // 2 for number in range(MANY)), reverse=True)
    assert len({one["audit"] for one in every}) == MANY
    assert len(ask("sessions?limit=0&pod=shop/web-1").body.splitlines()) == 1
    assert b"\\u202e" in ask("sessions?limit=1").body
    assert len(ask("objects?limit=1").body.splitlines()) == 1
    (opened,) = ask("exposure/changes?since=2021-01-01").body.splitlines()
    assert (json.loads(opened)["name"], b"\\u202e" in opened) == (HOSTILE, True)
    assert len(ask("exposure/changes?limit=1").body.splitlines()) == 1
    assert len(ask("rights/changes?since=2030-01-01").body.splitlines()) == 0
    assert len(ask("addresses?address=10.0.0.9&limit=1").body.splitlines()) == 1
    assert json.loads(ask("addresses?address=::ffff:10.0.0.9").body)["name"] == "db-0"
    for path, sentence in (
        ("objects?kind=Pot", '"Pot" is no kind of object that is followed'),
        ("addresses?address=x", '"x" is no address'),
        ("sessions?limit=-1", "limit is 0 or more"),
        ("sessions?pot=x", 'no parameter "pot"'),
        ("addresses?address=10.0.0.9&at=then", "is no time"),
    ):
        answer = ask(path)
        assert (answer.status, sentence in answer.error) == (400, True)


def test_the_cluster_is_told_by_the_instance_where_its_file_is_not_to_be_read(
    command: Command, running: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_file = command("k8s", "connections", "-o", "json", "--state-directory", str(running.state))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # others have another place for what lasts than the instance
    code, lines, said = command("k8s", "connections", "-o", "json")
    assert (code, lines) == by_file[:2]
    (found,) = map(json.loads, lines)
    assert (found["held_by"], found["store"]["what"]) == ("Pod shop/db-0", "Redis")
    assert "kubernetes.db, as the running Hullwatch told, true " in said
    assert command("k8s", "exposure")[0] == 0
