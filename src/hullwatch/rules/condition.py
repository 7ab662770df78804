"""A condition, and the format of an output, as arguments: a rule that nobody has to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.errors import UsageError
from hullwatch.rules.loader import RuleSet, RulesFile, load
from hullwatch.rules.problem import RulesError
from hullwatch.rules.sources import SOURCES
from hullwatch.rules.terms import from_event

if TYPE_CHECKING:
    from hullwatch.rules.problem import Problem
    from hullwatch.rules.terms import Lookup

ANYTHING = "%evt.num"
_SHOWN = 40  # characters of what is wrong

# Each of both on a line of its own, so that the place of a mistake tells which it is in.
_RULE = (
    '[{{"rule": "event", "source": "{}", "desc": "what was asked for", "priority": "debug", "warn_evttypes": false, '
    '"condition":\n{},\n"output":\n{}}}]'
)
_LINES = {2: "condition", 4: "format"}


def condition_rules(
    condition: str, form: str = ANYTHING, lookup: Lookup = from_event, source: str = "syscall"
) -> RuleSet:
    """Return the one rule that has a condition and a format.

    Args:
        condition: of the rule.
        form: of its output.
        lookup: says where its fields come from.
        source: of the events.

    Raises:
        UsageError: when one of them is wrong, with the place.
    """
    texts = {"condition": condition, "format": form}
    try:
        return load([rules_file(condition, form, source)], lookup=lookup, sources=SOURCES)
    except RulesError as error:
        errors = [problem for problem in error.problems if problem.severity == "error"]
        raise UsageError("\n".join(_sentence(problem, texts) for problem in errors)) from error


def rules_file(condition: str, form: str = ANYTHING, source: str = "syscall") -> RulesFile:
    """Return the rules file of a condition and a format.

    Raises:
        UsageError: when they are no text.
    """
    try:
        encoded = [msgspec.json.encode(text).decode() for text in (condition, form)]
    except UnicodeEncodeError as error:
        raise UsageError("The condition and the format are text in UTF-8.") from error
    return RulesFile("arguments", _RULE.format(source, *encoded).encode())


def _sentence(problem: Problem, texts: dict[str, str]) -> str:
    """Return what is wrong with one of the texts, and where in it."""
    name = _LINES.get(problem.line, "condition")
    text = texts[name]
    written = msgspec.json.encode(text).decode()
    before = written[1 : max(1, problem.column - 1)]
    while before:
        try:
            place = len(msgspec.json.decode(f'"{before}"'.encode(), type=str))
            break
        except msgspec.DecodeError:  # within an escape
            before = before[:-1]
    else:
        place = 0
    rest = text[place : place + _SHOWN]
    near = f' ("{rest}")' if rest and problem.line in _LINES else ""
    return f"The {name} is wrong at character {place + 1}{near}: {problem.sentence}"
