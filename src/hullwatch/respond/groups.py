"""Freezing and ending all processes of a container by its control group: the same for every container engine."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.respond.processes import Group

PATIENCE = 2.0  # seconds for the kernel to freeze them
_MOUNTS = "/proc/self/mountinfo"
_ROUNDS = 50  # of ending processes that start others meanwhile
_MOST_FOLDERS = 200_000  # that are looked through for a container


def mounts() -> dict[str, Path]:
    """Return where the hierarchies are mounted, by controller; the unified one by an empty name."""
    found: dict[str, Path] = {}
    for line in Path(_MOUNTS).read_text(encoding="utf-8", errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        place = Path(before.split(" ")[4])
        if kind == "cgroup2":
            found.setdefault("", place)
        elif kind == "cgroup":
            for option in options.split(" ")[-1].split(","):
                found.setdefault(option, place)
    return found


def freezers(groups: Iterable[Group]) -> Iterator[tuple[Path, str, str]]:
    """Yield the files that freeze a container, with what is written to freeze it and to let it go on."""
    where = mounts()
    for group in groups:
        for controller in group.controllers.split(","):
            if controller == "freezer" or not group.controllers:
                place = where.get(controller)
                name, words = (
                    ("cgroup.freeze", ("1", "0")) if not controller else ("freezer.state", ("FROZEN", "THAWED"))
                )
                if place is not None:
                    file = place / group.path.lstrip("/") / name
                    if file.exists():
                        yield file, *words


def freeze(groups: Iterable[Group]) -> None:
    """Freeze all processes; return when they stand still.

    Raises:
        CannotError: when there is nothing to freeze them by, or it takes too long.
    """
    files = list(freezers(groups))
    if not files:
        raise CannotError("its control group has no freezer here")
    file, frozen, _ = files[0]
    try:
        file.write_text(frozen, encoding="ascii")
    except OSError as error:
        raise CannotError(f"its control group cannot be frozen: {error.strerror}") from error
    deadline = time.monotonic() + PATIENCE
    while not is_frozen(file):
        if time.monotonic() > deadline:
            raise CannotError("its processes do not stand still yet; they are asked to")
        time.sleep(0.005)  # the kernel tells of it by poll on the unified hierarchy only


def is_frozen(file: Path) -> bool:
    """Tell whether all processes of a freezer stand still."""
    if file.name == "freezer.state":
        return file.read_text(encoding="ascii").strip() == "FROZEN"
    return "frozen 1" in (file.parent / "cgroup.events").read_text(encoding="ascii")


def thaw(groups: Iterable[Group]) -> bool:
    """Let all processes go on; return whether there was something to let go on."""
    found = False
    for file, _, thawed in freezers(groups):
        file.write_text(thawed, encoding="ascii")
        found = True
    return found


def members(groups: Iterable[Group]) -> list[int]:
    """Return the process ids of all processes of a container, also of groups below its own."""
    where, found = mounts(), set[int]()
    for group in groups:
        place = where.get(group.controllers.split(",")[0])
        if place is None:
            continue
        for folder, _, files in os.walk(place / group.path.lstrip("/")):
            if "cgroup.procs" in files:
                text = (Path(folder) / "cgroup.procs").read_text(encoding="ascii")
                found.update(int(line) for line in text.split())
    return sorted(found - {0})


def end_all(groups: list[Group]) -> int:
    """End all processes of a container, frozen first so that none can start others; return how many there were.

    Raises:
        CannotError: when some of them are there still.
    """
    ended = set[int]()
    for _ in range(_ROUNDS):
        left = members(groups)
        if not left:
            return len(ended)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                ended.add(pid)
            except ProcessLookupError:
                continue
        with contextlib.suppress(OSError):  # control groups may be read-only here, as under the unit for systemd
            thaw(groups)  # a frozen process of the old hierarchies ends when it goes on
        time.sleep(0.02)
    raise CannotError(f"{len(members(groups))} of its processes did not end")


def container_of(found: list[Group]) -> str:
    """Return the whole id of the container that groups were found for."""
    return found[0].path.removesuffix(".scope")[-64:]


def find(container: str) -> list[Group]:
    """Return the control groups of a container by its id, or the beginning of it.

    Raises:
        CannotError: when there is none, or more than one container.
    """
    from hullwatch.respond.processes import Group

    found: list[Group] = []
    ids = set[str]()
    for controllers, place in mounts().items():
        if controllers not in {"", "freezer"}:
            continue
        for number, (folder, below, _) in enumerate(os.walk(place)):
            if number > _MOST_FOLDERS:
                break
            for name in below:
                digits = name.removesuffix(".scope").rpartition("-")[2]
                if len(digits) == 64 and digits.startswith(container):
                    ids.add(digits)
                    found.append(Group(controllers, "/" + str((Path(folder) / name).relative_to(place))))
    if not ids:
        raise CannotError(f"No container {container} runs here.")
    if len(ids) > 1:
        raise CannotError(f"{len(ids)} containers begin with {container}: write more of the id.")
    return found
