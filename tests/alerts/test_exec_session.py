from __future__ import annotations

from typing import Any

import pytest

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.exec_session import SKEW, Session, behind, is_command, session_of
from hullwatch.alerts.origin import Ancestor, Origin
from hullwatch.enrich.kubernetes.exec_request import ExecRequest

BEGAN = 1_795_860_000_000_000_000  # ns since the epoch
SECOND = 1_000_000_000


def request(user: str = "alice", **more: Any) -> ExecRequest:
    values: dict[str, Any] = {
        "audit": f"a-{user}", "at": BEGAN - SECOND // 5, "user": user, "namespace": "shop", "pod": "web-1",
        "container": "server", "command": ("bash",), "groups": ("dev",), "source": "198.51.100.7",
    }  # fmt: skip
    return ExecRequest(**(values | more))


def session(**more: Any) -> Session:
    values: dict[str, Any] = {
        "host": "node-1", "key": "4711.99", "namespace": "shop", "pod": "web-1", "container": "server", "began": BEGAN,
        "command": "bash",
    }  # fmt: skip
    return Session(**(values | more))


def test_the_one_request_that_fits_names_the_person() -> None:
    assert behind(session(), [request()]) == {
        "k8s.session.user": "alice",
        "k8s.session.groups": ["dev"],
        "k8s.session.sourceip": "198.51.100.7",
        "k8s.session.command": "bash",
        "k8s.session.auditid": "a-alice",
    }


def test_of_several_requests_of_one_person_the_nearest_counts() -> None:
    late = request(audit="nearest", at=BEGAN - 1)
    assert behind(session(), [request(), late])["k8s.session.auditid"] == "nearest"


def test_where_two_people_fit_none_is_named_and_both_are_told() -> None:
    assert behind(session(), [request("alice"), request("bob")]) == {
        "k8s.session.candidates": ["alice (a-alice)", "bob (a-bob)"]
    }


def test_who_asked_for_another_command_is_not_named() -> None:
    found = behind(session(command="nc 203.0.113.9 4444"), [request(command=("ls", "/tmp"))])
    assert found == {"k8s.session.candidates": ["alice (a-alice)"]}


@pytest.mark.parametrize(
    "other",
    [
        {"pod": "web-2"}, {"namespace": "other"}, {"container": "sidecar"}, {"at": BEGAN + SKEW + 1},
        {"at": BEGAN - 11 * SECOND},
    ],
)  # fmt: skip
def test_another_pod_container_or_time_is_another_session(other: dict[str, Any]) -> None:
    assert behind(session(), [request(**other)]) == {}


def test_a_request_without_a_container_fits_the_pod_s() -> None:
    assert behind(session(), [request(container="")])["k8s.session.user"] == "alice"


def test_somebody_who_acts_as_another_is_named_by_the_own_name() -> None:
    found = behind(session(), [request(impersonated="system:admin")])
    assert (found["k8s.session.user"], found["k8s.session.impersonated"]) == ("alice", "system:admin")


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        ("bash", ("bash",)),
        ("bash -i", ("/bin/bash", "-i")),
        ("sh -c cat /etc/shadow", ("sh", "-c", "cat /etc/shadow")),
        ("cat /etc/shadow", ("sh", "-c", "cat /etc/shadow")),  # the shell has become its last command
        ("bash", ("sh", "-c", "cd /tmp && exec bash")),
        ("python3 x.py", ("bash", "-c", "cd /srv; /usr/bin/python3 x.py")),
        ("entry.sh /entry.sh now", ("/entry.sh", "now")),  # a script, by what runs it
        ("curl -u me:*** http://x", ("curl", "-u", "me:secret", "http://x")),
        ("curl -u me:*** ***", ("curl", "-u", "me:secret", "http://x")),
        ("a-name-that-is- x", ("/opt/a-name-that-is-long", "x")),
        (f"cat {'x' * 500}...(cut)", ("cat", "x" * 800)),
    ],
)
def test_what_was_asked_for_is_known_by_what_is_seen(seen: str, asked: tuple[str, ...]) -> None:
    assert is_command(seen, asked)


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        ("", ("bash",)),
        ("bash", ()),
        ("bash -i", ("bash",)),
        ("bash", ("bash", "-i")),
        ("nc 203.0.113.9", ("ls",)),
        ("rm -rf /", ("sh", "-c", "ls -rf")),
        ("curl ***", ("wget", "x")),
        ("curl *** end", ("curl", "x")),
        ("curl ab***ba", ("curl", "aba")),
    ],
)
def test_another_command_is_none(seen: str, asked: tuple[str, ...]) -> None:
    assert not is_command(seen, asked)


def test_a_hostile_command_line_takes_no_time() -> None:
    assert not is_command("a" + "***a" * 100 + "b", ("a" * 5000,))


def alert(**more: Any) -> Alert:
    values: dict[str, Any] = {
        "session": "4711.99", "session_began": BEGAN, "pod_name": "web-1", "pod_container": "server",
        "namespace": "shop", "processes": (Ancestor(5000, 100, "cat", "cat x"), Ancestor(4711, 99, "bash", "bash")),
    }  # fmt: skip
    origin = Origin(**(values | more))
    return Alert(
        time=BEGAN, rule="r", priority="Notice", message="m", output_fields={}, hostname="node-1", origin=origin
    )


def test_a_session_is_known_by_the_process_that_entered() -> None:
    assert session_of(alert()) == session()
    for other in ({"session": ""}, {"session_began": 0}, {"pod_name": ""}):
        assert session_of(alert(**other)) is None
