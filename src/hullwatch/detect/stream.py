"""From records to matches: most records are ruled out as bytes, by values that were judged before.

What is left becomes an event, and what its values rule out is remembered for the next one. Whatever
changes what is known around a process (its program, its ancestors, its container) makes what was
remembered of it void; the records that do so stop the classifier, so that nothing behind them is judged
by what was true before them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.detect.classifier import BROKEN, CONTACT, KNOWN, MAXIMUM_CLASSES, NO_LINEAGE, NOTED, STATE, UNKNOWN
from hullwatch.detect.contacts import TYPES
from hullwatch.detect.engine import Engine
from hullwatch.detect.narrowing import Narrowing
from hullwatch.detect.native import MAXIMUM_KINDS, NativeClassifier, library
from hullwatch.detect.process_prefilter import ProcessMasks
from hullwatch.detect.python_classifier import PythonClassifier
from hullwatch.detect.recipe import CONTEXT, CONTEXT_BEGIN, CONTEXT_END, is_told
from hullwatch.detect.remembered import Remembered
from hullwatch.enrich.ancestry import Ancestries
from hullwatch.enrich.assembler import Assembler
from hullwatch.enrich.drift import Drift
from hullwatch.events.codec import BrokenStreamError, decode
from hullwatch.events.table import BY_NAME, BY_NUMBER, EVENTS, HEADER
from hullwatch.sources.interest import Answer, Void

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from hullwatch.counters import Counters
    from hullwatch.detect.classifier import Classifier, Survivor
    from hullwatch.detect.contacts import Contacts
    from hullwatch.detect.engine import Match
    from hullwatch.detect.plan import Kind, Plan
    from hullwatch.detect.prefilter import Prefilter
    from hullwatch.drift.asking import Asked
    from hullwatch.enrich.container import Container
    from hullwatch.enrich.process import Process, Program
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import RuleSet

_PROGRAMS = frozenset(kind.number for kind in EVENTS if kind.layout.name == "program")
_HEAD = struct.Struct("<IH")  # length and type of a record
_END = BY_NAME["procexit"].number
_QUESTION = BY_NAME["process_question"]
_ANSWERS_KEPT = 1024  # until they are taken; a question without answer is asked again


class _Child(NamedTuple):
    """A child that others can be known by, its parent, what both run, and where the record is that told of it."""

    parent: Process
    parents: Program
    child: Process
    childs: Program
    offset: int


class Stream:
    """Judges a stream of records.

    Args:
        rules: that judge.
        counters: of the run.
        request_container: called with the 64-digit id of a container that is not known.
        hold_events: how many events may wait for metadata.
        every: give every rule that matches an event, not only the first.
        native: use the classifier in C where it was built.
        ask_drift: called with each file that is to be compared with its image.
        heard: types of events to learn names of addresses from, though no rule asks for those.
        contacts: takes each container's connections, the first to each peer at least; None: nobody does.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the run
        self,
        rules: RuleSet,
        counters: Counters,
        request_container: Callable[[str], None],
        hold_events: int,
        *,
        every: bool = False,
        native: bool = True,
        ask_drift: Callable[[Asked], bool | None] | None = None,
        heard: frozenset[str] = frozenset(),
        contacts: Contacts | None = None,
    ) -> None:
        """Start with nothing known."""
        self._native = native
        self._kept: Collection[str] = ()
        self._heard = heard
        self._seen_by = contacts
        self._counters = counters
        self.engine = Engine(rules, counters, every=every)
        self._contexts = Remembered()
        drift = Drift(ask_drift, self._contexts.forget_starts)
        self._ancestries = Ancestries()
        self.assembler = Assembler(counters, request_container, hold_events, self._made, self._contexts, drift)
        self._answers: list[Answer] = []
        self._children: list[_Child] = []  # of the present call of the classifier
        self._decide()

    @property
    def wanted(self) -> frozenset[str]:
        """The event types that at least one condition looks at."""
        return self.engine.wanted

    @property
    def _made(self) -> frozenset[str]:
        """The event types of which events are made."""
        return self.engine.wanted if self._seen_by is None else self.engine.wanted | TYPES

    @property
    def plan(self) -> Plan:
        """What was decided about the rules."""
        return self._plan

    def _decide(self) -> None:
        """Begin anew with what is decided."""
        plan = self.engine.plan
        assert plan is not None
        self._plan = plan
        plan.heard |= self._heard
        self._kinds = [_KindClasses(kind) for kind in plan.all]
        self._process_classes: dict[int, tuple[int, ...]] = {}  # by what Plan.process gives
        self._crowded = False  # some value got no class, because there are too many
        is_native = self._native and library() is not None and len(plan.all) <= MAXIMUM_KINDS
        seen = self._seen_by is not None
        self.classifier: Classifier = (
            NativeClassifier(plan, self._kept, contacts=seen) if is_native else PythonClassifier(plan, contacts=seen)
        )
        self._connecting = {
            place for place, kind in enumerate(plan.all) if seen and TYPES.intersection(one.name for one in kind.types)
        }
        self._masks = ProcessMasks(plan.process, self._ancestries)
        self._narrowing = Narrowing(plan)
        self._answers.clear()
        self._contexts.use(self.classifier, self._masks)

    def keep(self, kept: Collection[str]) -> None:
        """Have these types of events sent again though no rule can match them (``kept_events.py``)."""
        if set(kept) != set(self._kept):
            self._kept = kept
            self._decide()

    def replace(self, rules: RuleSet, plan: Plan | None = None) -> None:
        """Judge by other rules from now on; everything that is known around processes stays.

        Args:
            rules: that judge.
            plan: of these rules, where it was made before.
        """
        self.engine.replace(rules, plan)
        self.assembler.wanted = self._made
        self._decide()

    def take_ruled_out(self) -> tuple[Void, bytes]:
        """Return what of what was told to a sensor is void, and what it can do without from now on.

        That is fingerprints, as u64 numbers behind each other, of calls that no rule can match.
        """
        voided, self._contexts.voided = self._contexts.voided, Void.NOTHING
        return voided, self.classifier.take_ruled_out()

    def take_answers(self) -> list[Answer]:
        """Return the answers to what the sensor asked of processes."""
        answers, self._answers = self._answers, []
        return answers

    def feed(self, batch: bytes) -> Iterator[Match]:
        """Yield the matches of a batch of records, in order.

        Raises:
            BrokenStreamError: when the batch is not a sequence of records.
        """
        offset, counted, size = 0, 0, len(batch)
        self._children.clear()
        assembler, contexts = self.assembler, self._contexts
        keep, knows = assembler.kept.take, self.classifier.knows_starts
        try:
            while offset < size:
                offset, events, survivors = self.classifier.classify(batch, offset, counted)
                counted = max(offset, counted)
                before, made = assembler.number, 0  # the assembler makes events of its own, which have numbers too
                contexts.forgot = False
                for survivor in survivors:
                    if survivor.kind == NOTED and knows and keep(batch, survivor.offset, known=survivor.noted == KNOWN):
                        continue
                    if survivor.kind == STATE and self._children:  # the last one: it may let them run a program
                        self._learn_children(batch)
                    assembler.number = before + made + survivor.number
                    matches = self._take(survivor, batch)
                    if matches:
                        yield from matches
                    made = assembler.number - before - survivor.number
                    begun = knows and self.engine.has_begun()
                    if begun:
                        self.classifier.forget_starts()
                    if (contexts.forgot and survivor.noted) or (begun and _are_known(survivors, survivor.number)):
                        # What stands behind it was judged by what is no longer true.
                        offset, events = survivor.offset + _HEAD.unpack_from(batch, survivor.offset)[0], survivor.number
                        self._unlearn(survivors, events, batch)
                        break
                assembler.number = before + made + events
                if self._children:
                    self._learn_children(batch)
                if self._crowded:
                    self._count()
                    self._decide()
        finally:
            self._count()

    def forget_contacts(self) -> None:
        """Have each container's next connection to each peer seen again."""
        self.classifier.forget_contacts()

    def _unlearn(self, survivors: list[Survivor], number: int, batch: bytes) -> None:
        """Forget what is known by records behind an event, which are yet to come again."""
        for one in survivors:
            if one.number > number and one.noted == KNOWN:
                header = HEADER.unpack_from(batch, one.offset)
                self.classifier.forget_process(header[4], header[8])
        if any(one.number > number and one.kind == CONTACT for one in survivors):
            self.classifier.forget_contacts()

    def _take(self, survivor: Survivor, batch: bytes) -> Sequence[Match]:
        """Do what is to be done for a record; return its matches. Most have none."""
        kind, offset = survivor.kind, survivor.offset
        if survivor.noted:
            if survivor.noted == KNOWN and _HEAD.unpack_from(batch, offset)[1] in _PROGRAMS:
                self.assembler.started(batch, offset)
                return ()
            noted = self.assembler.note(batch, offset)
            if noted is None:
                return ()
            if self._contexts.forgot or kind == BROKEN:  # perhaps that process was forgotten
                return self._matches(self.assembler.record(batch, offset, noted))
            if kind == NOTED:
                if self.classifier.knows_starts and _HEAD.unpack_from(batch, offset)[1] != _END:
                    self._note_child(noted, batch, offset)
                return ()
            return self._judge(survivor, batch, noted)
        if kind >= 0:
            return self._judge(survivor, batch)
        return self._unread(kind, batch, offset)

    def _unread(self, kind: int, batch: bytes, offset: int) -> Sequence[Match]:
        """Take a record of which no value was looked at."""
        number = _HEAD.unpack_from(batch, offset)[1]
        if number in _PROGRAMS:
            return self._started(batch, offset)
        if number == _QUESTION.number:
            self._answer(batch, offset)
            return ()
        if kind == CONTACT and not self._has_room():
            return ()
        return self._matches(self.assembler.record(batch, offset))

    def _answer(self, batch: bytes, offset: int) -> None:
        """Say what a process is ruled out for, once it and its container are known."""
        try:
            fingerprint = decode(_QUESTION, batch, offset)["fingerprint"]
        except BrokenStreamError:
            self._counters.unreadable_records += 1
            return
        around = self.assembler.surroundings(batch, offset)
        if around is None or around.process is None or len(self._answers) >= _ANSWERS_KEPT:
            return
        mask = self._masks.mask(around.process, around.container, around.uid, lambda: around)
        assert isinstance(fingerprint, int)
        self._answers.append(Answer(fingerprint, self._narrowing.ruled_out(mask)))

    def _count(self) -> None:
        counts = self._counters.events
        for number, count in self.classifier.take_counts().items():
            name = BY_NUMBER[number].name
            counts[name] = counts.get(name, 0) + count

    def _see(self, events: list[Event]) -> None:
        """Hand on the connections among events; those that waited for their container's metadata are here too."""
        if self._seen_by is not None:
            for event in events:
                if event.type.name in TYPES:
                    self._seen_by.take(event)

    def _has_room(self) -> bool:
        return self._seen_by is not None and self._seen_by.has_room

    def _matches(self, events: list[Event]) -> Sequence[Match]:
        self._see(events)
        return [match for event in events for match in self.engine.matches(event)]

    def _started(self, batch: bytes, offset: int) -> Sequence[Match]:
        """Take a record of a process that runs a program; it is judged at once, from here on it does things."""
        assembler = self.assembler
        started = assembler.started(batch, offset)
        if started is None:
            return ()
        header, process, full_id, _, asked = started
        kind = BY_NUMBER[header[1]]
        container = assembler.gate.settled(full_id)
        if container is None or not kind.is_event:
            self.classifier.forget_process(process.key.start, process.key.pid)
            if not kind.is_event:  # an exec makes other fingerprints by itself
                self._contexts.void(Void.CALLS)
            return self._matches(assembler.program_event(started, batch, offset) if kind.is_event else [])
        mask = self._masks.mask(process, container, header[7], lambda: assembler.around(header, process, container))
        context = batch[offset + CONTEXT_BEGIN : offset + CONTEXT_END]
        self._learn_process(context, mask, container, process, alone=True)
        judged = self._plan.kinds[kind.name][0]  # one that failed is a call like any other
        left = 0 if judged is None else mask >> judged.process_shift & judged.every
        entries = judged.entries_of(left) if judged is not None and left else ()
        if not entries or self.engine.is_nothing_now(entries):
            if not asked and self._masks.is_shared and process.parent is not None and self.classifier.knows_starts:
                marks = self._plan.arguments.decide(
                    process, container, lambda: assembler.around(header, process, container)
                )
                self.classifier.learn_start(batch, offset, marks)
            return ()
        (event,) = assembler.program_event(started, batch, offset)
        return self.engine.judge(event, entries)

    def _note_child(self, parent: Process, batch: bytes, offset: int) -> None:
        """Note that others are to be known by a child, once all that the classifier has looked at is done."""
        child = self.assembler.kept.child(batch, offset)
        if child is not None and child.parent is parent:
            self._children.append(_Child(parent, parent.program, child, child.program, offset))

    def _learn_children(self, batch: bytes) -> None:
        """Judge children that have done nothing yet, and their parents: others that such parents have are known by it.

        The classifier may be ahead of the record of a child: what it knows of processes is to be overwritten only
        when both are at the same place.
        """
        for parent, parents, child, childs, offset in self._children:
            if parent.program is not parents or child.program is not childs or not (parent.alive and child.alive):
                continue
            container = self.assembler.gate.settled(child.container_id)
            if container is None:
                continue
            header = HEADER.unpack_from(batch, offset)
            for process in (parent, child):
                around = self.assembler.around(header, process, container)
                mask = self._masks.mask(process, container, header[7], lambda around=around: around)
                context = CONTEXT.pack(process.key.start, *header[5:8], process.key.pid)
                self._learn_process(context, mask, container, process)
            self.classifier.learn_start(batch, offset)
        self._children.clear()

    def _learn_process(
        self, context: bytes, mask: int, container: Container, process: Process, *, alone: bool = False
    ) -> tuple[int, ...]:
        """Remember the classes of a process, one for each kind."""
        classes = self._process_classes.get(mask)
        if classes is None:
            if len(self._process_classes) >= MAXIMUM_CLASSES:
                self._process_classes.clear()
            classes = tuple([kind.process_class(mask) for kind in self._kinds])
            self._process_classes[mask] = classes
        lineage = NO_LINEAGE
        if self._masks.is_shared and self.classifier.knows_starts:
            lineage = process.ancestry, 0 if process.parent is None else process.parent.ancestry
        self.classifier.learn_process(context, self._contexts.number(container.full_id), classes, lineage, alone=alone)
        return classes

    def _judge(self, survivor: Survivor, batch: bytes, noted: Process | None = None) -> Sequence[Match]:
        """Judge what is not known of a record; if that leaves conditions, ask them."""
        offset, kind = survivor.offset, self._kinds[survivor.kind]
        process = survivor.process
        if process == UNKNOWN:
            around = self.assembler.surroundings(batch, offset, noted)
            if around is None:
                return self._matches(self.assembler.record(batch, offset, noted))
            assert around.process is not None
            mask = self._masks.mask(around.process, around.container, around.uid, lambda: around)
            context = batch[offset + CONTEXT_BEGIN : offset + CONTEXT_END]
            process = self._learn_process(context, mask, around.container, around.process)[survivor.kind]
        events: list[Event] = []
        scalars, first, second = survivor.scalars, survivor.first, survivor.second
        if UNKNOWN in {scalars, first, second}:
            events = self.assembler.record(batch, offset, noted)
            if not events:  # it could not be read
                return ()
            scalars, first, second = self._learn(survivor, kind, batch, events[-1])
        self._crowded |= UNKNOWN in {process, scalars, first, second}
        strings = kind.first.masks[first] & kind.second.masks[second]
        pair = kind.process.masks[process] & kind.scalars.masks[scalars]
        mask = pair & strings
        if survivor.kind in self._connecting and (events or self._has_room()):
            events = events or self.assembler.record(batch, offset, noted)
            self._see(events)
        if mask:
            events = events or self.assembler.record(batch, offset, noted)
            return [match for event in events for match in self.engine.judge(event, kind.entries_of(mask))]
        if not self._crowded:
            self.classifier.learn_dead(survivor.kind, process, scalars, *((first, second) if pair else (0, 0)))
            if kind.is_told:
                dead = not strings & kind.scalars.masks[scalars]
                self.classifier.learn_anyone(survivor.kind, scalars, first, second, dead=dead)
        return ()

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


def _are_known(survivors: list[Survivor], number: int) -> bool:
    """Tell whether behind an event there are processes that were known by others."""
    return any(one.number > number and one.noted == KNOWN for one in survivors)


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
        self.is_told = is_told(kind)

    def process_class(self, mask: int) -> int:
        """Return the class of a process, of which ``Plan.process`` gave the mask."""
        return self.process.number(mask >> self._kind.process_shift & self._kind.every)
