"""Domain names of addresses on a watched host: a real name server on loopback, and processes that ask it or do not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_captures import alerts_of, hullwatch
from tests.name_server import NameServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.watch import Watch

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

RULES = """
- macro: ours
  condition: evt.type = connect and fd.sport = 9053
- rule: To a name of a rule
  desc: d
  condition: ours and fd.sip.name in (Named.Example, missing.example)
  output: "%fd.sip.name %fd.sip"
  priority: INFO
- rule: To a name that was asked for
  desc: d
  condition: ours and fd.sip.name endswith .heard.example
  output: "%fd.sip.name %fd.sip"
  priority: INFO
- {rule: To none, desc: d, condition: ours and not fd.sip.name exists, output: "%fd.sip", priority: INFO}
- {rule: End, desc: d, condition: ours and fd.sip = 127.7.1.99, output: x, priority: INFO}
"""
# The addresses and names that are connected to, one after another, each several times.
TIMES = 100
ACTS = ("127.7.1.1", "127.7.1.2", "a.heard.example", "127.7.1.2", "127.7.1.99")
CONNECT = f"""
import socket, sys
for name in sys.argv[1:]:
    for _ in range({TIMES}):
        try:
            socket.create_connection((name, 9053), 5).close()
        except ConnectionRefusedError:
            pass
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NameServer]:
    if os.geteuid() != 0:
        pytest.skip("watching the kernel, and port 53, need root")
    answers = {"named.example": ("127.7.1.1",), "a.heard.example": ("127.7.1.2",)}
    with NameServer(tmp_path, answers) as found:
        yield found


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return str(path)


def connect(server: NameServer, *names: str) -> None:
    subprocess.run(server.asking(sys.executable, "-I", "-S", "-c", CONNECT, *names), check=True)


def outputs(watching: Watch) -> dict[str, tuple[int, set[str]]]:
    """Return how many alerts of each rule there are, and what they say."""
    return {
        rule: (
            watching.count(rule),
            {str(one["output"]).partition("al ")[2] for one in watching.alerts if one["rule"] == rule},
        )
        for rule in dict.fromkeys(str(one["rule"]) for one in watching.alerts)
    }


EXPECTED = {
    "To a name of a rule": (TIMES, {"named.example 127.7.1.1"}),
    "To none": (2 * TIMES, {"127.7.1.2", "127.7.1.99"}),
    "To a name that was asked for": (2 * TIMES, {"a.heard.example 127.7.1.2"}),
    "End": (TIMES, {"x"}),
}


def test_names_are_known_with_pushdown_and_calls_that_were_judged_count_when_their_address_gets_one(
    watch: Callable[..., Watch], server: NameServer, rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLWATCH_NAMES_REFRESH", "50ms")
    watching = watch("-r", rules, "--match", "all", before=server.asking)
    said = "1 of 2 domain names in the rules have no address here, such as missing.example"
    assert watching.wait(lambda: any(said in line for line in watching.said), 30)
    connect(server, *ACTS)
    assert watching.wait(lambda: watching.count("End") == TIMES, 30)
    assert outputs(watching) == EXPECTED
    server.answers["named.example"] = ("127.7.1.99",)
    before = len(server.asked)
    assert watching.wait(lambda: len(server.asked) > before + 8, 30)  # a round and more, for two names and two families
    connect(server, "127.7.1.99")
    assert watching.wait(lambda: watching.count("End") == 2 * TIMES, 30)
    rule = "To a name of a rule"
    assert outputs(watching)[rule] == (2 * TIMES, {"named.example 127.7.1.1", "named.example 127.7.1.99"})


def test_without_pushdown_the_same_is_known_and_again_from_the_capture(
    watch: Callable[..., Watch], server: NameServer, rules: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = tmp_path / "names.hwcap"
    monkeypatch.setenv("HULLWATCH_RECORD_FILE", str(capture))
    watching = watch("-r", rules, "--match", "all", before=server.asking)  # a recording has everything sent
    connect(server, *ACTS)
    assert watching.wait(lambda: watching.count("End") == TIMES, 30)
    assert watching.end(signal.SIGINT) == 0
    assert outputs(watching) == EXPECTED
    monkeypatch.delenv("HULLWATCH_RECORD_FILE")
    again = hullwatch("replay", str(capture), "-r", rules, "--match", "all", "-o", "json")
    assert again.returncode == 0, again.stderr
    assert alerts_of([json.loads(line) for line in again.stdout.splitlines()]) == alerts_of(watching.alerts)
