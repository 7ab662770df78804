"""Rules about what is done to files, from the call to the alert."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.watch import Watch

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

RULES = """
- rule: Setuid
  desc: d
  condition: >
    evt.type in (chmod, fchmod, fchmodat) and evt.arg.mode contains S_ISUID and evt.failed = false and
    fs.path.name startswith {folder}/
  output: "%evt.type %fs.path.name %evt.arg.mode"
  priority: WARNING
- rule: Removed
  desc: d
  condition: evt.type in (unlink, unlinkat, rmdir) and fs.path.name startswith {folder}/
  output: "%fs.path.name %fs.path.nameraw %evt.res"
  priority: WARNING
- rule: Renamed
  desc: d
  condition: evt.type in (rename, renameat, renameat2) and fs.path.target = "{folder}/new"
  output: "%fs.path.source %fs.path.sourceraw"
  priority: WARNING
- rule: Written
  desc: d
  condition: evt.type = close and fd.name startswith {folder}/ and fd.typechar = f
  output: "%fd.name %evt.arg.fd"
  priority: WARNING
"""


@pytest.fixture
def watching(watch: Callable[..., Watch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Rules about a directory, which is the working directory and has a file."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "file").write_text("")
    monkeypatch.chdir(tmp_path / "files")
    (tmp_path / "rules.yaml").write_text(RULES.format(folder=tmp_path / "files"))
    return watch("-r", str(tmp_path / "rules.yaml"))


def said(watching: Watch, rule: str) -> str:
    """Return what an alert says behind its time and priority."""
    return watching.alert({rule})["output"].partition(" Warning ")[2]


def test_a_change_of_permissions_alerts_with_its_path_and_bits(watching: Watch, tmp_path: Path) -> None:
    Path("file").chmod(0o711)
    Path("file").chmod(0o4711)
    path = tmp_path / "files" / "file"
    assert said(watching, "Setuid") == f"chmod {path} S_IXOTH|S_IXGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID"


def test_a_hostile_name_comes_whole_and_leaves_the_output_one_alert_a_line(watching: Watch, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Path("../files/a\n\x1b[31m").unlink()
    fields = watching.alert({"Removed"})["output_fields"]
    assert fields["fs.path.name"] == f"{tmp_path}/files/a\n\x1b[31m"
    assert (fields["fs.path.nameraw"], fields["evt.res"]) == ("../files/a\n\x1b[31m", "ENOENT")


def test_a_rename_alerts_with_both_paths(watching: Watch, tmp_path: Path) -> None:
    Path("file").rename("new")
    assert said(watching, "Renamed") == f"{tmp_path}/files/file file"


def test_a_close_after_writing_alerts(watching: Watch, tmp_path: Path) -> None:
    os.close(os.open("file", os.O_RDONLY))
    os.close(os.open("new file", os.O_WRONLY | os.O_CREAT))
    path = tmp_path / "files" / "new file"
    assert said(watching, "Written") == f"{path} <f>{path}"
