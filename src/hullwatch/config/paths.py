"""Where Hullwatch keeps its files, and how it makes them private."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Mapping

SENSOR = "hullwatch-sensor"
PRIVATE = 0o700


def state_directory(configured: str = "", environment: Mapping[str, str] | None = None) -> Path:
    """Return the directory of what lasts; it is not made.

    Args:
        configured: the setting ``directories.state``; empty for the default: ``/var/lib/hullwatch`` for
            root, else ``$XDG_STATE_HOME/hullwatch`` (XDG Base Directory Specification 0.8).
        environment: of the process when None.
    """
    values = os.environ if environment is None else environment
    if configured:
        return Path(configured).expanduser()
    if os.geteuid() == 0:
        return Path("/var/lib/hullwatch")
    return _xdg(values, "XDG_STATE_HOME", ".local/state") / "hullwatch"


def run_directory(configured: str = "", environment: Mapping[str, str] | None = None) -> Path:
    """Return the directory of sockets and locks; it is not made.

    Args:
        configured: the setting ``directories.run``; empty for the default: ``/run/hullwatch`` for root,
            else ``$XDG_RUNTIME_DIR/hullwatch``, else ``run`` below the state directory.
        environment: of the process when None.
    """
    values = os.environ if environment is None else environment
    if configured:
        return Path(configured).expanduser()
    if os.geteuid() == 0:
        return Path("/run/hullwatch")
    runtime = values.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        return Path(runtime) / "hullwatch"
    return state_directory("", values) / "run"


def cache_directory(configured: str = "", environment: Mapping[str, str] | None = None) -> Path:
    """Return the directory of what can be made again; it is not made.

    Args:
        configured: the setting ``directories.cache``; empty for the default: ``/var/cache/hullwatch`` for
            root, whose HOME may be a user's, else ``$XDG_CACHE_HOME/hullwatch``.
        environment: of the process when None.
    """
    if configured:
        return Path(configured).expanduser()
    if os.geteuid() == 0:
        return Path("/var/cache/hullwatch")
    return _xdg(os.environ if environment is None else environment, "XDG_CACHE_HOME", ".cache") / "hullwatch"


def configuration_files(environment: Mapping[str, str] | None = None) -> list[Path]:
    """Return the places of the configuration file, least important first; they need not exist."""
    values = os.environ if environment is None else environment
    return [
        Path("/etc/hullwatch/config.toml"),
        _xdg(values, "XDG_CONFIG_HOME", ".config") / "hullwatch" / "config.toml",
    ]


def _xdg(environment: Mapping[str, str], variable: str, default: str) -> Path:
    # The specification tells to ignore paths that are not absolute.
    value = environment.get(variable, "")
    return Path(value) if value.startswith("/") else Path(environment.get("HOME") or "/") / default


def private_directory(path: Path) -> Path:
    """Make a directory that only this user may enter (mode 0700), or check that it is one.

    Raises:
        CannotError: when it cannot be made, is no directory (a symbolic link neither), or belongs to
            another user; then someone else could have put files there.
    """
    own = os.geteuid()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=PRIVATE, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise CannotError(f"{path} is not a directory; remove it, or set another directory.")
        if found.st_uid != own:
            raise CannotError(f"{path} belongs to user {found.st_uid}, not to {own}; run: chown {own} {path}")
        if stat.S_IMODE(found.st_mode) != PRIVATE:
            path.chmod(PRIVATE)
    except OSError as error:
        raise CannotError(
            f"The directory {path} cannot be made: {error.strerror}. Set another one, or run as root."
        ) from error
    return path


def untrusted(path: Path) -> str | None:
    """Return why root should not take settings from a file that it found by itself, or None.

    With ``sudo`` the home directory may still be the user's, so that a file there would choose the
    programs that root runs.
    """
    if os.geteuid() != 0:
        return None
    found = path.stat()
    if found.st_uid != 0:
        return f"it belongs to user {found.st_uid}, not to root"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others than root may write to it"
    return None


def sensor_program(configured: str = "") -> Path | None:
    """Return the sensor: the program that was set, else the package's, else the one in PATH; or None."""
    if configured:
        path = Path(configured)
        return path if path.is_file() and os.access(path, os.X_OK) else None
    installed = Path(__file__).parent.parent / "bin" / SENSOR
    if installed.is_file() and os.access(installed, os.X_OK):
        return installed
    found = shutil.which(SENSOR)
    return Path(found) if found else None
