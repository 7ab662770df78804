"""The hot loop in Python: records whose values were all judged before, and rule everything out, end here.

``detect/native.py`` does the same in C, several times faster; both are asked in the same way.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hullwatch.detect.recipe import CONTEXT_BEGIN, CONTEXT_END, StateChange, recipe, result_offset, state_of
from hullwatch.events.codec import check_record
from hullwatch.events.table import EVENTS, HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.detect.plan import Kind, Plan
    from hullwatch.detect.recipe import StringPlace

UNKNOWN = 0  # the class of a value that was never judged; the first class is 1
STATE = -1  # stands for the kind of a record that the assembler has to see before the next one is looked at
BROKEN = -2  # of a record that contradicts itself
NOTED = -3  # of a record that no condition can hold for, but that the assembler has to see in its turn
UNUSED = 1  # the class of a value that no condition asks for
VALUES_KEPT = 1 << 14  # of a domain, of one kind
_LONGEST_SPAN = 16  # bytes
LONGEST_KEPT = 512  # bytes of a string
CONTEXTS_KEPT = 1 << 15
COMBINATIONS_KEPT = 1 << 16
MAXIMUM_CLASSES = (1 << 14) - 1  # of a domain, of one kind


class Survivor(NamedTuple):
    """A record that is not ruled out yet, and the classes of its values that are known.

    Attributes:
        offset: in the batch.
        number: which event it is, counted from 1 at the beginning of the call.
        kind: its number in ``Plan.all``, ``STATE``, ``BROKEN`` or ``NOTED``.
        noted: whether the assembler has to see it, ruled out or not; what is remembered of processes stays true.
    """

    offset: int
    number: int
    kind: int
    process: int = UNKNOWN
    scalars: int = UNKNOWN
    first: int = UNKNOWN
    second: int = UNKNOWN
    noted: int = 0

    @property
    def is_known(self) -> bool:
        """Whether all its values were judged before."""
        return UNKNOWN not in self[3:7]


class _String:
    """What is known of the strings in one place of a kind's records."""

    def __init__(self, kind: Kind, slot: int, place: StringPlace) -> None:
        self.place = place
        self.decides = kind.strings[slot].prefilter.decides
        self.signatures = kind.strings[slot].signatures
        self.classes: dict[bytes, int] = {}
        self.by_signature: dict[tuple[int, ...], int] = {}


class _KindState:
    """What is known of the values of one kind."""

    def __init__(self, number: int, kind: Kind) -> None:
        self.number = number
        self.recipe = recipe(kind)
        self.asks_scalars = kind.scalars.decides
        pieces = self.recipe.scalars
        self.begin, self.end = (pieces[0][0], sum(pieces[-1])) if pieces else (0, 0)
        # Values beside each other are one key, with what lies between them where that is little.
        self.pieces = pieces if self.end - self.begin > _LONGEST_SPAN else ()
        self.scalars: dict[bytes, int] = {} if kind.scalars.decides else {b"": 1}
        self.strings = [_String(kind, slot, place) for slot, place in enumerate(self.recipe.strings)]
        # Combinations of classes that leave nothing: process and scalars, with the first string, with both strings.
        self.pairs: set[int] = set()
        self.triples: set[int] = set()
        self.dead: set[tuple[int, int, int, int]] = set()

    @property
    def quick(self) -> _Quick | None:
        """What the loop needs to know to rule out the usual record of this kind; None if that takes longer."""
        if self.pieces or not self.recipe.variables:  # its values lie apart, or there is no length to read
            return None
        is_simple = len(self.strings) == 1 and self.strings[0].decides and not self.strings[0].place.peer
        is_simple = is_simple and self.strings[0].place.variable == 0
        gap = self.recipe.lengths - self.end
        values = struct.Struct(f"<{self.begin}x{self.end - self.begin}s{gap}xH")
        return _Quick(
            self.number,
            values.unpack_from,
            self.scalars.get,
            self.pairs,
            self.strings[0].classes.get if is_simple else None,
            self.triples,
        )


class _Quick(NamedTuple):
    """How the loop looks at a record; ``values`` gives its small values and the length of its first string."""

    number: int
    values: Callable[[bytes, int], tuple[bytes, int]]
    class_of_values: Callable[[bytes, int], int]
    pairs: set[int]
    class_of_string: Callable[[bytes, int], int] | None  # None: it has no string, or not only one path
    triples: set[int]


# Shortest record, offset of the result's last byte (0 without), what succeeded, and what failed.
_Row = tuple[int, int, "_KindState | None", "_Quick | None", "_KindState | None", "_Quick | None"]
_CONTEXT = struct.Struct("<QQIII")  # start, control group and hierarchy, user, id, as in the header
_HEAD = struct.Struct(f"<IH{CONTEXT_BEGIN - 6}x{CONTEXT_END - CONTEXT_BEGIN}s")  # length, type, process context


