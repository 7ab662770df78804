"""``hullwatch replay FILE --source k8s_audit``: from a cluster's log to alerts, sentences and an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from hullwatch.rules.audit_cases import completed
from tools.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LOG = ROOT / "tests" / "data" / "kubernetes" / "audit.jsonl.gz"


def entered(number: int, **more: Any) -> dict[str, Any]:
    written = {
        "verb": "get",
        "user": {"username": "alice"},
        "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh%1b%0a",
        "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "shop", "name": "web"},
    }
    return completed({**written, **more}, number)


def replay(*arguments: str, data: bytes = b"") -> tuple[int, list[str], str]:
    """Return the exit code, the lines of standard output, and standard error."""
    command = [sys.executable, "-m", "hullwatch", "replay", *arguments, "--source", "k8s_audit"]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


def test_the_log_of_a_real_cluster_gives_alerts_with_falco_s_keys() -> None:
    code, lines, said = replay(str(LOG), "-o", "json", "--match", "all")
    alerts = [json.loads(line) for line in lines]
    assert code == 0
    shown = next(one for one in alerts if one["rule"] == "Pod entered")
    assert shown["source"] == "k8s_audit"
    assert shown["time"].startswith("2026-11-21T21:35:09.803")
    fields = shown["output_fields"]
    assert fields["ka.exec.command"] == "sh -c cat /etc/shadow"
    assert (fields["ka.user.name"], fields["ka.target.namespace"], fields["ka.stage"]) == (
        "admin",
        "shop",
        "ResponseStarted",
    )
    assert not [name for name in fields if name.startswith("container.")]
    assert "737 events, 0 dropped" in said


def test_what_is_no_event_is_counted_by_its_reason_and_left_out() -> None:
    whole = json.dumps(entered(1))
    lines = [
        "I1128 10:00:00.000000       1 controller.go:1] started",
        whole[:200],
        whole[:200] + "[Truncated...]",
        "nothing",
        '{"kind": "Pod"}',
        "5",
        '{"kind": "Event", "auditID": "x"}',
        "[" * 100_000,
        whole,
        "\xff",
    ]
    code, alerts, said = replay("-", data="\n".join(lines).encode("latin-1"))
    assert code == 0
    (alert,) = alerts
    assert (
        r"Notice Pod entered | pods/exec shop/web | Somebody entered a pod (user=alice by=exec command=sh\x1b\n"
        in alert
    )
    for reason in (
        "1  pluginevent: a component's own log line (klog)",
        "2  pluginevent: truncated by its carrier",
        "2  pluginevent: JSON, but no event that is known",
        "1  pluginevent: an event without stageTimestamp",
        "3  pluginevent: not JSON",
    ):
        assert reason in said


def test_a_file_without_events_is_wrong_input(tmp_path: Path) -> None:
    file = tmp_path / "audit"
    file.write_text("nothing\n")
    code, alerts, said = replay(str(file))
    assert (code, alerts) == (2, [])
    assert "has no event of the Kubernetes API" in said


def test_an_alert_that_comes_twice_is_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_STATE", str(tmp_path / "state"))
    file = tmp_path / "audit"
    file.write_text("".join(json.dumps(entered(number)) + "\n" for number in (1, 2)))
    said = [replay(str(file), "--store")[2] for _ in range(2)]
    assert "came twice" not in said[0]
    assert "2  came twice" in said[1]
