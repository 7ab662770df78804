"""Which domain names rules mention, and whether they ask for the names of addresses at all."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from hullwatch.fields.fd_names import NAME_FIELDS
from hullwatch.rules.syntax import Check, FieldUse, Text, TextList, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.rules.loader import RuleSet

LONGEST_NAME = 253  # characters (RFC 1035, 2.3.4, as text)

EQUAL = frozenset({"=", "!=", "in", "intersects"})
"""Operators whose right side is a whole name."""

_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def asks_for_names(rules: RuleSet) -> bool:
    """Tell whether rules ask for the names of addresses, in a condition or an output."""
    for rule in rules.rules:
        more = rule.stateful.fields if rule.stateful is not None else frozenset[str]()
        if NAME_FIELDS & rule.fields or NAME_FIELDS & more:
            return True
        if any(token.term.name in NAME_FIELDS for token in rule.output.fields):
            return True
    return False


def names_of(rules: RuleSet) -> tuple[str, ...]:
    """Return the domain names that rules compare addresses' names with, as the name system writes them.

    Patterns, and parts of names, are no names.
    """
    return tuple(dict.fromkeys(name for name in map(plain_name, _written(rules)) if name))


def compared_name(text: str, *, whole: bool) -> str:
    """Return a name, or a part of one, as it is to be compared with the names of addresses.

    Args:
        text: as a rule writes it.
        whole: whether it is the whole name.
    """
    return (plain_name(text) if whole else "") or text.lower()


def plain_name(text: str) -> str:
    """Return a domain name in lower case, without a last dot, and in ASCII; nothing for what is no such name."""
    name = text.removesuffix(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    name = name.lower()
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        return ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name
    return ""


def _written(rules: RuleSet) -> Iterator[str]:
    for rule in rules.rules:
        for condition in rule.conditions:
            for node in in_order(condition.tree):
                if not isinstance(node, Check) or node.operator not in EQUAL:
                    continue
                if not isinstance(node.left, FieldUse) or node.left.name not in NAME_FIELDS:
                    continue
                if isinstance(node.right, Text):
                    yield node.right.text
                elif isinstance(node.right, TextList):
                    yield from (one.text for one in node.right.items)
