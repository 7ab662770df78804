"""Generated conditions for the oracle: every type with every operator, hostile text, absent things."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from hullwatch.events.table import EVENTS
from hullwatch.fields.catalogue import catalogue
from hullwatch.fields.field import TEXT, Field, FieldType, Multiplicity
from hullwatch.rules.document import Scalar, Source
from hullwatch.rules.syntax import (
    And,
    Check,
    FieldUse,
    MacroUse,
    Not,
    Or,
    Place,
    SourceText,
    Text,
    TextList,
    Transformed,
)
from tests.rules.oracle import SERVICES

if TYPE_CHECKING:
    from hullwatch.rules.syntax import Argument, Expression, Left

Draw = Any
PLACE = Place(SourceText(Scalar("", Source("generated", ""), 0)), 0)
LISTS = ("list_a", "list_b", "list_c")
MACROS = ("macro_a", "macro_b", "macro_c")
EVENT_NAMES = sorted(event.name for event in EVENTS if event.is_event)
PIECES = (
    "cat", "bash", "CAT", "c", "/", "/", "/etc", "/etc/passwd", "etc", ".", "-a", "-ax", " ", "a b", "'", '"', "\\",
    "<NA>", "host", "(x)", "a=b", "%s", ",", "\t", "é", "É", "\u212a", "ß", "aGk=", "O_RDONLY", "]", "[",
)  # fmt: skip
GLOBS = ("*", "?", "[a-z]", "[!a]", "[]x]", "[^/]", "[[:alpha:]]", "\\*", "\\c", "[/]", "**", "[a-]")
REGEXES = ("cat", "/etc", ".*", ".", "[a-z]+", "[^/]*", "(bash|cat|C)", "é", "/", "a?", "(b|(c.)+)")
ADDRESSES = ("10.0.0.1", "10.0.0.2", "0.0.0.0", "::1", "::", "fe80::1", "::ffff:10.0.0.1", "255.255.255.255")
NETWORKS = ("10.0.0.0/8", "10.0.0.2/32", "0.0.0.0/0", "10.0.0.1/31", "::1/128", "fe80::/10", "8000::/1")
NUMBERS = (-2, -1, 0, 1, 2, 3, 5, 30, 53, 80, 4097, 65535, 1 << 31, (1 << 63) - 1)
WITH_ARGUMENT = (
    ("proc.aname", "[0]"), ("proc.aname", "[1]"), ("proc.aname", "[20]"), ("proc.acmdline", "[2]"),
    ("proc.apid", "[1]"), ("proc.aexepath", "[1]"), ("proc.args", "[0]"), ("proc.args", "[1]"),
    ("proc.args", "[9]"), ("evt.arg", "[0]"),
    ("evt.arg", ".flags"), ("evt.arg", ".name"), ("evt.arg", ".res"), ("evt.arg", ".fd"), ("evt.arg", ".tuple"),
    ("evt.rawarg", ".flags"), ("evt.rawarg", ".name"), ("evt.rawarg", ".res"), ("evt.rawarg", ".tuple"),
    ("evt.type.is", ".open"), ("evt.type.is", ".connect"), ("container.label", "[a.b/c]"),
    ("container.label", '["x y"]'),
    ("container.mount", "[0]"), ("container.mount.dest", "[/proc*]"), ("container.mount.rdwr", "[/etc]"),
    ("fd.types", "[1]"), ("proc.env", "[HOME]"), ("k8s.pod.label", "[app]"), ("evt.abspath", ".src"),
)  # fmt: skip

_BARE = re.compile(r"""[^()"' \t\r\n=,]+""")
_RESERVED = re.compile(r"(?:oneof|anyof|allof|and|or|not|val|tolower|toupper|basename|b64|len|concat|join|getopt)")


class FieldChoice(NamedTuple):
    """A field as a condition may name it, with what may be done with it."""

    use: FieldUse
    entry: Field
    type: FieldType
    several: bool


def choice_of(name: str, written: str | None) -> FieldChoice:
    entry = catalogue()[name]
    kind = entry.type
    use = FieldUse(name, None, PLACE)
    if written is not None and written.startswith("["):
        use = FieldUse(name, written[1:-1].strip('"'), PLACE)
    elif written is not None:
        use = FieldUse(name + written, None, PLACE)
    if kind is FieldType.DYNAMIC:
        kind = {".name": FieldType.CHARBUF, ".tuple": FieldType.BYTEBUF}.get(written or "", FieldType.INT64)
    return FieldChoice(use, entry, kind, written is None and entry.multiplicity is not Multiplicity.ONE)


