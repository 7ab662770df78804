"""What ``hullwatch doctor`` says of logs of containers, and of what is ordinary in clusters."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from hullwatch.api.checks.audit_events import audit_events
from hullwatch.api.checks.baseline import baseline
from hullwatch.api.checks.container_logs import container_logs
from hullwatch.config.container_log_settings import ContainerLogSettings
from hullwatch.config.kubernetes_baseline_settings import BaselineSettings
from hullwatch.config.kubernetes_settings import AuditSettings, KubernetesSettings

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.api.checks.check import Check

NOW, SECOND = 10**18, 10**9
LOGS = ContainerLogSettings(files=("/var/log/containers/*.log",))
KUBERNETES = KubernetesSettings(audit=AuditSettings(listen="127.0.0.1:1"))
FILES = {"kind": "file", "since": NOW - 9000 * SECOND}


def written(state: Path, **status: Any) -> Path:
    (state / "kubernetes.json").write_text(json.dumps({"pid": os.getpid(), "updated": NOW, **status}))
    return state


def said(checks: list[Check]) -> list[tuple[str, str]]:
    assert all(one.fix for one in checks if one.status != "ok")
    return [(one.status, one.sentence) for one in checks]


def test_it_says_how_many_files_are_followed_and_when_the_last_line_came(tmp_path: Path) -> None:
    inputs = {
        "files": FILES | {"events": 4000, "last": NOW - 7200 * SECOND, "lag": 0.5},
        "/aws/x": {"kind": "cloudwatch", "events": 3, "last": NOW - SECOND, "lag": 3600.0},
    }
    logs = {"files": 2, "by_input": inputs, "left_out": {"not JSON": 3}, "problems": ["The log file x is no file."]}
    assert said(container_logs(written(tmp_path, container_logs=logs), LOGS, NOW)) == [
        ("ok", "2 files are followed."),
        ("ok", "files: 4,000 lines; the last one came 2h ago."),
        ("warn", "/aws/x: 3 lines; the last one came 1s ago. It was 1h old then."),
        ("warn", "The log file x is no file."),
        ("ok", "Left out: 3 not JSON."),
    ]


def test_that_nothing_is_logged_is_no_finding(tmp_path: Path) -> None:
    logs = {"by_input": {"files": FILES}}
    assert said(container_logs(written(tmp_path, container_logs=logs), LOGS, NOW)) == [
        ("ok", "There is no file now that container_logs.files names."),
        ("ok", "files: no line has come yet."),
    ]
    assert container_logs(tmp_path, ContainerLogSettings(), NOW) == []
    (only_events,) = container_logs(written(tmp_path), LOGS, NOW)
    assert only_events.sentence == "The instance that runs does not take logs of containers."
    # Where logs alone are taken at the webhook, nobody sends events.
    silent = {"127.0.0.1:1": {"kind": "webhook", "since": NOW - 9000 * SECOND}}
    assert audit_events(written(tmp_path, takes_events=False, by_input=silent), KUBERNETES.audit, NOW) == []
    assert audit_events(written(tmp_path, by_input=silent), KUBERNETES.audit, NOW)[1].status == "fail"


def test_it_says_what_is_learnt_until_when_and_what_has_no_room(tmp_path: Path) -> None:
    clusters = {
        "prod": {"began": 0, "ends": 0, "learnt": 0, "values": 0} | {"began": NOW, "ends": NOW + 7200 * SECOND},
        "": {"began": NOW, "ends": NOW, "learnt": NOW, "values": 1500},
    }
    learnt: dict[str, Any] = {"enabled": True, "values": 1500, "clusters": clusters, "accepted": 4, "size": 8192}
    more = {"told": {"user": 2, "image": 3}, "left_out": {"without a time": 1}, "forgotten": {"no room": 7}}
    state = written(tmp_path, baseline=learnt | more)
    assert said(baseline(state, KUBERNETES, NOW)) == [
        ("ok", ("The cluster prod is learnt since 2001-09-09 01:46 UTC, until 2001-09-09 03:46 UTC at the earliest. "
               "0 values are known.")),
        ("ok", ("The cluster was learnt from 2001-09-09 01:46 UTC to 2001-09-09 01:46 UTC, and what is new is told. "
               "1,500 values are known.")),
        ("ok", ("1,500 of 100,000 values that may be known; 8,192 bytes on disk; 5 news told; "
               "4 values accepted by people.")),
        ("warn", "7 values were forgotten for want of room: they are told as new when they come again."),
        ("ok", "Events that were not looked at: 1 without a time."),
    ]  # fmt: skip
    off = KubernetesSettings(audit=KUBERNETES.audit, baseline=BaselineSettings(enabled=False))
    assert baseline(state, off, NOW) == baseline(state, KubernetesSettings(), NOW) == []
    (nothing,) = baseline(written(tmp_path, baseline={"enabled": True}), KUBERNETES, NOW)
    assert (nothing.status, nothing.sentence.startswith("Nothing is learnt yet")) == ("ok", True)
