"""What a rule with state groups events by: fields, and the words container, process, process_tree, user and pod."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from hullwatch.events.event import Event
from hullwatch.fields.catalogue import catalogue
from hullwatch.fields.field import NUMBERS, TEXT, FieldType, Multiplicity
from hullwatch.rules.document import Scalar
from hullwatch.rules.grammar import parse_left
from hullwatch.rules.problem import ProblemError, did_you_mean
from hullwatch.rules.syntax import SourceText
from hullwatch.rules.terms import Constants, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hullwatch.rules.problem import Code
    from hullwatch.rules.stateful import StatefulDefinition
    from hullwatch.rules.syntax import Left
    from hullwatch.rules.terms import Lookup

ValueFunction = Callable[[Event], Hashable]
"""Gives one value of an event; None when it has none."""
KeyFunction = Callable[[Event], tuple[Hashable, ...] | None]
"""Gives what an event is grouped by; None when a value is absent: the event takes no part then."""

LONGEST_TEXT = 128  # characters of a value; of a longer one a digest is remembered
MOST_ANCESTORS = 64
_FIELDS_OF_WORDS = {"container": "container.id", "user": "user.uid", "pod": "k8s.pod.uid", "process": "proc.pid"}
TREE = "process_tree"
_WORDS = (*_FIELDS_OF_WORDS, TREE)
_CODE: Code = "LOAD_ERR_VALIDATE"


class Threshold(msgspec.Struct, frozen=True, eq=False):
    """How many events; with ``distinct``, how many different values of it."""

    count: int
    distinct: ValueFunction | None


class Stateful(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a rule remembers.

    Attributes:
        keys: what the events of each step are grouped by; one for a threshold.
        lineage: the process of an event and its ancestors, for ``by: process_tree``.
        within: ns from the first event to the last.
        threshold: None for a sequence.
        text: of its definition: where it is the same, state can be taken over.
        fields: that the grouping uses.
        absent: what is grouped by and never has a value here: the rule cannot alert.
    """

    keys: tuple[KeyFunction, ...]
    lineage: KeyFunction | None
    within: int
    threshold: Threshold | None
    text: str
    fields: frozenset[str]
    absent: tuple[Scalar, ...] = ()


class _Value(NamedTuple):
    """A value to group by, compiled."""

    written: Scalar
    kind: str  # values of different kinds are never equal
    function: ValueFunction
    fields: frozenset[str]
    absent: bool


def compile_stateful(definition: StatefulDefinition, lookup: Lookup) -> Stateful:
    """Return what a rule remembers, ready to be asked.

    Raises:
        ProblemError: for a value that nothing can be grouped by, and for steps that can never have one in common.
    """
    tree = [one for one in definition.by if one.text == TREE]
    if tree and definition.threshold is not None:
        sentence = "'process_tree' joins the steps of a sequence; for a threshold write 'process' or a field."
        raise _error(sentence, tree[0])
    common = [_value(one, lookup) for one in definition.by if one.text != TREE]
    own = [[_step_value(one, lookup) for one in step.by] for step in definition.steps] or [[]]
    for step in own[1:]:
        for first, other in zip(own[0], step, strict=True):
            if first.kind != other.kind:
                kinds = f"{first.written.text} is {first.kind} and {other.written.text} is {other.kind}"
                raise _error(f"The steps' values can never be equal: {kinds}.", other.written)
    threshold, counted = None, list[_Value]()
    if definition.threshold is not None:
        counted = [_value(definition.threshold.distinct, lookup)] if definition.threshold.distinct is not None else []
        threshold = Threshold(definition.threshold.count, counted[0].function if counted else None)
    every = [*common, *counted, *(value for step in own for value in step)]
    return Stateful(
        keys=tuple(_key([*common, *step]) for step in own),
        lineage=_lineage(lookup) if tree else None,
        within=definition.span,
        threshold=threshold,
        text=definition.text,
        fields=frozenset[str]().union(*(value.fields for value in every)),
        absent=tuple(value.written for value in every if value.absent),
    )


