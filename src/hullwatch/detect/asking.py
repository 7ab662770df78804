"""Asking the rules of a source that is no stream of calls: which conditions are asked, in which order, and what counts.

What stands here is the same for events of the Kubernetes API and for lines of logs. Which of the conditions are asked
for an event, each judge finds out in its own way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from hullwatch.detect.correlate import Correlator
from hullwatch.detect.engine import Match
from hullwatch.rules.graph import FALSE, Graph
from hullwatch.rules.node_code import NodeCompiler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hullwatch.counters import Counters
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import Rule, RuleSet
    from hullwatch.rules.terms import Lookup

LATE = 600 * 10**9  # ns that an event may come after newer ones: API servers and carriers try again for minutes


class Entry(NamedTuple):
    """A condition that is asked: a rule's only one, or one step of its sequence."""

    rule: Rule
    step: int


class Left(NamedTuple):
    """What is left of the conditions for some events: by its entry each node, and what asks it."""

    nodes: tuple[tuple[Entry, int], ...]
    asked: tuple[tuple[Entry, Callable[[Event], bool]], ...]


_NOTHING = Left((), ())


class Questions(NamedTuple):
    """The conditions of the rules of a source as one graph, and what makes functions of its nodes.

    Nothing of an event is in it, so all judges of the same rules share it.
    """

    graph: Graph
    compiler: NodeCompiler
    nodes: tuple[tuple[Entry, int], ...]


# By the kind of the events. It is what takes longest of making a judge, and each case of a file of them makes one.
_questions: WeakKeyDictionary[RuleSet, dict[str, Questions]] = WeakKeyDictionary()


class Asking:
    """Asks the rules of one source.

    Attributes:
        every: whether each rule that matches an event counts, not only the first (of those without state).
    """

    def __init__(self, rules: RuleSet, counters: Counters, kind: str, lookup: Lookup, *, every: bool) -> None:
        """Take rules.

        Args:
            rules: of any sources.
            counters: get the events.
            kind: of the events, by which they are counted.
            lookup: gives the function of each field.
            every: see above.
        """
        self.every = every
        self._counters = counters
        self._kind = kind
        self._lookup = lookup
        self._correlator = Correlator(counters, self._of_source(rules), late=LATE)
        self._take(rules)

    def _of_source(self, rules: RuleSet) -> Sequence[Rule]:
        """Return the rules that are asked."""
        raise NotImplementedError

    def _take(self, rules: RuleSet) -> None:
        of_kind = _questions.setdefault(rules, {})
        if self._kind not in of_kind:
            of_kind[self._kind] = self._prepare(self._of_source(rules))
        self._graph, self._compiler, nodes = of_kind[self._kind]
        self._shared: dict[tuple[tuple[int, int, int], ...], Left] = {}
        self._all = self._left(nodes)

    def _prepare(self, asked: Sequence[Rule]) -> Questions:
        graph = Graph()
        entries = [Entry(rule, 0) for rule in asked if rule.stateful is None]
        for rule in [rule for rule in asked if rule.stateful is not None]:
            # The later steps first, so that an event does not make two.
            entries += [Entry(rule, step) for step in reversed(range(len(rule.conditions)))]
        roots = [(entry, graph.add(entry.rule.conditions[entry.step].tree)) for entry in entries]
        nodes = tuple([(entry, root) for entry, root in roots if root != FALSE])
        return Questions(graph, NodeCompiler(graph, self._lookup), nodes)

    def replace(self, rules: RuleSet) -> None:
        """Judge by other rules from now on; those with state that are defined as before go on with it."""
        correlator = Correlator(self._counters, self._of_source(rules), late=LATE)
        correlator.carry_over(self._correlator)
        self._correlator = correlator
        self._take(rules)

    def _left(self, nodes: Iterable[tuple[Entry, int]]) -> Left:
        found = tuple(nodes)
        if not found:
            return _NOTHING
        # What is left is mostly the same: made-up calls would fill the memory with copies of it.
        key = tuple([(id(entry.rule), entry.step, root) for entry, root in found])
        left = self._shared.get(key)
        if left is None:
            left = Left(found, tuple([(entry, self._compiler.function(root)) for entry, root in found]))
            self._shared[key] = left
        return left

    def _count(self) -> None:
        """Count an event."""
        counted = self._counters.events
        counted[self._kind] = counted.get(self._kind, 0) + 1

    def _judge(self, event: Event, left: Left) -> list[Match]:
        found: list[Match] = []
        kept: list[Match] = []  # by rules that raise no alert, and that no other rule waits for
        for (rule, step), holds in left.asked:
            if rule.stateful is None and found and not self.every and not rule.keeps_only:
                continue
            try:
                if not holds(event):
                    continue
                evidence = () if rule.stateful is None else self._correlator.observe(rule, step, event)
            except Exception:  # noqa: BLE001 - whatever an event provokes; counted
                self._counters.drop(self._kind, "rule_error")
                continue
            if evidence is not None:
                (kept if rule.keeps_only else found).append(Match(rule, event, evidence))
        return found + kept if kept else found
