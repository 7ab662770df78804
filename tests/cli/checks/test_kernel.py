from pathlib import Path

import pytest

from hullwatch.cli.checks.kernel import kernel, kernel_types, lockdown


@pytest.mark.parametrize(
    ("says", "status", "words"),
    [
        ("echo full 0", "ok", "the full tier of kernel programs."),
        ("echo full 12", "ok", "opening files costs more"),
        ("echo full 1", "warn", "through io_uring is not told of"),
        ("echo basic 4", "warn", "are cut sooner"),
        ("echo hullwatch-sensor: this kernel is too old >&2; exit 3", "fail", "this kernel is too old"),
    ],
)
def test_a_kernel_is_judged_by_what_the_sensor_finds_in_it(tmp_path: Path, says: str, status: str, words: str) -> None:
    program = tmp_path / "sensor"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    check = kernel(str(program), "5.10.0-30-cloud-amd64")
    assert check.status == status
    assert words in check.sentence
    assert check.sentence.startswith("Linux 5.10.0-30-cloud-amd64")
    assert bool(check.fix) == (status != "ok")


def test_without_a_sensor_nobody_can_tell(tmp_path: Path) -> None:
    check = kernel(str(tmp_path / "none"))
    assert (check.status, check.fix) == ("warn", "make build")


def test_a_kernel_without_btf_fails_and_says_what_to_do(tmp_path: Path) -> None:
    check = kernel_types(tmp_path / "vmlinux")
    assert check.status == "fail"
    assert "CONFIG_DEBUG_INFO_BTF=y" in check.sentence
    assert check.fix
    (tmp_path / "vmlinux").touch()
    assert kernel_types(tmp_path / "vmlinux").status == "ok"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("[none] integrity confidentiality\n", "ok"),
        ("none [integrity] confidentiality\n", "ok"),
        ("none integrity [confidentiality]\n", "fail"),
        ("", "ok"),
    ],
)
def test_a_kernel_that_lets_nobody_read_its_memory_fails(tmp_path: Path, text: str, status: str) -> None:
    (tmp_path / "lockdown").write_text(text)
    assert lockdown(tmp_path / "lockdown").status == status


def test_a_kernel_without_lockdown_is_fine(tmp_path: Path) -> None:
    assert lockdown(tmp_path / "none").status == "ok"
