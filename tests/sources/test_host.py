"""What the sensor says of the kernel, and what comes of one that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.sources.host import NoSupportError, ask_support, has_own_process_ids, lacks_of, types_problem

if TYPE_CHECKING:
    from pathlib import Path


def script(path: Path, text: str) -> Path:
    """Return a program that stands in for the sensor."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_answer_is_a_tier_and_what_the_kernel_lacks(tmp_path: Path) -> None:
    sensor = script(tmp_path / "sensor", '[ "$1" = --probe ] && echo basic 5')
    assert ask_support(sensor) == ("basic", ("IO_URING_EVENTS", "RULED_OUT"))


def test_a_kernel_that_cannot_be_watched_is_told_in_the_sensors_words(tmp_path: Path) -> None:
    sensor = script(tmp_path / "sensor", "echo 'hullwatch-sensor: this kernel is too old' >&2; exit 3")
    with pytest.raises(NoSupportError, match=r"^this kernel is too old$"):
        ask_support(sensor)


@pytest.mark.parametrize("says", ["", "full", "full x", "full 1 2", "1 full"])
def test_another_answer_is_none(tmp_path: Path, says: str) -> None:
    with pytest.raises(NoSupportError, match="does not answer"):
        ask_support(script(tmp_path / "sensor", f"echo {says}"))


def test_a_sensor_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoSupportError, match="cannot be asked"):
        ask_support(tmp_path / "none")


def test_bits_that_nobody_knows_are_passed_over() -> None:
    assert lacks_of(0) == ()
    assert lacks_of(8 | 1 << 30) == ("EXECVEAT",)


def test_a_kernel_without_types_is_told(tmp_path: Path) -> None:
    problem = types_problem(tmp_path / "vmlinux")
    assert problem is not None
    assert "CONFIG_DEBUG_INFO_BTF=y" in problem


@pytest.mark.parametrize(("target", "own"), [("pid:[4026531836]", False), ("pid:[4026532501]", True), (None, False)])
def test_process_ids_that_are_others_than_the_kernel_s_are_told_by_the_namespace(
    target: str | None, tmp_path: Path, *, own: bool
) -> None:
    link = tmp_path / "pid"
    if target is not None:
        link.symlink_to(target)
    assert has_own_process_ids(link) is own
