import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hullwatch.api.checks.check import Check
from hullwatch.cli.checks import kernel
from hullwatch.cli.doctor import doctor

FIRST = ["configuration", "kernel", "BTF", "lockdown", "permissions", "sensor", "classifier"]
NAMES = [*FIRST, "engine", "rules", "captures", "store", "output", "instance"]


def returning(answer: object) -> Callable[..., object]:
    return lambda *_: answer


@pytest.fixture(autouse=True)
def _a_machine_where_all_is_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    replacements: dict[str, object] = {
        "hullwatch.config.layers.configuration_files": [],
        "hullwatch.cli.checks.kernel.kernel": Check("kernel", "ok", "Fine."),
        "hullwatch.cli.checks.kernel.kernel_types": Check("BTF", "ok", "Fine."),
        "hullwatch.cli.checks.kernel.lockdown": Check("lockdown", "ok", "Fine."),
        "hullwatch.cli.checks.permissions.capabilities": Check("permissions", "ok", "Fine."),
        "hullwatch.cli.checks.sensor.sensor": Check("sensor", "ok", "Fine."),
        "hullwatch.cli.checks.classifier.classifier": Check("classifier", "ok", "Fine."),
        "hullwatch.cli.checks.engines.engines": [Check("engine", "warn", "None.", "do")],
        "hullwatch.cli.checks.rules.rules": Check("rules", "ok", "Fine."),
    }
    for name, answer in replacements.items():
        monkeypatch.setattr(name, returning(answer))
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_STATE", str(tmp_path))
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_RUN", str(tmp_path))  # an instance may run on this machine


def test_every_check_is_a_line_and_only_what_is_not_ok_has_a_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if "fix:" not in line] == NAMES
    assert [line.strip() for line in lines if "fix:" in line] == ["fix: do"]


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    doctor(output="json")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == NAMES
    assert set(rows[0]) == {"name", "status", "sentence", "fix"}


def test_something_that_fails_is_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernel, "kernel_types", lambda: Check("BTF", "fail", "No\x1b types.", "apt\ninstall"))
    assert doctor() == 3
    said = capsys.readouterr().out
    assert "No\\x1b types." in said
    assert "fix: apt\\ninstall" in said


def test_a_check_that_breaks_does_not_hide_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: str) -> Check:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(kernel, "kernel", broken)
    assert doctor() == 3
    said = capsys.readouterr().out
    assert "This check could not be made: ZeroDivisionError: oh." in said
    assert "ok    instance" in said


def test_a_broken_configuration_file_is_told_and_the_rest_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text("x = 1")
    assert doctor(config_file=str(tmp_path / "c.toml")) == 3
    assert 'there is no section "x"' in capsys.readouterr().out
