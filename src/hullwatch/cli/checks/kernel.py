"""Does the kernel have what the sensor needs?"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hullwatch.api.checks.check import Check
from hullwatch.config.paths import sensor_program
from hullwatch.formats.kernel_support import describe, is_blind
from hullwatch.sources.host import BTF_FILE, NoSupportError, ask_support, types_problem

LOCKDOWN_FILE = Path("/sys/kernel/security/lockdown")
_INSTALL_KERNEL = "apt install linux-image-amd64   # then reboot"


def kernel(configured: str = "", release: str | None = None) -> Check:
    """Check what the kernel has for the sensor: by a look at its types, never by its version.

    Args:
        configured: the sensor program of the settings; empty: the installed one.
        release: as ``uname -r`` gives it; this kernel's when None.
    """
    text = os.uname().release if release is None else release
    program = sensor_program(configured)
    if program is None:
        return Check("kernel", "warn", f"Linux {text}: what it offers cannot be told without the sensor.", "make build")
    try:
        support = ask_support(program)
    except NoSupportError as error:
        return Check("kernel", "fail", f"Linux {text}: {error}.", _INSTALL_KERNEL)
    blind = is_blind(support.tier.upper(), support.lacks)
    sentence = f"Linux {text}. {describe(support.tier, support.lacks)}"
    return Check("kernel", "warn" if blind else "ok", sentence, _INSTALL_KERNEL if blind else "")


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
