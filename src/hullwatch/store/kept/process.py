"""The processes beside the engine that look after kept events, from the fork to the end, without power."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hullwatch.own_process import drop_privileges, leave_descriptors
from hullwatch.store.kept.folder import NAME as FOLDER

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from hullwatch.config.settings import Settings

WRITER, PACKER = "hullwatch-events", "hullwatch-pack"
NICE = {WRITER: 5, PACKER: 15}


def be_writer(ends: Sequence[socket.socket], settings: Settings, state: Path, user: tuple[int, int]) -> NoReturn:
    """Be the process that writes, until the supervisor and all who have events have closed their ends."""

    def prepare() -> Callable[[], None]:
        from hullwatch.alerts.mask import Masker
        from hullwatch.store.kept.writing import EventWriter

        masker = Masker(settings.mask.patterns, builtin=settings.mask.builtin)
        return lambda: EventWriter(ends, settings.events, state / FOLDER, masker).serve()

    _be(WRITER, [end.fileno() for end in ends], prepare, state, user)


def be_packer(state: Path, user: tuple[int, int]) -> NoReturn:
    """Be the process that makes Parquet files of logs, once: the libraries for it take memory that goes with it."""

    def prepare() -> Callable[[], object]:
        from hullwatch.store.kept.packing import pack, preload

        preload()
        return lambda: pack(state / FOLDER)

    _be(PACKER, [], prepare, state, user)


def _be(
    name: str, kept: Sequence[int], prepare: Callable[[], Callable[[], object]], state: Path, user: tuple[int, int]
) -> NoReturn:
    """Import what is needed, give up power, work, and end."""
    code = 1
    try:
        _leave_everything(name, kept)
        work = prepare()  # while the files of libraries can be read
        drop_privileges(*user)
        gc.freeze()
        work()
        code = 0
    except BaseException as error:  # noqa: BLE001 - the last line of this process: nothing may escape
        with contextlib.suppress(OSError):
            text = "".join(traceback.format_exception(error))
            (state / f"{name}-crash.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    os._exit(code)


def _leave_everything(name: str, kept: Sequence[int]) -> None:
    """Let go of what the supervisor has: its signals, its descriptors, its name."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when everybody else has
    leave_descriptors(kept)
    with contextlib.suppress(OSError):  # only what `ps` shows
        Path("/proc/self/comm").write_text(name[:15], encoding="ascii")
    with contextlib.suppress(OSError):
        os.nice(NICE[name])