def left_of(written: Scalar) -> Left:
    """Return the field or transformer that is grouped by; for a word the field that stands for it.

    Raises:
        ProblemError: when it is neither.
    """
    text = written.text.strip()
    word = "process" if text == TREE else text
    field = msgspec.structs.replace(written, text=_FIELDS_OF_WORDS.get(word, written.text))
    return parse_left(SourceText(field))


def _step_value(written: Scalar, lookup: Lookup) -> _Value:
    if written.text == TREE:
        raise _error("'process_tree' is for the whole sequence: write it in the rule's 'by'.", written)
    return _value(written, lookup)


def _value(written: Scalar, lookup: Lookup) -> _Value:
    """Compile a word, a field or a transformer."""
    text = written.text.strip()
    if text == "process":
        return _Value(written, "a process", _process(lookup), frozenset({"proc.pid"}), absent=False)
    if text.isidentifier() and text not in _FIELDS_OF_WORDS and text not in catalogue():
        near = did_you_mean(text, _WORDS)
        raise _error(f"{text[:80]!r} is no field, and none of the words {', '.join(_WORDS)}{near}.", written)
    constants = Constants(lookup)
    term = resolve(left_of(written), constants, _CODE)
    if term.multiplicity is not Multiplicity.ONE:
        raise _error(f"{term.name} has several values: nothing can be grouped by it.", written)
    if term.field is not None and not term.field.filter:
        raise _error(f"The field {term.name} is for outputs only.", written)
    code = compile(f"lambda e: {term.code}", f"<value of {term.name!r}>", "eval")
    function = eval(code, constants.namespace)  # noqa: S307 - made here, values only as repr
    uses = frozenset(one.field.name for one in (term, *term.uses) if one.field is not None)
    return _Value(written, _kind(term.type), function, uses, absent=term.code == "None")


def _kind(type_: FieldType) -> str:
    return "text" if type_ in TEXT else ("a number" if type_ in NUMBERS else type_.value.lower())


def _key(values: Sequence[_Value]) -> KeyFunction:
    functions = tuple(value.function for value in values)

    def key(event: Event) -> tuple[Hashable, ...] | None:
        found: list[Hashable] = []
        for function in functions:
            value = function(event)
            if value is None:
                return None
            found.append(shortened(value))
        return tuple(found)

    return key


def shortened(value: Hashable) -> Hashable:
    """Return a value, or of a long text a digest: what is remembered of it stays small."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes) and len(value) > LONGEST_TEXT:
        return hashlib.blake2b(value, digest_size=16).digest()
    return value


def _process(lookup: Lookup) -> ValueFunction:
    """Return what names the process of an event: its key, or what a recorded event says of it."""
    pid: Any = lookup(catalogue()["proc.pid"], None)

    def process(event: Event) -> Hashable:
        if event.process is not None:
            return event.process.key
        return pid(event) if pid is not None else None

    return process


def _lineage(lookup: Lookup) -> KeyFunction:
    """Return what names the process of an event and its ancestors, nearest first."""
    process = _process(lookup)
    ancestors: Any = lookup(catalogue()["proc.apid"], None)

    def lineage(event: Event) -> tuple[Hashable, ...] | None:
        own = process(event)
        if own is None:
            return None
        if event.process is None:
            return (own, *islice(_several(ancestors(event, None)), MOST_ANCESTORS))
        found: list[Hashable] = []
        one = event.process
        while one is not None and len(found) <= MOST_ANCESTORS:
            found.append(one.key)
            one = one.parent
        return tuple(found)

    return lineage


def _several(value: Any) -> Iterable[Hashable]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)  # pyright: ignore[reportUnknownVariableType] - Any


def _error(sentence: str, written: Scalar) -> ProblemError:
    return ProblemError(sentence, written.location(), _CODE)
