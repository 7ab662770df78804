"""The score of issues and incidents, 0 to 100, as a list of reasons that add up to it.

Four things count: how severe the rules are (40 at most), how seldom the thing was seen (15), where it happened (25),
and how many of an attacker's tactics follow each other (20). An issue by itself has no chain.
"""

from __future__ import annotations

import bisect
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hullwatch.alerts.issue import ScorePart
from hullwatch.rules.attack_techniques import TACTICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hullwatch.alerts.origin import Origin

MOST = 100
PRIORITY_POINTS = {
    "Emergency": 40,
    "Alert": 38,
    "Critical": 35,
    "Error": 28,
    "Warning": 20,
    "Notice": 10,
    "Informational": 4,
    "Debug": 0,
}
SEVERITIES = {name: place for place, name in enumerate(PRIORITY_POINTS)}  # 0 is the most severe

# How often a thing was seen, this time included, up to where; points; words.
RARITY = (
    (1, 15, "never seen before"),
    (3, 12, "seen at most three times"),
    (10, 9, "seen at most ten times"),
    (100, 5, "seen at most a hundred times"),
    (1000, 2, "seen at most a thousand times"),
)
_RARITIES = frozenset(words for _, _, words in RARITY)
RARITY_ENDS = frozenset(most + 1 for most, _, _ in RARITY)  # the counts at which the points become fewer

# What an alert's surroundings add; 25 at most.
PRIVILEGED = "privileged container"
REACHABLE = "reachable from outside: published ports or the host's network"
SECRETS = "secrets or files of the host are mounted"
PRODUCTION = "production namespace"
CONTEXT = {PRIVILEGED: 9, REACHABLE: 5, SECRETS: 5, PRODUCTION: 6}

MOST_CHAIN = 20
_TACTIC_POINTS = 3  # for each tactic beyond the first
_ORDER_POINTS = 2  # for each that follows another in the order of an attack
_TACTIC_PLACES = {tag: place for place, tag in enumerate(TACTICS)}
_REMEMBERED = 4096  # combinations of surroundings

Context = frozenset[str]


class Surroundings:
    """Tells what of an alert's origin makes it matter more."""

    def __init__(self, production: Sequence[str] = ()) -> None:
        """Take the patterns of the names of production namespaces, such as ``prod-*``."""
        self._production = tuple(production)
        self._known: dict[tuple[bool, bool, bool, str], Context] = {}

    def of(self, origin: Origin | None) -> Context:
        """Return the words of ``CONTEXT`` that fit."""
        if origin is None:
            return frozenset()
        key = (
            origin.privileged,
            bool(origin.ports) or origin.host_network,
            origin.secrets or bool(origin.mounts),
            origin.namespace,
        )
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            fits = (*key[:3], any(fnmatchcase(origin.namespace, pattern) for pattern in self._production))
            known = self._known[key] = frozenset(word for word, true in zip(CONTEXT, fits, strict=True) if true)
        return known


def priority_part(priority: str) -> ScorePart:
    """Return what the most severe priority gives."""
    return ScorePart(PRIORITY_POINTS.get(priority, 0), f"priority {priority}")


def rarity_part(count: int) -> ScorePart | None:
    """Return what it gives that a thing was seen so often; None for nothing."""
    return next((ScorePart(points, words) for most, points, words in RARITY if count <= most), None)


def context_parts(context: Iterable[str]) -> list[ScorePart]:
    """Return what the surroundings give."""
    chosen = frozenset(context)
    return [ScorePart(points, words) for words, points in CONTEXT.items() if words in chosen]


class Chain:
    """The tactics of an incident's steps, taken one step after another, oldest first."""

    __slots__ = ("_distinct", "_ends")

    def __init__(self, tactics: Iterable[Iterable[str]] = ()) -> None:
        """Begin with some steps; see ``add``."""
        self._distinct: set[int] = set()
        self._ends: list[int] = []  # of the rising sequences of each length, the lowest end
        for step in tactics:
            self.add(step)

    def add(self, tactics: Iterable[str]) -> None:
        """Take what comes after all others, as the tags of rules name its tactics."""
        places = {_TACTIC_PLACES[tag] for tag in tactics if tag in _TACTIC_PLACES}
        self._distinct |= places
        for place in sorted(places, reverse=True):  # so that a sequence has one of them at most
            at = bisect.bisect_left(self._ends, place)
            self._ends[at : at + 1] = [place]

    def part(self) -> ScorePart | None:
        """Return what they give; None for a single one."""
        distinct, row = len(self._distinct), len(self._ends)
        if distinct <= 1:
            return None
        points = min(MOST_CHAIN, _TACTIC_POINTS * (distinct - 1) + _ORDER_POINTS * (row - 1))
        order = f", {row} of them one after the other" if row > 1 else ""
        return ScorePart(points, f"{distinct} tactics of an attack{order}")


def issue_parts(priority: str, count: int, context: Context) -> tuple[ScorePart, ...]:
    """Return what an issue's score is made of."""
    parts = [priority_part(priority), rarity_part(count), *context_parts(context)]
    return tuple(part for part in parts if part is not None)


def incident_parts(
    priority: str, rarity: ScorePart | None, context: Iterable[str], chain: Chain
) -> tuple[ScorePart, ...]:
    """Return what an incident's score is made of.

    Args:
        priority: the most severe one.
        rarity: of the rarest thing in it, when it came.
        context: of all its alerts.
        chain: of its steps.
    """
    parts = [priority_part(priority), rarity, *context_parts(context), chain.part()]
    return tuple(part for part in parts if part is not None)


def total(parts: Iterable[ScorePart]) -> int:
    """Return the score; the parts cannot exceed ``MOST`` together."""
    return sum(part.points for part in parts)


def context_of(parts: Iterable[ScorePart]) -> Context:
    """Return the surroundings that parts of a score tell of."""
    return frozenset(part.why for part in parts if part.why in CONTEXT)


def rarity_of(parts: Iterable[ScorePart]) -> ScorePart | None:
    """Return the part of a score that tells how seldom a thing was seen."""
    for part in parts:
        if part.why in _RARITIES:
            return part
    return None


def more_severe(one: str, other: str) -> bool:
    """Tell whether one priority is more severe than another."""
    return SEVERITIES.get(one, len(SEVERITIES)) < SEVERITIES.get(other, len(SEVERITIES))
