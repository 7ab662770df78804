"""The processors that kernels are tried on: how qemu imitates them, and what runs in the machine."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hullwatch.config.paths import sensor_program
from hullwatch.errors import CannotError
from tools import arm64
from tools.kernels.packages import CACHE

SOURCES = Path(__file__).parent


class Processor(NamedTuple):
    """A kind of processor; ``name`` is Debian's, ``serial`` makes a serial line of a character device."""

    name: str
    qemu: tuple[str, ...]
    serial: str


AMD64 = Processor("amd64", ("qemu-system-x86_64", "-machine", "q35", "-cpu", "max"), "isa-serial,chardev={}")
ARM64 = Processor("arm64", ("qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72"), "pci-serial,chardev={}")


def build_guest(processor: Processor) -> dict[str, bytes]:
    """Compile what runs in the machine; returns the files by their paths.

    Raises:
        CannotError: when that is not possible.
    """
    folder = CACHE / processor.name
    folder.mkdir(parents=True, exist_ok=True)
    flags: list[str] = []
    if processor is ARM64:
        root = arm64.prepare_root(arm64.BUILD / "packages")
        arm64.build(arm64.BUILD / "native", root)
        flags = [f"--target={arm64.TARGET}", f"--sysroot={root}", "-fuse-ld=lld"]
    files: dict[str, bytes] = {}
    for target, sources in {
        "init": [SOURCES / "guest.c", *sorted(SOURCES.glob("acts_*.c"))],
        "program": [SOURCES / "program.c"],
    }.items():
        command = ["clang", *flags, "-static", "-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o"]
        arm64.run([*command, str(folder / target), *map(str, sources)])
        files[target] = (folder / target).read_bytes()
    sensor = sensor_program() if processor is AMD64 else arm64.BUILD / "native" / "hullwatch-sensor"
    if sensor is None:
        raise CannotError("the sensor is not built: make build")
    files["hullwatch-sensor"] = sensor.read_bytes()
    return files
