"""``hullwatch run`` as a program: its ends, its second instance, its sensor's death, its exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch import supervisor
from hullwatch.config.settings import RulesSettings, Settings
from hullwatch.engine_process import preload
from hullwatch.errors import HullwatchError
from hullwatch.store.opening import open_to_read
from hullwatch.store.reading import AlertReader, Found, Wanted
from tests.e2e.watch import watches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.watch import Watch

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

MARKED_OPEN = """
- rule: Marked file opened
  desc: a file whose name nobody else uses
  condition: evt.type in (open, openat) and fd.name endswith hullwatch-marked-file
  output: Opened %fd.name by %proc.name (command=%proc.cmdline)
  priority: WARNING
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "marked.yaml"
    path.write_text(MARKED_OPEN)
    (tmp_path / "hullwatch-marked-file").write_text("x")
    return str(path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """A run for the tests that only look at it, or at alerts of files of their own."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "marked.yaml").write_text(MARKED_OPEN)
    with watches(folder) as start:
        yield start("-r", str(folder / "marked.yaml"), "--label", "site=harbour")


def alert_of(watching: Watch, folder: Path) -> dict[str, Any]:
    """Return the alert of ``cat`` that opens the marked file in a folder, waiting for it."""

    def found() -> list[dict[str, Any]]:
        opened = f"Opened {folder}/hullwatch-marked-file by cat "
        return [alert for alert in watching.alerts if opened in alert["output"]]

    assert watching.wait(lambda: bool(found()), 30), watching.describe()
    return found()[0]


def open_marked(tmp_path: Path, *arguments: str) -> None:
    """Have ``cat`` open the file; what follows ``--`` are files that are not there."""
    target = tmp_path / "hullwatch-marked-file"
    subprocess.run(["cat", str(target), *arguments], check=False, capture_output=True)


def test_ctrl_c_ends_with_0_and_a_summary(watch: Callable[..., Watch], rules: str, tmp_path: Path) -> None:
    watching = watch("-r", rules)
    open_marked(tmp_path)
    watching.alert({"Marked file opened"})
    assert watching.end(signal.SIGINT) == 0
    words = "\n".join(watching.said)
    assert "events" in words
    assert "Marked file opened" in words
    assert "dropped" in words
    kept = kept_by(watching)  # what was printed is kept, with where it came from
    assert [found.alert.output_fields["fd.name"] for found in kept] == [str(tmp_path / "hullwatch-marked-file")]
    assert kept[0].issue
    assert kept[0].alert.origin is not None
    assert kept[0].alert.origin.processes[0].name == "cat"


def kept_by(watching: Watch) -> list[Found]:
    """Return the alerts of rules that a watch has kept."""
    return list(AlertReader(open_to_read("", watching.state)).newest_first(Wanted("evt.source = syscall")))


@pytest.mark.parametrize(("priority", "status"), [("warning", 1), ("critical", 0)])
def test_fail_on_gives_1_for_an_alert_as_severe_as_it_says_and_0_for_others(
    watch: Callable[..., Watch], rules: str, tmp_path: Path, priority: str, status: int
) -> None:
    watching = watch("-r", rules, "--fail-on", priority)
    open_marked(tmp_path)
    watching.alert({"Marked file opened"})
    assert watching.end() == status


def test_a_duration_ends_it_and_a_standard_error_that_nobody_reads_any_more_is_no_crash(tmp_path: Path) -> None:
    # The time goes from its start; on a busy machine it may be over before the sensor is ready.
    assert any(ended_with_a_closed_standard_error(tmp_path / str(seconds), seconds) for seconds in (2, 10, 50))


def ended_with_a_closed_standard_error(folder: Path, seconds: int) -> bool:
    """Tell whether a run was ready before its time was over; then its standard error was closed, and nothing broke."""
    environment = {
        **os.environ,
        "HULLWATCH_DIRECTORIES_STATE": str(folder / "state"),
        "HULLWATCH_DIRECTORIES_RUN": str(folder / "run"),
        "HULLWATCH_STORE_ENABLED": "false",
    }
    command = [sys.executable, "-m", "hullwatch", "run", "--duration", f"{seconds}s", "-o", "json"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        try:
            ready = any("Watching this host" in line for line in watching.stderr)
            watching.stderr.close()
            alerts = [json.loads(line)["rule"] for line in watching.stdout]
            assert watching.wait(60) == 0
        finally:
            watching.kill()
    assert "Engine restarted" not in alerts
    assert not (folder / "state" / "crash.txt").exists()
    return ready


def test_json_has_falcos_keys_and_labels(shared: Watch, rules: str, tmp_path: Path) -> None:
    open_marked(tmp_path)
    alert = alert_of(shared, tmp_path)
    assert alert["rule"] == "Marked file opened"
    keys = {"time", "priority", "rule", "source", "tags", "output", "output_fields", "hostname"}
    assert keys <= alert.keys()
    assert alert["priority"] == "Warning"
    assert alert["source"] == "syscall"
    assert alert["labels"] == {"site": "harbour"}
    assert alert["output_fields"]["fd.name"].endswith("hullwatch-marked-file")


def test_text_is_one_line_with_rule_and_message(watch: Callable[..., Watch], rules: str, tmp_path: Path) -> None:
    watching = watch("-r", rules, output="text")
    open_marked(tmp_path)
    assert watching.wait(lambda: bool(watching.alerts), 10), watching.describe()
    line = watching.alerts[0]["line"]
    assert "Warning" in line
    assert "Marked file opened" in line
    assert "by cat" in line


def test_a_password_on_a_command_line_is_masked(shared: Watch, rules: str, tmp_path: Path) -> None:
    open_marked(tmp_path, "--", "--password=hunter2secret")
    alert = alert_of(shared, tmp_path)
    assert "hunter2secret" not in json.dumps(alert)
    assert "--password=***" in alert["output"]


def test_terminal_escapes_in_an_argument_do_not_reach_the_terminal(
    watch: Callable[..., Watch], rules: str, tmp_path: Path
) -> None:
    watching = watch("-r", rules, output="text")
    open_marked(tmp_path, "\x1b[2J\x1b]0;owned\x07\nWarning: forged line")
    assert watching.wait(lambda: bool(watching.alerts), 10), watching.describe()
    watching.end()
    assert len(watching.alerts) == 1, "a newline in an argument made a second line"
    assert "\x1b" not in watching.alerts[0]["line"]


def test_a_second_instance_is_refused_with_a_sentence(shared: Watch) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "hullwatch", "run"],
        env=shared.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 3
    assert str(shared.process.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert shared.process.poll() is None


def test_a_killed_sensor_alerts_is_started_again_and_sees_again(
    watch: Callable[..., Watch], rules: str, tmp_path: Path
) -> None:
    watching = watch("-r", rules)
    os.kill(watching.child("hullwatch-senso"), signal.SIGKILL)
    lost = watching.alert({"Sensor lost"})
    assert lost["priority"] == "Critical"
    assert "SIGKILL" in lost["output"]

    def seen_again() -> bool:
        open_marked(tmp_path)
        return watching.wait(lambda: any(one["rule"] == "Marked file opened" for one in watching.alerts), 0.5)

    assert any(seen_again() for _ in range(20)), watching.describe()
    assert watching.end() == 0
    assert any("restart" in line for line in watching.said)


def test_a_killed_engine_is_started_again_and_sees_again(
    watch: Callable[..., Watch], rules: str, tmp_path: Path
) -> None:
    watching = watch("-r", rules)
    os.kill(watching.child("hullwatch-engin"), signal.SIGSEGV)
    restarted = watching.alert({"Engine restarted"})
    assert restarted["priority"] == "Critical"

    def seen_again() -> bool:
        open_marked(tmp_path)
        return watching.wait(lambda: any(one["rule"] == "Marked file opened" for one in watching.alerts), 0.5)

    assert any(seen_again() for _ in range(20)), watching.describe()


def test_a_killed_keeper_alerts_and_no_alert_is_lost(watch: Callable[..., Watch], rules: str, tmp_path: Path) -> None:
    watching = watch("-r", rules)
    open_marked(tmp_path)
    watching.alert({"Marked file opened"})
    os.kill(watching.child("hullwatch-keepe"), signal.SIGKILL)
    open_marked(tmp_path)
    assert watching.alert({"Keeper lost"})["priority"] == "Error"
    open_marked(tmp_path)
    assert watching.end() == 0
    printed = [alert for alert in watching.alerts if alert["rule"] == "Marked file opened"]
    assert len(kept_by(watching)) == len(printed) == 3


def test_only_the_supervisor_keeps_power(shared: Watch) -> None:
    def status(pid: int) -> dict[str, str]:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    keeper = status(shared.child("hullwatch-keepe"))
    assert (int(keeper["CapPrm"], 16), keeper["NoNewPrivs"]) == (0, "1")
    assert "0" not in keeper["Uid"].split()
    sensor, engine = status(shared.child("hullwatch-senso")), status(shared.child("hullwatch-engin"))
    bpf_and_perfmon = 1 << 39 | 1 << 38
    assert int(sensor["CapEff"], 16) == bpf_and_perfmon
    assert int(sensor["CapPrm"], 16) == bpf_and_perfmon
    assert sensor["NoNewPrivs"] == "1"
    assert int(engine["CapEff"], 16) == 0
    assert int(engine["CapPrm"], 16) == 0
    assert "0" not in sensor["Uid"].split()
    assert "0" not in engine["Uid"].split()


def test_its_own_activity_is_left_out_and_counted(watch: Callable[..., Watch], tmp_path: Path) -> None:
    rules = tmp_path / "all.yaml"
    rules.write_text(MARKED_OPEN.replace("fd.name endswith hullwatch-marked-file", "fd.name contains status.new"))
    watching = watch("-r", str(rules))
    status = watching.state / "status.json"  # it is written anew every 2 s
    seen: set[int] = set()

    def written_again() -> bool:
        with contextlib.suppress(FileNotFoundError):
            seen.add(status.stat().st_mtime_ns)
        return len(seen) > 1

    assert watching.wait(written_again, 60), watching.describe()
    assert watching.end() == 0
    assert not any(str(watching.state) in json.dumps(alert) for alert in watching.alerts)  # others may run here too
    assert any("Hullwatch itself" in line for line in watching.said), watching.said


def test_a_wrong_rules_file_ends_with_2_and_says_where(tmp_path: Path) -> None:
    directories = {"HULLWATCH_DIRECTORIES_STATE": str(tmp_path / "s"), "HULLWATCH_DIRECTORIES_RUN": str(tmp_path / "r")}
    path = tmp_path / "wrong.yaml"
    path.write_text("- rule: R\n  desc: d\n  condition: proc.nam = bash\n  output: o\n  priority: INFO\n")
    done = subprocess.run(
        [sys.executable, "-m", "hullwatch", "run", "-r", str(path)],
        env={**os.environ, **directories},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"{path}:3:" in done.stderr
    assert "proc.name" in done.stderr
    assert "Traceback" not in done.stderr


def as_nobody(rules_text: str, folder: Path) -> tuple[int, str]:
    """Run ``hullwatch run`` in a forked process that has become an ordinary user; exit code and sentence.

    Forked, because that user may not be able to read this Python.
    """
    path = folder / "rules.yaml"
    path.write_text(rules_text)
    settings = Settings(rules=RulesSettings(files=(str(path),)))
    preload()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        try:
            supervisor.run(settings)
            os._exit(0)
        except HullwatchError as error:
            os.write(write, str(error).encode())
            os._exit(error.exit_code)
        except BaseException as error:  # noqa: BLE001 - the parent shows it
            os.write(write, repr(error).encode())
        finally:
            os._exit(99)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as stream:
        sentence = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), sentence


def open_to_all(folder: Path) -> Path:
    for parent in (folder, *folder.parents[:3]):
        if parent.stat().st_uid == os.geteuid() and parent != Path(parent.anchor):
            parent.chmod(parent.stat().st_mode | 0o055)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_without_root_it_ends_with_3_and_says_what_to_grant(tmp_path: Path) -> None:
    code, sentence = as_nobody(MARKED_OPEN, open_to_all(tmp_path))
    assert code == 3, sentence
    assert "sudo" in sentence
    assert "BPF" in sentence


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_without_root_a_wrong_rules_file_is_told_first(tmp_path: Path) -> None:
    code, sentence = as_nobody(MARKED_OPEN.replace("fd.name", "fd.nme"), open_to_all(tmp_path))
    assert code == 2, sentence
    assert "fd.name" in sentence
