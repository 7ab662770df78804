"""What the classifier in Python knows: the classes of values, of process contexts, and what they rule out together.

What was ruled out is kept twice. By classes, as it is learnt: that is the truth, and small. And as the loop looks for
it: the bytes of strings, below the bytes of the small values, below the class of the process. That is filled from the
first, and is emptied when it gets large.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.detect.recipe import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hullwatch.detect.plan import Kind
    from hullwatch.detect.recipe import StringPlace

VALUES_KEPT = 1 << 14  # of a domain, of one kind
LONGEST_KEPT = 512  # bytes of a string
CONTEXTS_KEPT = 1 << 15
COMBINATIONS_KEPT = 1 << 16
RULED_OUT_KEPT = 1 << 16  # values and strings, as the loop looks for them
_PROCESSES_KEPT = 1 << 14  # classes of processes with something ruled out, of all kinds
_LONGEST_SPAN = 16  # bytes

ANY_STRING: Collection[bytes] = frozenset({b"whatever the record's strings are"})  # is compared by identity
RuledOut = dict[bytes, "Collection[bytes]"]  # by small values: the strings, or ``ANY_STRING``

# What the loop looks at besides the small values; ``CAREFULLY`` is for kinds that it does not know how to look at.
NO_STRING, STRING, PEER, CAREFULLY = range(4)
PEER_SIZE = 13  # bytes of an address pair of IPv4
_PEER_KEY = 12  # of what is left without the client's port, and the protocol


class Quick(NamedTuple):
    """How the loop looks at a record of a kind.

    Attributes:
        shortest: where the first string begins.
        kind: its number.
        form: ``NO_STRING``, ``STRING``, ``PEER`` or ``CAREFULLY``.
        values: gives the small values; of a string also its length; of a peer the protocol, its length, the client's
            address with the family, and the server's with the port.
    """

    shortest: int
    kind: int
    form: int
    values: Callable[[bytes, int], tuple[Any, ...]]

    def finds(self, string: bytes | None) -> bool:
        """Tell whether the loop would find a string, or None for any, that was ruled out."""
        return self.form != CAREFULLY and (string is None or self.form != PEER or len(string) == _PEER_KEY)


class KnownString:
    """What is known of the strings in one place of a kind's records."""

    def __init__(self, kind: Kind, slot: int, place: StringPlace) -> None:
        """Start with no string known."""
        self.place = place
        self.decides = kind.strings[slot].prefilter.decides
        self.signatures = kind.strings[slot].signatures
        self.classes: dict[bytes, int] = {}
        self.by_signature: dict[tuple[int, ...], int] = {}

    def signature(self, raw: bytes) -> tuple[int, ...] | None:
        """Return which words a string has; None when they do not decide."""
        return None if self.signatures is None else self.signatures.find(raw.decode("utf-8", "surrogateescape"))

    def judged(self, raw: bytes) -> int:
        """Return the class of a string, or of one with the same words; 0 if there is none."""
        found = self.classes.get(raw)
        if found is not None:
            return found
        signature = self.signature(raw)
        found = 0 if signature is None else self.by_signature.get(signature, 0)
        if found:
            keep(self.classes, raw, found)
        return found

    def learn(self, raw: bytes, judged: int) -> None:
        """Remember the class of a string and of all with the same words."""
        keep(self.classes, raw, judged)
        signature = self.signature(raw)
        if signature is not None:
            if len(self.by_signature) >= VALUES_KEPT:
                self.by_signature.clear()
            self.by_signature[signature] = judged


class KnownKind:
    """What is known of the values of one kind."""

    def __init__(self, number: int, kind: Kind) -> None:
        """Start with nothing known."""
        self.number = number
        self.recipe = recipe(kind)
        self.asks_scalars = kind.scalars.decides
        pieces = self.recipe.scalars if self.asks_scalars else ()
        self.begin, self.end = (pieces[0][0], sum(pieces[-1])) if pieces else (0, 0)
        # Values beside each other are one key, with what lies between them where that is little.
        self.pieces = pieces if self.end - self.begin > _LONGEST_SPAN else ()
        self.scalars: dict[bytes, int] = {}
        self.strings = [KnownString(kind, slot, place) for slot, place in enumerate(self.recipe.strings)]
        # Combinations of classes that leave nothing: process and scalars, and these with both strings.
        self.pairs: set[tuple[int, int]] = set()
        self.dead: set[tuple[int, int, int, int]] = set()
        self.ruled_out: dict[int, RuledOut] = {}  # by the class of the process
        self.quick = self._quick()

    def _quick(self) -> Quick:
        shortest, form = self.recipe.fixed_end, NO_STRING
        parts = [(self.begin, f"{self.end - self.begin}s")]
        deciding = [string.place for string in self.strings if string.decides]
        place = deciding[0] if deciding else None
        if self.pieces or len(deciding) > 1 or (place is not None and place.variable):
            form = CAREFULLY
        elif place is not None:
            form = PEER if place.peer else STRING
            if place.peer:
                parts.append((place.protocol, "1s"))
            parts.append((self.recipe.lengths, "H"))
            if place.peer:
                parts += [(shortest, "5s"), (shortest + 7, "6s")]  # without the client's port
        values = _unpacker(parts)
        return Quick(shortest, self.number, form if values else CAREFULLY, values or struct.Struct("").unpack_from)

    def values(self, batch: bytes, offset: int) -> bytes:
        """Return the small values of a record, which reaches to ``fixed_end`` at least."""
        if not self.pieces:
            return batch[offset + self.begin : offset + self.end]
        return b"".join([batch[offset + begin : offset + begin + size] for begin, size in self.pieces])

    def string(self, place: StringPlace, batch: bytes, offset: int, length: int) -> bytes | None:
        """Return a string of a record; None when it would lie outside."""
        at = offset + self.recipe.lengths
        begin = offset + self.recipe.fixed_end
        for index in range(place.variable):
            begin += batch[at + 2 * index] | batch[at + 2 * index + 1] << 8
        at += 2 * place.variable
        end = begin + (batch[at] | batch[at + 1] << 8)
        if end > offset + length:
            return None
        return _peer(batch, begin, end, offset + place.protocol) if place.peer else batch[begin:end]

    def learn_dead(self, process: int, scalars: int, first: int, second: int) -> None:
        """Remember that no condition is left for a combination of classes; with 0 for the strings, for any strings."""
        for known in (self.pairs, self.dead):
            if len(known) >= COMBINATIONS_KEPT:
                known.clear()
        if first:
            self.dead.add((process, scalars, first, second))
        else:
            self.pairs.add((process, scalars))


