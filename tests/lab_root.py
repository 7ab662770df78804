"""Starting the lab's engines outside of a chroot that the tests run in.

An engine that is started within a chroot gives its containers a mount namespace whose real root is the
machine's: what ``exec`` starts in a container later would find itself outside of it. So the scripts are run
with the root directory of the process that made the chroot, which is one of our ancestors.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The working directory stays where it is, so its path seen from the new root is the script's folder there.
_LEAVE = """
import os, sys
os.chroot(sys.argv[1])
folder = os.getcwd()
os.execv(os.path.join(folder, sys.argv[2]), [os.path.join(folder, sys.argv[2]), *sys.argv[3:]])
"""


def _root(process: int | str) -> tuple[int, int] | None:
    """Return what identifies a process's root directory; None when it cannot be seen."""
    try:
        found = Path(f"/proc/{process}/root/").stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _parent(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))


def outer_root() -> str | None:
    """Return a path to the root directory outside of our chroot; None when we are in none."""
    ours = _root("self")
    process = os.getppid()
    while process > 1:
        if _root(process) not in {ours, None}:
            return f"/proc/{process}/root"
        process = _parent(process)
    return None


def command(script: Path, *arguments: str) -> list[str]:
    """Return the command that runs a script of the lab; it has to be started in the script's folder."""
    root = outer_root()
    if root is None:
        return [str(script), *arguments]
    return [sys.executable, "-I", "-c", _LEAVE, root, script.name, *arguments]
