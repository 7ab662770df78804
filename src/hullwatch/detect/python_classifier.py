"""The classifier in Python: the same results everywhere, also where no compiler was."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.detect.classifier import (
    BROKEN,
    CONTACT,
    NO_LINEAGE,
    NOTED,
    STATE,
    UNKNOWN,
    UNUSED,
    Classifier,
    Survivor,
)
from hullwatch.detect.contacts import TYPES, KnownContacts
from hullwatch.detect.known_values import (
    ANY_STRING,
    CAREFULLY,
    PEER,
    PEER_SIZE,
    STRING,
    KnownContexts,
    KnownKind,
    Quick,
    keep,
)
from hullwatch.detect.recipe import CONTEXT, CONTEXT_BEGIN, CONTEXT_END, StateChange, result_offset, state_of
from hullwatch.events.codec import check_record
from hullwatch.events.table import BY_NUMBER, EVENTS, HEADER

if TYPE_CHECKING:
    from hullwatch.detect.plan import Plan
    from hullwatch.events.table import EventType

_HEAD = struct.Struct(  # length, type, process context
    f"<IH{CONTEXT_BEGIN - 6}x{CONTEXT_END - CONTEXT_BEGIN}s{HEADER.size - CONTEXT_END}x"
)
_LONGEST_QUICK = 1 << 12  # bytes; longer records are looked at carefully
_NEGATIVE = 127  # the greatest highest byte of a result that is not negative
_NO_RESULT = 3  # the highest byte of a record's length, which is 0


class _Type(NamedTuple):
    """A type of records: those that are shorter contradict themselves; ``sign`` is 0 without a result."""

    shortest: int
    sign: int
    succeeded: KnownKind | None
    failed: KnownKind | None
    noted: bool  # the assembler has to see each record, though what is known stays true
    ends: bool  # a process
    stops: bool  # what is known is another after each record that did not fail ...
    always: bool  # ... or after each one

    def is_failed(self, batch: bytes, offset: int, length: int) -> bool:
        """Tell whether a record is of a call that failed."""
        return bool(self.sign) and length >= self.shortest and batch[offset + self.sign] > _NEGATIVE


# By length, whether records of a type can have it; where the result's sign is; how to look at what succeeded and what
# failed: None when no condition can hold.
_Row = tuple[bytes, int, Quick | None, Quick | None]


class PythonClassifier(Classifier):
    """Judges records by what is known of their values."""

    def __init__(self, plan: Plan, *, contacts: bool = False) -> None:
        """Start with no value known."""
        self._seen = KnownContacts() if contacts else None
        self.knows_starts = False  # to hash what they have in common takes as long as judging them
        self._kinds = [KnownKind(number, kind) for number, kind in enumerate(plan.all)]
        self._contexts = KnownContexts(self._kinds)
        known = {id(kind): state for kind, state in zip(plan.all, self._kinds, strict=True)}
        self._types: dict[int, _Type] = {}  # of the events that a sensor sends
        last = max(BY_NUMBER)
        self._counts = [0] * (last + 1)
        self._rows: list[_Row] = [(bytes(_LONGEST_QUICK), 0, None, None)] * (last + 1)
        for kind in EVENTS:
            if kind.is_event and kind.origin == "sensor":
                succeeded, failed = (None if one is None else known[id(one)] for one in plan.kinds[kind.name])
                self._enter(kind, succeeded, failed, state_of(kind, plan.heard))

    def _enter(
        self, kind: EventType, succeeded: KnownKind | None, failed: KnownKind | None, state: StateChange
    ) -> None:
        result, shortest = result_offset(kind.layout), HEADER.size + kind.layout.fixed.size
        sign = result + 7 if result else 0
        self._types[kind.number] = _Type(
            *(shortest, sign, succeeded, failed),
            noted=state in {StateChange.CHILD, StateChange.END},
            ends=state == StateChange.END,
            stops=state >= StateChange.ANY,
            always=state == StateChange.ANY,
        )
        if state == StateChange.NONE and not (self._seen is not None and kind.name in TYPES):
            self._rows[kind.number] = (
                _sound(shortest), sign or _NO_RESULT, succeeded and succeeded.quick, failed and failed.quick
            )  # fmt: skip

    def classify(self, batch: bytes, offset: int, counted: int = 0) -> tuple[int, int, list[Survivor]]:
        """Look at records from an offset on; see ``Classifier.classify``."""
        found = self._classify(batch, offset)
        if offset < counted:
            self._take_back(batch, offset, min(found[0], counted))
        return found

    def _classify(  # noqa: C901, PLR0912, PLR0915 - written out for speed
        self, batch: bytes, offset: int
    ) -> tuple[int, int, list[Survivor]]:
        """Look at records and count them.

        The inner loop passes over records that are known to be nothing; a call of a function in it would take as long
        as the rest. Where it is not sure, and where it fails, the record is looked at carefully.
        """
        survivors: list[Survivor] = []
        length: int = 0
        type_number: int = 0
        size, number, read = len(batch), 0, _HEAD.unpack_from
        rows, counts, contexts = self._rows, self._counts, self._contexts.ruled_out
        while offset < size:
            try:
                while True:  # to the end of the batch, where there is nothing to read
                    length, type_number, context = read(batch, offset)
                    sound, sign, quick, failed = rows[type_number]
                    if not sound[length]:
                        break
                    if batch[offset + sign] > _NEGATIVE:
                        quick = failed
                    if quick is not None:
                        shortest, kind, form, values = quick
                        if form == STRING:
                            raw, end = values(batch, offset)
                            strings = contexts[context][kind][raw]
                            if strings is not ANY_STRING:
                                end += shortest
                                if end > length or batch[offset + shortest : offset + end] not in strings:
                                    break
                        elif form == PEER:
                            raw, protocol, end, client, server = values(batch, offset)
                            strings = contexts[context][kind][raw]
                            if strings is not ANY_STRING and (
                                end != PEER_SIZE
                                or length < shortest + PEER_SIZE
                                or client + server + protocol not in strings
                            ):
                                break
                        elif form == CAREFULLY or contexts[context][kind][values(batch, offset)[0]] is not ANY_STRING:
                            break
                    counts[type_number] += 1
                    number += 1
                    offset += length
            except (IndexError, KeyError, struct.error):
                pass
            if offset >= size:
                if offset > size:  # the last one reaches beyond the end
                    offset -= length
                    counts[type_number] -= 1
                    return self._broken(batch, offset, number - 1, survivors)
                break
            length = self._length(batch, offset)
            if not length:
                return self._broken(batch, offset, number, survivors)
            type_number = _HEAD.unpack_from(batch, offset)[1]
            if type_number in self._types:
                counts[type_number] += 1
                number += 1
            survivor = self._look(type_number, batch, offset, length, number)
            offset += length
            if survivor is not None:
                survivors.append(survivor)
                if not survivor.is_known:
                    break
        return offset, number, survivors

    @staticmethod
    def _length(batch: bytes, offset: int) -> int:
        """Return the length of the record at an offset; 0 when there is no whole one."""
        rest = len(batch) - offset
        if rest < HEADER.size:
            return 0
        length: int = _HEAD.unpack_from(batch, offset)[0]
        return 0 if length < HEADER.size or length & 7 or length > rest else length

    def _take_back(self, batch: bytes, offset: int, end: int) -> None:
        """Take the records back that were counted twice."""
        while offset < end:
            length, type_number, _ = _HEAD.unpack_from(batch, offset)
            if type_number in self._types:
                self._counts[type_number] -= 1
            offset += length

    @staticmethod
    def _broken(batch: bytes, offset: int, number: int, survivors: list[Survivor]) -> tuple[int, int, list[Survivor]]:
        """End before a broken record; what came before is judged first."""
        if not number:
            check_record(batch, offset)  # says what is wrong
        return offset, number, survivors

    def _look(self, type_number: int, batch: bytes, offset: int, length: int, number: int) -> Survivor | None:
        """Return the survivor that a whole record is; None when it is ruled out."""
        row = self._types.get(type_number)
        if row is None or row.always:
            return Survivor(offset, number, STATE)
        is_failed = row.is_failed(batch, offset, length)
        if row.stops and not is_failed:
            return Survivor(offset, number, STATE)
        noted = int(row.noted)
        if noted and length < row.shortest:
            return Survivor(offset, number, BROKEN)
        kind = row.failed if is_failed else row.succeeded
        survivor = None if kind is None else self._judge(kind, batch, offset, length, (number, noted))
        if row.ends:
            self._contexts.forget_process(_HEAD.unpack_from(batch, offset)[2])
        if noted and survivor is None:
            return Survivor(offset, number, NOTED, UNUSED, UNUSED, UNUSED, UNUSED, noted=1)
        if survivor is None and self._seen is not None and BY_NUMBER[type_number].name in TYPES:
            is_first = self._seen.is_first(type_number, batch, offset, length)
            return Survivor(offset, number, CONTACT, UNUSED, UNUSED, UNUSED, UNUSED) if is_first else None
        return survivor

    def _judge(
        self, kind: KnownKind, batch: bytes, offset: int, length: int, place: tuple[int, int]
    ) -> Survivor | None:
        """Return the survivor that a record of a kind is; None when it is ruled out, which is remembered."""
        number, noted = place
        if length < kind.recipe.fixed_end:
            return Survivor(offset, number, BROKEN, noted=noted)
        context = _HEAD.unpack_from(batch, offset)[2]
        known = self._contexts.classes.get(context)
        process = UNKNOWN if known is None else known[kind.number]
        values = kind.values(batch, offset)
        scalars = kind.scalars.get(values, UNKNOWN) if kind.asks_scalars else UNUSED
        if process and (process, scalars) in kind.pairs:
            if not noted:
                self._contexts.keep(context, kind, values, None)
            return None
        classes, raw = [UNUSED, UNUSED], None
        for slot, string in enumerate(kind.strings):
            if string.decides:
                raw = kind.string(string.place, batch, offset, length)
                if raw is None:
                    return Survivor(offset, number, BROKEN, noted=noted)
                classes[slot] = string.judged(raw)
        first, second = classes
        if process and (process, scalars, first, second) in kind.dead:
            if not noted:
                self._contexts.keep(context, kind, values, raw)
            return None
        return Survivor(offset, number, kind.number, process, scalars, first, second, noted)

    def take_counts(self) -> dict[int, int]:
        """Return how many events of each type number there were since the last call."""
        counts = {number: self._counts[number] for number in self._types if self._counts[number]}
        for number in counts:
            self._counts[number] = 0
        return counts

    def take_ruled_out(self) -> bytes:
        """Return nothing: to find the fingerprints would cost every record more than it saves."""
        return b""

    def learn_process(
        self,
        context: bytes,
        container: int,
        classes: tuple[int, ...],
        lineage: tuple[int, int] = NO_LINEAGE,
        *,
        alone: bool = False,
    ) -> None:
        """Remember the classes of a process context; see ``Classifier.learn_process``."""
        if alone:
            self._contexts.forget_process(context)
        del lineage
        self._contexts.learn(context, container, classes)

    def learn_start(self, batch: bytes, offset: int, marks: int = 0) -> None:
        """Remember nothing."""

    def forget_starts(self) -> None:
        """Forget nothing."""

    def learn_scalars(self, kind: int, batch: bytes, offset: int, judged: int) -> None:
        """Remember the class of the small values of a record."""
        known = self._kinds[kind]
        keep(known.scalars, known.values(batch, offset), judged)

    def learn_string(self, kind: int, slot: int, batch: bytes, offset: int, judged: int) -> None:
        """Remember the class of a string of a record, and of all strings with the same words."""
        known = self._kinds[kind]
        string = known.strings[slot]
        raw = known.string(string.place, batch, offset, check_record(batch, offset)[0])
        if raw is not None:
            string.learn(raw, judged)

    def learn_dead(self, kind: int, process: int, scalars: int, first: int, second: int) -> None:
        """Remember that no condition is left for a combination of classes; with 0 for the strings, for any strings."""
        self._kinds[kind].learn_dead(process, scalars, first, second)

    def learn_anyone(self, kind: int, scalars: int, first: int, second: int, *, dead: bool) -> None:
        """Remember nothing: only the sensor is told of it, and by fingerprints."""

    def forget_process(self, start: int, pid: int) -> None:
        """Forget a process."""
        self._contexts.forget_process(CONTEXT.pack(start, 0, 0, 0, pid))

    def forget_container(self, container: int) -> None:
        """Forget all processes of a container, by its number."""
        self._contexts.forget_where(lambda context: self._contexts.containers[context] == container)

    def forget_cgroup(self, number: int, hierarchy: int) -> None:
        """Forget all processes of a control group."""
        self._contexts.forget_where(lambda context: CONTEXT.unpack(context)[1:3] == (number, hierarchy))

    def forget_processes(self) -> None:
        """Forget all process contexts."""
        self._contexts.clear()

    def forget_contacts(self) -> None:
        """Forget which contacts have been seen."""
        if self._seen is not None:
            self._seen.forget()


@functools.cache
def _sound(shortest: int) -> bytes:
    """Return by length whether a whole record of a type can have it, as far as the loop looks."""
    return bytes(length >= shortest and not length & 7 for length in range(_LONGEST_QUICK))
