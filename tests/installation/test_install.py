"""Installing below a directory, over itself, and away again. The release itself is a link to this environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hullwatch.errors import CannotError
from hullwatch.installation import manifest as manifests
from hullwatch.installation.manifest import Manifest
from tests.cli.in_process import Command, command
from tools.install import CONFIG, KEPT_EVENTS, STATE, Installation, Place, check_wheel, give, install, locked

__all__ = ["command"]

PREFIX = "/opt/hullwatch"


def link_here(folder: Path) -> None:
    """Stand in for the virtual environment, which takes a minute to make."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)


def installed(root: Path, release: str = "0.1-a") -> Installation:
    return install(Place(PREFIX, root), release, link_here)


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or path.is_file()}


def test_all_that_belongs_to_a_service_is_there(tmp_path: Path) -> None:
    installed(tmp_path)
    for path in (
        "opt/hullwatch/bin/hullwatch",
        "usr/local/bin/hullwatch",
        "usr/local/lib/systemd/system/hullwatch.service",
        "usr/local/lib/sysusers.d/hullwatch.conf",
        "usr/local/lib/tmpfiles.d/hullwatch.conf",
        "usr/local/share/bash-completion/completions/hullwatch",
        "usr/local/share/zsh/site-functions/_hullwatch",
        "usr/local/share/fish/vendor_completions.d/hullwatch.fish",
        "usr/local/share/man/man1/hullwatch.1",
        "etc/hullwatch/config.toml",
        "opt/hullwatch/share/config.schema.json",
    ):
        assert path in files(tmp_path)
    assert json.loads((tmp_path / "opt/hullwatch/share/config.schema.json").read_text())["$defs"]
    assert (tmp_path / CONFIG[1:]).read_text().startswith("#:schema /opt/hullwatch/share/config.schema.json\n")
    assert os.access(tmp_path / "opt/hullwatch/bin/hullwatch", os.X_OK)
    assert "hullwatch config check" in (tmp_path / "usr/local/share/man/man1/hullwatch.1").read_text()


def test_another_prefix_is_in_the_unit_and_in_the_launcher(tmp_path: Path) -> None:
    install(Place("/srv/hw", tmp_path), "0.1-a", link_here)
    unit = (tmp_path / "usr/local/lib/systemd/system/hullwatch.service").read_text()
    assert "\nExecStart=/srv/hw/bin/hullwatch run\n" in unit
    assert "/opt/" not in unit
    assert "exec /srv/hw/current/bin/python -I -m hullwatch" in (tmp_path / "srv/hw/bin/hullwatch").read_text()


def test_an_upgrade_keeps_state_and_a_changed_configuration_and_the_release_before(tmp_path: Path) -> None:
    installed(tmp_path)
    state = tmp_path / STATE[0][1:]
    state.mkdir(parents=True)
    (state / "alerts.db").write_text("precious")
    config = tmp_path / CONFIG[1:]
    default = config.read_text()
    config.write_text(default + "\n[output]\n")
    assert installed(tmp_path, "0.2-b").said == []  # the default is still the same
    assert not config.with_suffix(".toml.new").exists()

    place = Place(PREFIX, tmp_path)
    listed = tmp_path / "opt/hullwatch/manifest.json"
    newer = Installation(place, manifests.read(listed))
    newer.config(CONFIG, default + "# more\n")
    assert newer.said == [f"{CONFIG} was changed, and stays as it is; the new default is {CONFIG}.new."]
    assert config.read_text() == default + "\n[output]\n"
    assert (tmp_path / f"{CONFIG[1:]}.new").read_text() == default + "# more\n"

    installed(tmp_path, "0.3-c")
    releases = tmp_path / "opt/hullwatch/releases"
    assert sorted(path.name for path in releases.iterdir()) == ["0.2-b", "0.3-c"]
    assert (tmp_path / "opt/hullwatch/current").readlink() == Path("releases/0.3-c")
    assert (state / "alerts.db").read_text() == "precious"


def test_a_configuration_that_nobody_changed_gets_the_new_default(tmp_path: Path) -> None:
    first = Installation(Place(PREFIX, tmp_path), None)
    first.config(CONFIG, "# old\n")
    second = Installation(Place(PREFIX, tmp_path), first.manifest)
    second.config(CONFIG, "# new\n")
    assert (tmp_path / CONFIG[1:]).read_text() == "# new\n"
    assert second.said == []


