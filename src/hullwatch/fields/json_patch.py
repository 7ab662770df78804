"""A JSON patch (RFC 6902) as the part of an object that it writes, so that rules see it as they see any other patch."""

from __future__ import annotations

import itertools
from typing import Any, cast

from hullwatch.fields.audit_event import AuditEvent, items, word

DEEPEST = 64  # names in a path
MOST_OPERATIONS = 256
_WRITES = frozenset({"add", "replace"})


class _Places(dict[str, Any]):
    """A list of which only some places are written, by their numbers; ``-`` is one more at its end."""


def written(operations: Any) -> dict[str, Any]:
    """Return what the operations of a patch write, in the object around it; of lists the written places alone.

    What they remove, move or copy is not told: what is moved does not stand in the patch.
    """
    whole: dict[str, Any] = {}
    for number, operation in enumerate(items(operations)[:MOST_OPERATIONS]):
        if operation.__class__ is dict and operation.get("op") in _WRITES:
            path = word(operation.get("path"))
            names = [name.replace("~1", "/").replace("~0", "~") for name in path.split("/")[1:]]
            if 0 < len(names) <= DEEPEST:
                _put(whole, names, operation.get("value"), number)
    return cast("dict[str, Any]", _plain(whole))


def _put(node: dict[str, Any], names: list[str], value: Any, number: int) -> None:
    for name, following in itertools.pairwise(names):
        inner: Any = node.get(name)
        if inner.__class__ is list:
            inner = _Places({str(place): one for place, one in enumerate(items(inner))})
        elif isinstance(inner, dict):  # it may be a value of the event itself, which is left as it is
            before = cast("dict[str, Any]", inner)
            inner = _Places(before) if inner.__class__ is _Places else dict(before)
        else:
            inner = _Places() if following == "-" or following.isdecimal() else {}
        node[name] = inner
        node = inner
    last = names[-1]
    node[f"-{number}" if last == "-" else last] = value


def _plain(node: Any) -> Any:
    """Return lists for what was written into lists; values are as they were, and are not looked into."""
    if node.__class__ is _Places:
        return [_plain(one) for one in node.values()]
    if node.__class__ is dict:
        return {name: _plain(one) if one.__class__ in (dict, _Places) else one for name, one in node.items()}
    return node


def _of_event(event: AuditEvent) -> dict[str, Any] | None:
    body = event.audit.get("requestObject")
    return written(body) if body.__class__ is list else None


def requested(event: AuditEvent) -> dict[str, Any] | None:
    """Return the object that a call brings, or the part that its patch writes; None where the log has none."""
    body = event.audit.get("requestObject")
    return body if body.__class__ is dict else event.once("requested", _of_event)
