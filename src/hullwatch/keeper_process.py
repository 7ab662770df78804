"""The keeper's process: it takes alerts from the engine, keeps and groups them, and gives them to the outputs."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import time
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from hullwatch.alerts.condition import AlertCondition
from hullwatch.alerts.grouping import Grouper
from hullwatch.errors import HullwatchError, UsageError
from hullwatch.escalation.telling import Telling
from hullwatch.keeper_change import Change, Outputs, make_outputs
from hullwatch.own_process import FreePages, drop_privileges, leave_descriptors, readable_by_all
from hullwatch.rules import grammar
from hullwatch.service.policies import received
from hullwatch.store.database import StoreError
from hullwatch.store.frames import ENCODER, FRAMES, MAXIMUM_MESSAGE, Told, alert_id
from hullwatch.store.keeper_status import KeeperState
from hullwatch.store.keeping import Keeping, Packed
from hullwatch.store.opening import open_to_keep
from hullwatch.store.session_names import SessionNames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement
    from hullwatch.config.settings import Settings
    from hullwatch.escalation.policy import Escalation
    from hullwatch.outputs.secrets import Secrets
    from hullwatch.store.keeping import MakeGrouping

NAME = "hullwatch-keeper"
NICE = 5
BATCH = 1 << 20  # bytes of alerts that are written at once
ALERTS = 2000  # the same in alerts
TICK = 1.0  # seconds between looks at what is due
RETRY = 1.0  # seconds until something that failed is tried again

COLLECT_AFTER = (100_000, 50, 1000)  # objects; alerts are many and have no cycles: looking for those finds nothing


class Keeper:
    """Serves those who have alerts, and the next ones if they crash.

    Args:
        ends: of the socket pairs, one for each who has alerts.
        settings: of the run.
        state: the directory of what lasts.
        make_grouping: makes what decides what belongs together.
        outputs: what is told of alerts; None for nothing.
        escalation: who is told of incidents; None for nobody.
        orders: from which other settings come; None for nowhere.
    """

    def __init__(
        self,
        ends: Sequence[socket.socket],
        settings: Settings,
        state: Path,
        make_grouping: MakeGrouping,
        outputs: Outputs | None = None,
        escalation: Escalation | None = None,
        orders: socket.socket | None = None,
    ) -> None:
        """Open nothing yet."""
        self._orders = orders
        self._ends = list(ends)  # those that somebody has the other side of
        for end in self._ends:
            end.settimeout(0)
        self._settings = settings
        self._state = state
        self._make_grouping = make_grouping
        self._outputs: Outputs | None = outputs
        self._escalation: Escalation | None = escalation
        self._status = KeeperState(state, settings.store.largest)
        self._telling: Telling | None = None
        self._names = SessionNames(settings.store.url, state)
        self._keeping: Keeping | None = None
        self._events: list[tuple[str, str, str]] = []
        self._counts: dict[str, int] = {}
        self._problem = ""
        self._refused: set[str] = set()  # why mutes are not used, as it was told
        self._last: dict[tuple[socket.socket, str], int] = {}  # the last frame of each run that is taken
        self._batch: list[Packed] = []
        self._next_tick = 0.0
        self._free_pages = FreePages()

    def serve(self) -> None:
        """Take alerts until all other ends are closed, and all of them are kept."""
        while True:
            if not self._batch and self._ends:
                self._wait()
                self._read()
            done = self._store()
            self._do_what_is_due()
            if not self._ends and (done or not self._batch):
                break
            if not done:
                time.sleep(RETRY)
        if self._outputs is not None:
            self._outputs.close()
        if self._keeping is not None:
            self._keeping.close()

    def _wait(self) -> None:
        waited = select.poll()
        for end in self._ends:
            waited.register(end, select.POLLIN)
        if self._orders is not None:
            waited.register(self._orders, select.POLLIN)
        ready = [one for one, _ in waited.poll(max(0.0, self._next_tick - time.monotonic()) * 1000)]
        if self._orders is not None and self._orders.fileno() in ready:
            self._take_order(self._orders)

    def _take_order(self, orders: socket.socket) -> None:
        """Go by other settings from now on; what cannot be had stays as it was, and is said."""
        data, descriptors, _, _ = socket.recv_fds(orders, 16, 1)
        if not data or not descriptors:
            self._orders = None  # the supervisor is about to end
            return
        try:
            policies = received(descriptors[0])
            change = Change(self._settings, self._outputs, self._escalation, self._state)
            change.go_by(policies)
            self._settings, self._outputs, self._escalation = policies.settings, change.outputs, change.escalation
            self._telling = None  # the next look goes on from what the store remembers
            if self._keeping is not None:
                self._keeping.retention.use(policies.settings.store)
            self._events += change.said
        except Exception as error:  # noqa: BLE001 - whatever comes: what was in force goes on, and people know
            said = str(error) if isinstance(error, HullwatchError) else type(error).__name__
            self._events.append(("Settings not in force", "Error", f"Outputs and escalation stay as they were: {said}"))
        self._tell_all()

    def _read(self) -> None:
        """Read the frames that are there, as many as are written at once; everybody has a part of that."""
        share = max(1, len(self._ends))
        for end in list(self._ends):
            self._read_end(end, BATCH // share, len(self._batch) + ALERTS // share)

    def _read_end(self, end: socket.socket, most: int, alerts: int) -> None:
        size = 0
        while size < most and len(self._batch) < alerts:
            try:
                data = end.recv(MAXIMUM_MESSAGE)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                self._ends.remove(end)
                end.close()
                return
            try:
                frame = FRAMES.decode(data)
            except msgspec.MsgspecError:
                self._count("wrong frame")
                continue
            self._batch += [
                Packed(one.id or alert_id(frame.run, one.number), one.time, one.body) for one in frame.alerts
            ]
            self._last[end, frame.run] = frame.number
            size += len(data)

    def _store(self) -> bool:
        """Keep what was read and say so; return whether that worked."""
        try:
            keeping = self._open()
            if self._batch:
                begin = time.monotonic()
                kept = keeping.take(self._names.named(self._batch), self._hand_over)
                self._status.took(len(kept.alerts), time.monotonic() - begin)
        except StoreError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                self._tell_all()
            return False
        again, self._problem = bool(self._problem), ""
        self._batch.clear()
        for (end, run), number in self._last.items():
            self._tell(end, run, number)
        self._last.clear()
        if again or self._events or self._counts:
            self._tell_all()
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
        self._free_pages.tick(now)
        if self._outputs is not None:
            self._outputs.tick()
        self._status.tick(self._keeping, self._problem)
        if self._keeping is None:
            return
        try:
            if self._keeping.tick(now):
                self._next_tick = now  # there is more to do, with what comes in between
            self._tell_refused(self._keeping)
            self._escalate(self._keeping)
            self._name_late(self._keeping)
        except StoreError as error:
            self._problem = str(error)

    def _tell_refused(self, keeping: Keeping) -> None:
        """Tell of each mute that is not used, once: whoever made it takes it for one that is."""
        refused = set(keeping.refused_mutes())
        new, self._refused = refused - self._refused, refused
        if new:
            self._events += [("Mute not used", "Warning", sentence) for sentence in sorted(new)]
            self._tell_all()

    def _name_late(self, keeping: Keeping) -> None:
        """Name who is behind exec sessions whose alerts are kept already."""
        try:
            events = self._names.late(keeping)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an alert or a request provokes: alerts are kept
            self._count(f"sessions not named: {type(error).__name__}")
            return
        if events:
            self._events += events
            self._tell_all()

    def _escalate(self, keeping: Keeping) -> None:
        """Have those told who are due to be."""
        if self._escalation is None or self._outputs is None:
            return
        if self._telling is None:
            keep = partial(keeping.remember, "escalation")
            self._telling = Telling(self._escalation, keeping.remembered("escalation"), keep, self._outputs.tell)
        problems = self._telling.tick(keeping.open_incidents(), time.time_ns())
        self._events += [("Nobody told", "Error", problem) for problem in problems]
        if beginning := self._telling.beginning:
            self._events.append(("Escalation begun", "Notice", beginning))
        if problems or beginning:
            self._tell_all()

    def _tell_all(self) -> None:
        """Tell everybody how it stands; the first one what else there is to say."""
        for end in self._ends:
            self._tell(end, "", -1)

    def _tell(self, end: socket.socket, run: str, stored: int) -> None:
        counts, self._counts = self._counts, {}
        if self._keeping is not None:
            counts |= self._keeping.take_counts()
        self._status.count(counts)
        events, self._events = self._events, []
        with contextlib.suppress(OSError):  # it has crashed, or does not read: the next one asks anew
            end.send(ENCODER.encode(Told(run, stored, self._problem, events, counts)))

    def _count(self, reason: str, number: int = 1) -> None:
        self._counts[reason] = self._counts.get(reason, 0) + number


def preload(settings: Settings) -> None:
    """Import what the keeper needs later, while the files can still be read.

    Somebody may mute by a condition at any time: where files are root's alone, as in a clone in root's home, the parser
    is loaded by using it, on what is remembered nowhere. Elsewhere its 5 MB wait for such a mute.
    """
    if not all(
        readable_by_all(path) for path in (grammar.GRAMMAR_FILE, Path(contextlib.__file__), Path(msgspec.__file__))
    ):
        AlertCondition(f'proc.name = "{time.time_ns()}"')
        with contextlib.suppress(UsageError):
            AlertCondition(f'proc.name = "{time.time_ns()}')
    if settings.outputs:
        from hullwatch.outputs import router

        router.preload(settings)
    if settings.store.url:
        with contextlib.suppress(ImportError):
            import psycopg  # noqa: F401  # pyright: ignore[reportUnusedImport]


def be_keeper(
    ends: Sequence[socket.socket], orders: socket.socket, settings: Settings, state: Path, user: tuple[int, int]
) -> NoReturn:
    """Be the keeper, in the process that was forked for it: give up power first, and never return.

    It ends when the supervisor and all who have alerts have closed their ends; signals that end them do not end it
    before.
    """
    code = 1
    try:
        _leave_everything([orders.fileno(), *(end.fileno() for end in ends)])
        preload(settings)
        secrets = _read_secrets(settings)  # while files that only root may read can be read
        escalation = _read_escalation(settings)
        drop_privileges(*user)
        gc.freeze()  # what was there before the fork stays shared, as long as nobody looks at it
        gc.set_threshold(*COLLECT_AFTER)
        outputs = make_outputs(settings, state, secrets)
        Keeper(ends, settings, state, _grouping(settings), outputs, escalation, orders).serve()
        code = 0
    except BaseException as error:  # noqa: BLE001 - the last line of this process: nothing may escape
        with contextlib.suppress(OSError):
            text = "".join(traceback.format_exception(error))
            (state / "keeper-crash.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    os._exit(code)


def _grouping(settings: Settings) -> MakeGrouping:
    """Return what makes the grouping: the one place where it is chosen."""
    return lambda memory: Grouper(memory, settings.incidents)


def _read_secrets(settings: Settings) -> dict[str, Secrets]:
    """Return what outputs need and only root may read; what is missing, outputs say themselves when they need it."""
    if not settings.outputs:
        return {}
    from hullwatch.outputs.router import read_secrets

    with contextlib.suppress(HullwatchError):
        return read_secrets(settings)
    return {}


def _read_escalation(settings: Settings) -> Escalation | None:
    """Return who is told; a file with a mistake is told of, and nobody is."""
    if not settings.escalation.file:
        return None
    from hullwatch.escalation.policy import read_escalation
    from hullwatch.outputs.standard_error import say

    try:
        return read_escalation(Path(settings.escalation.file), set(settings.outputs))
    except HullwatchError as error:
        say(f"Nobody is told of incidents by policies: {error}")
        return None


def _leave_everything(kept: Sequence[int]) -> None:
    """Let go of what the supervisor has: its signals, its descriptors but for some, its name."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when everybody else has
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    leave_descriptors(kept)
    with contextlib.suppress(OSError):  # only what `ps` shows
        Path("/proc/self/comm").write_text(NAME, encoding="ascii")
    with contextlib.suppress(OSError):
        os.nice(NICE)
