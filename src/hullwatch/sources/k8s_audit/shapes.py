"""Looking into JSON of which nothing is certain: what has another type than it should is absent."""

from __future__ import annotations

from typing import TypeGuard


def is_table(value: object) -> TypeGuard[dict[str, object]]:
    """Tell whether something is an object of JSON."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Tell whether something is a list of JSON."""
    return isinstance(value, list)


def table(value: object) -> dict[str, object]:
    """Return an object of JSON; an empty one for anything else."""
    return value if is_table(value) else {}


def items(value: object) -> list[object]:
    """Return a list of JSON; an empty one for anything else."""
    return value if is_list(value) else []


def text(value: object) -> str:
    """Return a text of JSON; an empty one for anything else."""
    return value if isinstance(value, str) else ""


def at(value: object, *path: str) -> object:
    """Return what stands at a path of names; None where there is nothing."""
    for name in path:
        value = table(value).get(name)
    return value


def texts(value: object) -> list[str]:
    """Return the texts of a list, without what is none."""
    return [one for one in items(value) if isinstance(one, str)]


def truth(value: object) -> bool | None:
    """Return a truth value, also one that was written as a text; None for anything else."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def present(**values: object) -> dict[str, object]:
    """Return an object of what is there: what is None or an empty text or list is left out."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}
