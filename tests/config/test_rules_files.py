from pathlib import Path

import pytest

from hullwatch.config.rules_files import find, read
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
