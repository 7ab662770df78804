"""The intake as a run of its own: what is taken comes through the rules into the store, once, whatever is killed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.audit_intake import AuditReplay
from hullwatch.rules.pack import builtin_files
from hullwatch.store.baseline_file import FILE, BaselineFile
from hullwatch.store.trail_memory import kept_findings
from tests.kubernetes_intake import RULES, free_port, intake, open_folder, until
from tests.sources.k8s_audit import wrapped
from tests.sources.k8s_audit.certificates import Authority
from tests.store.kept.made import numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 3
# `make soak` takes 10 million.
EVENTS = int(os.environ.get("AUDIT_EVENTS") or (1_000_000 if os.environ.get("CI") else 8000))
WARM_UP = 200_000  # events, until all that is remembered of them is there
EACH_MEASURED = 50_000
ROLE = {
    "resource": "roles",
    "namespace": "shop",
    "name": "changing",
    "apiGroup": "rbac.authorization.k8s.io",
    "apiVersion": "v1",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


def batch(first: int, number: int, prefix: str = "") -> bytes:
    items = [by_somebody(one, prefix) for one in range(first, first + number)]
    return json.dumps(wrapped.event_list(items)).encode()


def by_somebody(number: int, prefix: str = "") -> wrapped.Event:
    """Return an event of a user who makes no other one; some change a role, each to what it was not before."""
    event = wrapped.event(number, user={"username": f"{prefix}user-{number}", "groups": ["system:authenticated"]})
    event["auditID"] = prefix + event["auditID"]
    if number % 20 or prefix:
        return event
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": [f"verb-{number}"]}]
    whole = {"kind": "Role", "metadata": {"name": "changing", "namespace": "shop"}, "rules": rules}
    changed = {"verb": "update", "objectRef": ROLE, "responseStatus": {"code": 200}}
    return event | changed | {"requestObject": whole, "responseObject": whole}


def send(port: int, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/", body)
        return connection.getresponse().status
    finally:
        connection.close()


def send_until_taken(port: int, body: bytes) -> None:
    """Send a batch as an API server does: until it is answered with success."""

    def taken() -> bool:
        try:
            return send(port, body) == 200
        except (OSError, http.client.HTTPException):
            return False

    until(taken)


def test_a_process_that_is_killed_again_and_again_loses_and_doubles_nothing(folder: Path) -> None:
    port, log = free_port(), folder / "audit.log"
    settings = f'listen = "127.0.0.1:{port}"\nfiles = ["{log}"]\nbegin = "beginning"'
    ids: list[str] = []

    def write(first: int, number: int) -> None:
        with log.open("a") as stream:
            for one in range(first, first + number):
                event = by_somebody(one)
                ids.append(event["auditID"])
                stream.write(json.dumps(event) + "\n")

    with intake(folder, settings) as run:
        run.start()
        run.ready()
        for turn in range(ROUNDS):
            senders = [
                threading.Thread(target=send_until_taken, args=[port, batch(100 * turn + 10 * one, 10, "w")])
                for one in range(10)
            ]
            for sender in senders:
                sender.start()
            write(500 * turn, 500)
            if turn % 2:
                log.rename(log.with_name(f"audit-{turn:04}.log"))
            run.kill()
            for sender in senders:
                sender.join()
        write(500 * ROUNDS, 1)
        webhook = [f"w{wrapped.event(one)['auditID']}" for one in range(100 * ROUNDS)]
        wanted = sorted(ids + webhook)
        until(lambda: len(run.kept()) >= len(wanted))
        assert sorted(run.kept()) == wanted
        assert run.stop() == 0
        assert users(run.state) == {f"user-{one}" for one in range(500 * ROUNDS + 1)} | {
            f"wuser-{one}" for one in range(100 * ROUNDS)
        }
        found = [(one.rights[0].removed, one.rights[0].added) for one in kept_findings(run.state)]
        rights = [f"verb-{one} pods" for one in range(0, 500 * ROUNDS + 1, 20)]
        assert found == list(zip([(), *[(one,) for one in rights]], [(one,) for one in rights], strict=False))
        run.start()
        write(500 * ROUNDS + 1, 1)
        until(lambda: ids[-1] in run.kept())
        assert run.stop() == 0
        assert sorted(run.kept()) == sorted(ids + webhook)


def test_standard_input_is_judged_to_its_end_with_metrics_and_an_exit_code_that_tells_of_alerts(folder: Path) -> None:
    place, labels = folder / "metrics.sock", 'input="standard input",type="stdin"'

    def served(line: str) -> str:
        """Return the metrics when a line is in them."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(place))
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            metrics = b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()
            return metrics if line in metrics else ""
        return ""

    with intake(folder, "stdin = true") as run:
        kept = "[events]\nkeep_audit = 'ka.auditid endswith 7'\n"
        run.config.write_text(f'[metrics]\nlisten = "unix://{place}"\n{kept}' + run.config.read_text())
        process = run.start("--fail-on", "notice", stdin=subprocess.PIPE)
        assert process.stdin is not None
        with process.stdin as stream:
            stream.write(b"".join(wrapped.text(wrapped.event(one)).encode() + b"\n" for one in range(2500)))
            stream.write(b"I1121 21:36:00.123456       1 controller.go:1] hello\n")
            stream.flush()
            klog = f'hullwatch_audit_left_out_total{{{labels},reason="a component\'s own log line (klog)"}} 1'
            metrics = until(lambda: served(klog))
        assert f"hullwatch_audit_input_events_total{{{labels}}} 2500" in metrics
        assert 'hullwatch_audit_alerts_total{rule="Seen",priority="Notice"} 2500' in metrics
        assert 'hullwatch_process_resident_memory_bytes{process="kubernetes"}' in metrics
        assert "hullwatch_status_age_seconds" not in metrics
        assert process.wait(30) == 1
        assert len(run.kept()) == 2500
        sevens = [one for one in range(2500) if wrapped.event(one)["auditID"].endswith("7")]
        assert len(numbers(run.state / "events", "ka.auditid endswith 7")) == len(sevens) > 0
        assert "Audit events: 2,500 (2,500 native), 2,500 alerts." in run.said
        assert "left out: 1 a component's own log line (klog)" in run.said
        lines = (folder / "out").read_text().splitlines()
        assert len(lines) == 2500
        assert json.loads(lines[0])["rule"] == "Seen"


