"""Kernels of other Debian releases, by the machine's own apt and mirror, without a change to the system.

Everything lies under ``build/kernels``: lists, packages, and the kernels unpacked from them. The mirror's address is
taken from the machine's own sources; only the release is another one.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.errors import CannotError
from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CACHE = ROOT / "build" / "kernels"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
META_PACKAGE = "linux-image-cloud"  # depends on the newest kernel; the smallest image that has everything
DOWNLOAD_SECONDS = 600


class Release(NamedTuple):
    """A Debian release and where its kernels are: suites of the archive and of the security archive."""

    name: str
    suite: str


RELEASES = (Release("Debian 11", "bullseye"), Release("Debian 12", "bookworm"), Release("Debian 13", "trixie"))


class Image(NamedTuple):
    """A kernel to boot."""

    release: str
    package: str
    kernel: Path


def image(release: Release, processor: str) -> Image:
    """Return the newest kernel of a release, downloaded where it is not there yet.

    Args:
        release: of Debian.
        processor: as Debian names it.

    Raises:
        CannotError: when apt does not get one.
    """
    folder = CACHE / processor / release.suite
    kept = sorted(folder.glob("unpacked/boot/vmlinuz-*"))
    if not kept:
        folder.mkdir(parents=True, exist_ok=True)
        apt = Apt(folder, release.suite, processor)
        apt.get("update")
        apt.get_first("download", newest_first(apt.show(f"{META_PACKAGE}-{processor}")))
        unpack(folder, folder / "unpacked")
        kept = sorted(folder.glob("unpacked/boot/vmlinuz-*"))
    if not kept:
        raise CannotError(f"no kernel of {release.name} was found in its package: remove {folder} and try again")
    return Image(release.name, kept[-1].name.removeprefix("vmlinuz-"), kept[-1])


class Apt:
    """apt with sources of another release or processor, and folders of its own.

    Args:
        folder: for all of it.
        suite: the release.
        architecture: as Debian names processors.
        sources: whether source packages are wanted too.
    """

    def __init__(self, folder: Path, suite: str, architecture: str, *, sources: bool = False) -> None:
        """Write its configuration into the folder."""
        self._folder = folder
        self._architecture = architecture
        for name in ("lists/partial", "cache/archives/partial", "parts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        lines = [
            f"{kind} [arch={architecture} signed-by={KEYRING}] {mirror} {suite}{suffix} main"
            for mirror, suffix in mirrors()
            for kind in (("deb", "deb-src") if sources else ("deb",))
        ]
        (folder / "sources.list").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _command(self, program: str, *arguments: str) -> list[str]:
        settings = {
            "Dir::Etc::sourcelist": self._folder / "sources.list",
            "Dir::Etc::sourceparts": self._folder / "parts",
            "Dir::State::lists": self._folder / "lists",
            "Dir::Cache": self._folder / "cache",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "APT::Architecture": self._architecture,
            "APT::Architectures": self._architecture,
        }
        options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        return [program, "-qq", *options, *arguments]

    def get(self, *arguments: str) -> None:
        """Run apt-get, in the folder."""
        _run(self._command("apt-get", *arguments), f"apt-get {' '.join(arguments)} failed", self._folder)

    def get_first(self, order: str, packages: Sequence[str]) -> None:
        """Run apt-get for the first package that it can be run for: lists may name what the mirror has not any more."""
        for last in packages:
            try:
                self.get(order, last)
            except CannotError:
                if last == packages[-1]:
                    raise
            else:
                return

    def show(self, package: str) -> str:
        """Return what apt knows of a package."""
        return _run(self._command("apt-cache", "show", package), f"apt knows no package {package}")


def unpack(folder: Path, target: Path) -> None:
    """Unpack all packages of a folder into another one."""
    for archive in sorted(folder.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(archive), str(target)], f"{archive.name} is no package")


def mirrors(policy: str | None = None) -> list[tuple[str, str]]:
    """Return the machine's own Debian mirrors, each with the suffix that suites have there.

    Args:
        policy: what ``apt-cache policy`` prints; asked when None.

    Raises:
        CannotError: when the machine has none.
    """
    text = _run(["apt-cache", "policy"], "apt has no sources") if policy is None else policy
    source = re.compile(r"^ *\d+ (\S+://\S+) [a-z]+((?:-security)?)/main .*\n +release .*\bo=Debian,", re.MULTILINE)
    found = set(source.findall(text))
    if not found:
        raise CannotError("this machine's apt has no Debian mirror: kernels of other releases cannot be fetched")
    return sorted(found)


def newest_first(shown: str) -> list[str]:
    """Return the packages of kernels that versions of the meta package depend on.

    Raises:
        CannotError: when there is none.
    """
    packages = set(re.findall(r"^Depends: (linux-image-[\w.+-]+)", shown, re.MULTILINE))
    if not packages:
        raise CannotError("the package of the newest kernel names none")
    return sorted(packages, key=lambda name: [int(number) for number in re.findall(r"\d+", name)], reverse=True)


def _run(command: list[str], failure: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, cwd=folder, check=True)
    except subprocess.CalledProcessError as error:
        raise CannotError(f"{failure}: {error.stderr.strip()[-500:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotError(f"{failure}: {error}") from error
    return done.stdout
