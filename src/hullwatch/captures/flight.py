"""The flight recorder: the last minutes of each container are kept, and saved when an alert asks for it.

It takes what the engine is fed, as a recording does. An alert is told the name of its capture at once; the file is
written step by step between batches, and goes on for a while.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from hullwatch.captures.family import HOST
from hullwatch.captures.recording import open_writer
from hullwatch.captures.ring import Ring
from hullwatch.captures.savings import Savings
from hullwatch.captures.split import whole_records
from hullwatch.captures.writer import Around
from hullwatch.config.settings import NO_PRIORITY
from hullwatch.detect.kept_events import CHANGES
from hullwatch.rules.priority import Priority

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.masking import RecordMask
    from hullwatch.captures.savings import Telling
    from hullwatch.captures.writer import CaptureWriter
    from hullwatch.config.settings import FlightRecorderSettings
    from hullwatch.counters import Counters
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.assembler import Assembler
    from hullwatch.rules.loader import Rule, RuleSet

SLICE_SIZE = 1 << 20  # bytes of records
SLICE_TIME = 5.0  # seconds
SAVING_TIME = 1.0  # the same while a capture is being written
STEP_TIME = 0.02  # seconds that writing takes before the next records are looked at
CLOSE_TIME = 5.0  # seconds at the end for what is not written yet
STATE_TIME = 30.0  # seconds between states, at most ...
STATES = 10  # ... and so many within the span
STATE_SHARE = 50  # a state is not taken before so many times its own cost have passed
_GROUPS_KEPT = 1 << 16


def _never(_: object) -> bool:
    return False


class FlightRecorder:
    """Keeps the last minutes, and saves them.

    Args:
        settings: of the recorder.
        open_file: makes the file for a container; see ``Savings``.
        assembler: of the run.
        counters: of the run.
        clock: seconds that do not go back.
        mask: hides secrets before they are written; None to write what came.
    """

    def __init__(
        self,
        settings: FlightRecorderSettings,
        open_file: Callable[[int], tuple[str, int, int]],
        assembler: Assembler,
        counters: Counters,
        clock: Callable[[], float] = time.monotonic,
        *,
        mask: RecordMask | None = None,
    ) -> None:
        """Keep nothing before ``use`` has said that a rule may ask for it."""
        self._settings = settings
        self._assembler = assembler
        self._counters = counters
        self._clock = clock
        self._mask = mask
        self._threshold = None if settings.priority == NO_PRIORITY else Priority.parse(settings.priority)
        self._ring: Ring | None = None
        self._savings = Savings(settings, open_file, assembler, counters, self._make_writer)
        self._may_ask: Callable[[Rule], bool] = _never
        self._asks: Callable[[Match], bool] = _never
        self._taken: list[bytes] = []
        self._size = 0  # of what was taken, bytes
        self._since = 0.0
        self._state_at = float("-inf")
        self._state_cost = 0.0
        self._groups: OrderedDict[bytes, str] = OrderedDict()  # whose they were when they were seen last

    def use(self, rules: RuleSet) -> None:
        """Know the rules that judge from now on: where none can ask for a capture, nothing is kept."""
        wanted = self._settings.enabled and any(self.is_wanted(rule) or self._may_ask(rule) for rule in rules.rules)
        if wanted and self._ring is None:
            self._ring = Ring(self._settings.before, self._settings.memory)
            self._add_state(self._ring, self._clock())
        elif not wanted and not self._savings:
            self._ring = None
            self._taken.clear()
            self._size = 0

    @property
    def events(self) -> frozenset[str]:
        """Names of the event types that are to be sent though no rule can match them."""
        return CHANGES if self._ring is not None and self._settings.events == "changes" else frozenset()

    def ask_too(self, may_ask: Callable[[Rule], bool], asks: Callable[[Match], bool]) -> None:
        """Let others ask for captures as well: of which rules they may, and of a match whether they do."""
        self._may_ask, self._asks = may_ask, asks

    def is_wanted(self, rule: Rule) -> bool:
        """Tell whether alerts of a rule are saved."""
        return rule.capture or (self._threshold is not None and rule.priority.reaches(self._threshold))

    def take(self, batch: bytes) -> None:
        """Take records before they are judged."""
        if self._ring is None:
            return
        if not self._taken:
            self._since = self._clock()
        self._taken.append(batch)
        self._size += len(batch)

    def capture(self, match: Match) -> str:
        """Return the path of the capture that a match is saved in; empty if it asks for none, or gets none."""
        if self._ring is None or not (self.is_wanted(match.rule) or self._asks(match)):
            return ""
        return self._savings.take(match, self._clock())

    def settle(self) -> list[Telling]:
        """Do what is due when a batch was judged, so that it is known whose records these are; return what is told."""
        ring, savings = self._ring, self._savings
        if ring is None:
            return []
        now = self._clock()
        due = now - self._since >= (SAVING_TIME if savings else SLICE_TIME)
        fresh = savings.has_fresh
        if self._taken and (fresh or due or self._size >= SLICE_SIZE):
            self._cut(ring, now)
        if fresh:
            savings.begin(ring, now)
            savings.write(STEP_TIME)
        return savings.take_notices(now)

    def tick(self) -> list[Telling]:
        """Do what is due by now: about once a second, and when ``patience`` is over; return what is to be told."""
        if self._savings:
            self._savings.write(STEP_TIME)
            self._savings.tick(self._clock())
        return self.settle()

    def patience(self) -> float:
        """Return the seconds until ``tick`` has something to do."""
        if not self._savings:
            return float("inf")
        return 0.0 if self._savings.has_work else SAVING_TIME

    def close(self) -> list[Telling]:
        """Write what belongs to captures by now, and close them; return what is to be told."""
        told = self.settle()
        if self._ring is not None and self._savings:
            if self._taken:
                self._cut(self._ring, self._clock())
            self._savings.close(CLOSE_TIME)
        return told + self._savings.take_notices(float("inf"))

    def _cut(self, ring: Ring, now: float) -> None:
        """Put what was taken into the ring, and a state behind it if it is time for one."""
        records = b"".join([whole_records(batch) for batch in self._taken])
        self._taken.clear()
        self._size = 0
        self._since = now
        if records:
            self._savings.add(ring.add(records, now, self._container_of))
        passed = now - self._state_at
        due = passed >= min(STATE_TIME, self._settings.before / STATES) or ring.wants_state()
        if due and passed >= self._state_cost * STATE_SHARE:
            self._add_state(ring, now)
        self._counters.flight_kept = ring.size

    def _add_state(self, ring: Ring, now: float) -> None:
        begin = time.perf_counter()
        ring.add_state(self._assembler.saved().encode(), now)
        self._state_at, self._state_cost = now, time.perf_counter() - begin

    def _container_of(self, group: bytes) -> str:
        found = self._assembler.container_of(int.from_bytes(group[:8], "little"), int.from_bytes(group[8:], "little"))
        found = found or self._groups.get(group, HOST)
        if found != HOST:
            self._groups[group] = found
            self._groups.move_to_end(group)
            if len(self._groups) > _GROUPS_KEPT:
                self._groups.popitem(last=False)
        return found

    def _make_writer(self, descriptor: int, why: str, state: bytes) -> CaptureWriter:
        states = [state]
        around = Around(
            lambda: states.pop() if states else b"",  # later ones are of the whole host
            lambda: self._assembler.clock_offset,
            self._container_of,
            mask=self._mask,
        )
        return open_writer(lambda _: descriptor, around, why=why)
