"""Conditions as text to trees, with the grammar of ``grammar.lark``."""

from __future__ import annotations

import contextlib
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from hullwatch.rules.problem import ProblemError, did_you_mean
from hullwatch.rules.syntax import (
    And,
    Check,
    FieldUse,
    MacroUse,
    Not,
    Or,
    Place,
    Text,
    TextList,
    Transformed,
)
from hullwatch.rules.tree_cache import MEMORY

if TYPE_CHECKING:
    from lark import Lark, Token

    from hullwatch.rules.syntax import Expression, Left, SourceText

GRAMMAR_FILE = Path(__file__).with_name("grammar.lark")
MAXIMUM_CONDITION = 1 << 20  # characters
MAXIMUM_NESTING = 1000  # Falco's

_ENCODER = msgspec.msgpack.Encoder(enc_hook=lambda _: 0)  # a tree's places are in the text that it was made of
_RESULTS: dict[str, Any] = {
    "condition": Check | MacroUse | Not | And | Or,
    "left": FieldUse | Transformed,
    "values": TextList,
    "single": Text | FieldUse | Transformed,
    "operator": tuple[str, str],
}
_ESCAPES = {"\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", " ": "\\"}
_NUMBER = re.compile(r"[+-]?[0-9]+")
_PARENTHESES = re.compile(r"""(?s)"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[()]""")
_OPERATORS = (
    "contains", "icontains", "bcontains", "startswith", "bstartswith", "endswith", "glob", "iglob", "regex", "pmatch",
    "in", "intersects", "exists",
)  # fmt: skip
_QUOTED = re.compile(r"""(?s)"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")
_PLAIN_LEFT = re.compile(r"(?:^|\(|\band|\bor|\bnot)\s*([A-Za-z_]\w*)\s*\Z")  # where a field or a macro stands
_ANY_OPERATOR = re.compile(rf"[=!<>]|(?:{'|'.join(_OPERATORS)})\b")
_EXPECTED = {
    "FIELD": "a field", "TRANSFORMER": "a transformer", "IDENTIFIER": "a macro", "NOT": "'not'", "LPAR": "'('",
    "RPAR": "')'", "AND": "'and'", "OR": "'or'", "EXISTS": "an operator", "EQUALITY": "an operator",
    "ORDER": "an operator", "WORD_OPERATOR": "an operator", "LIST_OPERATOR": "an operator", "BARE": "a value",
    "QUOTED": "a value", "NUMBER": "a number", "COMMA": "a comma", "$END": "the end", "MODIFIER_NAME": "a modifier",
}  # fmt: skip


def parse_condition(source: SourceText) -> Expression:
    """Return the tree of a condition; macros and lists are still names in it.

    Raises:
        ProblemError: when it is not a condition; the place is the first character that does not fit.
    """
    if not source.text.strip():
        raise _error(source, 0, "The condition is empty: write one, such as evt.type = execve.")
    if len(source.text) > MAXIMUM_CONDITION:
        raise _error(source, 0, f"The condition has more than {MAXIMUM_CONDITION} characters: use macros and lists.")
    depth = 0
    for match in _PARENTHESES.finditer(source.text):
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
        if depth > MAXIMUM_NESTING:
            raise _error(source, match.start(), f"Parentheses are nested more than {MAXIMUM_NESTING} deep here.")
    return _parse(source, "condition")


def parse_left(source: SourceText) -> Left:
    """Return the left side of a check: a field or a transformer.

    Raises:
        ProblemError: when it is neither.
    """
    return _parse(source, "left")


def parse_values(source: SourceText) -> TextList:
    """Return a list of values in parentheses.

    Raises:
        ProblemError: when it is no list.
    """
    return _parse(source, "values")


def parse_single(source: SourceText) -> Text | Left:
    """Return one value, or another field in ``val()``.

    Raises:
        ProblemError: when it is neither.
    """
    return _parse(source, "single")


def parse_operator(source: SourceText) -> tuple[str, str]:
    """Return an operator and its modifier (empty if there is none).

    Raises:
        ProblemError: when there is no such operator.
    """
    return _parse(source, "operator")


def _parse(source: SourceText, start: str) -> Any:
    kept = MEMORY.get(f"{start} {source.text}")
    if kept is not None:
        with contextlib.suppress(RecursionError):  # we are deeper in calls than when it was kept
            return _rebuilt(kept, source, start)
    tree = _parse_anew(source, start)
    with contextlib.suppress(RecursionError):  # nested deeper than the encoder goes: it is parsed each time
        MEMORY.keep(f"{start} {source.text}", _ENCODER.encode(tree))
    return tree


def _rebuilt(kept: bytes, source: SourceText, start: str) -> Any:
    """Return a tree from its encoded form, with its places in this text."""
    return msgspec.msgpack.decode(kept, type=_RESULTS[start], dec_hook=lambda _, __: source)


def _parse_anew(source: SourceText, start: str) -> Any:
    from lark import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken

    builder = _Builder(source)
    parser: Any = _parser()
    try:
        tree: Any = parser.parse(source.text, start=start)
    except UnexpectedCharacters as error:
        raise _unexpected(source, _position(error), error.allowed or ()) from None
    except UnexpectedToken as error:
        token: Any = error.token
        position = token.start_pos if token.type != "$END" else len(source.text)
        raise _unexpected(source, position or 0, error.accepts or error.expected) from None
    except UnexpectedEOF as error:
        raise _unexpected(source, len(source.text), error.expected) from None
    return builder.build(tree)


@functools.cache
def _parser() -> Lark:
    from lark import Lark

    starts = ["condition", "left", "values", "single", "operator"]
    text = GRAMMAR_FILE.read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="contextual", start=starts, maybe_placeholders=True)


def _position(error: Any) -> int:
    return error.pos_in_stream or 0


def _unexpected(source: SourceText, offset: int, expected: Any) -> ProblemError:
    words = sorted({_EXPECTED[name] for name in expected if name in _EXPECTED})
    found = re.split(r"[ \t\r\n]", source.text[offset : offset + 40])[0]
    sentence = _known_mistake(source.text, offset, found)
    if sentence:
        return _error(source, offset, sentence)
    near = ""
    if found.lower() in {"and", "or", "not"} and found != found.lower():
        near = f" (did you mean {found.lower()}?)"
    elif "an operator" in words:
        near = did_you_mean(found, _OPERATORS)
    what = f"{found!r} does not fit here{near}" if found else "The condition ends too early"
    advice = f": expected {' or '.join(words)}" if words else ""
    return _error(source, offset, f"{what}{advice}.")


def _known_mistake(text: str, offset: int, found: str) -> str:
    """Return what is wrong where people often go wrong, for the words that the grammar expects do not say it."""
    if found[:1] in {'"', "'"} and _QUOTED.match(text, offset) is None:
        return f"The quote {found[0]} that begins here is not closed."
    if found in {"and", "or", "not"} and not text[offset + len(found) :].strip():
        return f"The condition ends after '{found}': something has to follow it."
    before = _PLAIN_LEFT.search(text, 0, offset)
    if before is not None and before[1] not in {"and", "or", "not"} and _ANY_OPERATOR.match(text, offset):
        return f"{before[1][:40]!r} is no field: fields have a dot, such as proc.name or container.name."
    return ""


def _error(source: SourceText, offset: int, sentence: str) -> ProblemError:
    return ProblemError(sentence, source.locate(offset), "LOAD_ERR_COMPILE_CONDITION")


class _Modified(NamedTuple):
    """``anyof (a, b)`` on the right of an operator."""

    modifier: str
    values: TextList


class _Builder:
    """Turns lark's tree into ours from the leaves up, without recursion."""

    def __init__(self, source: SourceText) -> None:
        self._source = source

    def build(self, tree: Any) -> Any:
        from lark import Tree

        results: dict[int, Any] = {}
        node: Any
        for node in tree.iter_subtrees():  # parts come before what they are part of
            children: list[Any] = [
                child if not isinstance(child, Tree) else results[id(child)]  # pyright: ignore[reportUnknownArgumentType] - lark's trees are generic
                for child in node.children
            ]
            results[id(node)] = getattr(self, f"_{node.data}")(children)
        return results[id(tree)]

    def _condition(self, children: list[Any]) -> Expression:
        return children[0]

    def _any_part(self, children: list[Any]) -> Or:
        return Or(tuple(children[::2]))

    def _every_part(self, children: list[Any]) -> And:
        return And(tuple(children[::2]))

    def _negation(self, children: list[Any]) -> Expression:
        part = children[1]
        return part.part if isinstance(part, Not) else Not(part)

    def _macro_use(self, children: list[Token]) -> MacroUse:
        return MacroUse(str(children[0]), self._place(children[0]))

    def _existence(self, children: list[Any]) -> Check:
        return Check(children[0], "exists", None, "", children[0].place)

    def _comparison(self, children: list[Any]) -> Check:
        left, operator, right = children
        modifier = ""
        if isinstance(right, _Modified):
            modifier, right = right
        operator = "=" if operator == "==" else str(operator)
        if isinstance(right, Text) and operator in {"in", "intersects", "pmatch"}:
            right = TextList((right,), right.place)
        return Check(left, operator, right, modifier, left.place)

    def _field_use(self, children: list[Any]) -> FieldUse:
        name, argument = children
        return FieldUse(str(name), _bare_argument(argument), self._place(name))

    def _transformed(self, children: list[Any]) -> Transformed:
        name, *arguments, index = children
        return Transformed(str(name), tuple(arguments), _bare_argument(index), self._place(name))

    def _other_field(self, children: list[Any]) -> Left:
        return children[1]

    def _modified(self, children: list[Any]) -> _Modified:
        modifier, values = children
        if isinstance(values, Text):
            values = TextList((values,), values.place)
        return _Modified(str(modifier), values)

    def _values(self, children: list[Any]) -> TextList:
        items = tuple(child for child in children if child is not None)
        place = items[0].place if items else Place(self._source, 0)
        return TextList(items, place)

    def _text(self, children: list[Token]) -> Text:
        token = children[0]
        if token.type != "QUOTED":
            return Text(str(token), quoted=token.type == "NUMBER", place=self._place(token))
        return Text(unquote(self._source, token.start_pos or 0, str(token)), quoted=True, place=self._place(token))

    def _number(self, children: list[Token]) -> Text:
        token = children[0]
        return Text(str(token), quoted=False, place=self._place(token))

    def _quoted_number(self, children: list[Token]) -> Text:
        token = children[0]
        raise _error(self._source, token.start_pos or 0, f"A number is wanted here, without quotes, not {token}.")

    def _operator(self, children: list[Any]) -> tuple[str, str]:
        operator, modifier = children
        return "=" if operator == "==" else str(operator), str(modifier or "")

    def _place(self, token: Token) -> Place:
        return Place(self._source, token.start_pos or 0)


def _bare_argument(token: Any) -> str | None:
    if token is None:
        return None
    text = str(token)[1:-1]
    return text[1:-1] if text[:1] in {'"', "'"} else text


def unquote(source: SourceText, offset: int, quoted: str) -> str:
    r"""Return the text within quotes, with the language's escapes (``\\ \/ \b \f \n \r \t`` and the quote).

    Raises:
        ProblemError: for any other escape.
    """
    if "\\" not in quoted:
        return quoted[1:-1]
    parts: list[str] = []
    position, end, quote = 1, len(quoted) - 1, quoted[0]
    while position < end:
        character = quoted[position]
        if character == "\\":
            position += 1
            escape = quoted[position]
            if escape != quote and escape not in _ESCAPES:
                raise _error(
                    source,
                    offset + position - 1,
                    f"The escape \\{escape} is not known: write \\\\ for a backslash.",
                )
            parts.append(quote if escape == quote else _ESCAPES[escape])
        else:
            parts.append(character)
        position += 1
    return "".join(parts)


def is_number(text: str) -> bool:
    """Tell whether a value is a decimal number with an optional sign."""
    return _NUMBER.fullmatch(text) is not None
