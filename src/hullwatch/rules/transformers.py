"""Functions on values: ``tolower(proc.name)`` and the like. Absent in, absent out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

import msgspec

from hullwatch.fields.field import FieldType
from hullwatch.rules.patterns import lower, upper

_STRINGS = frozenset({FieldType.CHARBUF, FieldType.FSPATH})
_STRINGS_AND_BYTES = _STRINGS | {FieldType.BYTEBUF}


class Transformer(msgspec.Struct, frozen=True):
    """A transformer.

    Attributes:
        accepts: the types of its arguments.
        result: its type; None for that of the argument.
        function: takes the arguments' values, none of which is None.
        arguments: how many it takes at least and at most.
        takes_list: ``no``, ``may`` or ``must`` (in which argument, counted from 0, says ``list_at``).
        indexed: whether it may be followed by [x], and gives a list without.
    """

    accepts: frozenset[FieldType]
    result: FieldType | None
    function: Callable[..., Any]
    arguments: tuple[int, int] = (1, 1)
    takes_list: str = "no"
    list_at: int = 0
    indexed: bool = False


def _decode(value: str | bytes) -> str | None:
    """Decode base64 as Falco does: padding may be left out, and the bits that stand for nothing must be 0."""
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    digits = raw.removesuffix(b"=").removesuffix(b"=")
    try:
        decoded = base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except binascii.Error:
        return None
    if base64.b64encode(decoded).rstrip(b"=") != digits:
        return None
    return decoded.decode("utf-8", "surrogateescape")


def _length(value: str | bytes | tuple[Any, ...]) -> int:
    return len(value.encode("utf-8", "surrogateescape")) if isinstance(value, str) else len(value)


def _basename(value: str) -> str:
    return value.rpartition("/")[2]


def _concatenate(*values: object) -> str:
    return "".join(map(str, values))


def _join(separator: str, values: tuple[object, ...]) -> str:
    return separator.join(map(str, values))


def _options(values: tuple[str, ...], known: str, wanted: str | None = None) -> Any:
    """Read options as POSIX getopt does; return one's value (empty for a flag), or the letters found."""
    found: dict[str, str] = {}
    position = 0
    while position < len(values):
        word = values[position]
        position += 1
        if word == "--" or not word.startswith("-") or len(word) == 1:
            break
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            at = known.find(letter)
            if at < 0 or letter == ":":
                continue
            found[letter] = ""
            if known[at + 1 : at + 2] == ":":
                if not letters and position < len(values):
                    letters, position = values[position], position + 1
                found[letter], letters = letters, ""
    return tuple(found) if wanted is None else found.get(wanted)


TRANSFORMERS: dict[str, Transformer] = {
    "tolower": Transformer(_STRINGS, None, lower),
    "toupper": Transformer(_STRINGS, None, upper),
    "basename": Transformer(_STRINGS, None, _basename),
    "b64": Transformer(_STRINGS_AND_BYTES, FieldType.CHARBUF, _decode),
    "len": Transformer(_STRINGS_AND_BYTES, FieldType.UINT64, _length, takes_list="may"),
    "concat": Transformer(_STRINGS, FieldType.CHARBUF, _concatenate, arguments=(2, 64)),
    "join": Transformer(_STRINGS, FieldType.CHARBUF, _join, arguments=(2, 2), takes_list="must", list_at=1),
    "getopt": Transformer(_STRINGS, FieldType.CHARBUF, _options, arguments=(2, 2), takes_list="must", indexed=True),
}
