"""A second reading of the rule language, as simple as it can be: the oracle of the compiler.

It walks a condition as it was written, with the names of lists and macros still in it, and asks every
check anew. Text is bytes here, as the language says. Nothing of ``hullwatch.rules`` is used but the
shape of the tree; the values of fields come from the functions that answer them.
"""

from __future__ import annotations

import base64
import ctypes
import functools
import ipaddress
import re
from typing import TYPE_CHECKING, Any

from hullwatch.events.table import EVENTS, TYPES
from hullwatch.fields.catalogue import catalogue
from hullwatch.rules.syntax import And, Check, FieldUse, MacroUse, Not, Text, TextList

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hullwatch.events.event import Event
    from hullwatch.rules.syntax import Argument, Expression, Left

# Parameters that have letters in some event.
WORDS = {one.name for event in EVENTS for one in event.layout.parameters if TYPES[one.type].size == 0}
SERVICES = {"http": 80, "https": 443, "ssh": 22, "domain": 53}
FOLD_CASE = 1 << 4  # FNM_CASEFOLD
ANY_OR_ALL = {"anyof": any, "allof": all}


class Oracle:
    """Judges conditions that may name these lists and macros."""

    def __init__(self, lists: Mapping[str, Sequence[Text]], macros: Mapping[str, Expression]) -> None:
        self._lists = lists
        self._macros = macros

    def judge(self, node: Expression, event: Event) -> bool:
        """Tell whether an event fulfils a condition."""
        if isinstance(node, Not):
            return not self.judge(node.part, event)
        if isinstance(node, And):
            return all(self.judge(part, event) for part in node.parts)
        if isinstance(node, MacroUse):
            return self.judge(self._macros[node.name], event)
        if isinstance(node, Check):
            return self._check(node, event)
        return any(self.judge(part, event) for part in node.parts)

    def _check(self, check: Check, event: Event) -> bool:
        value = self._value(check.left, event)
        if value is None:
            return False
        values = _values(value)
        kind = kind_of(check.left)
        if check.operator == "exists":
            return is_list(check.left) or len(values) > 0
        right = check.right
        if isinstance(right, Text | TextList):
            tests = [functools.partial(compare, check.operator, kind, written=text) for text in self._texts(right)]
        else:
            assert right is not None
            other = self._value(right, event)
            if other is None:
                return False
            return test_values(check.operator, values[0], other)
        return _quantify(check, values, tests)

    def _texts(self, written: Text | TextList) -> list[str]:
        """Return the values that stand there, with lists replaced, and lists in lists."""
        items = written.items if isinstance(written, TextList) else (written,)
        found: list[str] = []
        for item in items:
            if not item.quoted and item.text in self._lists:
                found += self._texts(TextList(tuple(self._lists[item.text]), item.place))
            else:
                found.append(item.text)
        return found

    def _value(self, left: Left | Argument, event: Event) -> Any:
        if isinstance(left, Text):
            return to_bytes(left.text)
        if isinstance(left, TextList):
            return tuple(to_bytes(text) for text in self._texts(left))
        if isinstance(left, FieldUse):
            return field_value(left, event)
        arguments = [self._value(one, event) for one in left.arguments]
        if any(one is None for one in arguments):
            return None
        return transform(left.name, arguments, left.index)


def _values(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)  # pyright: ignore[reportUnknownVariableType] - Any


def _quantify(check: Check, values: tuple[Any, ...], tests: list[Callable[..., bool]]) -> bool:
    """Say what a check means for a field of several values, and for several written values."""
    if check.operator in {"in", "intersects", "pmatch"}:
        if not tests:  # an empty list never matches
            return False
        passed = [any(test(value) for test in tests) for value in values]
        return all(passed) if is_list(check.left) and check.operator == "in" else any(passed)
    if not check.modifier:
        passed = [tests[0](value) for value in values]
        return all(passed) if needs_none_equal(check.left) and check.operator == "!=" else any(passed)
    if not tests:
        return False
    (value,) = values  # what a modifier means for several values is not written down anywhere
    truths = [test(value) for test in tests]
    return sum(truths) == 1 if check.modifier == "oneof" else ANY_OR_ALL[check.modifier](truths)


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def entry_of(use: FieldUse) -> tuple[Any, str | None]:
    """Return a field's entry of the catalogue and its argument, which may stand behind a dot."""
    name, argument = use.name, use.argument
    while name not in catalogue():
        name, _, last = name.rpartition(".")
        argument = last if argument is None else f"{last}.{argument}"
    return catalogue()[name], argument


def field_value(use: FieldUse, event: Event) -> Any:
    """Return a field's value with text as bytes; None when it is absent."""
    entry, argument = entry_of(use)
    if entry.function is None:
        return None
    value = entry.function(event) if entry.argument == "none" else entry.function(event, argument)
    if isinstance(value, tuple):
        parts: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType] - Any
        return tuple(to_bytes(one) if isinstance(one, str) else one for one in parts)
    return to_bytes(value) if isinstance(value, str) else value


def kind_of(left: Left) -> str:
    """Return what a side is compared as: text, number, bool, address or network."""
    if not isinstance(left, FieldUse):
        return "number" if left.name == "len" else "text"
    entry, argument = entry_of(left)
    kind = entry.type.value
    if kind == "DYNAMIC":
        return "text" if argument in WORDS else "number"
    words = {"BOOL": "bool", "IPADDR": "address", "IPNET": "network"}
    words |= dict.fromkeys(("CHARBUF", "FSPATH", "BYTEBUF"), "text")
    return words.get(kind, "number")