def test_silence_is_told_loudly_and_so_is_what_cannot_be_read(folder: Path) -> None:
    missing = folder / "folder"
    missing.mkdir()
    port = free_port()
    with intake(folder, f'listen = "127.0.0.1:{port}"\nfiles = ["{missing}"]\nsilence = "1s"') as run:
        run.start()

        def told(rule: str) -> set[object]:
            return {alert.output_fields.get("input") for alert in run.alerts() if alert.rule == rule}

        until(lambda: told("Audit events stopped") == {f"127.0.0.1:{port}", str(missing)})
        assert {alert.rule for alert in run.alerts()} == {"Audit events stopped", "Audit events not read"}
        assert run.stop() == 0
        run.start()  # it knows that it was silent
        send_until_taken(port, batch(0, 1))
        until(lambda: told("Audit events come again") == {f"127.0.0.1:{port}"})
        assert run.stop() == 0


def test_certificate_and_token_that_change_are_in_force_without_a_restart(folder: Path) -> None:
    port, token, authority = free_port(), folder / "token", Authority(folder)
    certificate, key = authority.issue("localhost", server=True)
    token.write_text("a-token-of-before\n")
    place = f'listen = "127.0.0.1:{port}"\ntls_cert = "{certificate}"\ntls_key = "{key}"\ntoken_file = "{token}"'
    trusting = ssl.create_default_context(cafile=str(authority.path))

    def answered(number: int, context: ssl.SSLContext, given: str) -> int | str:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        try:
            connection.request("POST", "/", batch(number, 1), {"Authorization": f"Bearer {given}"})
            return connection.getresponse().status
        except ssl.SSLCertVerificationError:
            return "not trusted"
        finally:
            connection.close()

    with intake(folder, place) as run:
        process = run.start()
        run.ready()
        taker = run.children()["hullwatch-k8s"]
        assert answered(0, trusting, "a-token-of-before") == 200
        token.write_text("short")
        process.send_signal(signal.SIGHUP)
        until(lambda: "stay those of before: " in run.said)
        assert answered(1, trusting, "a-token-of-before") == 200
        token.write_text("a-token-of-afterwards\n")
        other = Authority(folder, "other")
        other.issue("localhost", server=True)  # to the same files
        process.send_signal(signal.SIGHUP)
        until(lambda: "were read again, and are in force" in run.said)
        newer = ssl.create_default_context(cafile=str(other.path))
        assert answered(2, trusting, "a-token-of-afterwards") == "not trusted"
        assert answered(3, newer, "a-token-of-before") == 401
        assert answered(4, newer, "a-token-of-afterwards") == 200
        assert run.children()["hullwatch-k8s"] == taker
        run.kill()  # and after a crash as well
        until(lambda: run.said.count("Taking audit events") == 2)
        assert answered(5, newer, "a-token-of-afterwards") == 200
        until(lambda: len(run.kept()) == 4)
        assert run.stop() == 0