_GROUPS = ("evt.", "syscall.", "proc.", "thread.", "user.", "group.", "fd.", "fs.", "container.", "k8s.")
FIELDS = [
    choice_of(entry.name, None)
    for entry in catalogue().values()
    if entry.name.startswith(_GROUPS) and entry.argument != "required" and entry.filter and not entry.deprecated
] + [choice_of(name, written) for name, written in WITH_ARGUMENT]
ANSWERED = [one for one in FIELDS if one.entry.function is not None]
TYPED = [one for one in FIELDS if one.use.name == "evt.type"]
COMMON = [
    choice_of(name, None)
    for name in (
        "fd.name",
        "proc.name",
        "proc.aname",
        "container.name",
        "fd.sip",
        "fd.ip",
        "fd.net",
        "fd.port",
        "proc.apid",
    )
]
ONES = [one for one in FIELDS if not one.several]
TRANSFORMABLE = [one for one in ONES if one.type in TEXT and one.entry.transformable]
BESIDE = [one for one in ONES if one.entry.beside]


# ---- values

words = st.sampled_from(("", *PIECES)) | st.lists(st.sampled_from(PIECES), max_size=3).map("".join)
globs = st.lists(st.sampled_from((*GLOBS, "cat", "/etc", "é", "/", ".")), min_size=1, max_size=4).map("".join)
regexes = st.lists(st.sampled_from(REGEXES), min_size=1, max_size=3).map("".join)
paths = st.lists(st.sampled_from(("/", "/", "etc", "passwd", "e*", "?tc", "[a-z]*", "*", "é")), max_size=5).map("".join)
numbers = st.sampled_from(NUMBERS).map(str)
hexadecimals = st.sampled_from(("02", "0a00", "0A 00", "ff", "63"))


def values_of(kind: FieldType, operator: str, name: str) -> st.SearchStrategy[str]:
    """Return the values that an operator takes on a type."""
    if kind is FieldType.BYTEBUF:
        return hexadecimals if operator in {"bcontains", "bstartswith"} else words
    if kind in TEXT:
        if name in {"evt.type", "syscall.type"} and operator not in {"glob", "iglob", "regex", "pmatch"}:
            return st.sampled_from([*EVENT_NAMES, "close", "read"])
        return {"glob": globs, "iglob": globs, "regex": regexes, "pmatch": paths}.get(operator, words)
    if kind is FieldType.PORT:
        return numbers | st.sampled_from(sorted(SERVICES)) if operator not in ORDER else numbers
    of_types = {FieldType.BOOL: ("true", "false"), FieldType.IPADDR: ADDRESSES, FieldType.IPNET: NETWORKS}
    return st.sampled_from(of_types[kind]) if kind in of_types else numbers


ORDER = ("<", "<=", ">", ">=")
_EVERY = ("=", "!=", "in", "intersects", "exists")
_OF_TEXT = (*_EVERY, "contains", "startswith", "endswith", "icontains", "glob", "iglob", "regex", "pmatch")
_OF_BYTES = (*_EVERY, "contains", "startswith", "endswith", "bcontains", "bstartswith")


def operators_of(kind: FieldType) -> tuple[str, ...]:
    if kind in TEXT:
        return _OF_TEXT
    if kind is FieldType.BYTEBUF:
        return _OF_BYTES
    return _EVERY if kind in {FieldType.BOOL, FieldType.IPADDR, FieldType.IPNET} else (*_EVERY, *ORDER)


def draw_text(draw: Draw, values: st.SearchStrategy[str], *, bare: bool = False) -> Text:
    text = draw(values)
    can_be_bare = _BARE.fullmatch(text) and not _RESERVED.match(text)
    return Text(text, quoted=not bare and (not can_be_bare or draw(st.booleans())), place=PLACE)


def draw_texts(draw: Draw, values: st.SearchStrategy[str], *, named: bool) -> TextList:
    items = [draw_text(draw, values) for _ in range(draw(st.integers(0, 3)))]
    if named and draw(st.integers(0, 3)) == 0:
        items.append(Text(draw(st.sampled_from(LISTS)), quoted=False, place=PLACE))
    return TextList(tuple(items), PLACE)


