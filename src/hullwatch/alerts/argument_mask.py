"""Hiding secrets in arguments and variables as they are kept: item by item, where alerts show them as one line.

What is found is what the line of an alert would hide, and more: an item is known to end where it ends, so a secret with
blanks in it is hidden as a whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hullwatch.alerts.mask import MASK, valid_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hullwatch.alerts.mask import Masker

_BETWEEN = "\t"  # stands between arguments where they are looked at together: a blank to every pattern
_OPTION = re.compile(r"-{1,2}[A-Za-z0-9_.-]+[=:]\*{3}")  # an argument that is an option with a secret
_SECRET = re.compile(r"\*{3}")
_VARIABLE = re.compile(r"[^=]+=\*{3}")


class ArgumentMask:
    """Hides secrets in lists of arguments and of variables."""

    def __init__(self, masker: Masker) -> None:
        """Take the patterns of a masker."""
        self._masker = masker

    def arguments(self, items: Sequence[str], program: str = "") -> list[str]:
        """Return an argument vector with its secrets hidden; what has none stays as it is, whatever its bytes are.

        Args:
            items: all arguments, the program's name first.
            program: the name of the process; some options mean a password to one program only.
        """
        together = _BETWEEN.join([item.replace(_BETWEEN, " ") for item in items])
        lines = self._masker.lines(together, {str(place): item for place, item in enumerate(items)}, program)
        if lines is not None and self._masker.has_no_secret(lines):
            return list(items)
        line = self._masker.text(together, program)
        hidden = [valid_text(item) for item in items]
        if line != valid_text(together):
            hidden = [_ended(_SECRET, item) for item in line.split(_BETWEEN)]
        alone = self._masker.value(hidden, program)  # with each looked at beside the one before it, too
        assert isinstance(alone, list)
        return _unchanged(items, [_ended(_OPTION, str(item)) for item in alone])  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - texts

    def variables(self, items: Sequence[str]) -> list[str]:
        """Return variables of an environment (``NAME=value``) with their secrets hidden."""
        lines = self._masker.lines("", {str(place): item for place, item in enumerate(items)})
        if lines is not None and self._masker.has_no_secret(lines):
            return list(items)
        return _unchanged(items, [_ended(_VARIABLE, self._masker.text(item)) for item in items])

    def values(self, named: Mapping[str, str]) -> dict[str, str]:
        """Return values with names, such as labels, with their secrets hidden."""
        hidden = self.variables([f"{name}={value}" for name, value in named.items()])
        return {
            name: value if item == f"{name}={value}" else item.removeprefix(f"{valid_text(name)}=")
            for (name, value), item in zip(named.items(), hidden, strict=True)
        }


def _ended(option: re.Pattern[str], item: str) -> str:
    """Return an item that is a name and a secret without what is left behind the secret: it is part of it."""
    found = option.match(item)
    return item if found is None else found[0]


def _unchanged(items: Sequence[str], hidden: list[str]) -> list[str]:
    """Return what is hidden, with the items that have no secret as they were: their bytes may be no Unicode."""
    if len(items) != len(hidden):  # a secret that goes on over several arguments
        return hidden
    return [item if valid_text(item) == other else other for item, other in zip(items, hidden, strict=True)]


def differences(before: Sequence[str], after: Sequence[str]) -> int:
    """Return how many items of a list were hidden."""
    if len(before) != len(after):
        return max(1, sum(MASK in item for item in after))
    return sum(one != other for one, other in zip(before, after, strict=True))
