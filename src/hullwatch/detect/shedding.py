"""What is left out when Hullwatch takes too much of the host's time, in a stated order, and when it comes back.

The order is that of what a missed call costs: the counts of what each process does first, where they are made, then
opens that only read, then closes and messages, then what changes files. Programs that start, fork and end, changes of
users and namespaces, connections and calls for more of the kernel are never left out. What is left out is counted in
the kernel, by type, as ``shed``.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import NamedTuple

WINDOW = 10.0  # seconds over which the use is looked at
CALM = 60.0  # seconds of little use after which a step is taken back, at first
CALM_MOST = 960.0  # the same when it was needed again soon each time
SOON = 300.0  # seconds: a step that is needed again so soon was taken back too early
ENOUGH = 0.7  # of the budget: a step is taken back when less is used
LOSING = 5  # of the last ten seconds in which ring buffers overflowed: as bad as a use above the budget


class Step(NamedTuple):
    """One step: what is left out with it, beside what earlier steps leave out.

    Attributes:
        words: for people.
        types: of events.
        reads: opens that only read, of every open family call.
        counts: what each process does is not counted.
    """

    words: str
    types: frozenset[str]
    reads: bool = False
    counts: bool = False


STEPS = (
    Step("counts of what each process does", frozenset(), counts=True),
    Step("opens of files that only read", frozenset(), reads=True),
    Step(
        "closes, and sockets made and messages sent and received",
        frozenset(
            {
                *("close", "socket", "socketpair", "shutdown"),
                *("sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"),
            }
        ),
    ),
    Step(
        "changes of files, and opens that write",
        frozenset(
            {
                *("open", "openat", "openat2", "creat", "unlink", "unlinkat", "rename", "renameat", "renameat2"),
                *("mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink", "symlinkat", "truncate", "ftruncate"),
                *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown", "fchownat"),
                *("utime", "utimes", "utimensat", "futimesat", "setxattr", "lsetxattr", "fsetxattr"),
            }
        ),
    ),
)


class Change(NamedTuple):
    """A step that was made or taken back.

    Attributes:
        used: cores, over the last ten seconds.
        losing: whether overflowing ring buffers were the reason.
        more: whether it was made.
        step: what is left out more, or less, by it; None when there is nothing more to leave out.
    """

    used: float
    losing: bool
    more: bool
    step: Step | None


class _Sample(NamedTuple):
    now: float
    cpu: float
    lost: int


class Shedding:
    """Decides how many steps are in force.

    Attributes:
        steps: how many are.
        budget: cores, as below; may be changed.

    Args:
        budget: cores that the sensor and the engine may use together; 0: as many as they need.
        counts: whether what each process does is counted (``sensor.counts``): else there is no such step.
    """

    def __init__(self, budget: float, *, counts: bool = False) -> None:
        """Leave nothing out."""
        self.steps = 0
        self._steps = STEPS if counts else tuple(step for step in STEPS if not step.counts)
        self.budget = budget
        self._samples: deque[_Sample] = deque()
        self._calm_needed = CALM
        self._changed = 0.0  # when the last step was made or taken back
        self._busy = 0.0  # when the use was last too high to take a step back
        self._taken_back = float("-inf")
        self._at_the_end = False  # nothing more can be left out, and that was said

    @property
    def types(self) -> frozenset[str]:
        """The types of events that are left out."""
        return frozenset[str]().union(*(step.types for step in self._taken))

    @property
    def reads(self) -> bool:
        """Whether opens that only read are left out."""
        return any(step.reads for step in self._taken)

    @property
    def counts(self) -> bool:
        """Whether what each process does is not counted."""
        return any(step.counts for step in self._taken)

    @property
    def _taken(self) -> tuple[Step, ...]:
        return self._steps[: self.steps]

    @property
    def words(self) -> str:
        """What is left out, for people; empty for nothing."""
        return "; ".join(step.words for step in self._taken)

    def sample(self, now: float, cpu: float, lost: int) -> Change | None:
        """Take what was used until now; return the step that follows from it, if one does.

        Args:
            now: seconds, of a clock that does not go back.
            cpu: seconds of CPU time since some moment; less than before when a part of it has started anew.
            lost: events that found no room in a ring buffer, since the start.
        """
        if not self.budget:
            return None
        samples = self._samples
        if samples and cpu < samples[-1].cpu:
            samples.clear()
        samples.append(_Sample(now, cpu, lost))
        while now - samples[0].now > WINDOW:
            samples.popleft()
        span = now - samples[0].now
        if span < WINDOW * 0.8 or now - self._changed < WINDOW:
            return None
        used = (cpu - samples[0].cpu) / span
        losing = sum(after.lost > before.lost for before, after in itertools.pairwise(samples)) >= LOSING
        if used > self.budget or losing:
            self._busy = now
            return self._more(now, used, losing=losing)
        if used > self.budget * ENOUGH:
            self._busy = now
        elif self.steps and now - max(self._busy, self._changed) >= self._calm_needed:
            return self._less(now, used)
        return None

    def _more(self, now: float, used: float, *, losing: bool) -> Change | None:
        if self.steps == len(self._steps):
            if self._at_the_end:
                return None
            self._at_the_end = True
            return Change(used, losing, more=True, step=None)
        again = now - self._taken_back < SOON
        self._calm_needed = min(CALM_MOST, self._calm_needed * 2) if again else CALM
        self.steps += 1
        self._changed = now
        return Change(used, losing, more=True, step=self._steps[self.steps - 1])

    def _less(self, now: float, used: float) -> Change:
        self.steps -= 1
        self._changed = self._taken_back = now
        self._at_the_end = False
        return Change(used, losing=False, more=False, step=self._steps[self.steps])


def message(change: Change, budget: float) -> tuple[str, str, str]:
    """Return rule, priority and message of the alert about a change.

    Args:
        change: that was made.
        budget: in cores.
    """
    used = f"Hullwatch used {change.used:.2f} cores over the last {WINDOW:.0f} s"
    if not change.more:
        assert change.step is not None
        text = f"{used}, well below its budget of {budget:g}: {change.step.words} are looked at again."
        return "Events no longer left out", "Notice", text
    why = "and ring buffers overflow" if change.losing else f"more than its budget of {budget:g} (sensor.cpu_budget)"
    if change.step is None:
        text = f"{used}, {why}, and there is nothing more to leave out."
    else:
        text = (
            f"{used}, {why}: {change.step.words} are left out now and counted. Programs that start, fork and end, "
            "changes of users and namespaces, and connections never are."
        )
    return "Events left out", "Error", text
