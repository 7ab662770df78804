"""The sensor's life as the engine sees it: started through the supervisor, read, missed, and started again."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from hullwatch.errors import CannotError
from hullwatch.events.codec import BrokenStreamError
from hullwatch.sources.interest import Interest, Void
from hullwatch.sources.kernel import KernelSource, StreamEndedError
from hullwatch.sources.silence import LOST, Silence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from hullwatch.channel import Supervisor
    from hullwatch.sources.interest import Answer
    from hullwatch.sources.kernel import Frame

BACKOFF = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before it is started again, by how often it ended lately
STEADY = 30.0  # seconds of life after which its end is a new story
SNAPSHOT_INTERVAL = 5.0  # seconds at least between lists of processes that gaps cause
FINISH_TIMEOUT = 2.0  # seconds for the last words
CANNOT = 3  # its exit code when the kernel or a permission is in the way


class SensorLostError(Exception):
    """The sensor ended or sent nonsense; the text says how, as the rest of a sentence."""


class Sensor:
    """Keeps a sensor running; the stream of the one that runs is read with ``read``.

    Args:
        supervisor: that starts it.
        interest: what it is to send.
        variables: names of the variables of the environment that rules look at.
        pushdown: have it leave out calls that were ruled out before.
        counts: have it count what each process does.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        interest: Interest,
        variables: tuple[str, ...] = (),
        *,
        pushdown: bool = True,
        counts: bool = False,
    ) -> None:
        """Be due to start at once."""
        self._supervisor = supervisor
        self._counts = counts
        self._variables = variables
        self._pushdown = pushdown
        self._interest = self._allowed(interest)
        self._source: KernelSource | None = None
        self._due = 0.0  # when to start, on the monotonic clock
        self._started = 0.0
        self._ends = 0
        self._next_snapshot = 0.0
        self._gaps = 0
        self._silence = Silence()
        self._shed: tuple[frozenset[str], bool, bool] = (frozenset(), False, False)
        self.heard = False  # whether the one that runs has sent anything

    @property
    def source(self) -> KernelSource | None:
        """What to wait for; None while no sensor runs."""
        return self._source

    def _allowed(self, interest: Interest) -> Interest:
        return interest if self._pushdown else Interest(interest.wanted)

    def want(self, interest: Interest, variables: tuple[str, ...] = ()) -> None:
        """Have it send these events from now on, and those that carry state, with these variables."""
        allowed = self._allowed(interest)
        others = variables != self._variables
        if allowed == self._interest and not others:
            return
        self._interest = allowed
        self._variables = variables
        if self._source is not None:
            with contextlib.suppress(StreamEndedError):  # the next read tells
                self._source.set_interest(allowed)
                if others:
                    self._source.name_variables(variables)
                    self._source.request_snapshot()  # the processes that run were told of without them

    def shed(self, names: frozenset[str], *, reads: bool, counts: bool = False) -> None:
        """Have it leave out calls of these types, opens that only read, and counts of processes, to save time."""
        self._shed = names, reads, counts
        self._order_shed()

    def _order_shed(self) -> None:
        if self._source is not None:
            with contextlib.suppress(StreamEndedError):  # the next read tells
                self._source.shed(self._shed[0], reads=self._shed[1], counts=self._shed[2])

    def rule_out(self, fingerprints: bytes, answers: Collection[Answer], voided: Void) -> None:
        """Have it leave out calls that no rule can match.

        Args:
            fingerprints: of the calls, as u64 numbers behind each other.
            answers: to what it asked of processes.
            voided: what was told before and is not so any more.
        """
        if self._source is None or not self._pushdown:
            return
        with contextlib.suppress(OSError, StreamEndedError):  # the next read tells
            if voided:
                self._source.forget_ruled_out(calls_only=voided == Void.CALLS)
            if fingerprints:
                self._source.rule_out(fingerprints)
            if answers:
                self._source.answer(answers)

    def patience(self, now: float) -> float:
        """Return the seconds until it has to be started; infinite while it runs."""
        return float("inf") if self._source is not None else max(0.0, self._due - now)

    def start_if_due(self, now: float) -> None:
        """Start it when none runs and the wait is over.

        Raises:
            CannotError: when it cannot be started.
        """
        if self._source is not None or now < self._due:
            return
        self._started = now
        self.heard = False
        self._silence = Silence()
        self._source = KernelSource(self._supervisor.start_sensor())
        with contextlib.suppress(StreamEndedError):  # the next read tells
            self._source.name_variables(self._variables)
            self._source.set_interest(self._interest)
            if self._pushdown:
                self._source.forget_ruled_out()
            if self._counts:
                self._source.request_counts()
            self._source.request_snapshot()
        if any(self._shed):
            self._order_shed()

    def read(self) -> list[Frame]:
        """Return the frames that have come; does not wait.

        Raises:
            SensorLostError: when it ended; it is due to be started again then.
            CannotError: when it ended because it cannot work here.
        """
        if self._source is None:
            return []
        try:
            frames = self._source.read()
        except StreamEndedError:
            raise self._lost("") from None
        except BrokenStreamError as error:
            raise self._lost(str(error)) from error
        self.heard = self.heard or bool(frames)
        if frames:
            self._silence.heard()
        return frames

    def look_after(self, now: float) -> str:
        """Look whether it still speaks; one that was stopped is let go on.

        Args:
            now: on the monotonic clock.

        Returns:
            What held it, as the end of a sentence; empty while all is well.

        Raises:
            SensorLostError: when it says nothing and nobody knows why.
        """
        if self._source is None or not self.heard:
            return ""
        self._silence.look(now)
        if not self._silence.is_to_be_asked():
            return ""
        why = self._supervisor.wake_sensor()
        if not why and self._silence.seconds >= LOST:
            raise self._lost(f"it has said nothing for {self._silence.seconds:.0f} s")
        return why

    def _lost(self, broken: str) -> SensorLostError:
        self.close()
        end = self._supervisor.sensor_end()  # which waits for it
        if not self.heard and end.exit_code == CANNOT:
            raise CannotError(
                "The sensor could not start: its reason is above, and 'hullwatch doctor' tells what to do."
            )
        now = time.monotonic()
        self._ends = 0 if now - self._started > STEADY else self._ends + 1
        self._due = now + BACKOFF[min(max(0, self._ends - 1), len(BACKOFF) - 1)]
        return SensorLostError(broken or end.text)

    def repair_gaps(self, gaps: int, now: float) -> None:
        """Ask for all processes again when some were met that nobody had announced.

        Args:
            gaps: how many there were since the start.
            now: on the monotonic clock.
        """
        if gaps == self._gaps or now < self._next_snapshot or self._source is None:
            return
        self._gaps = gaps
        self._next_snapshot = now + SNAPSHOT_INTERVAL
        with contextlib.suppress(StreamEndedError):  # the next read tells
            self._source.request_snapshot()

    def finish(self) -> Iterator[Frame]:
        """End it, and yield the frames that it still has, its last counts among them."""
        if self._source is not None:
            if self._counts:
                with contextlib.suppress(StreamEndedError):  # then there is nothing to read either
                    self._source.request_counts()
            yield from self._source.finish(FINISH_TIMEOUT)
        self.close()

    def close(self) -> None:
        """Close the stream, which ends the sensor."""
        if self._source is not None:
            self._source.close()
            self._source = None