class Classifier(Protocol):
    """Judges records by what is known of their values."""

    def classify(self, batch: bytes, offset: int, counted: int = 0) -> tuple[int, int, list[Survivor]]:
        """Look at records from an offset on; those before ``counted`` were counted by an earlier call.

        It ends with the batch, and behind a record that changes what is known: one of state, or one with a
        value that is yet to be judged. A process that ends is forgotten, and tells of it.

        Returns:
            Where to go on, how many events there were, and the records that are not ruled out.

        Raises:
            BrokenStreamError: when the batch is not a sequence of records.
        """
        ...

    def take_counts(self) -> dict[int, int]:
        """Return how many events of each type number there were since the last call."""
        ...

    def take_ruled_out(self) -> bytes:
        """Return fingerprints of calls that were ruled out since the last call, as u64 numbers behind each other."""
        ...

    def learn_process(self, context: bytes, container: int, classes: tuple[int, ...], *, alone: bool = False) -> None:
        """Remember the classes of a process context, one for each kind.

        Args:
            context: of the records' headers.
            container: a number for its container, from 1.
            classes: one for each kind.
            alone: whether what was remembered of the process before is void.
        """
        ...

    def learn_scalars(self, kind: int, batch: bytes, offset: int, judged: int) -> None:
        """Remember the class of the small values of a record."""
        ...

    def learn_string(self, kind: int, slot: int, batch: bytes, offset: int, judged: int) -> None:
        """Remember the class of a string of a record, and of all strings with the same words."""
        ...

    def learn_dead(self, kind: int, process: int, scalars: int, first: int, second: int) -> None:
        """Remember that no condition is left for a combination of classes; with 0 for the strings, for any strings."""
        ...

    def forget_process(self, start: int, pid: int) -> None:
        """Forget a process."""
        ...

    def forget_container(self, container: int) -> None:
        """Forget all processes of a container, by its number."""
        ...

    def forget_cgroup(self, number: int, hierarchy: int) -> None:
        """Forget all processes of a control group."""
        ...

    def forget_processes(self) -> None:
        """Forget all process contexts."""
        ...


