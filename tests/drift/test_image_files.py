"""Which files of layers have a size, from a bounded walk that goes on where it had to stop."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hullwatch.drift import content, image_files
from hullwatch.drift.content import TooLongError
from hullwatch.drift.image_files import ImageFiles

NEVER = float("inf")


@pytest.fixture
def layer(tmp_path: Path) -> bytes:
    for name in ("bin", "usr/lib/deep"):
        (tmp_path / "layer" / name).mkdir(parents=True)
    for name, size in (("bin/a", 3), ("usr/lib/deep/b", 3), ("usr/lib/c", 5)):
        (tmp_path / "layer" / name).write_bytes(bytes(size))
    return os.fsencode(tmp_path / "layer")


def paths(image: ImageFiles, *lowers: bytes, size: int = 3) -> set[bytes]:
    return {os.path.normpath(path) for _, path in image.of_size(lowers, size, NEVER)}


def test_files_are_found_by_their_size_in_all_layers(layer: bytes, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "d").write_bytes(b"123")
    image = ImageFiles()
    assert paths(image, layer, os.fsencode(tmp_path / "second")) == {b"bin/a", b"usr/lib/deep/b", b"d"}
    assert paths(image, layer, size=4) == set()
    assert image.is_complete([layer], NEVER)
    assert image.walks == 2


def test_links_and_other_files_are_left_out(layer: bytes, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"123")
    (tmp_path / "layer" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "layer" / "file").symlink_to(tmp_path / "outside" / "secret")
    os.mkfifo(layer + b"/pipe")
    assert paths(ImageFiles(), layer) == {b"bin/a", b"usr/lib/deep/b"}


def test_names_that_are_no_text_are_found(layer: bytes) -> None:
    Path(os.fsdecode(layer + b"/\xff\n")).write_bytes(b"123")
    assert b"\xff\n" in paths(ImageFiles(), layer)


def test_a_walk_that_takes_too_long_goes_on_with_the_next_question(
    layer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, looks = ImageFiles(), iter([False, False, True])

    def is_over(deadline: float) -> None:
        if deadline != NEVER and next(looks):
            raise TooLongError

    monkeypatch.setattr(image_files, "check", is_over)
    with pytest.raises(TooLongError):
        image.is_complete([layer], time.monotonic())
    assert paths(image, layer) == {b"bin/a", b"usr/lib/deep/b"}
    assert image.walks == 1


def test_of_too_many_files_it_says_so(layer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "LAYER_FILES_MAXIMUM", 1)
    assert not ImageFiles().is_complete([layer], NEVER)


def test_what_is_remembered_is_bounded(layer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "FILES_KEPT", 2)
    (tmp_path / "second").mkdir()
    image = ImageFiles()
    for one in (layer, os.fsencode(tmp_path / "second"), layer):
        image.is_complete([one], NEVER)
    assert image.walks == 3


def test_a_deep_tree_that_has_no_name_any_more_is_not_complete(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("x" * 200, dir_fd=directory)
        below = os.open("x" * 200, os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(directory)
    assert not ImageFiles().is_complete([os.fsencode(tmp_path)], NEVER)


def test_the_last_values_are_kept() -> None:
    recent: content.Recent[str, int] = content.Recent(2)
    assert [recent.put("a", 1), recent.put("b", 2), recent.get("a"), recent.put("c", 3)] == [None, None, 1, 2]
    assert [recent.get(key) for key in "abc"] == [1, None, 3]
