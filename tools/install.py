"""Install Hullwatch on this machine, or below DESTDIR for a package; what was made is written to a manifest.

Usage: ``python -m tools.install WHEEL [--prefix /opt/hullwatch] [--destdir DIRECTORY] [--python PROGRAM]
[--without-events]``.

An installation over another one keeps its state and a configuration that somebody has changed: a new default then lies
beside it as ``config.toml.new``. Each release is a virtual environment of its own; one that runs goes on until it is
started again, and the one before stays for a way back. ``hullwatch uninstall`` removes all of it.
"""

from __future__ import annotations

import argparse
import grp
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import hullwatch
from hullwatch.config import schema
from hullwatch.config.written import commented_file
from hullwatch.errors import CannotError
from hullwatch.installation import manifest as manifests
from hullwatch.installation.manifest import Entry, Manifest, digest
from tools.manual import manual
from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

USER = "hullwatch"
STATE = ["/var/lib/hullwatch", "/var/cache/hullwatch"]
RELEASES_KEPT = 2
KEPT_EVENTS = ("duckdb", "pyarrow")  # what only the extra `events` needs: 240 of 330 MB
LOCAL = "/usr/local"
CONFIG = "/etc/hullwatch/config.toml"
LAUNCHER = """#!/bin/sh
# Isolated: neither the directory that root stands in nor variables for Python choose what is imported.
exec {prefix}/current/bin/python -I -m hullwatch "$@"
"""


class Place(NamedTuple):
    """Where to install: the prefix as the machine sees it, and the root that all is staged below."""

    prefix: str
    root: Path

    def at(self, path: str) -> Path:
        """Return where a path of the machine lies now."""
        return self.root / path.lstrip("/")


