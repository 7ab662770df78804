"""What the sensor is to send: the events that rules judge, and those that change what their fields say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hullwatch.config.settings import VARIABLE_NAME
from hullwatch.detect.narrowing import Narrowing, is_optional, possible_kinds
from hullwatch.events.table import EVENTS
from hullwatch.fields.proc_env import VARIABLE_FIELDS, is_level
from hullwatch.rules.graph import field_uses
from hullwatch.rules.syntax import Check, in_order
from hullwatch.sources.interest import Interest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.detect.plan import Plan
    from hullwatch.rules.loader import Rule, RuleSet

MOST_VARIABLES = 32  # as ENVIRONMENT_NAMES in native/bpf/environment.h
WHICH_VARIABLES = f"{MOST_VARIABLES} are at most, with names of 1 to 63 characters of ASCII without blanks and ="

_PROGRAM_EVENTS = frozenset(event.name for event in EVENTS if event.layout.name == "program")
"""Events that say themselves what others change, and are always sent but for the failed calls."""


def interest(rules: RuleSet, plan: Plan) -> Interest:
    """Return what the sensor is asked for.

    Args:
        rules: in force.
        plan: of these rules.
    """
    wanted = events_to_send(rules, plan)
    return Interest(wanted, Narrowing(plan).types & wanted, _succeeded(plan) & wanted)


def _succeeded(plan: Plan) -> frozenset[str]:
    """Return the event types of which no condition can match a failed call, though some can match others."""
    kinds = [kind for kind in EVENTS if is_optional(kind)]
    return frozenset(kind.name for kind in kinds if {one.failed for one in possible_kinds(plan, kind.name)} == {False})


def events_to_send(rules: RuleSet, plan: Plan) -> frozenset[str]:
    """Return the names of the events that the sensor is to send.

    Failed execs are many (a shell tries every directory of its path): they are asked for only if a condition is
    left when it is filled in that the call has failed.

    Args:
        rules: in force.
        plan: of these rules.
    """
    judged = {name for name in plan.kinds if possible_kinds(plan, name)}
    for name in _PROGRAM_EVENTS & judged:
        if not any(one.failed for one in possible_kinds(plan, name)):
            judged.remove(name)
    fields: set[str] = set()
    for rule in rules.rules:
        if rule.event_types is not None and rule.event_types <= _PROGRAM_EVENTS:
            continue
        fields |= rule.fields
        fields |= {token.term.name.partition("[")[0] for token in rule.output.fields}
        if rule.stateful is not None:
            fields |= rule.stateful.fields
    if "drift" in judged:
        judged.add("mapped_library")  # of which files are compared
    judged |= plan.heard
    return frozenset(judged | {event.name for event in EVENTS if fields.intersection(event.changes)})


def variables_to_send(
    rules: RuleSet, configured: Iterable[str], *, whole: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the variables of the environment that the sensor is to send, and those that it cannot.

    No field of a rule asks for any: then there are none, and no program pays for it that its environment is read.

    Args:
        rules: in force.
        configured: the setting ``process.environment``.
        whole: send what is configured, whatever rules ask for: they are not known yet.
    """
    if not whole and not any(asks_for_environment(rule) for rule in rules.rules):
        return (), ()
    uses = [use for rule in rules.rules for use in _uses(rule)]
    named = [argument for name, argument in uses if name in VARIABLE_FIELDS and argument and not is_level(argument)]
    names = dict.fromkeys((*configured, *named))
    possible = [name for name in names if re.match(VARIABLE_NAME, name)]
    kept = tuple(possible[:MOST_VARIABLES])
    return kept, tuple(name for name in names if name not in kept)


_WHOLE_ENVIRONMENT = frozenset(
    {("evt.arg", "env"), ("evt.rawarg", "env"), ("evt.arg.env", None), ("evt.rawarg.env", None)}
)


def asks_for_environment(rule: Rule) -> bool:
    """Tell whether a rule looks at variables of a program's environment."""
    return any(name in VARIABLE_FIELDS or (name, argument) in _WHOLE_ENVIRONMENT for name, argument in _uses(rule))


_KEY = re.compile(r"(proc\.a?env)(?:\[([^\]]+)\])?")


def _uses(rule: Rule) -> Iterator[tuple[str, str | None]]:
    """Yield the fields that a rule uses anywhere, each with its argument."""
    for compiled in rule.conditions:
        for node in in_order(compiled.tree):
            if isinstance(node, Check):
                yield from ((use.name, use.argument) for use in field_uses(node))
    for token in rule.output.fields:
        if token.term.field is not None:
            yield token.term.field.name, token.term.argument
    if rule.stateful is not None:
        yield from _KEY.findall(rule.stateful.text)
