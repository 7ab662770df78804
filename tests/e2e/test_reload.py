"""Rules files that change during a run: taken when they are good, refused with an alert when they are not."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.watch import Watch

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

OPENED = """
- rule: {name}
  desc: a file whose name nobody else uses
  condition: evt.type in (open, openat) and fd.name endswith hullwatch-marked-file and proc.name = cat
  output: Opened %fd.name (parent=%proc.pname container=%container.id)
  priority: WARNING
"""
MADE = """
- rule: Connected to nothing
  desc: a connection to the discard port, which makes the sensor send connections
  condition: evt.type = connect and fd.sport = 9
  output: Connected to %fd.name
  priority: WARNING
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(OPENED.format(name="First name"))
    (tmp_path / "hullwatch-marked-file").write_text("x")
    return path


def replace(path: Path, text: str) -> None:
    """Write a file as editors do: a new one takes its place."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def open_marked(path: Path) -> None:
    subprocess.run(["cat", str(path.parent / "hullwatch-marked-file")], check=True, capture_output=True)


def test_rules_are_changed_broken_and_mended_while_they_judge(watch: Callable[..., Watch], rules: Path) -> None:
    watching = watch("-r", str(rules))
    open_marked(rules)
    watching.alert({"First name"})

    replace(rules, OPENED.format(name="Second name") + MADE)
    reloaded = watching.alert({"Rules reloaded"})
    assert "2 rules judge now, 2 new, 1 gone" in reloaded["output"]
    assert reloaded["source"] == "internal"
    open_marked(rules)
    second = watching.alert({"Second name"})
    assert f"parent={Path('/proc/self/comm').read_text().strip()}" in second["output"], "the processes were forgotten"
    subprocess.run(["bash", "-c", ": </dev/tcp/127.0.0.1/9"], check=False, capture_output=True)
    watching.alert({"Connected to nothing"})

    rules.write_text(OPENED.format(name="Third name").replace("proc.name", "proc.nam"))  # in place
    refused = watching.alert({"Rules not reloaded"})
    assert refused["priority"] == "Error"
    assert f"{rules}:4:88: There is no field 'proc.nam' (did you mean proc.name?)." in refused["output"]
    watching.alerts.clear()
    open_marked(rules)
    watching.alert({"Second name"})

    replace(rules, OPENED.format(name="Third name"))
    assert "They are good again." in watching.alert({"Rules reloaded"})["output"]
    open_marked(rules)
    watching.alert({"Third name"})
    assert watching.end() == 0


def test_a_rules_file_that_vanishes_leaves_the_rules_in_place(watch: Callable[..., Watch], rules: Path) -> None:
    watching = watch("-r", str(rules))
    rules.unlink()
    refused = watching.alert({"Rules not reloaded"})
    assert f"{rules} cannot be read: No such file" in refused["output"]
    open_marked(rules)
    watching.alert({"First name"})


def test_a_signal_has_the_files_read_again(watch: Callable[..., Watch], rules: Path) -> None:
    watching = watch("-r", str(rules))
    os.kill(watching.process.pid, signal.SIGHUP)
    assert "1 rule judges now, 0 new, 0 gone" in watching.alert({"Rules reloaded"})["output"]


def test_an_engine_that_crashes_starts_with_the_rules_that_were_good(watch: Callable[..., Watch], rules: Path) -> None:
    watching = watch("-r", str(rules))
    replace(rules, OPENED.format(name="Second name"))
    watching.alert({"Rules reloaded"})
    replace(rules, "- rule: [")
    watching.alert({"Rules not reloaded"})
    os.kill(watching.child("hullwatch-engin"), signal.SIGSEGV)
    watching.alert({"Engine restarted"})
    ready = [line for line in watching.said if "Watching this host" in line]
    assert watching.wait(lambda: len([one for one in watching.said if "Watching" in one]) > len(ready), 30)
    open_marked(rules)
    watching.alert({"Second name"})


def test_a_count_that_has_begun_goes_on_with_the_new_rules(watch: Callable[..., Watch], rules: Path) -> None:
    plain = OPENED.format(name="Plain")
    counted = OPENED.format(name="Twice") + "  threshold: {count: 2, within: 10m}\n  by: [fd.name]\n"
    rules.write_text(plain + counted)
    watching = watch("-r", str(rules), "--match", "all")
    open_marked(rules)
    watching.alert({"Plain"})
    replace(rules, plain + counted + MADE)
    watching.alert({"Rules reloaded"})
    assert not [alert for alert in watching.alerts if alert["rule"] == "Twice"]
    open_marked(rules)
    watching.alert({"Twice"})
