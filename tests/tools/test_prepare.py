"""The set-up says what it does, does nothing twice, and fails with a sentence."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tools import prepare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tools.prepare import Probe


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of one folder of programs: only ``env`` and ``sh`` are there; root."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("env", "sh", "touch"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(prepare, "PROGRAM_FOLDERS", ())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return folder


def install(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def wanted(folder: Path, *packages: str) -> dict[str, Probe]:
    return {name: (folder / name).exists for name in packages}


def test_packages_that_are_there_are_not_installed(machine: Path) -> None:
    install(machine, "clang", "")
    install(machine, "apt-get", f'echo "$@" >> {machine}/log')
    prepare.install_packages(wanted(machine, "clang"))
    assert not (machine / "log").exists()


def test_only_the_missing_packages_are_installed_and_named(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(machine, "clang", "")
    install(machine, "apt-get", f'echo "$@" >> {machine}/log\ntouch {machine}/bpftool {machine}/libelf-dev')
    prepare.install_packages(wanted(machine, "clang", "bpftool", "libelf-dev"))
    update, installation = (machine / "log").read_text().splitlines()
    assert update.split()[-1] == "update"
    assert installation.endswith("install --yes --no-install-recommends bpftool libelf-dev")
    assert "installing the Debian packages bpftool libelf-dev\n" in capsys.readouterr().err


def test_a_user_installs_through_sudo(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    install(machine, "sudo", f'echo sudo >> {machine}/log\nexec "$@"')
    install(machine, "apt-get", f"touch {machine}/bpftool")
    prepare.install_packages(wanted(machine, "bpftool"))
    assert (machine / "log").read_text() == "sudo\nsudo\n"
    assert "bpftool with sudo" in capsys.readouterr().err


def test_a_user_without_sudo_is_told_to_be_root(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    install(machine, "apt-get", "")
    with pytest.raises(prepare.PreparationError, match="installing bpftool needs root, and there is no sudo"):
        prepare.install_packages(wanted(machine, "bpftool"))


def test_a_machine_without_apt_is_told_what_to_install(machine: Path) -> None:
    with pytest.raises(prepare.PreparationError, match=r"bpftool libelf-dev\. There is no apt-get on this machine"):
        prepare.install_packages(wanted(machine, "bpftool", "libelf-dev"))


def test_a_failing_apt_shows_its_last_lines_below_a_limit(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(
        machine, "apt-get", 'i=0; while [ $i -lt 100 ]; do echo "line $i"; i=$((i+1)); done; echo no network; exit 100'
    )
    with pytest.raises(prepare.PreparationError, match="the package lists could not be brought up to date"):
        prepare.install_packages(wanted(machine, "bpftool"))
    shown = capsys.readouterr().err
    assert "no network" in shown
    assert "line 10\n" not in shown


def test_a_package_that_does_not_bring_what_it_should_is_named(machine: Path) -> None:
    install(machine, "apt-get", "")
    with pytest.raises(prepare.PreparationError, match="bpftool was installed, but what it should bring was not found"):
        prepare.install_packages(wanted(machine, "bpftool"))


def test_an_old_python_is_told_how_to_name_a_newer_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert prepare.main(["test"]) == 3
    assert "Python 3.11 or newer is needed" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["everything"], ["run", "test"]])
def test_a_wrong_purpose_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main(arguments) == 2
    assert "run, test, check, kernels, arm64" in capsys.readouterr().err


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A checkout with lock files and an environment that is taken for usable."""
    (tmp_path / "requirements").mkdir()
    for kind in ("run", "development"):
        (tmp_path / "requirements" / f"{kind}.lock").write_text(f"{kind}==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(prepare, "ROOT", tmp_path)
    monkeypatch.setattr(prepare, "ENVIRONMENT", tmp_path / ".venv")

    def usable(python: Path) -> bool:
        return python.name == "python"

    monkeypatch.setattr(prepare, "usable", usable)
    return tmp_path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    made: list[list[str]] = []

    def call(command: Sequence[str | Path], failure: str, environment: Mapping[str, str] | None = None) -> str:
        made.append([str(part) for part in command])
        return ""

    monkeypatch.setattr(prepare, "call", call)
    return made


def test_the_environment_is_installed_once_with_hashes_required(checkout: Path, calls: list[list[str]]) -> None:
    prepare.prepare_environment("development")
    requirements, project = calls
    assert "--require-hashes" in requirements
    assert requirements[-1] == str(checkout / "requirements" / "development.lock")
    assert project[-2:] == ["--editable", str(checkout)]
    calls.clear()
    prepare.prepare_environment("development")
    prepare.prepare_environment("run")  # development holds all of it
    assert calls == []


def test_a_changed_lock_file_is_installed_again(checkout: Path, calls: list[list[str]]) -> None:
    prepare.prepare_environment("run")
    calls.clear()
    (checkout / "requirements" / "run.lock").write_text("run==2\n")
    prepare.prepare_environment("run")
    assert len(calls) == 2


def test_an_environment_for_running_is_not_taken_for_one_for_tests(checkout: Path, calls: list[list[str]]) -> None:
    prepare.prepare_environment("run")
    calls.clear()
    prepare.prepare_environment("development")
    assert len(calls) == 2


def test_a_failed_installation_is_tried_again(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise prepare.PreparationError("no network")

    monkeypatch.setattr(prepare, "call", fail)
    for _ in range(2):
        with pytest.raises(prepare.PreparationError, match="no network"):
            prepare.prepare_environment("run")


def test_an_environment_that_was_moved_is_not_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "ENVIRONMENT", tmp_path / "here")
    (tmp_path / "here" / "bin").mkdir(parents=True)
    assert not prepare.usable(tmp_path / "here" / "bin" / "python")
    (tmp_path / "here" / "bin" / "python").symlink_to(sys.executable)
    assert not prepare.usable(tmp_path / "here" / "bin" / "python")


def test_a_program_that_cannot_be_started_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(prepare.PreparationError, match=r"It was for this\. .*absent could not be started"):
        prepare.call([tmp_path / "absent"], "It was for this.")


def test_a_program_that_hangs_is_ended(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "SLOW", 0.2)
    install(machine, "hang", "exec tail -f /dev/null")
    monkeypatch.setenv("PATH", f"{machine}:/usr/bin:/bin")
    with pytest.raises(prepare.PreparationError, match="did not end within"):
        prepare.call(["hang"], "It was for this.")
