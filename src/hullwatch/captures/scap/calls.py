"""The names of system calls that have no event type of their own.

Their events have the writer's own code and, mostly, the kernel's number. The codes of the calls that were seen in
recordings are known; of others the kernel's number on x86_64 counts, until an event says that the machine was another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.captures.scap.table import TABLES

if TYPE_CHECKING:
    from hullwatch.captures.scap.raw_event import RawEvent

UNNAMED = "syscall"
_NAMES = {
    2: "exit", 16: "getpid", 19: "alarm", 21: "pause", 46: "getrusage", 47: "gettimeofday", 58: "ftruncate",
    62: "statfs", 69: "wait4", 75: "mprotect", 107: "rt_sigaction", 108: "rt_sigprocmask", 139: "madvise",
    140: "gettid", 164: "exit_group", 169: "set_tid_address", 176: "clock_gettime", 178: "clock_nanosleep",
    195: "inotify_add_watch", 209: "pselect6", 212: "set_robust_list", 218: "epoll_pwait", 223: "timerfd_settime",
    296: "arch_prctl", 298: "sigreturn",
}  # fmt: skip
_SAME = {"rt_sigreturn": "sigreturn"}  # Falco has one name for both


def _numbers() -> dict[int, str]:
    lines = (TABLES / "syscalls.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.partition("\t") for line in lines if line[0] != "#")
    return {int(number): _SAME.get(name, name) for number, _, name in rows}


CALL_NUMBERS = _numbers()
"""The kernel's numbers on x86_64."""
_NUMBERS_OF = {name: number for number, name in reversed(CALL_NUMBERS.items())}
CALL_CODES = {code: (name, _NUMBERS_OF[name]) for code, name in _NAMES.items()}
"""The names of the writers' codes that are known, each with its number on x86_64."""


class CallNames:
    """Names the calls of one capture.

    Attributes:
        is_other: whether the machine was no x86_64.
    """

    def __init__(self) -> None:
        """Take the machine for x86_64."""
        self.is_other = False

    def look(self, event: RawEvent) -> None:
        """Look at a generic event as it was written: whether code and number say that the machine was another."""
        by_code = CALL_CODES.get(event.integer(0, -1))
        if by_code is not None and event.bytes(1):
            self.is_other |= event.integer(1) != by_code[1]

    def name(self, event: RawEvent) -> str:
        """Return the name of the call that a generic event is of; ``syscall`` when it cannot be told."""
        by_code = CALL_CODES.get(event.integer(0, -1))
        if by_code is not None:
            return by_code[0]
        return UNNAMED if self.is_other else CALL_NUMBERS.get(event.integer(1, -1), UNNAMED)
