"""What a host must have for its kernel to be watched; asked before the sensor is started, to answer in a sentence."""

from __future__ import annotations

import os
import re
from pathlib import Path

# bpf_loop came with 5.17, iterators that may page in another process's arguments with 5.18.
OLDEST_KERNEL = (5, 18)
BTF_FILE = Path("/sys/kernel/btf/vmlinux")


def version_of(release: str) -> tuple[int, int] | None:
    """Return the version that a kernel's release (``uname -r``) begins with; None when there is none."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else None


def kernel_problem(release: str | None = None) -> str | None:
    """Return a sentence when the kernel is too old, else None.

    Args:
        release: as ``uname -r`` gives it; this kernel's when None. One that cannot be read is not too old.
    """
    text = os.uname().release if release is None else release
    version = version_of(text)
    if version is None or version >= OLDEST_KERNEL:
        return None
    oldest = ".".join(map(str, OLDEST_KERNEL))
    return f"Linux {text} is too old: the sensor needs {oldest} or newer, such as Debian 12's 6.1."


def types_problem(path: Path = BTF_FILE) -> str | None:
    """Return a sentence when the kernel does not describe its types, else None."""
    if path.exists():
        return None
    return (
        f"The kernel does not describe its types: there is no {path}. It must be built with CONFIG_DEBUG_INFO_BTF=y, "
        "as those of the distributions are."
    )
