"""The keeper's process: it takes alerts from the engine, keeps and groups them, and gives them to the outputs."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

import msgspec

from hullwatch.alerts.grouping import Grouper
from hullwatch.engine_process import drop_privileges
from hullwatch.errors import CannotError
from hullwatch.store.database import StoreError
from hullwatch.store.frames import ENCODER, FRAMES, MAXIMUM_MESSAGE, Told, alert_id, make_pair
from hullwatch.store.keeping import Keeping, Packed
from hullwatch.store.opening import open_to_keep

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement
    from hullwatch.config.settings import Settings
    from hullwatch.store.keeping import MakeGrouping

NAME = "hullwatch-keeper"
NICE = 5
BATCH = 1 << 20  # bytes of alerts that are written at once
ALERTS = 2000  # the same in alerts
TICK = 1.0  # seconds between looks at what is due
RETRY = 1.0  # seconds until something that failed is tried again
END_WAIT = 5.0  # seconds for the keeper to write what it has
_COLLECT_AFTER = 100_000  # objects; alerts are many and have no cycles, so that looking for those finds nothing


class Outputs(Protocol):
    """What is told of alerts that are kept."""

    def take(self, alerts: Sequence[Alert], placements: Sequence[Placement | None]) -> None:
        """Take alerts, each with where it belongs; what is taken is on the disk. May be told the same twice."""
        ...

    def tick(self) -> None:
        """Do what is due; called about once a second."""
        ...

    def close(self) -> None:
        """End."""
        ...


def no_outputs(_: Settings, __: Path) -> Outputs | None:
    """Return nothing: alerts are kept only."""
    return None


class Keeper:
    """Serves an engine, and the next one if it crashes.

    Args:
        end: of the socket pair.
        settings: of the run.
        state: the directory of what lasts.
        make_grouping: makes what decides what belongs together.
        outputs: what is told of alerts; None for nothing.
    """

    def __init__(
        self,
        end: socket.socket,
        settings: Settings,
        state: Path,
        make_grouping: MakeGrouping,
        outputs: Outputs | None = None,
    ) -> None:
        """Open nothing yet."""
        self._end = end
        self._end.settimeout(0)
        self._settings = settings
        self._state = state
        self._make_grouping = make_grouping
        self._outputs = outputs
        self._keeping: Keeping | None = None
        self._events: list[tuple[str, str, str]] = []
        self._counts: dict[str, int] = {}
        self._problem = ""
        self._last: dict[str, int] = {}  # the last frame of each run that is taken
        self._batch: list[Packed] = []
        self._ended = False
        self._next_tick = 0.0

    def serve(self) -> None:
        """Take alerts until the other end is closed, and all of them are kept."""
        while True:
            if not self._batch and not self._ended:
                self._wait()
                self._read()
            done = self._store()
            self._do_what_is_due()
            if self._ended and (done or not self._batch):
                break
            if not done:
                time.sleep(RETRY)
        if self._outputs is not None:
            self._outputs.close()
        if self._keeping is not None:
            self._keeping.close()

    def _wait(self) -> None:
        waited = select.poll()
        waited.register(self._end, select.POLLIN)
        waited.poll(max(0.0, self._next_tick - time.monotonic()) * 1000)

    def _read(self) -> None:
        """Read the frames that are there, as many as are written at once."""
        size = 0
        while size < BATCH and len(self._batch) < ALERTS:
            try:
                data = self._end.recv(MAXIMUM_MESSAGE)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                self._ended = True
                return
            try:
                frame = FRAMES.decode(data)
            except msgspec.MsgspecError:
                self._count("wrong frame")
                continue
            self._batch += [Packed(alert_id(frame.run, one.number), one.time, one.body) for one in frame.alerts]
            self._last[frame.run] = frame.number
            size += len(data)

    def _store(self) -> bool:
        """Keep what was read and say so; return whether that worked."""
        try:
            keeping = self._open()
            if self._batch:
                keeping.take(self._batch, self._hand_over)
        except StoreError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                for run in self._last or {"": 0}:
                    self._tell(run, -1)
            return False
        told, self._problem = self._problem or self._events or self._counts, ""
        self._batch.clear()
        for run, number in self._last.items() or ([("", -1)] if told else []):
            self._tell(run, number)
        self._last.clear()
        return True

    def _open(self) -> Keeping:
        if self._keeping is None:
            store = self._settings.store
            database, said = open_to_keep(store.url, self._state)
            if said:
                self._events.append(("Store damaged", "Critical", said))
            keeping = Keeping(database, store, self._make_grouping)
            if keeping.copy is not None:
                text = f"The store was brought up to date; a copy of before is {keeping.copy}."
                self._events.append(("Store upgraded", "Informational", text))
            self._keeping = keeping
        return self._keeping

    def _hand_over(self, alerts: Sequence[Alert], placements: Sequence[Placement | None]) -> None:
        """Give alerts to the outputs before they count as kept: what is cut off in between comes again."""
        if self._outputs is None:
            return
        try:
            self._outputs.take(alerts, placements)
        except Exception as error:  # noqa: BLE001 - whatever an output does: alerts are kept
            self._count(f"not given to the outputs: {type(error).__name__}", len(alerts))

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        if now < self._next_tick:
            return
        self._next_tick = now + TICK
        if self._outputs is not None:
            self._outputs.tick()
        if self._keeping is None:
            return
        try:
            if self._keeping.tick(now):
                self._next_tick = now  # there is more to do, with what comes in between
        except StoreError as error:
            self._problem = str(error)

    def _tell(self, run: str, stored: int) -> None:
        counts, self._counts = self._counts, {}
        if self._keeping is not None:
            counts |= self._keeping.take_counts()
        events, self._events = self._events, []
        with contextlib.suppress(OSError):  # the engine has crashed, or does not read: the next one asks anew
            self._end.send(ENCODER.encode(Told(run, stored, self._problem, events, counts)))

    def _count(self, reason: str, number: int = 1) -> None:
        self._counts[reason] = self._counts.get(reason, 0) + number


class KeeperStarter:
    """The supervisor's side: starts the keeper, and has the engine's end of the socket pair to it.

    Args:
        settings: of the run.
        user: uid and gid that it becomes.
        state: the directory of what lasts, which is that user's.
    """

    def __init__(self, settings: Settings, user: tuple[int, int], state: Path) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._user = user
        self._state = state
        self._pid = 0
        self._end: socket.socket | None = None

    def pids(self) -> list[int]:
        """Return the process id, of a process that is started now if none runs; nothing when none is to run.

        To be called where there is one thread only, for it forks.
        """
        if not self._settings.store.enabled:
            return []
        if not self._runs():
            self._start()
        return [self._pid]

    def connection(self) -> socket.socket:
        """Return the engine's end, of which one stays here for the next engine.

        Raises:
            CannotError: when alerts are not to be kept.
        """
        self.pids()
        if self._end is None:
            raise CannotError("Alerts are not kept: store.enabled is false.")
        return self._end.dup()

    def stop(self) -> None:
        """Let it write what it has, and end it."""
        self._close()
        deadline = time.monotonic() + END_WAIT
        while self._runs():
            if time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                self._pid = 0
                return
            time.sleep(0.01)

    def _runs(self) -> bool:
        if not self._pid:
            return False
        if os.waitpid(self._pid, os.WNOHANG)[0] == 0:
            return True
        self._pid = 0
        return False

    def _start(self) -> None:
        self._close()
        ours, theirs = make_pair()
        pid = os.fork()
        if pid == 0:
            be_keeper(theirs, self._settings, self._state, self._user)
        theirs.close()
        self._pid, self._end = pid, ours

    def _close(self) -> None:
        if self._end is not None:
            self._end.close()
            self._end = None


def preload(settings: Settings) -> None:
    """Import what the keeper needs later, while the files can still be read."""
    if settings.store.url:
        with contextlib.suppress(ImportError):
            import psycopg  # noqa: F401  # pyright: ignore[reportUnusedImport]


def be_keeper(end: socket.socket, settings: Settings, state: Path, user: tuple[int, int]) -> NoReturn:
    """Be the keeper, in the process that was forked for it: give up power first, and never return.

    It ends when the supervisor and the engine have closed their ends; signals that end them do not end it before.
    """
    code = 1
    try:
        _leave_everything(end.fileno())
        drop_privileges(*user)
        gc.freeze()  # what was there before the fork stays shared, as long as nobody looks at it
        gc.set_threshold(_COLLECT_AFTER, 50, 1000)
        Keeper(end, settings, state, _grouping(settings), no_outputs(settings, state)).serve()
        code = 0
    except BaseException as error:  # noqa: BLE001 - the last line of this process: nothing may escape
        with contextlib.suppress(OSError):
            text = "".join(traceback.format_exception(error))
            (state / "keeper-crash.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    os._exit(code)


def _grouping(settings: Settings) -> MakeGrouping:
    """Return what makes the grouping: the one place where it is chosen."""
    return lambda memory: Grouper(memory, settings.incidents)


def _leave_everything(kept: int) -> None:
    """Let go of what the supervisor has: its signals, its descriptors, its name."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when everybody else has
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
    with contextlib.suppress(OSError):  # only what `ps` shows
        Path("/proc/self/comm").write_text(NAME, encoding="ascii")
    with contextlib.suppress(OSError):
        os.nice(NICE)
