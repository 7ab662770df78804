import os
from pathlib import Path

import pytest

from hullwatch.config.paths import (
    cache_directory,
    configuration_files,
    private_directory,
    run_directory,
    sensor_program,
    state_directory,
    untrusted,
)
from hullwatch.errors import CannotError


@pytest.fixture
def ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)


def test_root_keeps_its_state_under_var_lib(root: None) -> None:
    assert state_directory(environment={}) == Path("/var/lib/hullwatch")
    assert run_directory(environment={}) == Path("/run/hullwatch")


def test_a_user_keeps_its_state_where_xdg_says(ordinary_user: None) -> None:
    environment = {"XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r", "HOME": "/h"}
    assert state_directory(environment=environment) == Path("/s/hullwatch")
    assert run_directory(environment=environment) == Path("/r/hullwatch")


def test_a_user_without_xdg_variables_has_the_defaults_of_xdg(ordinary_user: None) -> None:
    assert state_directory(environment={"HOME": "/h"}) == Path("/h/.local/state/hullwatch")
    assert run_directory(environment={"HOME": "/h"}) == Path("/h/.local/state/hullwatch/run")


def test_a_relative_xdg_path_is_ignored_as_the_specification_tells() -> None:
    assert configuration_files({"XDG_CONFIG_HOME": "x", "HOME": "/h"})[-1] == Path("/h/.config/hullwatch/config.toml")


def test_a_private_directory_is_made_with_mode_0700(tmp_path: Path) -> None:
    path = private_directory(tmp_path / "a" / "b")
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert private_directory(tmp_path).stat().st_mode & 0o777 == 0o700


def test_a_symbolic_link_is_no_private_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(CannotError, match="not a directory"):
        private_directory(tmp_path / "link")


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: own + 1)
    with pytest.raises(CannotError, match="belongs to user"):
        private_directory(tmp_path)


def test_a_directory_that_cannot_be_made_is_a_sentence() -> None:
    with pytest.raises(CannotError, match=r"cannot be made: "):
        private_directory(Path("/proc/nothing/hullwatch"))


def test_an_ordinary_user_trusts_its_own_files(ordinary_user: None, tmp_path: Path) -> None:
    (tmp_path / "c").touch()
    assert untrusted(tmp_path / "c") is None


def test_a_sensor_that_is_set_must_be_a_program(tmp_path: Path) -> None:
    (tmp_path / "sensor").touch(mode=0o644)
    assert sensor_program(str(tmp_path / "sensor")) is None
    (tmp_path / "sensor").chmod(0o755)
    assert sensor_program(str(tmp_path / "sensor")) == tmp_path / "sensor"


def test_what_can_be_made_again_has_a_place_that_fits_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert cache_directory("", {"XDG_CACHE_HOME": "/home/ada/.cache"}) == Path("/var/cache/hullwatch")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert cache_directory("", {"XDG_CACHE_HOME": "/home/ada/cache"}) == Path("/home/ada/cache/hullwatch")
    assert cache_directory("", {"HOME": "/home/ada"}) == Path("/home/ada/.cache/hullwatch")
    assert cache_directory("/srv/cache", {}) == Path("/srv/cache")
