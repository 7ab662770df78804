"""Reading plain Kubernetes objects, which anybody may have written: no wrong type and no size does harm."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

Plain = dict[str, object]
LONGEST_TEXT = 1024  # characters; a name in Kubernetes has 253 at most, a user's may have more
MOST_ITEMS = 100_000  # of one list inside an object
_NOTHING: Plain = {}


def table(value: object) -> Plain:
    """Return a mapping with names as keys as it is, and anything else as an empty one."""
    return cast("Plain", value) if isinstance(value, dict) else _NOTHING


def items(value: object) -> list[object]:
    """Return a list, cut to ``MOST_ITEMS``, and anything else as an empty one."""
    if not isinstance(value, list):
        return []
    listed = cast("list[object]", value)
    return listed if len(listed) <= MOST_ITEMS else listed[:MOST_ITEMS]


def text(value: object) -> str:
    """Return a text; one that is too long is cut, and ends with a digest that tells it from others."""
    if not isinstance(value, str):
        return ""
    if len(value) <= LONGEST_TEXT:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{value[: LONGEST_TEXT - 20]}...#{digest}"


def texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list; what is no text in it is left out."""
    return tuple(text(one) for one in items(value) if isinstance(one, str))


def whole(value: object) -> int:
    """Return a whole number, and 0 for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def is_table(value: object) -> bool:
    """Whether a value is a mapping."""
    return isinstance(value, dict)


def tables(value: object) -> list[Plain]:
    """Return the mappings of a list."""
    return [cast("Plain", one) for one in items(value) if isinstance(one, dict)]


def at(value: object, *keys: str) -> object:
    """Return what stands below these keys, or None."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = cast("Plain", value).get(key)
    return value


def labels(value: object) -> dict[str, str]:
    """Return the labels of an object, or those of a selector's ``matchLabels``."""
    return {text(key): text(one) for key, one in table(value).items() if isinstance(one, str)}


def name_of(value: object) -> str:
    """Return the name of an object."""
    return text(at(value, "metadata", "name"))


def namespace_of(value: object) -> str:
    """Return the namespace of an object; empty for one of the whole cluster."""
    return text(at(value, "metadata", "namespace"))


def as_json(value: object, longest: int) -> str:
    """Return a value as JSON in which the order of keys means nothing, cut to so many characters."""
    try:
        return json.dumps(value, sort_keys=True, default=str)[:longest]
    except (TypeError, ValueError, RecursionError):  # keys of several types, or a circle: YAML has both
        return "something that is no JSON"


def joined(words: Iterable[str], most: int = 6) -> str:
    """Return words with commas between them; how many more there are behind the first ones."""
    listed = list(words)
    shown = ", ".join(listed[:most])
    return shown if len(listed) <= most else f"{shown} and {len(listed) - most} more"