class PythonClassifier(Classifier):
    """The same results everywhere; where no compiler was."""

    def __init__(self, plan: Plan) -> None:
        """Start with no value known."""
        self._kinds = [_KindState(number, kind) for number, kind in enumerate(plan.all)]
        self._contexts = _Contexts()
        states = {id(kind): state for kind, state in zip(plan.all, self._kinds, strict=True)}
        self._rows: dict[int, _Row] = {}  # without those that the assembler has to see
        self._noted: dict[int, tuple[_Row, bool]] = {}  # those in their turn, and whether a process ends
        self._counts: dict[int, int] = {}
        for kind in EVENTS:
            if not kind.is_event or kind.origin != "sensor":
                continue
            self._counts[kind.number] = 0
            succeeded, failed = (None if one is None else states[id(one)] for one in plan.kinds[kind.name])
            result = result_offset(kind.layout)
            row = (
                HEADER.size + kind.layout.fixed.size, result + 7 if result else 0,
                succeeded, succeeded and succeeded.quick, failed, failed and failed.quick,
            )  # fmt: skip
            state = state_of(kind)
            if state == StateChange.NONE:
                self._rows[kind.number] = row
            elif state != StateChange.ANY:
                self._noted[kind.number] = row, state == StateChange.END

    def classify(  # noqa: C901, PLR0912 - written out for speed
        self, batch: bytes, offset: int, counted: int = 0
    ) -> tuple[int, int, list[Survivor]]:
        """Look at records from an offset on; see ``Classifier.classify``.

        What is usual is written out here: a call of a function takes as long as the rest.
        """
        survivors: list[Survivor] = []
        size, number, header, read = len(batch), 0, HEADER.size, _HEAD.unpack_from
        rows, counts, contexts = self._rows.get, self._counts, self._contexts.classes.get
        while offset < size:
            if size - offset < header:
                return self._broken(batch, offset, number, survivors)
            length, type_number, context = read(batch, offset)
            if length < header or length & 7 or length > size - offset:
                return self._broken(batch, offset, number, survivors)
            if type_number in counts:
                counts[type_number] += offset >= counted
                number += 1
            row = rows(type_number)
            if row is None:
                survivors.append(self._note(batch, offset, length)._replace(number=number))
                offset += length
                if not survivors[-1].is_known:
                    return offset, number, survivors
                continue
            shortest, sign, kind, quick, failed, quick_failed = row
            if sign and length >= shortest and batch[offset + sign] & 0x80:
                kind, quick = failed, quick_failed
            if kind is None:
                offset += length
                continue
            known = contexts(context)
            if known is not None and quick is not None and length >= shortest:
                place, values, class_of_values, pairs, class_of_string, triples = quick
                raw, text = values(batch, offset)
                pair = known[place] << 14 | class_of_values(raw, UNKNOWN)
                if pair in pairs:
                    offset += length
                    continue
                text += shortest
                if class_of_string is not None and text <= length:
                    judged = class_of_string(batch[offset + shortest : offset + text], UNKNOWN)
                    if pair << 14 | judged in triples:
                        offset += length
                        continue
            survivor = self._look(kind, batch, offset, length, UNKNOWN if known is None else known[kind.number])
            if survivor is not None:
                survivors.append(survivor._replace(number=number))
                if not survivor.is_known:
                    return offset + length, number, survivors
            offset += length
        return offset, number, survivors

    @staticmethod
    def _broken(batch: bytes, offset: int, number: int, survivors: list[Survivor]) -> tuple[int, int, list[Survivor]]:
        """End before a broken record; what came before is judged first."""
        if not number:
            check_record(batch, offset)  # says what is wrong
        return offset, number, survivors

    def _note(self, batch: bytes, offset: int, length: int) -> Survivor:
        """Look at a record that the assembler has to see."""
        _, type_number, context = _HEAD.unpack_from(batch, offset)
        if type_number not in self._noted:
            return Survivor(offset, 0, STATE)
        (shortest, sign, kind, _, failed, _), is_end = self._noted[type_number]
        if length < shortest:
            return Survivor(offset, 0, BROKEN)
        if sign and batch[offset + sign] & 0x80:
            kind = failed
        found = None
        if kind is not None:
            known = self._contexts.classes.get(context)
            found = self._look(kind, batch, offset, length, UNKNOWN if known is None else known[kind.number])
        if is_end:
            self._contexts.forget_process(context)
        if found is None:
            return Survivor(offset, 0, NOTED, UNUSED, UNUSED, UNUSED, UNUSED, noted=1)
        return found._replace(noted=1)

    def _look(self, kind: _KindState, batch: bytes, offset: int, length: int, process: int) -> Survivor | None:
        """Return the survivor that a record is; None when it is ruled out."""
        position = kind.recipe.fixed_end
        if length < position:
            return Survivor(offset, 0, BROKEN)
        scalars = kind.scalars.get(self._scalars(kind, batch, offset), UNKNOWN) if kind.asks_scalars else 1
        if process and scalars and process << 14 | scalars in kind.pairs:
            return None
        classes = [1, 1]
        for slot, string in enumerate(kind.strings):
            if string.decides:
                raw = _string(kind, string.place, batch, offset, length)
                if raw is None:
                    return Survivor(offset, 0, BROKEN)
                found = string.classes.get(raw)
                classes[slot] = self._new_string(string, raw) if found is None else found
        first, second = classes
        if (process, scalars, first, second) in kind.dead:  # never with an unknown class
            return None
        return Survivor(offset, 0, kind.number, process, scalars, first, second)

    @staticmethod
    def _scalars(kind: _KindState, batch: bytes, offset: int) -> bytes:
        if not kind.pieces:
            return batch[offset + kind.begin : offset + kind.end]
        return b"".join([batch[offset + begin : offset + begin + size] for begin, size in kind.pieces])

    @staticmethod
    def _new_string(string: _String, raw: bytes) -> int:
        """Return the class of a string that has the same words as one that was judged; 0 if there is none."""
        if string.signatures is None:
            return UNKNOWN
        signature = string.signatures.find(raw.decode("utf-8", "surrogateescape"))
        found = UNKNOWN if signature is None else string.by_signature.get(signature, UNKNOWN)
        if found:
            _keep(string.classes, raw, found)
        return found

    def take_counts(self) -> dict[int, int]:
        """Return how many events of each type number there were since the last call."""
        counts = {number: count for number, count in self._counts.items() if count}
        for number in counts:
            self._counts[number] = 0
        return counts

    def take_ruled_out(self) -> bytes:
        """Return nothing: to find the fingerprints would cost every record more than it saves."""
        return b""

    def learn_process(self, context: bytes, container: int, classes: tuple[int, ...], *, alone: bool = False) -> None:
        """Remember the classes of a process context; see ``Classifier.learn_process``."""
        if alone:
            self._contexts.forget_process(context)
        self._contexts.learn(context, container, classes)

    def learn_scalars(self, kind: int, batch: bytes, offset: int, judged: int) -> None:
        """Remember the class of the small values of a record."""
        state = self._kinds[kind]
        _keep(state.scalars, self._scalars(state, batch, offset), judged)

    def learn_string(self, kind: int, slot: int, batch: bytes, offset: int, judged: int) -> None:
        """Remember the class of a string of a record, and of all strings with the same words."""
        state = self._kinds[kind]
        string = state.strings[slot]
        raw = _string(state, string.place, batch, offset, check_record(batch, offset)[0])
        if raw is None:
            return
        _keep(string.classes, raw, judged)
        if string.signatures is not None:
            signature = string.signatures.find(raw.decode("utf-8", "surrogateescape"))
            if signature is not None:
                if len(string.by_signature) >= VALUES_KEPT:
                    string.by_signature.clear()
                string.by_signature[signature] = judged

    def learn_dead(self, kind: int, process: int, scalars: int, first: int, second: int) -> None:
        """Remember that no condition is left for a combination of classes; with 0 for the strings, for any strings."""
        state = self._kinds[kind]
        for known in (state.pairs, state.triples, state.dead):
            if len(known) >= COMBINATIONS_KEPT:
                known.clear()
        if not first:
            state.pairs.add(process << 14 | scalars)
        else:
            state.triples.add((process << 14 | scalars) << 14 | first)
            state.dead.add((process, scalars, first, second))

    def forget_process(self, start: int, pid: int) -> None:
        """Forget a process."""
        self._contexts.forget_process(_CONTEXT.pack(start, 0, 0, 0, pid))

    def forget_container(self, container: int) -> None:
        """Forget all processes of a container, by its number."""
        self._contexts.forget_where(lambda context: self._contexts.containers[context] == container)

    def forget_cgroup(self, number: int, hierarchy: int) -> None:
        """Forget all processes of a control group."""
        self._contexts.forget_where(lambda context: _CONTEXT.unpack(context)[1:3] == (number, hierarchy))

    def forget_processes(self) -> None:
        """Forget all process contexts."""
        self._contexts.clear()


