"""What each operator does with each type: one table, and the Python that a test becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.fd_names import NAME_FIELDS
from hullwatch.fields.field import NUMBERS, TEXT, FieldType
from hullwatch.rules import patterns
from hullwatch.rules.domain_names import EQUAL, compared_name
from hullwatch.rules.problem import ProblemError
from hullwatch.rules.values import parse_hexadecimal, parse_value

if TYPE_CHECKING:
    from hullwatch.rules.syntax import Text
    from hullwatch.rules.terms import Constants, Term

_EVERY = frozenset(FieldType)
_BYTES = frozenset({FieldType.BYTEBUF})
OPERATOR_TYPES: dict[str, frozenset[FieldType]] = {
    "=": _EVERY,
    "!=": _EVERY,
    "<": NUMBERS,
    "<=": NUMBERS,
    ">": NUMBERS,
    ">=": NUMBERS,
    "contains": TEXT | _BYTES,
    "startswith": TEXT | _BYTES,
    "endswith": TEXT | _BYTES,
    "icontains": TEXT,
    "glob": TEXT,
    "iglob": TEXT,
    "regex": TEXT,
    "bcontains": _BYTES,
    "bstartswith": _BYTES,
    "pmatch": TEXT,
    "in": _EVERY,
    "intersects": _EVERY,
    "exists": _EVERY,
}
LIST_OPERATORS = frozenset({"in", "intersects", "exists"})
ORDER = frozenset({"<", "<=", ">", ">="})
_KINDS = {**dict.fromkeys(NUMBERS, "numbers"), **dict.fromkeys(TEXT, "text"), FieldType.BOOL: "true and false"}


def check_operator(operator: str, term: Term, *, beside_field: bool = False) -> None:
    """Refuse an operator that the type of a field does not have.

    Raises:
        ValueError: with the sentence.
    """
    allowed = OPERATOR_TYPES[operator]
    if operator in ORDER and beside_field:
        allowed |= TEXT  # text is ordered only against another field: the grammar wants a number otherwise
    if term.type not in allowed:
        kind = _KINDS.get(term.type, f"values of type {term.type.value}")
        raise ValueError(f"The operator {operator!r} does not work on {kind}, and {term.name} has those.")


def test_code(operator: str, term: Term, value: Text, constants: Constants) -> str:
    """Return the Python that tests a present value ``v`` against a written one.

    Raises:
        ProblemError: when the written value is not one of the field's type.
    """
    try:
        if operator in {"glob", "iglob"}:
            return f"{constants.name(patterns.glob(value.text, ignore_case=operator == 'iglob'))}(v)"
        if operator == "regex":
            return f"{constants.name(patterns.regex(value.text))}(v)"
        if operator == "pmatch":
            return f"{constants.name(patterns.path_prefix([value.text]))}(v)"
        if term.type is FieldType.IPNET:
            code = f"{constants.name(patterns.network(value.text))}(v)"
            return f"(not {code})" if operator == "!=" else code
    except ValueError as error:
        sentence = f"{value.text[:80]!r} is no pattern: {error}." if operator == "regex" else f"{error}."
        raise ProblemError(sentence, value.place.location(), "LOAD_ERR_COMPILE_CONDITION") from None
    if operator in {"bcontains", "bstartswith"}:
        return _text_test(operator[1:], repr(parse_hexadecimal(value, term.name)))
    field = term.field.name if term.field is not None else term.name
    literal = parse_value(value, term.type, field)
    if field in NAME_FIELDS:
        literal = compared_name(str(literal), whole=operator in EQUAL)
    if operator == "icontains":
        return f"({patterns.lower(str(literal))!r} in {constants.name(patterns.lower)}(v))"
    return _text_test(operator, repr(literal))


def _text_test(operator: str, literal: str) -> str:
    if operator in {"=", "in", "intersects"}:
        return f"(v == {literal})"
    if operator == "contains":
        return f"({literal} in v)"
    if operator in {"startswith", "endswith"}:
        return f"v.{operator}({literal})"
    return f"(v {operator} {literal})"


def field_test_code(operator: str, term: Term, constants: Constants) -> str:
    """Return the Python that tests a present value ``v`` against another field's value ``w``.

    Text is compared as bytes: a name may begin or end within a character.

    Raises:
        ValueError: when the operator does not take a field on its right.
    """
    v, w = "v", "w"
    if term.type in TEXT:
        v, w = (f"{one}.encode('utf-8', 'surrogateescape')" for one in "vw")
    if operator in ORDER and term.type in TEXT:
        return f"({v} {operator} {w})"
    if operator in ORDER or operator in {"=", "!="}:
        return f"(v {'==' if operator == '=' else operator} w)"
    if operator == "icontains":
        fold = constants.name(patterns.lower)
        return f"({fold}(w).encode('utf-8', 'surrogateescape') in {fold}(v).encode('utf-8', 'surrogateescape'))"
    if operator == "contains":
        return f"({w} in {v})"
    if operator in {"startswith", "endswith"}:
        return f"{v}.{operator}({w})"
    raise ValueError(f"The operator {operator!r} does not take another field on its right.")
