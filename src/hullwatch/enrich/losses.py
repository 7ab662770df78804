"""Whether too many events are lost: more than one in a thousand within ten seconds, by the stream's own time.

An episode begins with an alert that says how many were lost, of what and why, and ends with another when a minute
was good again; between them there is silence, however long it takes. Calls that this version does not look at (of
32-bit programs, made through io_uring) are no matter of load: they are told once in a run for each reason.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.enrich.notice import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.counters import Counters

WINDOW = 10_000_000_000  # ns
LIMIT = 0.001  # of all events within a window
CALM = 60_000_000_000  # ns without too many losses that end an episode
_SAMPLES = 64  # at most in a window; there is one a second
_KINDS_TOLD = 5  # types of events that a message names

_LOST = {
    "ring_full": "the ring buffer of a CPU was full: more came than was read",
    "unreadable": "the kernel's objects could not be read",
}
_NOT_LOOKED_AT = {
    "compat_syscall": "made by 32-bit programs",
    "io_uring": "made through io_uring",
}

Key = tuple[str, str]  # type of the event, reason


class _Sample(NamedTuple):
    time: int  # ns since boot
    events: int
    lost: Mapping[Key, int]


class Losses:
    """Looks at what was lost each time the stream tells how late it is.

    Args:
        counters: keep the worst share.
    """

    def __init__(self, counters: Counters) -> None:
        """Start with nothing lost."""
        self._counters = counters
        self._lost: dict[Key, int] = {}  # replaced, never changed: samples share it
        self._samples: deque[_Sample] = deque([_Sample(0, 0, {})], maxlen=_SAMPLES)
        self._told: set[str] = set()  # reasons that are told once
        self._bad_at = 0  # when the share was last too large; 0 outside an episode
        self._before: Mapping[Key, int] = {}  # what was lost before the episode

    def lose(self, kind: str, reason: str, number: int) -> None:
        """Note that events were lost."""
        key = kind, reason
        self._lost = self._lost | {key: self._lost.get(key, 0) + number}

    def look(self, time: int, events: int, clock_offset: int) -> list[Notice]:
        """Return what people have to be told by now.

        Args:
            time: ns since boot.
            events: how many came since the start.
            clock_offset: wall clock minus time since boot, ns.
        """
        samples = self._samples
        samples.append(_Sample(time, events, self._lost))
        while len(samples) > 2 and samples[1].time <= time - WINDOW:
            samples.popleft()
        if not self._lost:
            return []
        seen = events - samples[0].events
        notices = self._not_looked_at(time + clock_offset, seen)
        lost = _since(samples[0].lost, self._lost, _LOST)
        share = _share(lost, seen)
        if share > LIMIT:
            self._counters.worst_loss = max(self._counters.worst_loss, share)
            if not self._bad_at:
                self._before = samples[0].lost
                notices.append(_begun(time + clock_offset, lost, seen))
            self._bad_at = time
        elif self._bad_at and time - self._bad_at >= CALM:
            self._bad_at = 0
            notices.append(_over(time + clock_offset, _since(self._before, self._lost, _LOST)))
        return notices

    def _not_looked_at(self, time: int, seen: int) -> list[Notice]:
        notices: list[Notice] = []
        for reason, words in _NOT_LOOKED_AT.items():
            missed = _since(self._samples[0].lost, self._lost, {reason})
            if reason in self._told or _share(missed, seen) <= LIMIT:
                continue
            self._told.add(reason)
            total = sum(missed.values())
            message = (
                f"{total:,} calls of the last {WINDOW // 1_000_000_000} s were {words}, which this version does not "
                f"look at ({seen:,} events were). It is told once; 'hullwatch doctor' counts them."
            )
            fields: dict[str, object] = {"reason": reason, "calls": total, "events": seen}
            notices.append(Notice(time, "Calls not looked at", "Warning", message, fields))
        return notices


def _since(before: Mapping[Key, int], now: Mapping[Key, int], reasons: Mapping[str, str] | set[str]) -> dict[Key, int]:
    """Return what was lost since a sample, for some of the reasons."""
    found = {key: number - before.get(key, 0) for key, number in now.items() if key[1] in reasons}
    return {key: number for key, number in found.items() if number}


def _share(lost: Mapping[Key, int], seen: int) -> float:
    total = sum(lost.values())
    return total / (seen + total) if total else 0.0


def _begun(time: int, lost: Mapping[Key, int], seen: int) -> Notice:
    total = sum(lost.values())
    share = _share(lost, seen)
    message = (
        f"{total:,} of {seen + total:,} events of the last {WINDOW // 1_000_000_000} s were lost ({share:.2%}): "
        f"{_words(lost)}. What they were is not known; 'hullwatch doctor' goes on counting."
    )
    fields: dict[str, object] = {"lost": total, "events": seen, "share": round(share, 6), "by_type": _by_type(lost)}
    return Notice(time, "Events lost", "Error", message, fields)


def _over(time: int, lost: Mapping[Key, int]) -> Notice:
    total = sum(lost.values())
    message = (
        f"No more events than one in a thousand were lost for {CALM // 1_000_000_000} s. "
        f"Together {total:,} were: {_words(lost)}."
    )
    return Notice(time, "Events no longer lost", "Notice", message, {"lost": total, "by_type": _by_type(lost)})


def _words(lost: Mapping[Key, int]) -> str:
    """Return the losses in words, by reason, the most frequent types first."""
    reasons: list[str] = []
    for reason, words in _LOST.items():
        kinds = sorted(((number, kind) for (kind, why), number in lost.items() if why == reason), reverse=True)
        if not kinds:
            continue
        named = [f"{kind if kind != '*' else 'unknown'} {number:,}" for number, kind in kinds[:_KINDS_TOLD]]
        rest = sum(number for number, _ in kinds[_KINDS_TOLD:])
        named += [f"others {rest:,}"] if rest else []
        reasons.append(f"{', '.join(named)} ({words})")
    return "; ".join(reasons)


def _by_type(lost: Mapping[Key, int]) -> dict[str, int]:
    return {f"{kind}: {reason}": number for (kind, reason), number in sorted(lost.items())}
