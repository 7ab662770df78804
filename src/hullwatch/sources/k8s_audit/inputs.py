"""The inputs of an intake, each with what it counts and when its last event came."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

import msgspec

from hullwatch.sources.k8s_audit.counts import IntakeCounts
from hullwatch.sources.k8s_audit.quiet import Quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hullwatch.sources.k8s_audit.quiet import Notice

NEVER = 1e9  # seconds: of inputs that may be silent as long as they like


class InputStatus(msgspec.Struct, frozen=True):
    """What is written of an input, and read by the process that comes after.

    Attributes:
        kind: webhook, file, stdin or cloudwatch.
        events: that came.
        left_out: what was no event, or came before, by reason.
        out_of_order: events that came long after newer ones.
        since: when it was listened to first, ns since the epoch.
        last: when the last one came, ns since the epoch; 0 for none.
        lag: seconds from the last event's time until it came.
        silent: whether an alert has said that nothing comes.
    """

    kind: str = ""
    events: int = 0
    left_out: dict[str, int] = {}
    out_of_order: int = 0
    since: int = 0
    last: int = 0
    lag: float = 0.0
    silent: bool = False


class Input:
    """One place that events come from.

    Args:
        name: of it: an address, a path, a log group.
        kind: webhook, file, stdin or cloudwatch.
        quiet: tells of its silence.
        before: what the process of before has written of it.
        wall: the time, ns since the epoch.

    Attributes:
        name: of it.
        counts: what came of it.
    """

    def __init__(
        self, name: str, kind: str, quiet: Quiet, before: InputStatus, wall: Callable[[], int] = time.time_ns
    ) -> None:
        """Count nothing yet."""
        self.name = name
        self.counts = IntakeCounts()
        self._kind = kind
        self._quiet = quiet
        self._since = before.since or wall()
        self._last = before.last
        self._lag = before.lag
        self._wall = wall

    def took(self, stage_timestamp: object) -> None:
        """Note that events have come.

        Args:
            stage_timestamp: of the last of them, as it is written.
        """
        self._last = self._wall()
        at = _moment(stage_timestamp)
        self._lag = (self._last - at) / 1e9 if at else 0.0

    def look(self) -> Notice | None:
        """Return what is to be told of its silence now."""
        now = self._wall()
        self._last = min(self._last, now)  # a clock that was put back
        return self._quiet.look(self._last, now)

    def status(self) -> InputStatus:
        """Return what is known of it."""
        counts = self.counts
        return InputStatus(
            self._kind, counts.total, counts.left_out.copy(), counts.out_of_order, self._since, self._last,
            round(self._lag, 3), self._quiet.told,
        )  # fmt: skip


class Inputs:
    """All inputs of an intake.

    Args:
        silence: seconds that nothing may come from one.
        before: what the process of before has written of each; what comes no more since then is still silent.
        wall: the time, ns since the epoch.
    """

    def __init__(
        self, silence: float, before: Mapping[str, InputStatus], wall: Callable[[], int] = time.time_ns
    ) -> None:
        """Have none yet."""
        self._silence = silence
        self._before = before
        self._wall = wall
        self._inputs: dict[str, Input] = {}

    def add(self, name: str, kind: str) -> Input:
        """Return a new input, or the one of that name."""
        if name not in self._inputs:
            before = self._before.get(name, InputStatus())
            quiet = Quiet(name, self._silence, self._wall(), max(before.since, before.last), told=before.silent)
            self._inputs[name] = Input(name, kind, quiet, before, self._wall)
        return self._inputs[name]

    def look(self) -> list[tuple[str, Notice]]:
        """Return what is to be told of silence now, each with the name of the input."""
        return [(one.name, notice) for one in self._inputs.values() if (notice := one.look()) is not None]

    def counts(self) -> IntakeCounts:
        """Return the numbers of all together."""
        total = IntakeCounts()
        for one in self._inputs.values():
            total.add(one.counts)
        return total

    def status(self) -> dict[str, InputStatus]:
        """Return what is known of each, by its name."""
        return {name: one.status() for name, one in self._inputs.items()}


def read_before(written: bytes) -> dict[str, InputStatus]:
    """Return what a process of before has written of its inputs; nothing where that cannot be read."""
    try:
        return msgspec.json.decode(written, type=_Written).by_input
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


class _Written(msgspec.Struct):
    by_input: dict[str, InputStatus] = {}


def _moment(written: object) -> int:
    """Return an event's time in ns since the epoch; 0 where it is none."""
    if not isinstance(written, str):
        return 0
    try:
        found = dt.datetime.fromisoformat(written[:40])
    except ValueError:
        return 0
    if found.tzinfo is None:
        return 0
    return int(found.timestamp() * 1_000_000) * 1000
