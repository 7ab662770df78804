"""The output of a rule: a text with fields in it, as ``%proc.name`` or ``%10proc.name[1]``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from hullwatch.events.event import Event
from hullwatch.fields.catalogue import parameters
from hullwatch.fields.field import Multiplicity
from hullwatch.rules.document import Scalar, Source
from hullwatch.rules.grammar import parse_left
from hullwatch.rules.problem import ProblemError, UnknownFilterError
from hullwatch.rules.syntax import FieldUse, Place, SourceText
from hullwatch.rules.terms import Constants, Lookup, Term, from_event, resolve, split_name
from hullwatch.rules.transformers import TRANSFORMERS

ABSENT = "<NA>"
MAXIMUM_OUTPUT = 1 << 16  # characters of the format
MAXIMUM_WIDTH = 4096
CONTAINER_INFO = "container.info"
_CONTAINER_INFO_FORMAT = "%container.name (id=%container.id, image=%container.image)"

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*(?:\.[a-zA-Z0-9_]+)*")
_WIDTH = re.compile(r"[0-9]{1,6}")
_BRACKET = re.compile(r"""\[(?:"[^"]*"|'[^']*'|[^\]\["' \t\r\n]+)\]""")
_TIME_PREFIXES = ("evt.time", "evt.datetime")


class _Token(msgspec.Struct, frozen=True):
    """A field within the text; ``width`` 0 prints it as it is."""

    term: Term
    width: int
    value: Callable[[Event], Any]


class OutputFormat(msgspec.Struct, frozen=True):
    """A parsed output.

    Attributes:
        text: the format as it was written.
        parts: literal text and tokens in order.
        fields: the fields that become keys of ``output_fields``, with the function of each value.
    """

    text: str
    parts: tuple[str | _Token, ...]
    fields: tuple[_Token, ...]

    def render(self, event: Event) -> tuple[str, dict[str, object]]:
        """Return the message and the ``output_fields`` of an event.

        An absent value is ``<NA>`` in the text and None among the fields; times are ns integers
        among the fields; bytes that are not UTF-8 become U+FFFD. Control characters are left as
        they are: whoever prints the text escapes them for the place it goes to.
        """
        pieces: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                pieces.append(part)
            else:
                text = value_text(part.term, part.value(event))
                pieces.append(text[: part.width].ljust(part.width) if part.width else text)
        values: dict[str, object] = {}
        for token in self.fields:
            values[token.term.name] = field_value(token.term, token.value(event), event)
        return clean("".join(pieces)).strip(), values


def value_text(term: Term, value: Any) -> str:
    """Return a field's value as Falco prints it."""
    if value is None or (term.field is not None and not term.field.printable):
        return ABSENT
    if isinstance(value, tuple):
        items = [value_text(term, item) for item in value]  # pyright: ignore[reportUnknownVariableType] - Any
        return " ".join(items) if term.multiplicity is Multiplicity.ANY else f"({','.join(items)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in value)
    if isinstance(value, int) and _is_hexadecimal(term):
        return f"{value:x}"
    return str(value)


def field_value(term: Term, value: Any, event: Event) -> object:
    """Return a field's value as it stands in ``output_fields``."""
    if term.name.startswith(_TIME_PREFIXES):
        return event.time
    if value is None or (term.field is not None and not term.field.printable):
        return None
    if isinstance(value, tuple) and term.multiplicity is Multiplicity.LIST:
        return [clean(str(item)) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - Any
    if isinstance(value, bytes | tuple) or _is_hexadecimal(term):
        return clean(value_text(term, value))
    return clean(value) if isinstance(value, str) else value


def clean(text: str) -> str:
    """Return text without the surrogates that stand for bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _is_hexadecimal(term: Term) -> bool:
    if term.field is None or term.field.name != "evt.rawarg" or term.argument is None:
        return False
    return parameters()[term.argument].format == "hex"


def parse_output(source: SourceText, lookup: Lookup = from_event) -> OutputFormat:
    """Return the format of a rule's output, whose fields get their functions from ``lookup``.

    Raises:
        UnknownFilterError: for a field that is not known.
        ProblemError: for a ``%`` that begins no field.
    """
    if len(source.text) > MAXIMUM_OUTPUT:
        raise _error(source, 0, f"The output has more than {MAXIMUM_OUTPUT} characters.")
    return _Parser(source, lookup).parse()


class _Parser:
    """Reads an output from left to right."""

    def __init__(self, source: SourceText, lookup: Lookup) -> None:
        self._source = source
        self._parts: list[str | _Token] = []
        self._fields: dict[str, _Token] = {}
        self._constants = Constants(lookup)

    def parse(self) -> OutputFormat:
        text = self._source.text
        position = 1 if text.startswith("*") else 0
        while (percent := text.find("%", position)) >= 0:
            self._parts.append(text[position:percent])
            position = self._token(percent)
        self._parts.append(text[position:])
        parts = tuple(part for part in self._parts if part != "")
        return OutputFormat(text=text, parts=parts, fields=tuple(self._fields.values()))

    def _token(self, percent: int) -> int:
        """Read a token and return where it ends."""
        text, position, width = self._source.text, percent + 1, 0
        if match := _WIDTH.match(text, position):
            width, position = int(match.group()), match.end()
            if width > MAXIMUM_WIDTH:
                raise _error(self._source, percent, f"A width of {width} is more than {MAXIMUM_WIDTH}.")
        match = _NAME.match(text, position)
        if match is None:
            sentence = "A '%' begins a field, such as %proc.name, and cannot stand alone: leave it out."
            raise _error(self._source, percent, sentence)
        if match.group().startswith(CONTAINER_INFO):
            self._container_info()
            return position + len(CONTAINER_INFO)
        if text.startswith("(", match.end()) and match.group() in TRANSFORMERS:
            return self._transformer(position, width)
        return self._field(position, match.group(), width)

    def _field(self, position: int, written: str, width: int) -> int:
        """Read a field: the longest beginning of the name that is one."""
        place = Place(self._source, position)
        for end in range(len(written), 0, -1):
            entry, argument = split_name(written[:end])
            if entry is None or written[end - 1] == "." or _is_cut_argument(argument, written, end):
                continue
            bracket = _BRACKET.match(self._source.text, position + end) if entry.syntax in {"bracket", "both"} else None
            inside = bracket.group()[1:-1] if bracket is not None and argument is None else None
            if inside is not None and inside[0] in {'"', "'"}:
                inside = inside[1:-1]
            use = FieldUse(written[:end], inside, place)
            self._add(resolve(use, self._constants, "LOAD_ERR_COMPILE_OUTPUT"), width)
            return position + end + (len(bracket.group()) if bracket is not None and inside is not None else 0)
        resolve(FieldUse(written, None, place), self._constants, "LOAD_ERR_COMPILE_OUTPUT")  # raises, with the nearest
        raise UnknownFilterError(f"There is no field {written!r}.", place.location(), "LOAD_ERR_COMPILE_OUTPUT")

    def _transformer(self, position: int, width: int) -> int:
        text, depth, end = self._source.text, 0, position
        while end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
            if depth == 0 and text[end - 1] == ")":
                break
        if bracket := _BRACKET.match(text, end):
            end = bracket.end()
        try:
            term = resolve(parse_left(self._source.part(position, end)), self._constants, "LOAD_ERR_COMPILE_OUTPUT")
        except ProblemError as error:  # the parser takes it for a part of a condition
            raise type(error)(error.sentence, error.location, "LOAD_ERR_COMPILE_OUTPUT") from None
        self._add(term, width)
        return end

    def _container_info(self) -> None:
        """Put in what ``%container.info`` stands for: name, id and image."""
        inner = _Parser(SourceText(Scalar(_CONTAINER_INFO_FORMAT, Source("", ""), 0)), self._constants.lookup)
        parsed = inner.parse()
        self._parts += parsed.parts
        self._fields.update({token.term.name: token for token in parsed.fields})

    def _add(self, term: Term, width: int) -> None:
        token = self._make(term, width)
        self._parts.append(token)
        for one in term.uses if term.field is None else (term,):
            self._fields.setdefault(one.name, token if one is term else self._make(one, 0))

    def _make(self, term: Term, width: int) -> _Token:
        code = compile(f"lambda e: {term.code}", f"<output field {term.name!r}>", "eval")
        return _Token(term, width, eval(code, self._constants.namespace))  # noqa: S307 - made here, values only as repr


def _is_cut_argument(argument: str | None, written: str, end: int) -> bool:
    """Tell whether a name would end within the argument behind its dot."""
    return argument is not None and end < len(written) and written[end] != "."


def _error(source: SourceText, offset: int, sentence: str) -> ProblemError:
    return ProblemError(sentence, source.locate(offset), "LOAD_ERR_COMPILE_OUTPUT")
