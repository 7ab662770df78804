"""Set up this checkout: Debian packages, the private virtual environment, the sensor and the classifier.

Usage: ``python3 tools/prepare.py run|test|check|kernels|arm64``. Every step says what it does, does nothing when it is
done already, and ends with a sentence when it cannot. Only the standard library is used, because
nothing else is there yet.
"""

from __future__ import annotations

import fcntl
import filecmp
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Probe = Callable[[], object]  # true when what a package brings is there

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
BUILD = ROOT / "build"
INSTALLED = ROOT / "src" / "hullwatch" / "bin"
NATIVE = ("hullwatch-sensor", "libhullwatch-classifier.so")
PROGRAM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # a user's PATH often lacks them
LIBRARY_FOLDERS = ("usr/lib", "usr/lib64", "usr/local/lib")
SLOW = 1800  # seconds; what takes longer hangs
SHOWN_LINES = 25  # of a failed program's output
FAILED = 3  # exit status: could not do it
WRONG_USAGE = 2


class PreparationError(Exception):
    """The set-up cannot go on; the message says why and what to do."""


def program(name: str) -> str | None:
    """Return the path of a program, also from the folders that only root has on PATH."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *PROGRAM_FOLDERS)))


def static_library(name: str) -> bool:
    """Tell whether ``lib<name>.a`` is there: the sensor is linked statically."""
    return any(
        any(Path("/", folder).glob(pattern))
        for folder in LIBRARY_FOLDERS
        for pattern in (f"lib{name}.a", f"*/lib{name}.a")
    )


def has_ensurepip() -> bool:
    """Tell whether ``python3 -m venv`` can make a whole environment; Debian packages that part on its own."""
    return subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0


# What a purpose needs: the Debian package and how to see that what it brings is there (from wherever).
BUILD_PACKAGES: Mapping[str, Probe] = {
    "clang": lambda: program("clang"),
    "bpftool": lambda: program("bpftool"),
    "libc6-dev": lambda: static_library("c"),
    "libbpf-dev": lambda: static_library("bpf"),
    "libelf-dev": lambda: static_library("elf"),
    "zlib1g-dev": lambda: static_library("z"),
    "python3-venv": lambda: (ENVIRONMENT / "bin" / "python").exists() or has_ensurepip(),
}
MORE_PACKAGES: Mapping[str, Mapping[str, Probe]] = {
    "check": {"nodejs": lambda: program("node")},  # pyright runs on it
    "kernels": {
        "qemu-system-x86": lambda: program("qemu-system-x86_64"),
        "qemu-system-arm": lambda: program("qemu-system-aarch64"),
        "lld": lambda: program("ld.lld"),
    },
    "arm64": {"lld": lambda: program("ld.lld")},  # the linker that knows other processors too
}
PURPOSES = ("run", "test", *MORE_PACKAGES)


def say(sentence: str) -> None:
    """Print one line of progress."""
    print(f"hullwatch set-up: {sentence}", file=sys.stderr, flush=True)


def call(command: Sequence[str | Path], failure: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a program quietly and return its output.

    Raises:
        PreparationError: when it fails; the message is ``failure`` below the end of what it printed.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SLOW,
            cwd=ROOT,
            env=None if environment is None else {**os.environ, **environment},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PreparationError(f"{failure} {command[0]} did not end within {SLOW // 60} minutes.") from error
    except OSError as error:
        raise PreparationError(f"{failure} {command[0]} could not be started: {error.strerror}.") from error
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-SHOWN_LINES:]), file=sys.stderr)
        raise PreparationError(failure)
    return done.stdout


def install_packages(wanted: Mapping[str, Probe]) -> None:
    """Install the Debian packages that are missing, as root or through sudo."""
    missing = [package for package, there in wanted.items() if not there()]
    if not missing:
        return
    names = " ".join(missing)
    if program("apt-get") is None:
        raise PreparationError(
            f"these are missing (Debian's names): {names}. There is no apt-get on this machine: install them with "
            "its own package manager and run this again."
        )
    say(f"installing the Debian packages {names}{' with sudo' if os.geteuid() else ''}")
    root = as_root(f"installing {names}")
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    call([*apt, "update"], "the package lists could not be brought up to date: see the lines above.")
    call(
        [*apt, "install", "--yes", "--no-install-recommends", *missing],
        f"apt-get could not install {names}: see the lines above.",
    )
    still = [package for package in missing if not wanted[package]()]
    if still:
        raise PreparationError(f"{' '.join(still)} was installed, but what it should bring was not found.")


def as_root(purpose: str) -> list[str]:
    """Return what has to stand before a command that needs root: nothing, or sudo.

    Raises:
        PreparationError: for a user without sudo.
    """
    if os.geteuid() == 0:
        return []
    sudo = program("sudo")
    if sudo is None:
        raise PreparationError(f"{purpose} needs root, and there is no sudo on this machine: run this again as root.")
    return [sudo]


def fingerprint(lock: Path) -> str:
    """Return what an environment made from ``lock`` depends on, in short."""
    parts = (
        lock.read_bytes(),
        (ROOT / "pyproject.toml").read_bytes(),
        str(ROOT).encode(),
        sys.version.encode(),
    )
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def prepare_environment(kind: str) -> None:
    """Make ``.venv`` with exactly what ``requirements/<kind>.lock`` names, and this project."""
    lock = ROOT / "requirements" / f"{kind}.lock"
    locks = {"run": ROOT / "requirements" / "run.lock", kind: lock}  # development holds all of run
    stamp = ENVIRONMENT / f".{kind}-installed"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == fingerprint(lock):
        return
    python = ENVIRONMENT / "bin" / "python"
    if not usable(python):
        say(f"making the private environment .venv with Python {sys.version.split()[0]}")
        call([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], "the environment .venv could not be made.")
    say(f"installing the Python packages of requirements/{kind}.lock into .venv")
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install"]
    call(
        [*pip, "--only-binary", ":all:", "--require-hashes", "-r", lock],
        "the Python packages could not be installed: see the lines above. Is the package index reachable?",
    )
    call(
        [*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT],
        "Hullwatch could not be entered into .venv.",
    )
    for name, file in locks.items():
        (ENVIRONMENT / f".{name}-installed").write_text(fingerprint(file), encoding="utf-8")


def usable(python: Path) -> bool:
    """Tell whether the environment's interpreter starts, is this one's version and lies where it was made."""
    expected = f"{sys.version}\n{ENVIRONMENT}\n"
    try:
        shown = subprocess.run(
            [python, "-c", "import sys; print(sys.version); print(sys.prefix)"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except OSError:
        return False
    scripts = ENVIRONMENT / "bin" / "activate"
    return shown.stdout == expected and scripts.exists() and str(ENVIRONMENT) in scripts.read_text(encoding="utf-8")


def build_native() -> None:
    """Build the sensor and the classifier into the package where a source is newer than they are."""
    folder = BUILD / "native"
    cache = folder / "CMakeCache.txt"
    home = f"CMAKE_HOME_DIRECTORY:INTERNAL={ROOT / 'native'}\n"
    if cache.exists() and home not in cache.read_text(encoding="utf-8"):
        shutil.rmtree(folder)  # made when this checkout lay elsewhere
    programs = ENVIRONMENT / "bin"
    path = {"PATH": os.pathsep.join((str(programs), os.environ.get("PATH", os.defpath), *PROGRAM_FOLDERS))}
    begun = time.monotonic()
    if not (folder / "build.ninja").exists():
        say("setting up the build of the sensor and the classifier in build/native")
        call(
            [programs / "cmake", "-S", ROOT / "native", "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
             f"-DPython3_EXECUTABLE={programs / 'python'}"],
            "the build of native/ could not be set up: see the lines above.",
            path,
        )  # fmt: skip
    call(
        [programs / "ninja", "-C", folder],
        "native/ could not be built: see the compiler's lines above.",
        path,
    )
    # What is in use is left alone unless it differs: the file of a loaded library must not change under it.
    if filecmp.cmpfiles(INSTALLED, folder, NATIVE, shallow=False)[0] == list(NATIVE):
        return
    call(
        [programs / "cmake", "--install", folder, "--prefix", ROOT / "src"],
        "what was built could not be put into src/hullwatch/bin.",
    )
    say(f"built the sensor and the classifier in {time.monotonic() - begun:.1f} s")


def prepare(purpose: str) -> None:
    """Do all steps for one of the purposes."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older interpreter meets first
        raise PreparationError(
            f"Python 3.11 or newer is needed and this is {sys.version.split()[0]}: name a newer one with "
            "`make PYTHON=python3.11 ...`."
        )
    if not os.access(ROOT, os.W_OK) or (ENVIRONMENT.exists() and not os.access(ENVIRONMENT, os.W_OK)):
        raise PreparationError(
            f"{ROOT} or its .venv belongs to somebody else: run this as the user that set it up (root after "
            "`sudo make`), or give it to yourself with `chown -R`."
        )
    if purpose == "run" and as_root("watching this host"):
        say("watching this host needs root: it will be started with sudo")
    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".prepare-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second make waits for the first
        install_packages({**BUILD_PACKAGES, **MORE_PACKAGES.get(purpose, {})})
        prepare_environment("run" if purpose == "run" else "development")
        build_native()


def main(arguments: Sequence[str]) -> int:
    """Prepare for the one purpose that is named."""
    if len(arguments) != 1 or arguments[0] not in PURPOSES:
        say(f"say what to prepare for: {', '.join(PURPOSES)}")
        return WRONG_USAGE
    try:
        prepare(arguments[0])
    except PreparationError as error:
        say(str(error))
        return FAILED
    except KeyboardInterrupt:
        say("stopped; the next run goes on from here")
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
