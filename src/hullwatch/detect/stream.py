"""From records to matches: most records are ruled out as bytes, by values that were judged before.

What is left becomes an event, and what its values rule out is remembered for the next one. Whatever
changes what is known around a process (its program, its ancestors, its container) makes what was
remembered of it void; the records that do so stop the classifier, so that nothing behind them is judged
by what was true before them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hullwatch.detect.classifier import CONTEXTS_KEPT, MAXIMUM_CLASSES, UNKNOWN, PythonClassifier
from hullwatch.detect.engine import Engine
from hullwatch.detect.native import MAXIMUM_KINDS, NativeClassifier, library
from hullwatch.detect.recipe import CONTEXT_BEGIN, CONTEXT_END
from hullwatch.enrich.assembler import Assembler
from hullwatch.enrich.contexts import Contexts
from hullwatch.events.table import BY_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.counters import Counters
    from hullwatch.detect.classifier import Classifier, Survivor
    from hullwatch.detect.engine import Match
    from hullwatch.detect.plan import Kind, Plan
    from hullwatch.detect.prefilter import Prefilter
    from hullwatch.enrich.process import Process
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import RuleSet

_CGROUP = struct.Struct("<QI")  # id and hierarchy, as they lie in a process context
_CGROUP_PLACE = slice(8, 8 + _CGROUP.size)


class Stream:
    """Judges a stream of records.

    Args:
        rules: that judge.
        counters: of the run.
        request_container: called with the 64-digit id of a container that is not known.
        hold_events: how many events may wait for metadata.
        every: give every rule that matches an event, not only the first.
        native: use the classifier in C where it was built.
    """

    def __init__(
        self,
        rules: RuleSet,
        counters: Counters,
        request_container: Callable[[str], None],
        hold_events: int,
        *,
        every: bool = False,
        native: bool = True,
    ) -> None:
        """Start with nothing known."""
        self._native = native
        self._counters = counters
        self.engine = Engine(rules, counters, every=every)
        self._contexts = _Remembered()
        self.assembler = Assembler(counters, request_container, hold_events, self.engine.wanted, self._contexts)
        self._decide()

    @property
    def wanted(self) -> frozenset[str]:
        """The event types that at least one condition looks at."""
        return self.engine.wanted

    @property
    def plan(self) -> Plan:
        """What was decided about the rules."""
        return self._plan

    def _decide(self) -> None:
        """Begin anew with what is decided."""
        plan = self.engine.plan
        assert plan is not None
        self._plan = plan
        self._kinds = [_KindClasses(kind) for kind in plan.all]
        self._process_classes: dict[int, tuple[int, ...]] = {}  # by what Plan.process gives
        self._crowded = False  # some value got no class, because there are too many
        is_native = self._native and library() is not None and len(plan.all) <= MAXIMUM_KINDS
        self.classifier: Classifier = NativeClassifier(plan) if is_native else PythonClassifier(plan)
        self._contexts.use(self.classifier)

    def replace(self, rules: RuleSet, plan: Plan | None = None) -> None:
        """Judge by other rules from now on; everything that is known around processes stays.

        Args:
            rules: that judge.
            plan: of these rules, where it was made before.
        """
        self.engine.replace(rules, plan)
        self.assembler.wanted = self.engine.wanted
        self._decide()

    def feed(self, batch: bytes) -> Iterator[Match]:
        """Yield the matches of a batch of records, in order.

        Raises:
            BrokenStreamError: when the batch is not a sequence of records.
        """
        offset, size = 0, len(batch)
        assembler = self.assembler
        try:
            while offset < size:
                offset, events, survivors = self.classifier.classify(batch, offset)
                before, made = assembler.number, 0  # the assembler makes events of its own, which have numbers too
                for survivor in survivors:
                    assembler.number = before + made + survivor.number
                    if survivor.kind < 0:
                        yield from self._state(batch, survivor.offset)
                    else:
                        yield from self._judge(survivor, batch)
                    made = assembler.number - before - survivor.number
                assembler.number = before + made + events
                if self._crowded:
                    self._count()
                    self._decide()
        finally:
            self._count()

    def _count(self) -> None:
        counts = self._counters.events
        for number, count in self.classifier.take_counts().items():
            name = BY_NUMBER[number].name
            counts[name] = counts.get(name, 0) + count

    def _matches(self, events: list[Event]) -> Iterator[Match]:
        for event in events:
            yield from self.engine.matches(event)

    def _state(self, batch: bytes, offset: int) -> Iterator[Match]:
        """Take a record of state; the process of one that runs a program from here on is judged at once."""
        events = self.assembler.record(batch, offset)
        if len(events) != 1 or events[0].program is None or events[0].type.layout.name != "program":
            yield from self._matches(events)
            return
        (event,) = events
        kind = self.engine.kind(event)
        mask = self._plan.process.mask(event)
        if not event.held:
            self._learn_process(batch, offset, mask, event)
        if kind is not None:
            yield from self.engine.matches_of(event, kind, mask)

    def _learn_process(self, batch: bytes, offset: int, mask: int, event: Event) -> tuple[int, ...]:
        """Remember the classes of a record's process, one for each kind."""
        classes = self._process_classes.get(mask)
        if classes is None:
            if len(self._process_classes) >= MAXIMUM_CLASSES:
                self._process_classes.clear()
            classes = tuple([kind.process_class(mask) for kind in self._kinds])
            self._process_classes[mask] = classes
        self._contexts.learn(batch[offset + CONTEXT_BEGIN : offset + CONTEXT_END], classes, event)
        return classes

    def _judge(self, survivor: Survivor, batch: bytes) -> Iterator[Match]:
        """Judge what is not known of a record; if that leaves conditions, ask them."""
        offset, kind = survivor.offset, self._kinds[survivor.kind]
        process = survivor.process
        if process == UNKNOWN:
            around = self.assembler.surroundings(batch, offset)
            if around is None:
                yield from self._matches(self.assembler.record(batch, offset))
                return
            process = self._learn_process(batch, offset, self._plan.process.mask(around), around)[survivor.kind]
        events: list[Event] = []
        scalars, first, second = survivor.scalars, survivor.first, survivor.second
        if UNKNOWN in {scalars, first, second}:
            events = self.assembler.record(batch, offset)
            if not events:  # it could not be read
                return
            scalars, first, second = self._learn(survivor, kind, batch, events[-1])
        self._crowded |= UNKNOWN in {process, scalars, first, second}
        pair = kind.process.masks[process] & kind.scalars.masks[scalars]
        mask = pair & kind.first.masks[first] & kind.second.masks[second]
        if mask:
            for event in events or self.assembler.record(batch, offset):
                yield from self.engine.judge(event, kind.entries_of(mask))
        elif not self._crowded:
            self.classifier.learn_dead(survivor.kind, process, scalars, *((first, second) if pair else (0, 0)))

    def _learn(self, survivor: Survivor, kind: _KindClasses, batch: bytes, event: Event) -> tuple[int, int, int]:
        """Return the classes of the call's own values; those that were not known are judged and remembered."""
        number, offset = survivor.kind, survivor.offset
        scalars, strings = survivor.scalars, [survivor.first, survivor.second]
        if scalars == UNKNOWN:
            scalars = kind.scalars.judge(event)
            self.classifier.learn_scalars(number, batch, offset, scalars)
        for slot, domain in enumerate((kind.first, kind.second)):
            if strings[slot] == UNKNOWN:
                strings[slot] = domain.judge(event)
                self.classifier.learn_string(number, slot, batch, offset, strings[slot])
        return scalars, strings[0], strings[1]


