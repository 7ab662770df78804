"""Calls that no rule can match because of the process that makes them, whatever they are.

A rule without an event type asks for everything, but mostly of few processes: the sensor asks about each process that
makes calls of the narrowed types, and leaves out what it is told (``native/bpf/process_interest.bpf.c``).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hullwatch.detect.recipe import is_told
from hullwatch.events.table import BY_NAME, EVENTS

if TYPE_CHECKING:
    from hullwatch.detect.plan import Kind, Plan
    from hullwatch.events.table import EventType

_ANSWERS_KEPT = 1 << 12


class Narrowing:
    """Says for which event types no rule can match a process.

    Attributes:
        types: for which the sensor is to ask.
    """

    def __init__(self, plan: Plan) -> None:
        """Find the types."""
        self._plan = plan
        self._bits = {
            kind.name: sum({one.every << one.process_shift for one in plan.kinds[kind.name] if one is not None})
            for kind in EVENTS
            if is_optional(kind) and kind.name not in plan.heard and can_be_narrowed(plan, kind)
        }
        self.types = frozenset(self._bits)
        self._known: dict[int, bytes] = {}

    def ruled_out(self, mask: int) -> bytes:
        """Return the types of which no rule can match a process, as u16 numbers behind each other.

        Args:
            mask: what ``Plan.process`` says of the process.
        """
        found = self._known.get(mask)
        if found is None:
            numbers = [BY_NAME[name].number for name, bits in self._bits.items() if not mask & bits]
            if len(self._known) >= _ANSWERS_KEPT:
                self._known.clear()
            found = self._known[mask] = struct.pack(f"<{len(numbers)}H", *numbers)
        return found


def is_optional(kind: EventType) -> bool:
    """Tell whether an event is sent for rules alone: it changes nothing that is known of processes."""
    return kind.is_event and kind.syscall and not kind.state


def possible_kinds(plan: Plan, name: str) -> list[Kind]:
    """Return the kinds of an event type that a condition can match; the same one once."""
    return list({id(one): one for one in plan.kinds[name] if one is not None and one.entries}.values())


def can_be_narrowed(plan: Plan, kind: EventType) -> bool:
    """Tell whether it is worth asking which processes can be ruled out for a type.

    Not where a condition looks at no process, for then there is none; and not where single calls can be ruled out and
    conditions look at those, for then to look for the process too would cost more than it saves.
    """
    kinds = possible_kinds(plan, kind.name)
    return bool(kinds) and all(
        _is_of_process(plan, one) and not (is_told(one) and (one.scalar_names or one.strings)) for one in kinds
    )


def _is_of_process(plan: Plan, kind: Kind) -> bool:
    return not kind.every & ~(plan.process.asked >> kind.process_shift)


def of_every_process(plan: Plan, kind: Kind) -> list[str]:
    """Return the names of the rules that keep processes from being ruled out for a kind: they look at none."""
    return _rules_of(kind, kind.every & ~(plan.process.asked >> kind.process_shift))


def always_possible(plan: Plan, kind: Kind) -> list[str]:
    """Return the names of the rules that no value of a call rules out: they ask for what is never the same twice."""
    decided = plan.process.asked >> kind.process_shift | kind.scalars.asked
    for string in kind.strings:
        decided |= string.prefilter.asked
    return _rules_of(kind, kind.every & ~decided)


def _rules_of(kind: Kind, mask: int) -> list[str]:
    return list(dict.fromkeys(entry.rule.name for entry in kind.entries_of(mask)))
