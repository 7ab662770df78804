"""What a host's kernel offers: asked without starting anything, to answer in a sentence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from hullwatch.events.table import FLAGS

BTF_FILE = Path("/sys/kernel/btf/vmlinux")
PROBE_SECONDS = 10.0
LONGEST_ANSWER = 500  # characters
FIRST_PROCESS_IDS = "pid:[4026531836]"  # PROC_PID_INIT_INO: the namespace that a kernel starts with has this number
OWN_PROCESS_IDS = (
    "Hullwatch has process ids of its own here, as in a container without the host's: processes that run already are "
    "not listed, files are not compared with their image, and no response is done. The host's are hostPID: true in a "
    "pod, --pid host for Docker and Podman."
)


class KernelSupport(NamedTuple):
    """What the sensor finds of the kernel: the set of kernel programs, and what it cannot see or do."""

    tier: str
    lacks: tuple[str, ...]


class NoSupportError(Exception):
    """The kernel cannot be watched, or the sensor cannot be asked; the text is the sensor's reason."""


def ask_support(sensor: Path) -> KernelSupport:
    """Have the sensor look at this kernel's types; it needs no privilege for that and loads nothing.

    Raises:
        NoSupportError: with the sensor's reason.
    """
    try:
        answer = subprocess.run(  # a list without a shell; the program is ours or the administrator's
            [str(sensor), "--probe"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoSupportError(f"the sensor {sensor} cannot be asked: {error}") from error
    said = answer.stdout.decode("ascii", "replace").split()
    if answer.returncode or len(said) != 2 or not said[1].isdecimal():
        reason = answer.stderr.decode("utf-8", "replace").strip().removeprefix("hullwatch-sensor: ")
        raise NoSupportError(reason[:LONGEST_ANSWER] or f"the sensor {sensor} does not answer")
    return KernelSupport(said[0], lacks_of(int(said[1])))


def lacks_of(bits: int) -> tuple[str, ...]:
    """Return the names of the event table's ``kernel_lacks`` for their bits."""
    return tuple(name for name, bit in FLAGS["kernel_lacks"].items() if bits & bit)


def types_problem(path: Path = BTF_FILE) -> str | None:
    """Return a sentence when the kernel does not describe its types, else None."""
    if path.exists():
        return None
    return (
        f"The kernel does not describe its types: there is no {path}. It must be built with CONFIG_DEBUG_INFO_BTF=y, "
        "as those of the distributions are."
    )


def has_own_process_ids(link: Path = Path("/proc/self/ns/pid")) -> bool:
    """Tell whether the numbers of processes are others here than the kernel's, which events have."""
    try:
        return os.readlink(link) != FIRST_PROCESS_IDS  # noqa: PTH115 - its text is no path
    except OSError:
        return False
