"""Build the sensor and the classifier for aarch64, and look whether that is what came out.

Usage: ``python -m tools.arm64``, after ``python3 tools/prepare.py arm64``. The libraries and headers of the other
processor come from Debian, by the machine's own mirror, into ``build/arm64``; nothing is installed.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from hullwatch.errors import CannotError
from tools.kernels.packages import Apt, unpack
from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BUILD = ROOT / "build" / "arm64"
TARGET = "aarch64-linux-gnu"
PACKAGES = (
    "libc6", "libc6-dev", "libgcc-s1", "linux-libc-dev", "libbpf-dev", "libelf-dev", "zlib1g-dev", "libzstd-dev",
)  # fmt: skip
RESULTS = ("hullwatch-sensor", "libhullwatch-classifier.so")
MACHINE_OFFSET = 18  # of the processor's number in an ELF file
AARCH64 = 183  # EM_AARCH64
SLOW = 600  # seconds


def compiler_package(shown: str) -> str:
    """Return the package with the compiler's own parts, of the release's gcc.

    Args:
        shown: what apt knows of the package gcc.

    Raises:
        CannotError: when that names none.
    """
    versions = re.findall(r"^Depends:.*\bgcc-(\d+)\b", shown, re.MULTILINE)
    if not versions:
        raise CannotError("apt does not know which version gcc has in this release")
    return f"libgcc-{max(map(int, versions))}-dev"


def prepare_root(folder: Path) -> Path:
    """Return a folder with the other processor's libraries and headers, downloaded where they are not there yet."""
    root, done = folder / "root", folder / "root-is-complete"
    if done.exists():
        return root
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    apt = Apt(folder, suite, "arm64")
    apt.get("update")
    apt.get("download", *PACKAGES, compiler_package(apt.show("gcc")))
    unpack(folder, root)
    done.touch()
    return root


def build(folder: Path, root: Path) -> None:
    """Build all that is native for the other processor."""
    programs = ROOT / ".venv" / "bin"
    settings = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_MAKE_PROGRAM": programs / "ninja",
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        "CMAKE_C_COMPILER": "clang",
        "CMAKE_C_COMPILER_TARGET": TARGET,
        "CMAKE_SYSROOT": root,
        "CMAKE_FIND_ROOT_PATH_MODE_PROGRAM": "NEVER",
        "CMAKE_FIND_ROOT_PATH_MODE_LIBRARY": "ONLY",
        "CMAKE_FIND_ROOT_PATH_MODE_INCLUDE": "ONLY",
        "CMAKE_EXE_LINKER_FLAGS": "-fuse-ld=lld",
        "CMAKE_SHARED_LINKER_FLAGS": "-fuse-ld=lld",
        "Python3_EXECUTABLE": programs / "python",
    }
    options = [f"-D{name}={value}" for name, value in settings.items()]
    run([str(programs / "cmake"), "-S", str(ROOT / "native"), "-B", str(folder), "-G", "Ninja", *options])
    run([str(programs / "ninja"), "-C", str(folder)])


def run(command: Sequence[str]) -> None:
    """Run a program quietly.

    Raises:
        CannotError: with the end of what it said, when it fails.
    """
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=SLOW,
        check=False,
    )
    if done.returncode:
        raise CannotError(f"{command[0]} failed:\n{done.stdout[-3000:]}")


def machine_of(program: bytes) -> int:
    """Return the number of the processor that an ELF file is for; 0 for another file."""
    if not program.startswith(b"\x7fELF"):
        return 0
    return int.from_bytes(program[MACHINE_OFFSET : MACHINE_OFFSET + 2], "little")


def main() -> int:
    """Build, and end with 3 when that cannot be done or something else came out."""
    begun = time.monotonic()
    try:
        build(BUILD / "native", prepare_root(BUILD / "packages"))
        for name in RESULTS:
            content = (BUILD / "native" / name).read_bytes()
            if machine_of(content) != AARCH64:
                raise CannotError(f"{name} is not for aarch64")
            print(f"{name} for aarch64: {len(content):,} bytes")
    except CannotError as error:
        print(f"arm64: {error}", file=sys.stderr)
        return error.exit_code
    print(f"built for aarch64 in {time.monotonic() - begun:.0f} s, in {BUILD.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
