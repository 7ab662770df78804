"""What the kernel leaves out changes no alert: the same acts with it and without."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.watch import Watch

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

RULES = """
- macro: marked
  condition: evt.type in (open, openat, openat2, creat) and fd.name contains hullwatch-marked
- rule: Read
  desc: d
  condition: marked and evt.is_open_read = true and fd.name endswith /secret
  output: "%fd.name"
  priority: INFO
- {rule: Written, desc: d, condition: marked and evt.is_open_write = true, output: "%fd.name", priority: INFO}
- {rule: By another user, desc: d, condition: marked and user.uid = 65534, output: "%fd.name", priority: INFO}
- {rule: From elsewhere, desc: d, condition: marked and proc.cwd startswith /usr, output: "%fd.name", priority: INFO}
- {rule: By a leader, desc: d, condition: marked and proc.is_sid_leader = true, output: "%fd.name", priority: INFO}
- macro: marked_peer
  condition: evt.type = connect and fd.sip = 127.7.7.7
- {rule: Connected, desc: d, condition: marked_peer and fd.sport = 7777, output: "%fd.sport", priority: INFO}
- {rule: Refused, desc: d, condition: marked_peer and evt.res = ECONNREFUSED, output: "%fd.sport", priority: INFO}
- rule: Connected by another user
  desc: d
  condition: marked_peer and user.uid = 65534
  output: "%fd.sport"
  priority: INFO
- rule: Sent
  desc: d
  condition: evt.type = sendto and fd.rip = 127.7.7.7 and fd.rport = 7777
  output: "%fd.rport"
  priority: INFO
- rule: Whatever
  desc: d
  condition: proc.name = hw-whatever and proc.cwd startswith /usr
  output: "%evt.type"
  priority: INFO
  warn_evttypes: false
- {rule: End, desc: d, condition: marked and fd.name endswith hullwatch-marked-end, output: x, priority: INFO}
"""
# The same opens again and again, of which nothing is to be said, and between them some of which something is.
ACTS = """
import os, sys
folder = sys.argv[1]
def use(name, flags=os.O_RDONLY, times=1):
    for _ in range(times):
        os.close(os.open(f"{folder}/{name}", flags, 0o644))
for name in ("quiet/file", "quiet/secret2"):
    use(name, times=3000)
use("quiet/file", os.O_WRONLY)
use("quiet/file", times=3000)
os.rename(f"{folder}/quiet/file", f"{folder}/quiet/secret")
use("quiet/secret", times=3)
os.rename(f"{folder}/quiet/secret", f"{folder}/quiet/file")
use("quiet/file", times=3000)
os.rename(f"{folder}/quiet", f"{folder}/loud")
use("loud/secret2", times=3000)
os.rename(f"{folder}/loud/secret2", f"{folder}/loud/secret")
use("loud/secret")
os.chdir("/usr")
use("loud/file", times=3)
os.chdir("/")
use("loud/file", times=3000)
if os.fork() == 0:
    os.setsid()
    use("loud/file", times=2)
    os._exit(0)
os.wait()
use("loud/file", times=3000)
os.seteuid(65534)
use("loud/file", times=2)
os.seteuid(0)
use("loud/file", times=3000)
use("hullwatch-marked-end", os.O_CREAT)
"""
# A program that one rule looks at whatever it does, while it is in one directory; and what is said of its connections.
OTHER_ACTS = """
import os, socket, sys, time
QUIET, LOUD = 7000, 7777
def change(times):
    for number in range(times):
        os.chmod(sys.argv[1], 0o644)
        if number % 100 == 99:
            time.sleep(0.01)  # as a busy machine needs, to be answered meanwhile
def connect(port, times, kind=socket.SOCK_DGRAM):
    for _ in range(times):
        with socket.socket(type=kind) as client:
            client.connect_ex(("127.7.7.7", port))
