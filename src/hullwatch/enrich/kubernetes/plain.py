"""Reading plain objects of Kubernetes (``dict[str, object]``): nothing is trusted, a wrong type reads as nothing."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

Plain = dict[str, object]
LONGEST_NAME = 253  # characters of a name, by Kubernetes' own rule
_LONGEST_TIME = 40  # characters


def table(value: object, *path: str) -> Plain:
    """Return the object at a path; an empty one where there is none."""
    for name in path:
        value = cast("Mapping[str, object]", value).get(name) if isinstance(value, dict) else None
    return cast("Plain", value) if isinstance(value, dict) else {}


def entries(value: object, *path: str) -> list[object]:
    """Return the list at a path; an empty one where there is none."""
    if path:
        value = table(value, *path[:-1]).get(path[-1])
    return cast("list[object]", value) if isinstance(value, list) else []


def text(value: object, *path: str, longest: int = LONGEST_NAME) -> str:
    """Return the text at a path, cut; empty where there is none."""
    if path:
        value = table(value, *path[:-1]).get(path[-1])
    return value[:longest] if isinstance(value, str) else ""


def texts(value: object, *path: str) -> list[str]:
    """Return the texts of the list at a path."""
    return [one for one in entries(value, *path) if isinstance(one, str)]


def labels(value: object, *path: str) -> dict[str, str]:
    """Return the object at a path whose values are texts."""
    return {name: one for name, one in table(value, *path).items() if isinstance(one, str)}


def moment(written: str) -> int:
    """Return a time as Kubernetes writes it (RFC 3339) as ns since the epoch; 0 where it is none."""
    if not written or len(written) > _LONGEST_TIME:
        return 0
    whole, _, fraction = written.rstrip("Zz").partition(".")
    offset = ""
    for sign in "+-":
        if sign in fraction:
            fraction, _, rest = fraction.partition(sign)
            offset = sign + rest
    try:
        found = datetime.fromisoformat(whole + offset)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        parts = int(fraction[:9].ljust(9, "0")) if fraction.isascii() and fraction.isdigit() else 0
        return int(found.timestamp()) * 1_000_000_000 + parts
    except (ValueError, OverflowError):
        return 0


def address(value: object) -> str:
    """Return an address in its shortest form, IPv4 where it is one in IPv6 form; empty where it is none."""
    try:
        found = ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