class _DomainClasses:
    """The classes of one domain: class 0 is for values that were not judged, or that nobody can be told apart by."""

    def __init__(self, possible: int, prefilter: Prefilter | None = None) -> None:
        self._prefilter = prefilter
        self.masks = [possible, possible]
        self._numbers = {possible: 1}

    def judge(self, event: Event) -> int:
        """Return the class of the event's value; 0 when there are too many."""
        return 1 if self._prefilter is None else self.number(self._prefilter.mask(event))

    def number(self, mask: int) -> int:
        """Return the class of the values that leave these conditions; 0 when there are too many."""
        number = self._numbers.get(mask)
        if number is None:
            if len(self.masks) > MAXIMUM_CLASSES:
                return UNKNOWN
            number = self._numbers[mask] = len(self.masks)
            self.masks.append(mask)
        return number


class _KindClasses:
    """The classes of a kind's domains."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        strings = [domain.prefilter for domain in kind.strings]
        domains = [None, kind.scalars, *strings, *[None] * (2 - len(strings))]
        self.process, self.scalars, self.first, self.second = (_DomainClasses(kind.every, one) for one in domains)
        self.entries_of = kind.entries_of

    def process_class(self, mask: int) -> int:
        """Return the class of a process, of which ``Plan.process`` gave the mask."""
        return self.process.number(mask >> self._kind.process_shift & self._kind.every)


class _Remembered(Contexts):
    """Which process contexts the classifier has learnt, so that they can be forgotten."""

    def __init__(self) -> None:
        self._classifier: Classifier | None = None
        self._contexts: dict[bytes, str] = {}  # to the container's id
        self._of_process: dict[tuple[int, int], list[bytes]] = {}

    def use(self, classifier: Classifier) -> None:
        """Begin anew with a classifier."""
        self._classifier = classifier
        self._contexts.clear()
        self._of_process.clear()

    def learn(self, context: bytes, classes: tuple[int, ...], around: Event) -> None:
        """Remember the classes of a process context, one for each kind; ``around`` is what it was judged by."""
        process = around.process
        if self._classifier is None or process is None:
            return
        if context not in self._contexts:
            if len(self._contexts) >= CONTEXTS_KEPT:
                self.forget_all()
            self._contexts[context] = around.container.full_id
            self._of_process.setdefault(process.key, []).append(context)
        self._classifier.learn_process(context, classes)

    def forget_process(self, process: Process) -> None:
        """Forget a process: its program or its ancestors are other ones now, or it has ended."""
        for context in self._of_process.pop(process.key, ()):
            self._forget(context)

    def forget_container(self, full_id: str) -> None:
        """Forget all processes of a container: something else is known of it now."""
        for context in [context for context, container in self._contexts.items() if container == full_id]:
            self._forget(context)

    def forget_cgroup(self, hierarchy: int, cgroup_id: int) -> None:
        """Forget all processes of a control group: it belongs to another container than it was thought to."""
        group = _CGROUP.pack(cgroup_id, hierarchy)
        for context in [context for context in self._contexts if context[_CGROUP_PLACE] == group]:
            self._forget(context)

    def forget_all(self) -> None:
        """Forget everything."""
        if self._classifier is not None:
            self._classifier.forget_processes()
        self._contexts.clear()
        self._of_process.clear()

    def _forget(self, context: bytes) -> None:
        if self._contexts.pop(context, None) is not None and self._classifier is not None:
            self._classifier.forget_process(context)
