"""What a kernel lets be seen, in sentences: for the start of a run and for ``hullwatch doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.detect.interest import asks_for_environment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hullwatch.rules.loader import Rule

SHOWN_RULES = 3
BASIC = (
    "the basic tier of kernel programs, for the kernel lacks helpers that the full one needs: deep directories, long "
    "names and long lists of arguments or messages are cut sooner, and records say so"
)
LACKS = {
    "IO_URING_EVENTS": "what is done to files and connections through io_uring is not told of",
    "IO_URING_COUNTS": "what is done through io_uring is not even counted",
    "RULED_OUT": "calls that no rule can match are not left out in the kernel, so opening files costs more",
    "EXECVEAT": "execveat() of a plain path is told of as execve()",
    "ENVIRONMENT": "variables of the environment are not read",
}
_IO_URING_EVENTS = frozenset(  # io_uring_handlers in C, and close
    {
        *("openat", "openat2", "close", "unlinkat", "mkdirat", "renameat2", "linkat", "symlinkat"),
        *("ftruncate", "setxattr", "fsetxattr"),
        *("socket", "bind", "listen", "connect", "accept4", "shutdown"),
        *("sendto", "sendmsg", "recvfrom", "recvmsg", "dns"),
    }
)
_BLIND = frozenset({"IO_URING_EVENTS", "IO_URING_COUNTS", "ENVIRONMENT"})


def is_blind(tier: str, lacks: Collection[str]) -> bool:
    """Tell whether something cannot be seen; what only costs more or is named otherwise can."""
    return tier == "BASIC" or bool(_BLIND & set(lacks))


def describe(tier: str, lacks: Iterable[str]) -> str:
    """Return which tier runs and what it cannot see or do, as one sentence.

    Args:
        tier: by its name in the event table, in any case.
        lacks: names of the event table's ``kernel_lacks``.
    """
    which = BASIC if tier.upper() == "BASIC" else f"the {tier.lower()} tier of kernel programs"
    return "; ".join([f"This kernel runs {which}", *(LACKS.get(one, one) for one in lacks)]) + "."


def weakened(rules: Iterable[Rule], unseen: Iterable[str], lacks: Collection[str]) -> list[str]:
    """Return sentences on the rules that look at events of which not all are seen.

    Args:
        rules: in force.
        unseen: events whose kernel program the kernel refused.
        lacks: names of the event table's ``kernel_lacks``.
    """
    sentences: list[str] = []
    known = list(rules)
    refused = frozenset(unseen)
    if refused:
        what = f"The kernel refused the programs for {', '.join(sorted(refused))}"
        sentences.append(f"{what}: {_named(known, refused)}")
    if "IO_URING_EVENTS" in lacks:
        what = "What is done to files and connections through io_uring is not seen"
        sentences.append(f"{what}: {_named(known, _IO_URING_EVENTS)}")
    if "ENVIRONMENT" in lacks:
        readers = [rule.name for rule in known if asks_for_environment(rule)]
        if readers:
            sentences.append(f"Variables of the environment are not read: {_listed(readers)}")
    return sentences


def _named(rules: list[Rule], events: frozenset[str]) -> str:
    return _listed([rule.name for rule in rules if rule.event_types is None or rule.event_types & events])


def _listed(names: list[str]) -> str:
    if not names:
        return "no rule looks at them."
    more = len(names) - SHOWN_RULES
    rest = f" and {more:,} more" if more > 0 else ""
    verb = "sees" if len(names) == 1 else "see"
    return f"{len(names):,} rule{'s' * (len(names) != 1)} {verb} less: {', '.join(names[:SHOWN_RULES])}{rest}."
