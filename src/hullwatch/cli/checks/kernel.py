"""Does the kernel have what the sensor needs?"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hullwatch.cli.checks.check import Check
from hullwatch.sources.host import BTF_FILE, kernel_problem, types_problem, version_of

LOCKDOWN_FILE = Path("/sys/kernel/security/lockdown")
PUSHDOWN_SINCE = (6, 2)  # bpf_rdonly_cast
_INSTALL_KERNEL = "apt install linux-image-amd64   # then reboot"


def kernel_version(release: str | None = None) -> Check:
    """Check the version of the kernel (``uname -r``)."""
    problem = kernel_problem(release)
    if problem is not None:
        return Check("kernel", "fail", problem, _INSTALL_KERNEL)
    text = os.uname().release if release is None else release
    version = version_of(text)
    if version is None:
        return Check("kernel", "warn", f"The kernel's version {text} cannot be read.")
    if version < PUSHDOWN_SINCE:
        less = "but what rules cannot match is left out in the kernel only from 6.2 on: opening files costs more here."
        return Check("kernel", "ok", f"Linux {text} has what the sensor needs, {less}")
    return Check("kernel", "ok", f"Linux {text} has everything that the sensor uses.")


def kernel_types(path: Path = BTF_FILE) -> Check:
    """Check that the kernel describes its types (BTF): the sensor fits itself to them."""
    problem = types_problem(path)
    if problem is not None:
        return Check("BTF", "fail", problem, _INSTALL_KERNEL)
    return Check("BTF", "ok", "The kernel describes its types.")


def lockdown(path: Path = LOCKDOWN_FILE) -> Check:
    """Check that the kernel is not locked down so far that programs may not read its memory."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")[:200]
    except OSError:
        return Check("lockdown", "ok", "The kernel is not locked down.")
    match = re.search(r"\[(\w+)\]", text)
    mode = match[1] if match else "none"
    if mode == "confidentiality":
        return Check(
            "lockdown",
            "fail",
            "The kernel is locked down (confidentiality): no program may read its memory.",
            "grep -o 'lockdown=[a-z]*' /proc/cmdline   # boot with lockdown=integrity, or without it",
        )
    return Check("lockdown", "ok", f"The kernel's lockdown is {mode}, which the sensor can work with.")
