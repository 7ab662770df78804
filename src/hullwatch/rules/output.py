"""The output of a rule: a text with fields in it, as ``%proc.name`` or ``%10proc.name[1]``.

All is checked when it is parsed; the function that renders it is made when it is first called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from hullwatch.events.event import Event
from hullwatch.fields.catalogue import parameters
from hullwatch.fields.field import TEXT, FieldType, Multiplicity
from hullwatch.rules.document import Scalar, Source
from hullwatch.rules.generated import function_of
from hullwatch.rules.grammar import parse_left
from hullwatch.rules.problem import ProblemError, UnknownFilterError
from hullwatch.rules.syntax import FieldUse, Place, SourceText
from hullwatch.rules.terms import Constants, Lookup, Term, from_event, resolve, split_name
from hullwatch.rules.transformers import TRANSFORMERS

ABSENT = "<NA>"
MAXIMUM_OUTPUT = 1 << 16  # characters of the format
MAXIMUM_WIDTH = 4096
_MANY_PARTS = 128  # of an output; one with more is made ready when it is loaded, before events wait for it
CONTAINER_INFO = "container.info"
_CONTAINER_INFO_FORMAT = "%container.name (id=%container.id, image=%container.image)"

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*(?:\.[a-zA-Z0-9_]+)*")
_WIDTH = re.compile(r"[0-9]{1,6}")
_BRACKET = re.compile(r"""\[(?:"[^"]*"|'[^']*'|[^\]\["' \t\r\n]+)\]""")
_TIME_PREFIXES = ("evt.time", "evt.datetime")


Rendered = tuple[str, dict[str, object]]
Values = tuple[object, ...]
Render = Callable[[Event], Rendered]
Write = Callable[[Event, Values], Rendered]


class _Token(msgspec.Struct, frozen=True):
    """A field within the text; ``width`` 0 prints it as it is."""

    term: Term
    width: int


class OutputFormat(msgspec.Struct, eq=False):
    """A parsed output.

    Attributes:
        text: the format as it was written.
        parts: literal text and tokens in order.
        fields: the fields that become keys of ``output_fields``.
        render: gives the message and the ``output_fields`` of an event. An absent value is ``<NA>`` in the
            text and None among the fields; times are ns integers among the fields; bytes that are not UTF-8
            become U+FFFD. Control characters are left as they are: whoever prints the text escapes them for
            the place it goes to. It is ``write`` of ``values``.
        values: gives what the output depends on, of an event: equal for equal outputs, if ``recurs``.
        write: gives the message and the ``output_fields`` of an event and its ``values``.
        recurs: whether ``write`` makes the same of equal ``values``, whatever the event; not where it has the time.

    The three functions are made when the first of them is called.
    """

    text: str
    parts: tuple[str | _Token, ...]
    fields: tuple[_Token, ...]
    render: Render
    values: Callable[[Event], Values]
    write: Write
    recurs: bool


class _Functions(NamedTuple):
    """What ``OutputFormat`` has under these names."""

    render: Render
    values: Callable[[Event], Values]
    write: Write


def _compile(parts: Sequence[str | _Token], fields: Sequence[_Token], constants: Constants) -> _Functions:
    """Return the functions that render these parts and fields: each value is computed once, text stays as it is.

    For ``id %container.id`` they are, with ``k0``, ``k1``, ... for the objects that they need::

        def values(e):
            return (container_id(e), )
        def write(e, v):
            v0, = v
            message = ''.join(('id ', (v0 if v0.__class__ is str else '<NA>' if v0 is None else value_text(term, v0))))
            values = {'container.id': v0 if v0 is None or ... and v0.isascii() else field_value(term, v0, e)}
            return (message if message.isascii() else clean(message)).strip(), values
        def render(e):
            return write(e, values(e))

    Of a value that is no text, ``values`` has the class too: 1 and True are equal, and look different.
    """
    terms = {part.term.code: part.term for part in (*parts, *fields) if not isinstance(part, str)}
    variables = {code: f"v{number}" for number, code in enumerate(terms)}
    classes = [variables[code] for code, term in terms.items() if term.type not in TEXT]
    read = [f"({variables[code]} := {code})" if variables[code] in classes else code for code in terms]
    taken = [*variables.values(), *("_" for _ in classes)]
    as_text, as_value, clean_text = map(constants.name, (value_text, field_value, clean))
    text_type = constants.name(str)

    def text(part: str | _Token) -> str:
        if isinstance(part, str):
            return repr(part)
        code, variable = repr(ABSENT), variables[part.term.code]
        if _is_printable(part.term):
            other = f"{as_text}({constants.name(part.term)}, {variable})"
            absent = f"{ABSENT!r} if {variable} is None"
            code = f"({variable} if {variable}.__class__ is {text_type} else {absent} else {other})"
        return f"{code}[:{part.width}].ljust({part.width})" if part.width else code

    def value(term: Term) -> str:
        if is_time(term):
            return "e.time"
        if not _is_printable(term):
            return "None"
        variable = variables[term.code]
        kept = f"{variable} is None or {variable}.__class__ is {text_type} and {variable}.isascii()"
        return f"{variable} if {kept} else {as_value}({constants.name(term)}, {variable}, e)"

    lines = [
        "def values(e):",
        f"    return ({''.join(f'{one}, ' for one in (*read, *(f'{one}.__class__' for one in classes)))})",
        "def write(e, v):",
        f"    {', '.join(taken)}, = v" if taken else "    pass",
        f"    message = ''.join(({''.join(f'{text(part)}, ' for part in parts)}))",
        f"    values = {{{', '.join(f'{token.term.name!r}: {value(token.term)}' for token in fields)}}}",
        f"    return (message if message.isascii() else {clean_text}(message)).strip(), values",
        "def render(e):",
        "    return write(e, values(e))",
        "made = render, values, write",
    ]
    return _Functions(*function_of("\n".join(lines), "made", "<output>", constants.namespace))


def _recurs(tokens: Iterable[_Token]) -> bool:
    """Tell whether an output's values say all of it, and values that are equal look the same (0.0 and -0.0 do not)."""
    return not any(
        is_time(token.term)
        or token.term.type is FieldType.DOUBLE
        or (token.term.multiplicity is not Multiplicity.ONE and token.term.type not in TEXT)
        for token in tokens
    )


def _is_printable(term: Term) -> bool:
    return term.field is None or term.field.printable


def value_text(term: Term, value: Any) -> str:
    """Return a field's value as Falco prints it."""
    if value is None or not _is_printable(term):
        return ABSENT
    if isinstance(value, tuple):
        items = [value_text(term, item) for item in value]  # pyright: ignore[reportUnknownVariableType] - Any
        if term.type in TEXT and len(items) < 2:
            return items[0] if items else ABSENT
        return " ".join(items) if term.multiplicity is Multiplicity.ANY else f"({','.join(items)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in value)
    if isinstance(value, int) and is_hexadecimal(term):
        return f"{value:x}"
    return str(value)


def field_value(term: Term, value: Any, event: Event) -> object:
    """Return a field's value as it stands in ``output_fields``."""
    if is_time(term):
        return event.time
    if value is None or value == () or not _is_printable(term):
        return None
    if isinstance(value, tuple) and term.multiplicity is Multiplicity.LIST:
        return [clean(str(item)) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - Any
    if isinstance(value, bytes | tuple) or is_hexadecimal(term):
        return clean(value_text(term, value))
    return clean(value) if isinstance(value, str) else value


def clean(text: str) -> str:
    """Return text without the surrogates that stand for bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def is_time(term: Term) -> bool:
    """Tell whether a field is the event's time, which is a number among the ``output_fields`` however it is printed."""
    return term.name.startswith(_TIME_PREFIXES)


def is_hexadecimal(term: Term) -> bool:
    """Tell whether a number is printed as its hexadecimal digits."""
    if term.field is None or term.field.name != "evt.rawarg" or term.argument is None:
        return False
    return parameters()[term.argument].format == "hex"


def parse_output(
    source: SourceText, lookup: Lookup = from_event, *, constants: Constants | None = None
) -> OutputFormat:
    """Return the format of a rule's output.

    Args:
        source: as it is written.
        lookup: gives the function of each field.
        constants: what it refers to, with a lookup of their own; one for all outputs of a rule set saves time.

    Raises:
        UnknownFilterError: for a field that is not known.
        ProblemError: for a ``%`` that begins no field.
    """
    if len(source.text) > MAXIMUM_OUTPUT:
        raise _error(source, 0, f"The output has more than {MAXIMUM_OUTPUT} characters.")
    return _Parser(source, constants or Constants(lookup)).parse()


class _Parser:
    """Reads an output from left to right."""

    def __init__(self, source: SourceText, constants: Constants) -> None:
        self._source = source
        self._parts: list[str | _Token] = []
        self._fields: dict[str, _Token] = {}
        self._constants = constants

    def parse(self) -> OutputFormat:
        parts, fields = self.read()

        made: list[_Functions] = []

        def make() -> _Functions:
            if not made:
                made.append(_compile(parts, fields, self._constants))
                output.render, output.values, output.write = made[0]
            return made[0]

        output = OutputFormat(
            text=self._source.text,
            parts=tuple(parts),
            fields=tuple(fields),
            render=lambda event: make().render(event),
            values=lambda event: make().values(event),
            write=lambda event, values: make().write(event, values),
            recurs=_recurs((*(part for part in parts if not isinstance(part, str)), *fields)),
        )
        if len(parts) > _MANY_PARTS:
            make()
        return output

    def read(self) -> tuple[list[str | _Token], list[_Token]]:
        """Return the parts and the fields."""
        text = self._source.text
        position = 1 if text.startswith("*") else 0
        while (percent := text.find("%", position)) >= 0:
            self._parts.append(text[position:percent])
            position = self._token(percent)
        self._parts.append(text[position:])
        return [part for part in self._parts if part != ""], list(self._fields.values())

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
        inner = _Parser(SourceText(Scalar(_CONTAINER_INFO_FORMAT, Source("", ""), 0)), self._constants)
        parts, fields = inner.read()
        self._parts += parts
        self._fields.update({token.term.name: token for token in fields})

    def _add(self, term: Term, width: int) -> None:
        token = _Token(term, width)
        self._parts.append(token)
        for one in term.uses if term.field is None else (term,):
            self._fields.setdefault(one.name, token if one is term else _Token(one, 0))


def _is_cut_argument(argument: str | None, written: str, end: int) -> bool:
    """Tell whether a name would end within the argument behind its dot."""
    return argument is not None and end < len(written) and written[end] != "."


def _error(source: SourceText, offset: int, sentence: str) -> ProblemError:
    return ProblemError(sentence, source.locate(offset), "LOAD_ERR_COMPILE_OUTPUT")
