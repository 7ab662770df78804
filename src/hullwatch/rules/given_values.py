"""What somebody wrote as the value of a field, as a value of the field's type.

Numbers, true and false may be text, as Falco prints some of them: ``fd.dev`` and flags in hexadecimal.
"""

from __future__ import annotations

import functools
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.fields.catalogue import parameters
from hullwatch.fields.field import NUMBERS, FieldType, Multiplicity
from hullwatch.rules.patterns import packed_address
from hullwatch.rules.terms import split_name
from hullwatch.rules.values import MAPPED, parameter_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.fields.field import FieldValue, Scalar

UNPRINTED_NETWORK = "<IPNET>"  # what Falco prints for every network
_HEXADECIMAL = frozenset({"fd.dev"})
_NAMES_REMEMBERED = 4096


class Given(NamedTuple):
    """How a field's value is read.

    Attributes:
        convert: one value; raises ValueError, TypeError or OverflowError.
        several: whether the field has several values.
        kind: what a value is, for a sentence.
    """

    convert: Callable[[Any], Scalar]
    several: bool
    kind: str

    def read(self, value: Any) -> FieldValue:
        """Return a value as the field's functions give it.

        Raises:
            ValueError, TypeError, OverflowError: when it is none.
        """
        if isinstance(value, list):
            if not self.several:
                raise TypeError("one value was expected")
            return tuple(self.convert(one) for one in value)  # pyright: ignore[reportUnknownVariableType] - JSON
        return (self.convert(value),) if self.several else self.convert(value)


@functools.lru_cache(_NAMES_REMEMBERED)
def given(name: str) -> Given | None:
    """Return how the value of a field is read, or None when there is no field of that name.

    Args:
        name: as a rule writes it, with its argument: ``proc.aname[2]``, ``evt.arg.flags``.
    """
    stem, bracket, rest = name.partition("[")
    if bracket and not rest.endswith("]"):
        return None
    entry, argument = split_name(stem)
    if entry is None:
        return None
    if bracket:
        argument = rest[:-1]
    several = entry.multiplicity is not Multiplicity.ONE and argument is None
    if entry.type is not FieldType.DYNAMIC:
        return _given(entry.type, several=several, hexadecimal=entry.name in _HEXADECIMAL)
    if argument is None or argument not in parameters():
        return None
    return _given(parameter_type(argument), several=False, hexadecimal=parameters()[argument].format == "hex")


def _given(kind: FieldType, *, several: bool, hexadecimal: bool) -> Given:
    if kind in NUMBERS and kind is not FieldType.DOUBLE:
        return Given(functools.partial(_number, 16 if hexadecimal else 10), several, "a whole number")
    convert, words = {
        FieldType.BOOL: (_truth, "true or false"),
        FieldType.DOUBLE: (float, "a number"),
        FieldType.IPADDR: (_address, "an address"),
        FieldType.IPNET: (_network, "an address"),
        FieldType.BYTEBUF: (_bytes, "text"),
    }.get(kind, (_text, "text"))
    return Given(convert, several, words)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _bytes(value: Any) -> bytes:
    return _text(value).encode("utf-8", "surrogateescape")


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in {"true", "false"}:
        return value == "true"
    raise ValueError("neither true nor false")


def _number(base: int, value: Any) -> int:
    if isinstance(value, str):
        return int(value, base)
    number = int(value)
    if isinstance(value, bool) or number != value:
        raise ValueError("no whole number")
    return number


def _network(value: Any) -> bytes:
    if value == UNPRINTED_NETWORK:
        return b""
    packed = packed_address(str(value))
    if packed is None:
        raise ValueError("no address")
    return packed.removeprefix(MAPPED)


def _address(value: Any) -> str:
    packed = _network(value)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