class Installation:
    """Writes files, and notes each.

    Args:
        place: where to.
        before: the manifest of an installation that is there.
    """

    def __init__(self, place: Place, before: Manifest | None) -> None:
        """Begin with nothing written."""
        self.place = place
        self.before = before or Manifest(version="")
        self.manifest = Manifest(version=hullwatch.__version__, state=STATE, user=self.before.user)
        self.said: list[str] = []

    def directory(self, path: str) -> None:
        """Make a directory with its parents; those that were not there are noted."""
        missing = [folder for folder in (path, *map(str, Path(path).parents)) if not self.place.at(folder).exists()]
        known = {entry.path for entry in self.before.entries if entry.kind == "directory"}
        for folder in sorted(
            {*missing, *(folder for folder in known if path == folder or path.startswith(folder + "/"))}
        ):
            self.place.at(folder).mkdir(mode=0o755, exist_ok=True)
            if folder.count("/") > 1:  # what stands at the top is everybody's
                self._note(Entry(folder, "directory"))

    def file(self, path: str, text: str, mode: int = 0o644, kind: manifests.Kind = "file") -> None:
        """Write a file, whole or not at all."""
        self.directory(str(Path(path).parent))
        target = self.place.at(path)
        new = target.with_name(target.name + ".writing")
        new.write_text(text, encoding="utf-8")
        new.chmod(mode)
        new.replace(target)
        self._note(Entry(path, kind, digest(target)))

    def config(self, path: str, text: str) -> None:
        """Write a configuration file, unless somebody has changed the one that is there."""
        target, was = self.place.at(path), self.before.recorded(path)
        if not target.exists() or digest(target) == was:
            self.file(path, text, kind="config")
            return
        self.directory(str(Path(path).parent))
        self._note(Entry(path, "config", was))
        if hashlib.sha256(text.encode()).hexdigest() != was:
            self.file(path + ".new", text)
            self.said.append(f"{path} was changed, and stays as it is; the new default is {path}.new.")

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link, or lead one that is there elsewhere, in one step."""
        self.directory(str(Path(path).parent))
        place = self.place.at(path)
        new = place.with_name(place.name + ".writing")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(place)
        self._note(Entry(path, "link", target))

    def tree(self, path: str) -> None:
        """Note a directory that is removed with all that is in it."""
        self._note(Entry(path, "tree"))

    def _note(self, entry: Entry) -> None:
        if entry.path not in {noted.path for noted in self.manifest.entries}:
            self.manifest.entries.append(entry)


def install(place: Place, release: str, make_release: Callable[[Path], None]) -> Installation:
    """Install all but the user and its directories, and return what was done.

    Args:
        place: where to.
        release: name of the release.
        make_release: makes a virtual environment with Hullwatch at a path.

    Raises:
        CannotError: when the manifest of an installation that is there cannot be read.
    """
    listed = place.at(f"{place.prefix}/{manifests.NAME}")
    new = Installation(place, manifests.read(listed) if listed.exists() else None)
    new.directory(place.prefix)
    new.tree(f"{place.prefix}/releases")
    folder = place.at(f"{place.prefix}/releases/{release}")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        make_release(folder)
        (folder / "complete").touch()
    new.link(f"{place.prefix}/current", f"releases/{release}")
    _forget_old_releases(folder)
    new.file(f"{place.prefix}/bin/hullwatch", LAUNCHER.format(prefix=place.prefix), 0o755)
    new.link(f"{LOCAL}/bin/hullwatch", f"{place.prefix}/bin/hullwatch")
    unit = (ROOT / "deploy/systemd/hullwatch.service").read_text(encoding="utf-8")
    unit = unit.replace(f"{manifests.DEFAULT_PREFIX}/bin/", f"{place.prefix}/bin/")
    new.file(f"{LOCAL}/lib/systemd/system/hullwatch.service", unit)
    for kind in ("sysusers", "tmpfiles"):
        text = (ROOT / f"deploy/systemd/hullwatch.{kind}.conf").read_text(encoding="utf-8")
        new.file(f"{LOCAL}/lib/{kind}.d/hullwatch.conf", text)
    _for_people(new)
    new.manifest.write(listed)
    return new


def _for_people(new: Installation) -> None:
    """Write what people have of it: the configuration, its schema, completion for shells, the manual."""
    import msgspec
    from typer._completion_shared import get_completion_script

    schema_path = f"{new.place.prefix}/share/config.schema.json"
    new.file(schema_path, msgspec.json.format(msgspec.json.encode(schema()), indent=1).decode() + "\n")
    new.config(CONFIG, commented_file(schema_path))
    for shell, path in {
        "bash": "bash-completion/completions/hullwatch",
        "zsh": "zsh/site-functions/_hullwatch",
        "fish": "fish/vendor_completions.d/hullwatch.fish",
    }.items():
        script = get_completion_script(prog_name="hullwatch", complete_var="_HULLWATCH_COMPLETE", shell=shell)
        new.file(f"{LOCAL}/share/{path}", script + "\n")
    new.file(f"{LOCAL}/share/man/man1/hullwatch.1", manual())


def _forget_old_releases(current: Path) -> None:
    others = sorted(
        (folder for folder in current.parent.iterdir() if folder != current), key=lambda one: -one.stat().st_mtime
    )
    for folder in others[RELEASES_KEPT - 1 :]:
        shutil.rmtree(folder)


def locked(left_out: Collection[str] = ()) -> str:
    """Return exact versions and hashes of what a service is made of, without some packages that nothing else needs."""
    text = (ROOT / "requirements/service.lock").read_text(encoding="utf-8").strip()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)
    return "".join(entry + "\n" for entry in entries if re.split(r"[=\s]", entry, maxsplit=1)[0] not in left_out)


def check_wheel(wheel: Path) -> None:
    """Look whether a wheel is whole.

    Raises:
        CannotError: when it is none, or has no sensor in it.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise CannotError(f"{wheel} is no wheel that can be read: {error}. Build it with 'make wheel'.") from error
    if "hullwatch/bin/hullwatch-sensor" not in names:
        raise CannotError(f"{wheel} has no sensor in it: remove build/wheel and build it again with 'make wheel'.")


