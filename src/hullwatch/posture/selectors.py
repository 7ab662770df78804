"""Label selectors, with the meaning that the API gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.posture.plain import labels, table, tables, text, texts

if TYPE_CHECKING:
    from collections.abc import Mapping


class Selector:
    """``matchLabels`` and ``matchExpressions``: all must hold. An empty one holds for everything."""

    def __init__(self, written: object) -> None:
        """Read a LabelSelector; an expression that the API would refuse never holds."""
        self._labels = labels(table(written).get("matchLabels"))
        self._expressions = [
            (text(one.get("key")), text(one.get("operator")), texts(one.get("values")))
            for one in tables(table(written).get("matchExpressions"))
        ]

    def holds(self, of: Mapping[str, str]) -> bool:
        """Whether it holds for these labels."""
        return includes(of, self._labels) and all(_holds(of, *expression) for expression in self._expressions)

    @property
    def empty(self) -> bool:
        """Whether it holds for everything."""
        return not self._labels and not self._expressions


def includes(of: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether labels have all of these."""
    return all(of.get(key) == value for key, value in wanted.items())


def _holds(of: Mapping[str, str], key: str, operator: str, values: tuple[str, ...]) -> bool:
    if operator == "In":
        return of.get(key) in values if key in of else False
    if operator == "NotIn":
        return of.get(key) not in values
    if operator == "Exists":
        return key in of
    return operator == "DoesNotExist" and key not in of
