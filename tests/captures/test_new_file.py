"""A file bears its name only when all of it is there, and takes the place of no other unless it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from hullwatch.captures.new_file import new_file
from hullwatch.captures.writer import WriteError
from hullwatch.errors import CannotError, UsageError


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.hwcap"
    with new_file(str(path)) as stream:
        stream.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, "^$"),
        (UsageError("wrong"), UsageError, "wrong"),
        (OSError(28, "No space left on device"), CannotError, "cannot be written: No space left on device"),
        (WriteError("The disk is full."), CannotError, "cannot be written: The disk is full"),
    ],
)
@pytest.mark.parametrize("before", [[], [b"before"]])
def test_nothing_is_left_of_a_file_that_did_not_become_whole(
    tmp_path: Path, error: BaseException, kind: type[BaseException], sentence: str, before: list[bytes]
) -> None:
    path = tmp_path / "x.hwcap"
    for content in before:
        path.write_bytes(content)

    def fail() -> None:
        with new_file(str(path), force=True) as stream:
            stream.write(b"part")
            raise error

    with pytest.raises(kind, match=sentence):
        fail()
    assert [one.read_bytes() for one in tmp_path.iterdir()] == before


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "x.hwcap"
    path.write_bytes(b"before")
    with pytest.raises(UsageError, match=r"there already.*--force"), new_file(str(path)):
        pass
    with new_file(str(path), force=True) as stream:
        stream.write(b"after")
    assert path.read_bytes() == b"after"


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.hwcap"

    def write() -> None:
        with new_file(str(path)) as stream:
            stream.write(b"mine")
            path.write_bytes(b"of somebody else")

    with pytest.raises(UsageError, match="there already"):
        write()
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"of somebody else"]


def test_what_is_no_ordinary_file_is_never_replaced(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    for path in (Path("/dev/null"), tmp_path, link):
        with pytest.raises(UsageError, match="no ordinary file"), new_file(str(path), force=True):
            pass
    with pytest.raises(UsageError, match="There is no directory"), new_file(str(tmp_path / "no" / "x")):
        pass
