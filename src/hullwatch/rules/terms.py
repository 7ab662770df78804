"""The values that a condition or an output names, checked and made ready to be computed.

A term is a field, a field with an argument, a transformer, or a constant. Resolving finds it in the
catalogue, checks its argument and gives its type; ``code`` is its Python expression.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.fields.catalogue import catalogue, event_names, parameters
from hullwatch.fields.field import Field, FieldFunction, FieldType, Multiplicity
from hullwatch.rules.problem import ProblemError, UnknownFilterError, did_you_mean
from hullwatch.rules.syntax import FieldUse, Text, TextList
from hullwatch.rules.transformers import TRANSFORMERS
from hullwatch.rules.values import parameter_type

if TYPE_CHECKING:
    from hullwatch.rules.problem import Code
    from hullwatch.rules.syntax import Argument, Left, Place, Transformed
    from hullwatch.rules.transformers import Transformer

Lookup = Callable[[Field, str | None], FieldFunction | None]
"""Gives the function that answers a field with its argument; None for one that is never there."""

_INDEXED = frozenset(
    {"proc.aname", "proc.aexe", "proc.aexepath", "proc.acmdline", "proc.aargs", "proc.apid", "proc.args"}
)
MAXIMUM_TRANSFORMER_DEPTH = 20


class Term(msgspec.Struct, frozen=True):
    """A value that can be computed for an event.

    Attributes:
        name: as it is written, for messages.
        field: what the catalogue says; None for a transformer's result.
        argument: of the field.
        code: a Python expression of the event ``e``; ``None`` for a field that is never there.
        uses: the fields inside, as they are written.
    """

    name: str
    type: FieldType
    multiplicity: Multiplicity
    code: str
    field: Field | None = None
    argument: str | None = None
    uses: tuple[Term, ...] = ()


def from_event(field: Field, _: str | None) -> FieldFunction | None:
    """Return the field's own function, which reads the event: the lookup of everything but a replay."""
    return field.function if field.is_of_calls else None


class Constants:
    """The objects that generated code refers to by name, and where its fields get their functions."""

    def __init__(self, lookup: Lookup = from_event) -> None:
        """Start without any."""
        self.lookup = lookup
        self.namespace: dict[str, Any] = {"__builtins__": {"any": any, "all": all, "sum": sum}}
        self.fields: dict[tuple[str, str | None], Term] = {}
        """The terms of fields by name and argument, as they were written."""
        self._names: dict[int, str] = {}

    def name(self, value: Any) -> str:
        """Return the name under which generated code finds a value."""
        name = self._names.get(id(value))
        if name is None:
            name = self._names[id(value)] = f"k{len(self._names)}"
            self.namespace[name] = value
        return name


def split_name(written: str) -> tuple[Field | None, str | None]:
    """Return the field of a written name and the argument that follows it with a dot, if there is one."""
    known = catalogue()
    if written in known:
        return known[written], None
    stem, _, rest = written.rpartition(".")
    while stem:
        entry = known.get(stem)
        if entry is not None and entry.syntax in {"dot", "both"} and entry.argument != "none":
            return entry, rest
        stem, _, more = stem.rpartition(".")
        rest = f"{more}.{rest}"
    return None, None


def resolve_field(use: FieldUse, constants: Constants, code: Code) -> Term:
    """Return the term of a field.

    Raises:
        UnknownFilterError: when there is no such field, or its argument is not one.
    """
    known = constants.fields.get((use.name, use.argument))
    if known is not None:
        return known
    entry, argument = split_name(use.name)
    written = use.name if use.argument is None else f"{use.name}[{use.argument}]"
    if entry is None:
        near = did_you_mean(use.name, catalogue())
        raise UnknownFilterError(f"There is no field {use.name!r}{near}.", use.place.location(), code)
    if use.argument is not None:
        if argument is not None or entry.syntax not in {"bracket", "both"} or entry.argument == "none":
            sentence = f"The field {entry.name} takes no argument in brackets: {written!r} is not known."
            raise UnknownFilterError(sentence, use.place.location(), code)
        argument = use.argument
    _check_argument(entry, argument, use.place, code)
    kind = entry.type
    if kind is FieldType.DYNAMIC:
        kind = parameter_type(argument or "")
    # Lists of events of the API are lists with an index too, as in Falco: a container has several arguments.
    alone = argument is not None and entry.argument == "optional" and not entry.is_audit
    term = constants.fields[use.name, use.argument] = Term(
        name=written,
        type=kind,
        multiplicity=Multiplicity.ONE if alone else entry.multiplicity,
        code=_field_code(entry, argument, constants),
        field=entry,
        argument=argument,
    )
    return term


