"""Values of an item of a rules file, checked: text, booleans, lists of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.rules.document import Mapping, Scalar, Sequence
from hullwatch.rules.problem import ProblemError
from hullwatch.rules.syntax import SourceText

if TYPE_CHECKING:
    from hullwatch.rules.document import Node

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def item_error(sentence: str, node: Node) -> ProblemError:
    """Return the error of an item that does not have the right form."""
    return ProblemError(sentence, node.location(), "LOAD_ERR_YAML_VALIDATE")


def nonempty(item: Mapping, key: str) -> Scalar:
    """Return the text of a key that must be there.

    Raises:
        ProblemError: when it is missing, empty or no text.
    """
    value = item.get(key)
    if value is None:
        raise item_error(f"The key {key!r} is missing.", item)
    if not isinstance(value, Scalar):
        raise item_error(f"{key!r} is text, not a list or a map.", value)
    if not value.text.strip():
        raise item_error(f"{key!r} is empty.", value)
    return value


def condition_text(value: Scalar) -> SourceText:
    """Return a condition with the way back to its file."""
    return SourceText(value)


def read_boolean(value: Node, key: str) -> bool:
    """Return a boolean, as YAML writes it or as yes, no, on, off.

    Raises:
        ProblemError: when it is none.
    """
    if isinstance(value, Scalar) and value.text.lower() in _WORDS:
        return _WORDS[value.text.lower()]
    raise item_error(f"{key!r} is true or false.", value)


def read_number(value: Node, key: str) -> int:
    """Return a whole number that is not negative.

    Raises:
        ProblemError: when it is none.
    """
    if isinstance(value, Scalar) and value.text.isascii() and value.text.isdecimal() and len(value.text) < 18:
        return int(value.text)
    raise item_error(f"{key!r} is a whole number.", value)


def scalar_list(item: Mapping, key: str, what: str) -> list[Scalar]:
    """Return a list of text values.

    Raises:
        ProblemError: when it is missing, no list, or holds something else.
    """
    value = item.get(key)
    if value is None:
        raise item_error(f"The key {key!r} is missing.", item)
    if not isinstance(value, Sequence):
        raise item_error(f"{key!r} is a list, such as [a, b].", value)
    found: list[Scalar] = []
    for one in value.items:
        if not isinstance(one, Scalar):
            raise item_error(f"The values of {what} are text or numbers, not lists or maps.", one)
        found.append(one)
    return found
