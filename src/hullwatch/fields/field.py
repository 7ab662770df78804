"""A field: its name, its type, and the function that reads it from an event."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

import msgspec

from hullwatch.registry import Registry

Scalar = str | int | float | bool | bytes
FieldValue = Scalar | tuple[Scalar, ...]
FieldFunction = Callable[..., FieldValue | None]
"""Takes an event and, for a field with an argument, its text (None where it was left out)."""

Function = TypeVar("Function", bound=FieldFunction)

AUDIT_PREFIXES = ("ka.", "jevt.")
LOG_PREFIX = "log."

FIELDS: Registry[FieldFunction] = Registry("fields", "hullwatch.fields")


class FieldType(Enum):
    """The types of the language, by Falco's names."""

    CHARBUF = "CHARBUF"
    FSPATH = "FSPATH"
    BYTEBUF = "BYTEBUF"
    BOOL = "BOOL"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    ABSTIME = "ABSTIME"  # ns since the epoch
    RELTIME = "RELTIME"  # ns
    DOUBLE = "DOUBLE"
    PORT = "PORT"
    IPADDR = "IPADDR"  # canonical text
    IPNET = "IPNET"  # packed address, compared with networks
    DYNAMIC = "DYNAMIC"  # as the event's parameter


TEXT = frozenset({FieldType.CHARBUF, FieldType.FSPATH})
NUMBERS = frozenset(
    {
        FieldType.INT16,
        FieldType.INT32,
        FieldType.INT64,
        FieldType.UINT32,
        FieldType.UINT64,
        FieldType.ABSTIME,
        FieldType.RELTIME,
        FieldType.DOUBLE,
        FieldType.PORT,
    }
)


class Multiplicity(Enum):
    """How many values a field has, and what a check of it then means."""

    ONE = "one"
    LIST = "list"  # only in, intersects and exists
    ANY = "any"  # true when one of the values passes, != included
    ENDS = "ends"  # as ANY, but != asks that no value is equal


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue knows of a field.

    Attributes:
        argument: ``none``, ``optional`` or ``required``.
        syntax: how the argument is written: ``dot``, ``bracket`` or ``both``.
        multiplicity: for a field with an optional argument, as it is without one.
        beside: whether it may be compared with another field.
        transformable: whether a transformer takes it.
        function: None for a field that is known by name only: it is always absent.
        help: the first line of the function's docstring.
    """

    name: str
    type: FieldType
    argument: str = "none"
    syntax: str = "-"
    multiplicity: Multiplicity = Multiplicity.ONE
    filter: bool = True
    printable: bool = True
    beside: bool = True
    transformable: bool = True
    deprecated: bool = False
    function: FieldFunction | None = None
    help: str = ""

    @property
    def is_audit(self) -> bool:
        """Whether it reads events of the Kubernetes API, so that no other event has it."""
        return self.name.startswith(AUDIT_PREFIXES)

    @property
    def is_log(self) -> bool:
        """Whether it reads lines of containers' logs, so that no other event has it."""
        return self.name.startswith(LOG_PREFIX)

    @property
    def is_of_calls(self) -> bool:
        """Whether a call that the sensor sees can have it."""
        return not self.is_audit and not self.is_log

    @property
    def group(self) -> str:
        """The class of the field, the part before the first dot."""
        return self.name.partition(".")[0]


def field(
    name: str,
    type: FieldType | None = None,  # noqa: A002 - Falco's word
    multiplicity: Multiplicity = Multiplicity.ONE,
    argument: str = "none",
) -> Callable[[Function], Function]:
    """Register the function that answers a field.

    The function takes the event, and the argument's text if the catalogue says that the field has
    one; it returns the value, or None when the event has none. Falco's fields have their type in
    ``catalogue.tsv``; another field says it here, how many values it has, and whether it has an
    argument (in brackets): ``none``, ``optional`` or ``required``.

    Example:
        >>> @field("proc.name")
        ... def name(event: Event) -> str | None:
        ...     return event.program.comm if event.program else None
    """

    def store(function: Function) -> Function:
        if type is not None:
            OWN_TYPES[name] = type, multiplicity, argument
        FIELDS.register(name)(function)
        return function

    return store


OWN_TYPES: dict[str, tuple[FieldType, Multiplicity, str]] = {}