class _Contexts:
    """The classes of process contexts, by kind."""

    def __init__(self) -> None:
        self.classes: dict[bytes, tuple[int, ...]] = {}
        self.containers: dict[bytes, int] = {}
        self._of_process: dict[bytes, list[bytes]] = {}  # by start and id

    def learn(self, context: bytes, container: int, classes: tuple[int, ...]) -> None:
        if context not in self.classes:
            if len(self.classes) >= CONTEXTS_KEPT:
                self.clear()
            self._of_process.setdefault(context[:8] + context[-4:], []).append(context)
        self.classes[context] = classes
        self.containers[context] = container

    def forget_process(self, context: bytes) -> None:
        """Forget all contexts of a process, of which one is given."""
        for one in self._of_process.pop(context[:8] + context[-4:], ()):
            del self.classes[one], self.containers[one]

    def forget_where(self, holds: Callable[[bytes], bool]) -> None:
        for context in [one for one in self.classes if holds(one)]:
            of_process = self._of_process[context[:8] + context[-4:]]
            of_process.remove(context)
            if not of_process:
                del self._of_process[context[:8] + context[-4:]]
            del self.classes[context], self.containers[context]

    def clear(self) -> None:
        self.classes.clear()
        self.containers.clear()
        self._of_process.clear()


def _keep(classes: dict[bytes, int], value: bytes, judged: int) -> None:
    if len(value) <= LONGEST_KEPT:
        if len(classes) >= VALUES_KEPT:
            classes.clear()
        classes[value] = judged


def _string(kind: _KindState, place: StringPlace, batch: bytes, offset: int, length: int) -> bytes | None:
    """Return a string of a record; None when it would lie outside."""
    at = offset + kind.recipe.lengths
    begin = offset + kind.recipe.fixed_end
    for index in range(place.variable):
        begin += batch[at + 2 * index] | batch[at + 2 * index + 1] << 8
    at += 2 * place.variable
    end = begin + (batch[at] | batch[at + 1] << 8)
    if end > offset + length:
        return None
    return _peer(batch, begin, end, offset + place.protocol) if place.peer else batch[begin:end]


def _peer(batch: bytes, begin: int, end: int, protocol: int) -> bytes:
    """Return an address pair without the client's port, and the protocol; one of another form as a whole, marked."""
    address = {2: 4, 10: 16}.get(batch[begin], 0) if end > begin else 0
    if not address or end - begin != 2 * address + 5:
        return b"\xff" + batch[begin:end] + batch[protocol : protocol + 1]
    port = begin + 1 + address
    return batch[begin:port] + batch[port + 2 : end] + batch[protocol : protocol + 1]
