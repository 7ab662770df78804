"""Does the kernel have what the sensor needs?"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hullwatch.cli.checks.check import Check

LEAST = (5, 8)  # ring buffers, CAP_BPF and iterators over tasks
FULL = (6, 1)  # also sleepable iterators: the arguments of processes that ran before
BTF_FILE = Path("/sys/kernel/btf/vmlinux")
LOCKDOWN_FILE = Path("/sys/kernel/security/lockdown")
_INSTALL_KERNEL = "apt install linux-image-amd64   # then reboot"


def kernel_version(release: str | None = None) -> Check:
    """Check the version of the kernel (``uname -r``)."""
    text = os.uname().release if release is None else release
    match = re.match(r"(\d+)\.(\d+)", text)
    if match is None:
        return Check("kernel", "warn", f"The kernel's version {text} cannot be read.")
    version = (int(match[1]), int(match[2]))
    if version < LEAST:
        return Check("kernel", "fail", f"Linux {text} is too old; 5.8 is needed, 6.1 is better.", _INSTALL_KERNEL)
    if version < FULL:
        sentence = f"Linux {text} does; with 6.1 processes that ran before are known completely."
        return Check("kernel", "warn", sentence, _INSTALL_KERNEL)
    return Check("kernel", "ok", f"Linux {text} has everything that the sensor uses.")


def kernel_types(path: Path = BTF_FILE) -> Check:
    """Check that the kernel describes its types (BTF): the sensor fits itself to them."""
    if path.exists():
        return Check("BTF", "ok", "The kernel describes its types.")
    return Check(
        "BTF",
        "fail",
        f"The kernel does not describe its types: there is no {path}. It must be built with CONFIG_DEBUG_INFO_BTF=y, "
        "as those of the distributions are.",
        _INSTALL_KERNEL,
    )


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
