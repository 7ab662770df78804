"""A single check of a condition to a Python expression of the event ``e``.

Values from the rules file enter only as ``repr()`` of text, numbers and bytes, or as objects that the
code names ``k0``, ``k1``, ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.fields.fd_names import NAME_FIELDS
from hullwatch.fields.field import FieldType, Multiplicity
from hullwatch.rules import patterns
from hullwatch.rules.domain_names import compared_name
from hullwatch.rules.operators import LIST_OPERATORS, check_operator, field_test_code, test_code
from hullwatch.rules.problem import ProblemError
from hullwatch.rules.syntax import Check, FieldUse, Text, TextList, Transformed
from hullwatch.rules.terms import Constants, Term, from_event, resolve, split_name
from hullwatch.rules.values import parse_value

if TYPE_CHECKING:
    from hullwatch.rules.problem import Code
    from hullwatch.rules.syntax import Place
    from hullwatch.rules.terms import Lookup


class Remark(NamedTuple):
    """Something that is valid and probably not what was meant."""

    sentence: str
    place: Place
    code: Code


class CheckCode(NamedTuple):
    """A check as Python.

    Attributes:
        check: what it was made of.
        code: the expression.
        fields: the names of the fields that it uses.
        remarks: for the warnings.
    """

    check: Check
    code: str
    fields: frozenset[str]
    remarks: tuple[Remark, ...]


class CheckCompiler:
    """Writes the code of checks; of one that several conditions have from a macro, once.

    Attributes:
        constants: what the code refers to by name; its ``namespace`` is where the code has to run.
    """

    def __init__(self, lookup: Lookup = from_event) -> None:
        """Start without any constants."""
        self.constants = Constants(lookup)
        self._written: dict[int, CheckCode] = {}  # by the check's identity
        self._fields: set[str] = set()  # of the check that is being written
        self._remarks: list[Remark] = []

    def code(self, check: Check) -> str:
        """Return the expression, which is true or false for every event.

        Raises:
            ProblemError: as ``write`` does.
        """
        return self.write(check).code

    def write(self, check: Check) -> CheckCode:
        """Return the expression, which is true or false for every event, and what there is to say of it.

        Raises:
            ProblemError: for an unknown field or value, or an operator that does not fit.
        """
        written = self._written.get(id(check))
        if written is None:
            self._fields.clear()
            self._remarks.clear()
            code = self._code(check)
            written = CheckCode(check, code, frozenset(self._fields), tuple(self._remarks))
            self._written[id(check)] = written
        return written

    def _code(self, check: Check) -> str:
        term = resolve(check.left, self.constants)
        self._note_fields(term)
        if term.field is not None and not term.field.filter:
            raise _error(check, f"The field {term.name} is for outputs only.")
        right = check.right
        beside = isinstance(right, FieldUse | Transformed)
        try:
            check_operator(check.operator, term, beside_field=beside)
        except ValueError as error:
            raise _error(check, str(error)) from None
        if term.multiplicity is Multiplicity.LIST and check.operator not in LIST_OPERATORS:
            sentence = f"{term.name} is a list: it takes in, intersects and exists, not {check.operator!r}."
            raise _error(check, sentence)
        if right is None:
            return self._exists(term)
        if isinstance(right, FieldUse | Transformed):
            return self._beside(check, term, right)
        if isinstance(right, Text):
            self._remark_text(check, right)
            return self._quantified(check.operator, term, test_code(check.operator, term, right, self.constants))
        if check.modifier:
            return self._modified(check, term, right)
        return self._list(check, term, right)

    def _note_fields(self, term: Term) -> None:
        for one in (term, *term.uses):
            if one.field is not None:
                self._fields.add(one.field.name)

    def _exists(self, term: Term) -> str:
        if term.multiplicity in {Multiplicity.ANY, Multiplicity.ENDS}:
            return f"(True if {term.code} else False)" if term.code != "None" else "False"
        return f"({term.code} is not None)" if term.code != "None" else "False"

    def _quantified(self, operator: str, term: Term, test: str) -> str:
        """Return a test of ``v`` as a test of the field: absent is false, several values as the field says."""
        if term.code == "None":
            return "False"
        if term.multiplicity is Multiplicity.ONE:
            return f"((v := {term.code}) is not None and {test})"
        word = "all" if term.multiplicity is Multiplicity.ENDS and operator == "!=" else "any"
        if term.multiplicity is Multiplicity.LIST and operator == "in":
            word = "all"
        return f"((t := {term.code}) is not None and {word}({test} for v in t))"

    def _list(self, check: Check, term: Term, right: TextList) -> str:
        if not right.items:
            return "False"
        if check.operator == "pmatch":
            try:
                prefix = patterns.path_prefix([item.text for item in right.items])
            except ValueError as error:
                raise _error(check, f"One of the patterns of {term.name} is none: {error}.") from None
            test = f"{self.constants.name(prefix)}(v)"
        elif term.type is FieldType.IPNET:
            tests = [test_code("=", term, item, self.constants) for item in right.items]
            test = f"({' or '.join(tests)})"
        else:
            field = term.field.name if term.field is not None else term.name
            values = frozenset(parse_value(item, term.type, field) for item in right.items)
            if field in NAME_FIELDS:
                values = frozenset(compared_name(str(one), whole=True) for one in values)
            test = f"(v in {self.constants.name(values)})"
        return self._quantified(check.operator, term, test)

    def _modified(self, check: Check, term: Term, right: TextList) -> str:
        """Return a check of one operator against several values: oneof, anyof, allof."""
        tests = [test_code(check.operator, term, item, self.constants) for item in right.items]
        if not tests:
            return "False"
        joined = {
            "anyof": f"({' or '.join(tests)})",
            "allof": f"({' and '.join(tests)})",
            "oneof": f"(sum(({', '.join(tests)},)) == 1)",
        }[check.modifier]
        return self._quantified(check.operator, term, joined)

    def _beside(self, check: Check, term: Term, right: FieldUse | Transformed) -> str:
        other = resolve(right, self.constants)
        self._note_fields(other)
        for one in (term, other):
            if one.field is not None and not one.field.beside:
                raise _error(check, f"{one.name} cannot be compared with another field.")
            if one.multiplicity is not Multiplicity.ONE:
                raise _error(check, f"{one.name} has several values: it cannot be compared with another field.")
        if term.type is not other.type:
            kinds = f"{term.name} is a {term.type.value} and {other.name} is a {other.type.value}"
            sentence = f"{kinds}: they cannot be equal."
            raise _error(check, sentence)
        try:
            test = field_test_code(check.operator, term, self.constants)
        except ValueError as error:
            raise _error(check, str(error)) from None
        if "None" in {term.code, other.code}:
            return "False"
        return f"((v := {term.code}) is not None and (w := {other.code}) is not None and {test})"

    def _remark_text(self, check: Check, right: Text) -> None:
        if check.operator == "regex" and patterns.needs_no_regex(right.text):
            sentence = f"The pattern {right.text!r} needs no regex: use = or contains."
            self._remark(right, sentence, "LOAD_COMPILE_CONDITION")
        if not right.quoted and "." in right.text and split_name(right.text)[0] is not None:
            sentence = f"{right.text} is compared as text; for the field of that name write val({right.text})."
            self._remark(right, sentence, "LOAD_COMPILE_CONDITION")
        left = check.left.name
        if right.text == "<NA>" and left.startswith(("ka.", "jevt.")):
            self._remark(right, f"Compare {left} with exists instead of <NA>.", "LOAD_UNSAFE_NA_CHECK")

    def _remark(self, text: Text, sentence: str, code: Code) -> None:
        self._remarks.append(Remark(sentence, text.place, code))


def _error(check: Check, sentence: str) -> ProblemError:
    return ProblemError(sentence, check.place.location(), "LOAD_ERR_COMPILE_CONDITION")
