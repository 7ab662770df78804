import os
from pathlib import Path

import pytest

from hullwatch.config import rules_files
from hullwatch.config.rules_files import FilesWatch, find, read, read_all
from hullwatch.errors import UsageError


def test_a_directory_stands_for_its_yaml_files_sorted(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d.yaml").mkdir()
    other = tmp_path / "c.txt"
    assert find([str(other), str(tmp_path)]) == [other, tmp_path / "a.yml", tmp_path / "b.yaml"]


def test_a_directory_without_rules_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no rules files"):
        find([str(tmp_path)])


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.yaml cannot be read: No such file"):
        find([str(tmp_path / "x.yaml")])


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(UsageError, match="more than 10 MiB"):
        read(Path("/dev/zero"))


def test_files_that_are_too_large_together_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_bytes(b"x" * 10)
    assert read_all([str(tmp_path)]) == [(str(tmp_path / name), b"x" * 10) for name in ("a.yaml", "b.yaml")]
    monkeypatch.setattr(rules_files, "LARGEST_SUM", 19)
    with pytest.raises(UsageError, match="together"):
        read_all([str(tmp_path)])


def change(path: Path, how: str) -> None:
    if how == "written":
        path.write_text("more than before")
    elif how == "replaced":
        path.with_suffix(".new").write_text(path.read_text())
        path.with_suffix(".new").replace(path)
    elif how == "removed":
        path.unlink()
    else:
        (path.parent / "added.yaml").touch()


@pytest.mark.parametrize("how", ["written", "replaced", "removed", "added"])
def test_a_change_is_noticed_when_two_looks_see_the_same(tmp_path: Path, how: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("x")
    (tmp_path / "other.yaml").touch()
    watch = FilesWatch([str(tmp_path)])
    assert not watch.changed()
    change(path, how)
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, True]
    watch.settle()
    assert not watch.changed()


def test_a_directory_of_links_that_is_switched_is_noticed(tmp_path: Path) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "rules.yaml").write_text("same")
    link = tmp_path / "current"
    link.symlink_to("one")
    watch = FilesWatch([str(link / "rules.yaml")])
    link.unlink()
    link.symlink_to("two")
    assert [watch.changed(), watch.changed()] == [False, True]


def test_files_count_as_changed_when_somebody_asks(tmp_path: Path) -> None:
    watch = FilesWatch([str(tmp_path / "nowhere.yaml")])
    watch.ask()
    assert watch.changed()
    watch.settle()
    assert not watch.changed()


def test_a_pipe_is_read_once_and_never_waited_for_again(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    os.mkfifo(path)
    watch = FilesWatch([str(path)])
    os.utime(path)
    assert [watch.changed(), watch.changed()] == [False, False]
    with pytest.raises(UsageError, match="no regular file: it can be read only once"):
        read_all([str(path)], again=True)
