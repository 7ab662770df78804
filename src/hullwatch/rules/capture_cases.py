"""Test cases of rules whose events are those of a capture: how often each rule alerts.

Example::

    cases:
      - it: says nothing on an ordinary day
        capture: ordinary.hwcap           # beside this file; or a .scap file
        alerts: {}
      - it: sees the attack
        capture: attack.hwcap
        alerts: {Shell in a container: 1, Sensitive file read: 2}

The rules that are not named raise nothing. A list of names instead of the map says in which order they alert.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from hullwatch.rules.case_events import case_error
from hullwatch.rules.document import Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hullwatch.rules.document import Node
    from hullwatch.rules.loader import Rule, RuleSet

MOST_ALERTS = 1_000_000_000  # that a case can expect of a rule
_SHOWN = 20  # rules in a sentence


class CaptureJudging(Protocol):
    """Judges a capture."""

    def __call__(self, capture: str, rules: RuleSet, /, *, every: bool) -> Iterable[Rule]:
        """Return the rules that alert, in order.

        Args:
            capture: path of the file.
            rules: that judge.
            every: with every rule that matches, not only the first (of those without state).
        """
        ...


def capture_path(node: Node, file: Path) -> str:
    """Return the path of the capture that a case names.

    Raises:
        ProblemError: when it names none, or it is not there.
    """
    if not isinstance(node, Scalar) or not node.text:
        raise case_error("'capture' is the name of a capture, beside this file.", node)
    path = file.parent / node.text
    if not path.is_file():
        raise case_error(f"There is no capture {str(path)!r}.", node)
    return str(path)


def expected_numbers(node: Mapping, known: set[str]) -> dict[str, int]:
    """Return how often each rule is to alert; those that are not named never.

    Raises:
        ProblemError: for a rule that is not loaded, or what is no number.
    """
    numbers: dict[str, int] = {}
    for key, value in node.entries:
        if key.text not in known:
            raise case_error("'alerts' names a rule that is not loaded.", key)
        text = value.text if isinstance(value, Scalar) else ""
        if not (text.isascii() and text.isdigit()) or int(text[:12]) > MOST_ALERTS:
            raise case_error("'alerts' of a capture says how often each rule alerts: a whole number.", value)
        numbers[key.text] = int(text)
    return {name: number for name, number in numbers.items() if number}


def compare_numbers(expected: dict[str, int], alerts: Iterable[str]) -> str:
    """Return what is wrong with the alerts of a capture, as a sentence; empty when nothing is."""
    found = Counter(alerts)
    if found == expected:
        return ""
    names = sorted(name for name in {*expected, *found} if expected.get(name, 0) != found[name])
    parts = [f"{name!r} alerts {found[name]:,} times, not {expected.get(name, 0):,}" for name in names[:_SHOWN]]
    more = f"; and {len(names) - _SHOWN} more rules differ" if len(names) > _SHOWN else ""
    return f"{'; '.join(parts)}{more}."
