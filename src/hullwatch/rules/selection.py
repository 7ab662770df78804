"""Which rules are on: their own ``enabled``, then the entries of the selection in order, the last that fits wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.rules.problem import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hullwatch.config.rule_switch import RuleSwitch, RuleTarget
    from hullwatch.rules.rule_item import RuleDefinition


class Decision(NamedTuple):
    """Whether a rule is on, and what decided that."""

    on: bool
    why: str


class Selection(NamedTuple):
    """What the entries did.

    Attributes:
        decisions: for each rule, by name.
        remarks: sentences about entries that no rule fits.
    """

    decisions: dict[str, Decision]
    remarks: tuple[str, ...]


def select(rules: Sequence[RuleDefinition], switches: Sequence[RuleSwitch]) -> Selection:
    """Decide for each rule whether it is on.

    Args:
        rules: as the files define them.
        switches: in order; each overrules what stands before it.
    """
    decisions = {rule.name: Decision(rule.enabled, "" if rule.enabled else "enabled: false") for rule in rules}
    remarks: list[str] = []
    for one in switches:
        chosen = [rule.name for rule in rules if fits(rule, one.target)]
        for name in chosen:
            decisions[name] = Decision(one.on, str(one))
        if not chosen and rules and one.target.rule != "*":
            remarks.append(_nothing_fits(one, rules))
    return Selection(decisions, tuple(remarks))


def fits(rule: RuleDefinition, target: RuleTarget) -> bool:
    """Tell whether a target means a rule."""
    if target.rule is not None:
        return matches_wildcard(target.rule, rule.name)
    return target.tag in rule.tags


def matches_wildcard(pattern: str, text: str) -> bool:
    """Tell whether a text has the form of a pattern, in which ``*`` stands for any characters; linear in both."""
    first, *pieces = pattern.split("*")
    if not pieces:
        return pattern == text
    last = pieces.pop()
    end = len(text) - len(last)
    position = len(first)
    if end < position or not (text.startswith(first) and text.endswith(last)):
        return False
    for piece in pieces:
        found = text.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


def _nothing_fits(one: RuleSwitch, rules: Iterable[RuleDefinition]) -> str:
    target = one.target
    if target.rule is not None:
        near = did_you_mean(target.rule.strip("*"), [rule.name for rule in rules])
    else:
        near = did_you_mean(target.tag or "", {tag: None for rule in rules for tag in sorted(rule.tags)})
    return f"No rule fits {one}{near}: it changes nothing."
