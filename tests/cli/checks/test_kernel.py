from pathlib import Path

import pytest

from hullwatch.cli.checks.kernel import kernel_types, kernel_version, lockdown


@pytest.mark.parametrize(
    ("release", "status"),
    [
        ("4.19.0-25-amd64", "fail"),
        ("5.7.19", "fail"),
        ("5.17.0", "fail"),
        ("5.10.0-30-cloud-amd64", "fail"),
        ("6.1.0-28-amd64", "ok"),
        ("6.18.44-fc-v595", "ok"),
        ("10.0", "ok"),
        ("mine", "warn"),
    ],
)
def test_a_kernel_is_judged_by_its_version(release: str, status: str) -> None:
    assert kernel_version(release).status == status
    assert release in kernel_version(release).sentence


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


@pytest.mark.parametrize(("release", "says"), [("6.1.0-28-amd64", True), ("6.2.0", False), ("6.18.44", False)])
def test_a_kernel_that_cannot_remember_what_was_ruled_out_is_said_to_cost_more(release: str, *, says: bool) -> None:
    assert ("opening files costs more" in kernel_version(release).sentence) is says
