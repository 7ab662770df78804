"""A Kubernetes API server and its store from Debian's packages, fetched by apt and built once.

Debian 11 is the last release with Kubernetes' source, which its own Go builds; etcd is in Debian 12. All of it lies
under ``build/cluster``. Every file is one that the archive's signed lists have the hash of; nothing comes from
elsewhere, and nothing is installed.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from hullwatch.errors import CannotError
from tools.cluster.servers import Programs
from tools.kernels.packages import Apt, unpack
from tools.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CACHE = ROOT / "build" / "cluster"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SOURCE_SUITE, ETCD_SUITE = "bullseye", "bookworm"
GO = ("golang-1.15-go", "golang-1.15-src")
ETCD = ("etcd-server", "etcd-client")
VERSION = "v1.20.2"
SERVERS = ("kube-apiserver", "kube-controller-manager")
BUILD_SECONDS = 3600  # two cores take 6 minutes for both


def programs() -> Programs:
    """Return the programs, fetched and built where they are not there yet.

    Raises:
        CannotError: when apt does not get them, or they cannot be built.
    """
    architecture = ARCHITECTURES.get(os.uname().machine)
    if architecture is None:
        raise CannotError(f"a cluster is built on {' and '.join(ARCHITECTURES)} only, and this is {os.uname().machine}")
    return Programs(_etcd(architecture), *_servers(architecture))


def _etcd(architecture: str) -> Path:
    folder = CACHE / "etcd"
    program = folder / "unpacked/usr/bin/etcd"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        apt = Apt(folder, ETCD_SUITE, architecture)
        apt.get("update")
        apt.get("download", *ETCD)
        unpack(folder, folder / "unpacked")
    return _checked(program)


def _servers(architecture: str) -> list[Path]:
    folder = CACHE / "kubernetes"
    built = [folder / "source/_output/bin" / name for name in SERVERS]
    if not all(one.exists() for one in built):
        folder.mkdir(parents=True, exist_ok=True)
        apt = Apt(folder, SOURCE_SUITE, architecture, sources=True)
        apt.get("update")
        apt.get("download", *GO)
        unpack(folder, folder / "unpacked")
        apt.get("source", "--tar-only", "kubernetes")  # the mirror need not have the rest any more
        _unpack_source(folder)
        for name in SERVERS:
            _build(folder, name)
    return [_checked(one) for one in built]


def _unpack_source(folder: Path) -> None:
    """Unpack the source as its authors published it: Debian's changes are about its packages."""
    archives = sorted(folder.glob("kubernetes_*.orig.tar.*"))
    if not archives:
        raise CannotError(f"the source package of Kubernetes has no sources: remove {folder} and try again")
    target = folder / "source"
    target.mkdir(exist_ok=True)
    _run(["tar", "--extract", "--strip-components=1", "--directory", target, "--file", archives[-1]], folder, None)


def build_environment(folder: Path) -> dict[str, str]:
    """Return the variables with which Kubernetes' makefile builds by the Go in a folder, without asking the net."""
    go = folder / "unpacked/usr/lib/go-1.15"
    return {
        "PATH": f"{go / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}", "HOME": str(folder), "GOROOT": str(go),
        "GOPATH": str(folder / "gopath"), "GOCACHE": str(folder / "gocache"), "GOPROXY": "off", "FORCE_HOST_GO": "y",
        "KUBE_GIT_VERSION": VERSION, "KUBE_GIT_MAJOR": "1", "KUBE_GIT_MINOR": "20", "KUBE_GIT_TREE_STATE": "clean",
        "KUBE_GIT_COMMIT": "debian",
    }  # fmt: skip


def _build(folder: Path, name: str) -> None:
    _run(["make", f"WHAT=cmd/{name}"], folder / "source", build_environment(folder))


def _checked(program: Path) -> Path:
    if not program.exists():
        raise CannotError(f"{program} was not made: remove {CACHE} and try again")
    return program


def _run(command: list[str | Path], folder: Path, environment: dict[str, str] | None) -> None:
    what = " ".join(map(str, command[:2]))
    try:
        subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        raise CannotError(f"{what} failed in {folder}: {error.stderr.strip()[-800:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotError(f"{what} failed in {folder}: {error}") from error
