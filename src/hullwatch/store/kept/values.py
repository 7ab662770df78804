"""The values of an event's fields as bytes, within a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from hullwatch.fields.fd import OPENING
from hullwatch.fields.inputs import NOTHING, inputs, result_parameter
from hullwatch.rules.output import clean, value_text
from hullwatch.rules.terms import from_event
from hullwatch.store.kept.columns import LISTS
from hullwatch.store.kept.frames import ENCODER, LONGEST, SHORTENED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.events.event import Event
    from hullwatch.fields.field import FieldFunction, FieldValue
    from hullwatch.rules.terms import Lookup, Term

CUT = "...(cut)"
MOST_ITEMS = 8  # of a list, where something has to be cut
OF_CONNECTION = frozenset(f"fd.{end}{what}" for end in "lrcs" for what in ("ip", "port")) | {"fd.l4proto"}
_PLAIN = frozenset({str, int, bool, float, type(None)})


class _Reading(NamedTuple):
    """How values are read of the events of one type that failed, or did not.

    Attributes:
        values: those that are the same for all of them; None at the place of the others.
        readers: the places of the others, and what gives them.
    """

    values: list[object]
    readers: list[tuple[int, FieldFunction]]


class Packer:
    """Gives the values of some fields.

    Attributes:
        cut: how often texts were cut.
    """

    def __init__(self, terms: Sequence[Term], lookup: Lookup = from_event) -> None:
        """Take the fields, and what says which of them events have."""
        self._terms = terms
        self._lookup = lookup
        self._readings: dict[tuple[str, bool], _Reading] = {}
        self.cut = 0

    def values(self, event: Event) -> list[object]:
        """Return what the fields say of an event."""
        kind = event.type
        result = event.params.get(result_parameter(kind.layout) or "")
        key = kind.name, isinstance(result, int) and result < 0
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = self._reading(event, failed=key[1])
        values = reading.values.copy()
        for place, read in reading.readers:
            values[place] = read(event)
        return values

    def _reading(self, event: Event, *, failed: bool) -> _Reading:
        """Return how the values of such events are read: what depends on their type alone is asked once."""
        values: list[object] = []
        readers: list[tuple[int, FieldFunction]] = []
        for place, term in enumerate(self._terms):
            read = None if _is_absent(term, event) else self._reader(term)
            assert term.field is not None
            if read is not None and self._lookup is not from_event:
                readers.append((place, read))  # what events of the API have is none of their type
                read = None
            elif read is not None and inputs(term.field, term.argument, event.type, failed=failed) != NOTHING:
                readers.append((place, read))
                read = None
            values.append(None if read is None else read(event))
        return _Reading(values, readers)

    def _reader(self, term: Term) -> FieldFunction | None:
        """Return the function of a field, which takes an event; None for a field that is never there."""
        field = term.field
        function = self._lookup(field, None) if field is not None else None
        if field is None or function is None or field.argument == "none":
            return function

        def read(event: Event) -> FieldValue | None:
            return function(event, None)

        return read

    def pack(self, values: Sequence[object]) -> bytes:
        """Return values as bytes: text in UTF-8, with U+FFFD where it was none, and no longer than ``LONGEST``."""
        try:
            data = ENCODER.encode(values)
        except (UnicodeEncodeError, TypeError, OverflowError):
            values = [self._fit(term, value) for term, value in zip(self._terms, values, strict=True)]
            data = ENCODER.encode(values)
        if len(data) <= LONGEST:
            return data
        self.cut += 1
        for longest in SHORTENED:
            data = ENCODER.encode([_shortened(value, longest) for value in values])
            if len(data) <= LONGEST:
                break
        return data

    def _fit(self, term: Term, value: object) -> object:
        if term.name in LISTS and isinstance(value, tuple):
            return [clean(str(one)) for one in cast("tuple[object, ...]", value)]
        if value.__class__ not in _PLAIN:
            value = value_text(term, value)
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
            return None
        return clean(value) if isinstance(value, str) else value


def _shortened(value: object, longest: int) -> object:
    if isinstance(value, str) and len(value) > longest:
        return clean(value[:longest] + CUT)
    if isinstance(value, (list, tuple)):
        return [_shortened(one, longest) for one in cast("Sequence[object]", value[:MOST_ITEMS])]
    return value


def _is_absent(term: Term, event: Event) -> bool:
    """Tell whether an event of this type never has the field: what opens a file makes no connection."""
    return term.name in OF_CONNECTION and event.type.layout.name in OPENING