def make_release(python: str, wheel: Path, root: Path, left_out: Collection[str]) -> Callable[[Path], None]:
    """Return what makes a virtual environment of locked packages and the wheel."""

    def make(folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run([python, "-m", "venv", "--without-pip", str(folder)])
        lock = folder / "requirements.lock"
        lock.write_text(locked(left_out), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        pip += ["--python", str(folder / "bin/python"), "install"]
        _run([*pip, "--require-hashes", "--no-deps", "-r", str(lock)])
        _run([*pip, "--no-deps", str(wheel)])
        for script in (folder / "bin").iterdir():
            if not script.name.startswith("python"):
                script.unlink()  # they name the place that they were made at; there is one launcher
        if root != Path("/"):
            settings = folder / "pyvenv.cfg"
            settings.write_text(settings.read_text().replace(str(root), ""))

    return make


def _run(command: list[str]) -> None:
    if subprocess.run(command, check=False).returncode:
        raise CannotError(f"{command[0]} failed: see the lines above ({' '.join(command[1:5])} ...).")


def base_python() -> str:
    """Return the Python that a service can rely on: the distribution's where it is new enough."""
    for program in ("/usr/bin/python3", sys.executable):
        code = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
        if Path(program).exists() and not subprocess.run([program, "-c", code], check=False).returncode:
            return program
    raise CannotError("There is no Python 3.11 or newer with venv: install it, or name one with --python.")


def make_user(new: Installation) -> None:
    """Make the user of the engine, and its directories, on this machine."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        new.manifest.user = USER
        if shutil.which("systemd-sysusers"):
            _run(["systemd-sysusers", f"{LOCAL}/lib/sysusers.d/hullwatch.conf"])
        else:
            shell = ["--system", "--home-dir", STATE[0], "--no-create-home", "--shell", "/usr/sbin/nologin"]
            _run(["useradd", *shell, USER])
        new.manifest.write(new.place.at(f"{new.place.prefix}/{manifests.NAME}"))
    user, group = pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid
    for folder, owner in zip(STATE, ((user, group), (0, 0)), strict=True):
        path = Path(folder)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        give(path, owner)


def give(path: Path, owner: tuple[int, int]) -> None:
    """Give a directory to somebody, with what in it is of the same owner: a run without that user has left it so.

    What is root's in it stays root's: captures are.
    """
    before = path.stat().st_uid
    if before == owner[0]:
        return
    os.chown(path, *owner)
    for folder, names, files in os.walk(path) if before else ():
        for inside in (Path(folder) / name for name in (*names, *files)):
            if inside.lstat().st_uid == before:
                os.chown(inside, *owner, follow_symlinks=False)


def main(arguments: list[str]) -> int:
    """Install, and say what is next."""
    parser = argparse.ArgumentParser(prog="python -m tools.install", description="Install Hullwatch.")
    parser.add_argument("wheel", type=Path, help="what `make wheel` built")
    parser.add_argument("--prefix", default=str(manifests.DEFAULT_PREFIX), help="where the program goes")
    parser.add_argument("--destdir", default="", help="stage below this directory, for a package")
    parser.add_argument("--python", default="", help="the Python that it runs with")
    without = "leave out what packs and reads kept events, DuckDB and pyarrow: 240 MB less"
    parser.add_argument("--without-events", action="store_true", help=without)
    given = parser.parse_args(arguments)
    root = Path(given.destdir or "/").absolute()
    place = Place("/" + given.prefix.strip("/"), root)
    try:
        if os.geteuid() != 0 and root == Path("/"):
            raise CannotError("Installing needs root: run it with sudo, or stage it with DESTDIR.")
        check_wheel(given.wheel)
        left_out = KEPT_EVENTS if given.without_events else ()
        name = f"{hullwatch.__version__}-{digest(given.wheel)[:8]}{'-small' * bool(left_out)}"
        python = given.python or base_python()
        new = install(place, name, make_release(python, given.wheel.absolute(), root, left_out))
        if root == Path("/"):
            make_user(new)
            if Path("/run/systemd/system").is_dir():
                _run(["systemctl", "daemon-reload"])
                _run(["systemctl", "try-restart", "hullwatch.service"])
    except CannotError as error:
        print(error, file=sys.stderr)
        return 3
    for sentence in new.said:
        print(sentence)
    print(f"Hullwatch {hullwatch.__version__} is in {place.prefix}; {CONFIG} is its configuration.")
    print("Start it with: systemctl enable --now hullwatch   (remove it with: hullwatch uninstall)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