# ---- conditions


def _transformed(draw: Draw, depth: int = 0) -> tuple[Left, FieldType, bool]:
    """Return a transformer with the type of its result, and whether that is a list."""
    name = draw(st.sampled_from(("tolower", "toupper", "basename", "b64", "len", "concat", "join", "getopt")))
    inner: Argument = draw(st.sampled_from(TRANSFORMABLE)).use
    if depth < 2 and draw(st.booleans()):
        other, kind, is_list = _transformed(draw, depth + 1)
        inner = other if kind is FieldType.CHARBUF and not is_list else inner
    index = None
    arguments: tuple[Argument, ...] = (inner,)
    quoted = Text(draw(words), quoted=True, place=PLACE)
    options = st.sampled_from(("-a", "-ax", "-b", "-ba", "--", "x", "-", "-c"))
    if name == "concat":
        arguments = (inner, quoted)
    elif name == "join":
        arguments = (quoted, draw_texts(draw, words, named=True))
    elif name == "getopt":
        known = Text(draw(st.sampled_from(("ab", "a:b", "b:a:"))), quoted=True, place=PLACE)
        arguments = (draw_texts(draw, options, named=False), known)
        index = draw(st.sampled_from((None, "a", "b")))
    elif name == "len" and draw(st.booleans()):
        arguments = (draw_texts(draw, words, named=True),)
    kind = FieldType.UINT64 if name == "len" else FieldType.CHARBUF
    return Transformed(name, arguments, index, PLACE), kind, name == "getopt" and index is None


@st.composite
def checks(draw: Draw, fields: list[FieldChoice] = FIELDS, *, named: bool = True) -> Check:
    """A check that the language allows."""
    choice: FieldChoice = draw(
        st.one_of([st.sampled_from(one) for one in ((fields, ANSWERED, COMMON) if fields is FIELDS else (fields,))])
    )
    left, kind, several, is_list = choice.use, choice.type, choice.several, choice.use.name == "fd.types"
    if fields is FIELDS and draw(st.integers(0, 5)) == 0:
        left, kind, is_list = _transformed(draw)
        several = is_list
    elif fields is FIELDS and draw(st.integers(0, 5)) == 0 and (beside := _beside(draw)):
        return beside
    operator = draw(st.sampled_from(("in", "intersects", "exists") if is_list and several else operators_of(kind)))
    if operator == "exists":
        return Check(left, operator, None, "", PLACE)
    values = values_of(kind, operator, left.name)
    named = named and kind in TEXT and left.name not in {"evt.type", "syscall.type"}
    if operator in {"in", "intersects", "pmatch"}:
        return Check(left, operator, draw_texts(draw, values, named=named), "", PLACE)
    if operator not in ORDER and not several and draw(st.integers(0, 3)) == 0:
        modifier = draw(st.sampled_from(("oneof", "anyof", "allof")))
        listed = named and operator not in {"glob", "iglob", "regex"}
        return Check(left, operator, draw_texts(draw, values, named=listed), modifier, PLACE)
    return Check(left, operator, draw_text(draw, values, bare=operator in ORDER), "", PLACE)


def _beside(draw: Draw) -> Check | None:
    one = draw(st.sampled_from(BESIDE))
    others = [other for other in BESIDE if other.type is one.type]
    text = one.type in TEXT
    operators = ("=", "!=", *ORDER, "contains", "startswith", "endswith", "icontains") if text else ("=", "!=", *ORDER)
    operator = draw(st.sampled_from(operators))
    if operator in ORDER and one.type in {FieldType.BOOL, FieldType.IPADDR, FieldType.BYTEBUF}:
        return None
    return Check(one.use, operator, draw(st.sampled_from(others)).use, "", PLACE)


def conditions(macros: tuple[str, ...] = (), fields: list[FieldChoice] = FIELDS) -> st.SearchStrategy[Expression]:
    """Conditions of checks and of the macros named."""
    leaves: st.SearchStrategy[Expression] = checks(fields) | checks(TYPED, named=False)
    if macros:
        leaves |= st.sampled_from(macros).map(lambda name: MacroUse(name, PLACE))

    def extend(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        several = st.lists(parts, min_size=2, max_size=3).map(tuple)
        return parts.map(Not) | several.map(And) | several.map(Or)

    return st.recursive(leaves, extend, max_leaves=6)