class KnownContexts:
    """What is known of process contexts.

    Attributes:
        classes: by context, the class of the process for each kind.
        ruled_out: by context, what is ruled out for such processes, for each kind.
        containers: by context, the number of the container.
    """

    def __init__(self, kinds: list[KnownKind]) -> None:
        """Start with no context known."""
        self._kinds = kinds
        self.classes: dict[bytes, tuple[int, ...]] = {}
        self.ruled_out: dict[bytes, tuple[RuledOut, ...]] = {}
        self.containers: dict[bytes, int] = {}
        self._of_process: dict[bytes, list[bytes]] = {}  # by start and id
        self._of_classes: dict[tuple[int, ...], tuple[RuledOut, ...]] = {}
        self._kept = 0

    def learn(self, context: bytes, container: int, classes: tuple[int, ...]) -> None:
        """Remember the classes of a context."""
        if context not in self.classes:
            if len(self.classes) >= CONTEXTS_KEPT:
                self.clear()
            self._of_process.setdefault(context[:8] + context[-4:], []).append(context)
        self.classes[context] = classes
        self.ruled_out[context] = self._of_classes.get(classes) or self._ruled_out_of(classes)
        self.containers[context] = container

    def _ruled_out_of(self, classes: tuple[int, ...]) -> tuple[RuledOut, ...]:
        if sum(len(kind.ruled_out) for kind in self._kinds) > _PROCESSES_KEPT:
            for kind in self._kinds:
                kind.ruled_out = {}
            self._of_classes.clear()
        found = tuple([kind.ruled_out.setdefault(one, {}) for kind, one in zip(self._kinds, classes, strict=True)])
        self._of_classes[classes] = found
        return found

    def keep(self, context: bytes, kind: KnownKind, values: bytes, string: bytes | None) -> None:
        """Remember for the loop what is ruled out: a string, or every string, with these values and process."""
        if not kind.quick.finds(string):
            return
        if self._kept >= RULED_OUT_KEPT:
            for ruled_out in self.ruled_out.values():
                for one in ruled_out:
                    one.clear()
            self._kept = 0
        ruled_out = self.ruled_out[context][kind.number]
        if string is None:
            ruled_out[values] = ANY_STRING
        elif len(string) <= LONGEST_KEPT:
            strings = ruled_out.get(values)
            if isinstance(strings, set):
                strings.add(string)
            else:
                ruled_out[values] = {string}
        self._kept += 1

    def forget_process(self, context: bytes) -> None:
        """Forget all contexts of a process, of which one is given."""
        for one in self._of_process.pop(context[:8] + context[-4:], ()):
            self._forget(one)

    def forget_where(self, holds: Callable[[bytes], bool]) -> None:
        """Forget some contexts."""
        for context in [one for one in self.classes if holds(one)]:
            of_process = self._of_process[context[:8] + context[-4:]]
            of_process.remove(context)
            if not of_process:
                del self._of_process[context[:8] + context[-4:]]
            self._forget(context)

    def _forget(self, context: bytes) -> None:
        del self.classes[context], self.ruled_out[context], self.containers[context]

    def clear(self) -> None:
        """Forget all contexts."""
        self.classes.clear()
        self.ruled_out.clear()
        self.containers.clear()
        self._of_process.clear()


def keep(classes: dict[bytes, int], value: bytes, judged: int) -> None:
    """Remember a value's class, unless it is long; a full table begins anew."""
    if len(value) <= LONGEST_KEPT:
        if len(classes) >= VALUES_KEPT:
            classes.clear()
        classes[value] = judged


def _unpacker(parts: list[tuple[int, str]]) -> Callable[[bytes, int], tuple[Any, ...]] | None:
    """Return what takes values from a record; None when they do not lie in this order.

    Args:
        parts: offset of each and its form in the words of ``struct``.
    """
    code, at = "<", 0
    for offset, form in parts:
        if offset < at and form != "0s":
            return None
        code += f"{max(0, offset - at)}x{form}"
        at = max(at, offset + struct.calcsize(form))
    return struct.Struct(code).unpack_from


def _peer(batch: bytes, begin: int, end: int, protocol: int) -> bytes:
    """Return an address pair without the client's port, and the protocol; one of another form as a whole, marked."""
    address = {2: 4, 10: 16}.get(batch[begin], 0) if end > begin else 0
    if not address or end - begin != 2 * address + 5:
        return b"\xff" + batch[begin:end] + batch[protocol : protocol + 1]
    port = begin + 1 + address
    return batch[begin:port] + batch[port + 2 : end] + batch[protocol : protocol + 1]