def needs_none_equal(left: Left) -> bool:
    """Tell whether ``!=`` asks that none of a field's values is equal: of both ends, all names, all answers."""
    names = {"fd.cip.name", "fd.sip.name", "fd.lip.name", "fd.rip.name", "dns.answer"}
    return isinstance(left, FieldUse) and left.name in {"fd.ip", "fd.port", "fd.net", "fd.proto"} | names


def is_list(left: Left) -> bool:
    """Tell whether a side has a list as its one value (and not several values, of which any counts)."""
    if isinstance(left, FieldUse):
        return left.name == "fd.types" and left.argument is None
    return left.name == "getopt" and left.index is None


def compare(operator: str, kind: str, value: Any, written: str) -> bool:
    """Judge a present value against what is written in the rule."""
    if kind == "text":
        return compare_text(operator, value, to_bytes(written))
    if kind == "network":
        network, address = ipaddress.ip_network(written, strict=False), ipaddress.ip_address(value)
        inside = network.version == address.version and address in network
        return not inside if operator == "!=" else inside
    if kind == "address":
        wanted = ipaddress.ip_address(written)
        mapped = getattr(wanted, "ipv4_mapped", None)
        return test_values(operator, ipaddress.ip_address(value.decode()), mapped or wanted)
    if kind == "bool":
        return test_values(operator, value, {"true": True, "false": False}[written])
    return test_values(operator, value, SERVICES.get(written) or int(written))


def compare_text(operator: str, value: bytes, written: bytes) -> bool:
    if operator in {"glob", "iglob"}:
        return fnmatch(written, value, FOLD_CASE if operator == "iglob" else 0)
    if operator == "pmatch":
        return path_matches(written, value)
    if operator == "regex":
        return regex_matches(written, value)
    if operator in {"bcontains", "bstartswith"}:
        return test_values(operator[1:], value, bytes.fromhex(written.decode()))
    return test_values(operator, value, written)


def test_values(operator: str, left: Any, right: Any) -> bool:
    """Judge two present values of one type."""
    if operator == "icontains":
        return right.lower() in left.lower()  # bytes fold A to Z only
    if operator in {"contains", "startswith", "endswith"}:
        if operator == "contains":
            return right in left
        return left.startswith(right) if operator == "startswith" else left.endswith(right)
    if operator in {"=", "in", "intersects"}:
        return left == right
    if operator == "!=":
        return left != right
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]


@functools.cache
def _c_library() -> Any:
    """The C library with a locale of its own: bytes are bytes, as they are for Falco."""
    library = ctypes.CDLL(None)
    library.newlocale.restype = library.uselocale.restype = ctypes.c_void_p
    library.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    library.uselocale.argtypes = (ctypes.c_void_p,)
    return library


@functools.cache
def _c_locale() -> int:
    return int(_c_library().newlocale(0x1FBF, b"C", None))  # LC_ALL_MASK


def fnmatch(pattern: bytes, text: bytes, flags: int = 0) -> bool:
    """Ask the C library itself."""
    library = _c_library()
    before = library.uselocale(_c_locale())
    try:
        return library.fnmatch(pattern, text, flags) == 0
    finally:
        library.uselocale(before)


def path_matches(pattern: bytes, path: bytes) -> bool:
    """Tell whether a path begins with a pattern, component by component."""
    wanted, found = ([one for one in text.split(b"/") if one] for text in (pattern, path))
    if len(wanted) > len(found):
        return False
    return all(fnmatch(one, other) for one, other in zip(wanted, found, strict=False))


def regex_matches(pattern: bytes, text: bytes) -> bool:
    """Match the whole text with Python's ``re``, for patterns that mean the same in RE2.

    RE2 reads UTF-8: a dot and a negated set match a character, and none a byte that is not part of one.
    """
    surrogates = "\ud800-\udfff"
    characters = pattern.decode().replace("[^", f"[^{surrogates}").replace(".", f"[^\n{surrogates}]")
    return re.fullmatch(characters, text.decode("utf-8", "surrogateescape")) is not None


def transform(name: str, arguments: list[Any], index: str | None) -> Any:
    """Apply a transformer to present values."""
    if name in {"tolower", "toupper"}:
        return getattr(arguments[0], name[2:])()
    if name == "basename":
        return arguments[0].split(b"/")[-1]
    if name == "len":
        return len(arguments[0])
    if name == "concat":
        return b"".join(arguments)
    if name == "join":
        return arguments[0].join(arguments[1])
    return _getopt(arguments[0], arguments[1], index) if name == "getopt" else _decode(arguments[0])


def _decode(value: bytes) -> bytes | None:
    if not re.fullmatch(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", value):
        return None
    return base64.b64decode(value)


def _getopt(words: tuple[bytes, ...], known: bytes, index: str | None) -> Any:
    """Read options of one letter; each may stand with others, and its value with it or behind it."""
    found: dict[bytes, bytes] = {}
    rest = list(words)
    while rest and re.fullmatch(rb"-[^-].*", rest[0], re.DOTALL):
        letters = rest.pop(0)[1:]
        while letters:
            letter, letters = letters[:1], letters[1:]
            if letter + b":" in known:
                found[letter] = letters or (rest.pop(0) if rest else b"")
                letters = b""
            elif letter != b":" and letter in known:
                found[letter] = b""
    return tuple(found) if index is None else found.get(to_bytes(index))