def test_a_release_that_was_not_finished_is_made_again(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        link_here(folder)
        raise CannotError("no network")

    with pytest.raises(CannotError):
        install(Place(PREFIX, tmp_path), "0.1-a", broken)
    assert not (tmp_path / "usr/local/bin/hullwatch").is_symlink()
    installed(tmp_path)
    assert (tmp_path / "opt/hullwatch/releases/0.1-a/complete").exists()


def test_state_of_another_user_is_handed_over_and_what_is_roots_in_it_stays(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for name, owner in (("state", 60_975), ("state/cache", 60_975), ("state/captures", 0)):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, owner, owner)
    give(tmp_path / "state", (995, 995))
    owners = [(tmp_path / name).stat().st_uid for name in ("state", "state/cache", "state/captures")]
    assert owners == [995, 995, 0]


def test_uninstall_leaves_nothing_and_says_what_it_removed(tmp_path: Path, command: Command) -> None:
    installed(tmp_path)
    (tmp_path / STATE[0][1:] / "captures").mkdir(parents=True)
    before = files(tmp_path)
    code, lines, _ = command("uninstall", "--root", str(tmp_path), "--dry-run")
    assert code == 0
    assert files(tmp_path) == before
    assert f"would remove  {STATE[0]}" in lines
    code, said, _ = command("uninstall", "--root", str(tmp_path))
    assert code == 0
    assert said == [line.replace("would remove", "removed") for line in lines]
    assert files(tmp_path) == set()
    assert {path.name for path in tmp_path.iterdir()} <= {"opt", "usr", "etc", "var"}
    assert list((tmp_path / "opt").iterdir()) == list((tmp_path / "etc").iterdir()) == []
    assert list((tmp_path / "usr").iterdir()) == []


def test_what_somebody_changed_or_put_there_is_left_and_named(tmp_path: Path, command: Command) -> None:
    installed(tmp_path)
    state, config = tmp_path / STATE[0][1:], tmp_path / CONFIG[1:]
    (state / "captures").mkdir(parents=True)
    config.write_text("[output]\n")
    (tmp_path / "usr/local/lib/systemd/system/other.service").write_text("[Unit]\n")
    code, lines, _ = command("uninstall", "--root", str(tmp_path), "--keep-state")
    assert code == 1
    left = {line for line in lines if line.startswith("left")}
    assert left == {
        f"left  {STATE[0]}  (--keep-state)",
        f"left  {CONFIG}  (somebody changed it)",
        "left  /etc/hullwatch  (config.toml is in it)",
        "left  /usr/local  (lib is in it)",
        "left  /usr/local/lib  (systemd is in it)",
        "left  /usr/local/lib/systemd  (system is in it)",
        "left  /usr/local/lib/systemd/system  (other.service is in it)",
    }
    assert files(tmp_path) == {"etc/hullwatch/config.toml", "usr/local/lib/systemd/system/other.service"}
    assert (state / "captures").is_dir()


def test_a_link_in_the_place_of_a_directory_is_not_followed(tmp_path: Path, command: Command) -> None:
    installed(tmp_path)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    state = tmp_path / STATE[0][1:]
    state.parent.mkdir(parents=True)
    state.symlink_to(precious)
    command("uninstall", "--root", str(tmp_path))
    assert (precious / "file").read_text() == "x"
    assert not state.is_symlink()


@pytest.mark.parametrize("path", ["/", "/etc", "relative", "/opt/../etc/passwd"])
def test_a_manifest_that_names_what_is_not_ours_is_refused(path: str, tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "opt/hullwatch"
    folder.mkdir(parents=True)
    Manifest(version="1", entries=[manifests.Entry(path, "tree")]).write(folder / "manifest.json")
    code, _, error = command("uninstall", "--root", str(tmp_path))
    assert code == 3
    assert "nothing is removed" in error


def test_without_an_installation_it_is_told_how_else_to_remove_it(tmp_path: Path, command: Command) -> None:
    code, _, error = command("uninstall", "--root", str(tmp_path))
    assert code == 3
    assert "pip uninstall hullwatch" in error


def test_a_wheel_without_a_sensor_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "hullwatch.whl"
    with pytest.raises(CannotError, match="is no wheel"):
        check_wheel(wheel)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("hullwatch/__init__.py", "")
    with pytest.raises(CannotError, match="has no sensor"):
        check_wheel(wheel)


def test_a_service_has_what_answers_verbs_and_keeps_events_and_nothing_that_only_builds() -> None:
    assert {"msgspec", "typer", "lark", "urllib3", "litestar", "uvicorn", "duckdb", "pyarrow"} <= names(locked())
    assert names(locked()) & {"cmake", "ninja", "scikit-build-core", "pytest"} == set()
    assert names(locked()) - names(locked(KEPT_EVENTS)) == {"duckdb", "pyarrow"}


def names(lock: str) -> set[str]:
    return {line.split("==")[0] for line in lock.splitlines() if "==" in line}


def test_the_completion_scripts_and_the_manual_can_be_read_by_what_they_are_for(tmp_path: Path) -> None:
    installed(tmp_path)
    share = tmp_path / "usr/local/share"
    subprocess.run(["bash", "-n", str(share / "bash-completion/completions/hullwatch")], check=True)
    page = (share / "man/man1/hullwatch.1").read_text()
    assert page.startswith(".TH HULLWATCH 1")
    assert not [line for line in page.splitlines() if line.startswith("'")]
