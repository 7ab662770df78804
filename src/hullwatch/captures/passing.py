"""Passing over parts of a capture in which nothing is that was asked for, by the heads of their chunks.

What a chunk says changes what is known, so only what lies between two states can be passed over as a whole: reading
goes on with the later one, which has all that was learnt meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.captures.chunk import RECORDS
from hullwatch.captures.writer import MOST_CONTAINERS
from hullwatch.detect.plan import HEARD
from hullwatch.enrich.container import HOST, SHORT_ID
from hullwatch.events.table import BY_NAME, BY_NUMBER
from hullwatch.rules.domain_names import asks_for_names
from hullwatch.rules.event_types import possible_values
from hullwatch.rules.syntax import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.captures.chunk import ChunkHead
    from hullwatch.captures.reader import CaptureReader, Chunk
    from hullwatch.rules.loader import RuleSet

_CONTAINER = BY_NAME["container"].number
_LOST = BY_NAME["sensor_lost"].number


class Passes:
    """Tells what can be passed over for some rules, each of which judges an event by itself.

    Attributes:
        passed: how many events were passed over, which have numbers all the same.
    """

    def __init__(self, rules: RuleSet) -> None:
        """Read from the rules' conditions which event types and containers they can be true for."""
        self.passed = 0
        names = rules.event_types()
        self._types: frozenset[int] | None = None
        if names is not None and "container" not in names:
            heard = HEARD if asks_for_names(rules) else frozenset[str]()
            self._types = frozenset(BY_NAME[name].number for name in names | heard if name in BY_NAME)
        ids: set[str] | None = set()
        for rule in rules.rules:
            for condition in rule.conditions:
                found = possible_values(in_order(condition.tree), "container.id")
                ids = None if found is None or ids is None or HOST.id in found else ids | found
        self._containers = None if ids is None else frozenset(ids)

    def take_passed(self) -> int:
        """Return how many events were passed over since the last time."""
        passed, self.passed = self.passed, 0
        return passed

    def may_have(self, head: ChunkHead) -> bool:
        """Whether something in a chunk of records may be what was asked for."""
        types = head.summary.types
        if self._types is not None and self._types.isdisjoint(types):
            return False
        if self._containers is None or _CONTAINER in types or _LOST in types:
            return True
        named = head.summary.containers
        if len(named) >= MOST_CONTAINERS:  # it does not name all
            return True
        return not self._containers.isdisjoint(one[:SHORT_ID] for one in named)


def _events_in(head: ChunkHead) -> int:
    """Return how many events a chunk has."""
    types = head.summary.types.items()
    return sum(number for type_, number in types if type_ in BY_NUMBER and BY_NUMBER[type_].is_event)


def wanted_chunks(
    reader: CaptureReader, begin: int, passes: Passes, may_pass: Callable[[], bool]
) -> Iterator[tuple[Chunk, bool]]:
    """Yield the chunks in which something may be that was asked for, and those that they depend on.

    Args:
        reader: of the capture.
        begin: position of the first, which is a state.
        passes: tells what may be in a chunk.
        may_pass: tells whether nothing waits that the next chunks might let go.

    Yields:
        A chunk, and whether some before it were passed over: then it is a state, and all that was learnt before is
        void.
    """
    heads = list(reader.heads(begin))
    place, jumped = 0, False
    while place < len(heads):
        head = heads[place]
        if head.kind != RECORDS:
            until = next((n for n in range(place + 1, len(heads)) if heads[n].kind != RECORDS), len(heads))
            if not any(passes.may_have(one) for one in heads[place + 1 : until]) and may_pass():
                if not place and (first := reader.read(head)) is not None:
                    yield first, False  # it says from which number on events are counted
                passes.passed += sum(_events_in(one) for one in heads[place + 1 : until])
                place, jumped = until, True
                continue
        chunk = reader.read(head)
        if chunk is None:
            return
        yield chunk, jumped
        place, jumped = place + 1, False
