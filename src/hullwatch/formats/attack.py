"""Tactics and techniques of MITRE ATT&CK that the tags of a rule name."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from hullwatch.rules.attack_techniques import TACTICS, TECHNIQUES

_TECHNIQUE = re.compile(r"(T[0-9]{4})(\.[0-9]{3})?")
_REMEMBERED = 4096  # tuples of tags: a rule has one


class Technique(NamedTuple):
    """A technique, and the sub-technique that was named; names are empty where we do not know them."""

    id: str
    name: str
    sub_id: str = ""
    sub_name: str = ""


class Attack(NamedTuple):
    """What tags name of MITRE ATT&CK; ``others`` are the tags that name none of it."""

    tactics: tuple[tuple[str, str], ...]
    techniques: tuple[Technique, ...]
    others: tuple[str, ...]


@functools.lru_cache(maxsize=_REMEMBERED)
def attack(tags: tuple[str, ...]) -> Attack:
    """Return what tags name of MITRE ATT&CK."""
    tactics: list[tuple[str, str]] = []
    techniques: list[Technique] = []
    others: list[str] = []
    for tag in tags:
        named = _TECHNIQUE.fullmatch(tag)
        if tag in TACTICS:
            tactics.append(TACTICS[tag])
        elif named is None:
            others.append(tag)
        elif named[2]:
            techniques.append(Technique(named[1], TECHNIQUES.get(named[1], ""), tag, TECHNIQUES.get(tag, "")))
        else:
            techniques.append(Technique(tag, TECHNIQUES.get(tag, "")))
    return Attack(tuple(tactics), tuple(techniques), tuple(others))
