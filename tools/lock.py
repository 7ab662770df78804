"""Refresh ``requirements/*.lock``: exact versions with hashes for every Python and machine that is supported.

Usage: ``python -m tools.lock [--upgrade]``, with ``uv`` on PATH (``pip install uv`` in an environment of its own).
The files name no package index, so that each machine's own is used.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILE = (
    "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
    "--no-emit-index-url", "--no-emit-find-links", "--no-header", "pyproject.toml",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Write the lock files; the others hold all that a run needs in the versions of the first."""
    uv = shutil.which("uv")
    if uv is None:
        print(
            "uv was not found on PATH: install it into an environment of its own with `pip install uv`.",
            file=sys.stderr,
        )
        return 3
    for kind, options in (
        ("run", ["--group", "build"]),
        ("service", ["-c", "requirements/run.lock", "--extra", "api", "--extra", "events"]),
        ("development", ["-c", "requirements/run.lock", "-c", "requirements/service.lock", "--group", "development"]),
    ):
        done = subprocess.run(
            [uv, *COMPILE, *options, "-o", f"requirements/{kind}.lock", *arguments], cwd=ROOT, check=False
        )
        if done.returncode:
            print(f"uv could not solve requirements/{kind}.lock: see its lines above.", file=sys.stderr)
            return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
