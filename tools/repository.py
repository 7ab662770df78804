"""What is in this repository, for the checks that look at all of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE_SUFFIXES = {".py", ".c", ".h"}
NEEDS_A_REASON = 500  # lines
TOO_LONG = 800

# Files of more than 500 lines, and why they are not split.
LONG_FILES: dict[str, str] = {
    "native/classifier/classifier.c": "the hot loop, which the compiler makes one function of",
    "src/hullwatch/supervisor.py": "all that is done with power, in one place",
}


def tracked_files() -> list[Path]:
    """Return the files that are or would be committed, as absolute paths in order.

    Raises:
        subprocess.CalledProcessError: outside a git checkout.
    """
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = {ROOT / name.decode() for name in listed.stdout.split(b"\0") if name}
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def oversized() -> list[str]:
    """Return a sentence for every file of code that is too long."""
    sentences: list[str] = []
    for path in tracked_files():
        if path.suffix not in CODE_SUFFIXES:
            continue
        lines = path.read_bytes().count(b"\n")
        name = path.relative_to(ROOT).as_posix()
        if lines > TOO_LONG:
            sentences.append(f"{name} has {lines} lines and {TOO_LONG} are the most: split it.")
        elif lines > NEEDS_A_REASON and name not in LONG_FILES:
            sentences.append(
                f"{name} has {lines} lines: split it, or give the reason in LONG_FILES of tools/repository.py."
            )
    return sentences