def test_rules_that_change_are_taken_with_a_signal_and_wrong_ones_are_not(folder: Path) -> None:
    port = free_port()
    with intake(folder, f'listen = "127.0.0.1:{port}"') as run:
        process = run.start()
        run.ready()
        send_until_taken(port, batch(0, 1))
        run.rules.write_text("- rule: [")
        process.send_signal(signal.SIGHUP)
        until(lambda: "The changed rules for audit events cannot be used, and those of before go on." in run.said)
        send_until_taken(port, batch(5, 1))
        run.rules.write_text(RULES.replace("Seen", "Later"))
        process.send_signal(signal.SIGHUP)
        until(lambda: run.said.count("Rules were read again") == 2)
        send_until_taken(port, batch(1, 1))
        until(lambda: {alert.rule for alert in run.alerts()} == {"Seen", "Later"})
        assert run.stop() == 0


@pytest.mark.timeout(300 + EVENTS // 1000)
def test_memory_stays_flat_over_many_events(folder: Path) -> None:
    """With all that is on where nothing is set: what is learnt, the trail, the cluster's state, alerts that are kept.

    The suite's form sees that the whole process is flat roughly; that nothing at all grows with events is counted
    in ``test_audit_memory.py``, to which the long form adds what is no object of Python's.
    """
    times = EVENTS // len(AuditReplay().lines) + 1
    replay, begun = AuditReplay(times), time.monotonic()
    pack = "".join(file.text.decode() for file in builtin_files("k8s_audit"))
    long, every = EVENTS > 2 * WARM_UP, min(EACH_MEASURED, EVENTS // 8)
    sizes: list[tuple[int, float]] = []  # events, MiB
    with intake(folder, "stdin = true" if long else "stdin = true\nremember = 1000", pack) as run:
        process = run.start(stdin=subprocess.PIPE)
        assert process.stdin is not None
        run.ready()
        taker = run.children()["hullwatch-k8s"]
        with process.stdin as stream:
            for turn in range(1, times + 1):
                stream.write(b"\n".join([*replay.again(), b""]))
                sent = turn * len(replay.lines)
                if sent >= every * (len(sizes) + 1):
                    sizes.append((sent, resident(taker) / 1024))
                    sys.stderr.write(f"{sent:>10,} events {time.monotonic() - begun:6.0f} s {sizes[-1][1]:6.1f} MiB\n")
        assert process.wait(3600) == 0
    warm = [size for events, size in sizes if events > WARM_UP or not long]
    half = len(warm) // 2
    assert max(warm[half:]) - max(warm[:half]) < (4 if long else 12)  # MiB
    assert f"Audit events: {times * len(replay.lines):,} " in run.said


def users(state: Path) -> set[str]:
    """Return who is known to the baseline."""
    file = BaselineFile(state / FILE)
    try:
        return {str(row[0]) for row in file.database.read("SELECT value FROM seen WHERE kind = 'user'")}
    finally:
        file.close()


def resident(pid: int) -> int:
    """Return the memory of a process in KiB."""
    found: Any = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(found.split()[1])
