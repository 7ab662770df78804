"""The machine that was measured: without it a number says nothing."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

_STEPS = 5_000_000
_CPU_INFORMATION = Path("/proc/cpuinfo")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_PRODUCT = Path("/sys/class/dmi/id/product_name")


def describe() -> list[tuple[str, str]]:
    """Return what the numbers depend on, each with its name."""
    information = _read(_CPU_INFORMATION)
    models = [line.partition(":")[2].strip() for line in information.splitlines() if line.startswith("model name")]
    usable = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return [
        ("CPU", models[0] if models else platform.machine()),
        ("cores", f"{usable} usable of {os.cpu_count()}"),
        ("kernel", platform.release()),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("frequency", _read(_GOVERNOR) or "no governor to be seen"),
        ("virtualised", _virtualised(information)),
        ("step of an empty Python loop", f"{_loop_step():.1f} ns of CPU time"),
        ("load before", f"{load:.2f}{' - other programs disturb the measurement' if load > usable / 2 else ''}"),
    ]


def _loop_step() -> float:
    """Return how long one step of a loop takes that does nothing, in ns of CPU time."""
    begin = time.process_time()
    for _ in range(_STEPS):
        pass
    return (time.process_time() - begin) / _STEPS * 1e9


def _virtualised(information: str) -> str:
    flags = next((line for line in information.splitlines() if line.startswith("flags")), "")
    if "hypervisor" not in flags.split():
        return "no"
    return f"yes ({_read(_PRODUCT)})" if _read(_PRODUCT) else "yes"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
