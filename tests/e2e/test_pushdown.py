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
- {rule: End, desc: d, condition: fd.name endswith hullwatch-marked-end, output: x, priority: INFO}
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


def acts(watch: Callable[..., Watch], folder: Path, *, pushdown: bool) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Watch the acts; return rules and outputs of the alerts, and how many calls the kernel left out."""
    target = folder / "hullwatch-marked"
    (target / "quiet").mkdir(parents=True)
    for name in ("file", "secret2"):
        (target / "quiet" / name).write_text("x")
    folder.chmod(0o755)
    rules = folder / "rules.yaml"
    rules.write_text(RULES)
    watching = watch("-r", str(rules), "--pushdown" if pushdown else "--no-pushdown")
    subprocess.run([sys.executable, "-c", ACTS, str(target)], check=True)
    watching.alert({"End"})
    assert watching.end(signal.SIGINT) == 0
    left_out = next((line for line in watching.said if "the kernel left out" in line), "0")
    number = int(left_out.split()[0].replace(",", ""))
    found = [(str(alert["rule"]), str(alert["output_fields"].get("fd.name"))) for alert in watching.alerts]
    return [(rule, name.replace(str(folder), "")) for rule, name in found], {"left out": number}


def test_the_same_acts_raise_the_same_alerts_with_calls_left_out_in_the_kernel_and_without(
    watch: Callable[..., Watch],
) -> None:
    # Not below pytest's own directory, which other users cannot look into.
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        found, counts = acts(watch, Path(first), pushdown=True)
        expected, none = acts(watch, Path(second), pushdown=False)
    assert found == expected
    rules = [rule for rule, _ in found]
    assert {rule: rules.count(rule) for rule in dict.fromkeys(rules)} == {
        "Written": 1, "Read": 4, "From elsewhere": 3, "By a leader": 2, "By another user": 2, "End": 1,
    }  # fmt: skip
    assert counts["left out"] > 10_000  # of 21,000 opens of which nothing is to be said
    assert none["left out"] == 0
