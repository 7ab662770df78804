"""What ``hullwatch doctor`` says of the process that takes audit events."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from hullwatch.api.checks.audit_events import audit_events
from hullwatch.config.kubernetes_settings import AuditSettings

if TYPE_CHECKING:
    from pathlib import Path

NOW, SECOND = 10**18, 10**9
WANTED = AuditSettings(listen="0.0.0.0:9443")


def said(state: Path, *, audit: AuditSettings = WANTED, **changes: Any) -> list[tuple[str, str]]:
    status: dict[str, Any] = {"pid": os.getpid(), "updated": NOW - SECOND, "by_wrapper": {"eks": 7}, "alerts": 2}
    (state / "kubernetes.json").write_text(json.dumps(status | changes))
    checks = audit_events(state, audit, NOW)
    assert all(
        one.fix for one in checks if one.status != "ok" and one.sentence[-1] == "." and "cannot" not in one.sentence
    )
    return [(one.status, one.sentence) for one in checks]


def source(kind: str, ago: float, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "events": 7, "since": NOW - 10**6 * SECOND, "last": NOW - int(ago * SECOND), **more}


def test_it_says_what_was_taken_left_out_and_goes_wrong(tmp_path: Path) -> None:
    assert said(tmp_path, left_out={"not JSON": 3}, problems=["The log file x cannot be read."]) == [
        ("ok", "7 events, 2 alerts."),
        ("warn", "The log file x cannot be read."),
        ("ok", "Left out: 3 not JSON."),
    ]


def test_it_says_of_each_input_when_its_last_event_came(tmp_path: Path) -> None:
    inputs = {
        "0.0.0.0:9443": source("webhook", 4.2),
        "/var/log/audit.log": source("file", 7200),
        "/aws/eks/prod/cluster": source("cloudwatch", 30, lag=3600.0),
        "standard input": {"kind": "stdin", "since": NOW - 5 * SECOND},
        "127.0.0.1:1": {"kind": "webhook", "since": NOW - 3600 * SECOND},
    }
    assert said(tmp_path, by_input=inputs)[1:] == [
        ("ok", "0.0.0.0:9443: 7 events; the last one came 4s ago."),
        ("fail", "/var/log/audit.log: 7 events; the last one came 2h ago."),
        ("warn", "/aws/eks/prod/cluster: 7 events; the last one came 30s ago. It was 1h old then."),
        ("ok", "standard input: no event has come yet; it has been listened to for 5s."),
        ("fail", "127.0.0.1:1: no event has come yet; it has been listened to for 1h."),
    ]


def test_it_says_what_hinders_it_and_who_is_refused(tmp_path: Path) -> None:
    found = said(
        tmp_path,
        left_out={"truncated by its carrier": 1200},
        truncated=["a", "b", "c", "d"],
        blind={f"Rule {number}": "why" for number in range(8)},
        requests={"answered 401": 4, "TLS not agreed on": 2, "too slow": 1},
        full="Alerts cannot be kept: The disk is full.",
        credentials="/x holds no token.",
    )
    assert found[1:6] == [
        ("fail", "Nothing is taken now: Alerts cannot be kept: The disk is full."),
        ("warn", "Changed certificates or a changed token are not used: /x holds no token."),
        ("warn", "1,200 events came without their end and were not judged. The last of them: b, c, d."),
        (
            "warn",
            "The audit policy hides what 8 rules need: Rule 0, Rule 1, Rule 2, Rule 3, Rule 4, Rule 5 and 2 more.",
        ),
        ("warn", "6 requests had no right to send events, or did not agree on TLS."),
    ]


def test_it_says_whose_client_certificate_was_refused_last_and_why(tmp_path: Path) -> None:
    requests = {"client certificate refused: certificate has expired": 2, "client certificate refused: x": 1}
    found = said(tmp_path, requests=requests, refused="192.0.2.7, certificate has expired")
    assert found[1] == (
        "warn",
        "3 client certificates were refused; the last: 192.0.2.7, certificate has expired.",
    )


def test_it_says_when_nothing_runs_or_it_hangs(tmp_path: Path) -> None:
    assert audit_events(tmp_path, WANTED)[0].sentence.endswith("have not been taken yet.")
    assert said(tmp_path, audit=AuditSettings()) == []
    assert said(tmp_path, pid=2**22 + 1) == [("ok", "No instance takes audit events now.")]
    assert said(tmp_path, updated=9 * 10**17)[0][0] == "fail"
    assert said(tmp_path, pid="x")[0][0] == "warn"
