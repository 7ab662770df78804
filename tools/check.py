"""Check style, types, layers, C format and file sizes: all of them, even after one failed.

Usage: ``python -m tools.check [--fix]``; with ``--fix`` what can be mended by itself is mended first.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.repository import ROOT, oversized, tracked_files

C_SUFFIXES = {".c", ".h"}


def commands() -> dict[str, list[str]]:
    """Return what is checked and the command that does it, without its folder."""
    c_files = [str(path) for path in tracked_files() if path.suffix in C_SUFFIXES]
    checks = {
        "lint": ["ruff", "check", "--quiet", "."],
        "format": ["ruff", "format", "--quiet", "--check", "."],
        "types": ["pyright", "--warnings"],
        "layers": ["lint-imports"],
    }
    if c_files:
        checks["C format"] = ["clang-format", "--dry-run", "-Werror", *c_files]
    return checks


def fix() -> None:
    """Let the formatters and the linter mend what they can; what is left, the checks will say."""
    c_files = [str(path) for path in tracked_files() if path.suffix in C_SUFFIXES]
    for program, *arguments in (
        ["ruff", "check", "--quiet", "--fix", "."],
        ["ruff", "format", "--quiet", "."],
        ["clang-format", "-i", *c_files],
    ):
        subprocess.run([beside(program), *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)


def beside(program: str) -> Path:
    """Return the path of a program of this environment."""
    return Path(sys.executable).with_name(program)


def main(arguments: list[str]) -> int:
    """Run every check and end with 1 when one of them found something."""
    if arguments not in ([], ["--fix"]):
        print(__doc__)
        return 2
    if arguments:
        fix()
    failed: list[str] = []
    for name, (program, *options) in commands().items():
        done = subprocess.run(
            [beside(program), *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        print(f"{name}: {'failed' if done.returncode else 'passed'}", flush=True)
        if done.returncode:
            print(done.stdout, flush=True)
            failed.append(name)
    for complaint in oversized():
        print(complaint)
        failed.append("file sizes")
    print(f"failed: {', '.join(dict.fromkeys(failed))}" if failed else "all checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