def _field_code(entry: Field, argument: str | None, constants: Constants) -> str:
    function = constants.lookup(entry, argument)
    if function is None:
        return "None"
    name = constants.name(function)
    return f"{name}(e)" if entry.argument == "none" else f"{name}(e, {argument!r})"


def _check_argument(entry: Field, argument: str | None, place: Place, code: Code) -> None:
    if argument is None:
        if entry.argument == "required":
            example = f"{entry.name}.x" if entry.syntax == "dot" else f"{entry.name}[x]"
            sentence = f"The field {entry.name} needs an argument, such as {example}."
            raise UnknownFilterError(sentence, place.location(), code)
        return
    if entry.name in {"evt.arg", "evt.rawarg"} and argument not in parameters() and not argument.isdecimal():
        sentence = f"No event has a parameter {argument!r}{did_you_mean(argument, parameters())}."
        raise UnknownFilterError(sentence, place.location(), code)
    if entry.name == "evt.type.is" and argument not in event_names():
        sentence = f"There is no event type {argument!r}{did_you_mean(argument, event_names())}."
        raise UnknownFilterError(sentence, place.location(), code)
    indexed = entry.name in _INDEXED or (entry.is_audit and entry.argument == "optional")
    if indexed and not (argument.isascii() and argument.isdecimal() and len(argument) < 7):
        sentence = f"The field {entry.name} takes a number in brackets, not {argument!r}."
        raise UnknownFilterError(sentence, place.location(), code)


def resolve(left: Left, constants: Constants, code: Code = "LOAD_ERR_COMPILE_CONDITION", depth: int = 0) -> Term:
    """Return the term of a field or of a transformer.

    Raises:
        ProblemError: when a field is unknown or an argument does not fit the transformer.
    """
    if isinstance(left, FieldUse):
        return resolve_field(left, constants, code)
    if depth > MAXIMUM_TRANSFORMER_DEPTH:
        sentence = f"Transformers are nested more than {MAXIMUM_TRANSFORMER_DEPTH} deep here."
        raise ProblemError(sentence, left.place.location(), code)
    transformer = TRANSFORMERS[left.name]
    least, most = transformer.arguments
    if not least <= len(left.arguments) <= most:
        wanted = str(least) if least == most else f"{least} or more"
        sentence = f"{left.name}() takes {wanted} argument{'s' if least > 1 else ''}, not {len(left.arguments)}."
        raise ProblemError(sentence, left.place.location(), code)
    if left.index is not None and not transformer.indexed:
        raise ProblemError(f"{left.name}() takes nothing in brackets behind it.", left.place.location(), code)
    terms = [_argument(one, constants, code, depth) for one in left.arguments]
    for position, term in enumerate(terms):
        _check_transformed(left, transformer, term, position, code)
    return Term(
        name=left.name,
        type=transformer.result or terms[0].type,
        multiplicity=Multiplicity.LIST if transformer.indexed and left.index is None else Multiplicity.ONE,
        code=_transformer_code(transformer, terms, left.index, constants),
        uses=tuple(use for term in terms for use in (term.uses or ((term,) if term.field else ()))),
    )


def _argument(argument: Argument, constants: Constants, code: Code, depth: int) -> Term:
    if isinstance(argument, Text):
        return Term(argument.text, FieldType.CHARBUF, Multiplicity.ONE, repr(argument.text))
    if isinstance(argument, TextList):
        values = tuple(item.text for item in argument.items)
        return Term("a list", FieldType.CHARBUF, Multiplicity.LIST, repr(values))
    return resolve(argument, constants, code, depth + 1)


def _check_transformed(left: Transformed, transformer: Transformer, term: Term, position: int, code: Code) -> None:
    if term.field is not None and not term.field.transformable:
        raise ProblemError(f"{left.name}() cannot be used on {term.name}.", left.place.location(), code)
    is_list = term.multiplicity is not Multiplicity.ONE
    wanted = transformer.takes_list if position == transformer.list_at else "no"
    if is_list and wanted == "no":
        raise ProblemError(f"{left.name}() takes one value, and {term.name} is a list.", left.place.location(), code)
    if not is_list and wanted == "must":
        raise ProblemError(f"{left.name}() needs a list here, and {term.name} is not one.", left.place.location(), code)
    if term.type not in transformer.accepts and not (is_list and wanted == "may"):
        sentence = f"{left.name}() works on text, and {term.name} is a {term.type.value}."
        raise ProblemError(sentence, left.place.location(), code)


def _transformer_code(transformer: Transformer, terms: list[Term], index: str | None, constants: Constants) -> str:
    def compute(*values: Any) -> Any:
        if None in values:
            return None
        return transformer.function(*values) if index is None else transformer.function(*values, index)

    return f"{constants.name(compute)}({', '.join(term.code for term in terms)})"