change(2000)
os.chdir("/usr")
change(2)
os.kill(os.getpid(), 0)
os.chdir("/")
change(2000)
connect(QUIET, 1000)
connect(LOUD, 2)
with socket.create_server(("127.7.7.7", QUIET + 1), backlog=1000) as server:
    connect(QUIET + 1, 500, socket.SOCK_STREAM)
connect(QUIET + 1, 2, socket.SOCK_STREAM)
os.seteuid(65534)
connect(QUIET, 3)
os.seteuid(0)
connect(QUIET, 1000)
with socket.socket(type=socket.SOCK_DGRAM) as client:
    for port in [QUIET] * 5000 + [LOUD] * 2:
        client.sendto(b"x", ("127.7.7.7", port))
"""


OTHER_CALLS = {"chmod": 4002, "connect": 2507, "sendto": 5002}


def acts(
    watch: Callable[..., Watch], folder: Path, *, pushdown: bool
) -> tuple[list[tuple[str, str]], dict[str, int], list[str]]:
    """Watch the acts; return rules and outputs of the alerts, numbers of calls, and what the kernel has counted."""
    target = folder / "hullwatch-marked"
    (target / "quiet").mkdir(parents=True)
    for name in ("file", "secret2"):
        (target / "quiet" / name).write_text("x")
    folder.chmod(0o755)
    rules = folder / "rules.yaml"
    rules.write_text(RULES)
    program = folder / "hw-whatever"
    program.symlink_to(Path(sys.executable).resolve())
    watching = watch("-r", str(rules), "--pushdown" if pushdown else "--no-pushdown")
    subprocess.run([program, "-I", "-S", "-c", OTHER_ACTS, str(target / "quiet" / "file")], check=True)
    subprocess.run([sys.executable, "-c", ACTS, str(target)], check=True)
    watching.alert({"End"})
    assert watching.end(signal.SIGINT) == 0
    counts = {words: said_of(watching, words) for words in ("the kernel left out", *OTHER_CALLS)}
    found = [(str(alert["rule"]), str(alert["output_fields"].get("fd.name"))) for alert in watching.alerts]
    return [(rule, name.replace(str(folder), "")) for rule, name in found], counts, done_by(watching, "hw-whatever")


def said_of(watching: Watch, words: str) -> int:
    """Return the number that the summary has before some words."""
    line = next((line for line in watching.said if words in line), "0")
    return int(line.split()[0].replace(",", ""))


def done_by(watching: Watch, program: str) -> list[str]:
    """Return what the summary says that a program has done, but for the bytes."""
    line = next(line for line in watching.said if f"{program} (" in line)
    return line.partition(": ")[2].split(", ")[:4]


def test_the_same_acts_raise_the_same_alerts_with_calls_left_out_in_the_kernel_and_without(
    watch: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLWATCH_SENSOR_COUNTS", "true")
    # Not below pytest's own directory, which other users cannot look into.
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        found, counts, done = acts(watch, Path(first), pushdown=True)
        expected, none, also_done = acts(watch, Path(second), pushdown=False)
    assert found == expected
    rules = [rule for rule, _ in found]
    assert {rule: rules.count(rule) for rule in dict.fromkeys(rules)} == {
        "Whatever": 4, "Connected": 2, "Refused": 2, "Connected by another user": 3, "Sent": 2,
        "Written": 1, "Read": 4, "From elsewhere": 3, "By a leader": 2, "By another user": 2, "End": 1,
    }  # fmt: skip
    assert counts["the kernel left out"] > 10_000  # of 21,000 opens of which nothing is to be said
    assert none["the kernel left out"] == 0
    assert done == also_done  # events are left out, counts are not
    assert done[1] == "2,505 connections"  # the refused ones are none
    # Whose answers come late on a busy machine, but not for all of them.
    assert (
        sum(counts[name] for name in OTHER_CALLS) < sum(OTHER_CALLS.values()) <= sum(none[name] for name in OTHER_CALLS)
    )
