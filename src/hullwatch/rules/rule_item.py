"""A rule as the files define it, and what an override changes in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from hullwatch.rules.document import Mapping, Scalar
from hullwatch.rules.exceptions import ExceptionDefinition, append_exceptions, read_exceptions
from hullwatch.rules.priority import Priority
from hullwatch.rules.problem import Location, ProblemError
from hullwatch.rules.scalars import condition_text, item_error, nonempty, read_boolean, read_number, scalar_list
from hullwatch.rules.stateful import (
    STATEFUL_KEYS,
    StatefulDefinition,
    check_stateful,
    read_stateful,
    replace_stateful,
)
from hullwatch.rules.syntax import SourceText

if TYPE_CHECKING:
    from hullwatch.rules.document import Node

Warn = Callable[..., None]

_APPENDABLE = frozenset({"condition", "output", "desc", "tags", "exceptions"})
REPLACEABLE = (
    _APPENDABLE
    | STATEFUL_KEYS
    | {
        "priority",
        "enabled",
        "warn_evttypes",
        "skip-if-unknown-filter",
        "capture",
        "capture_duration",
        "keep",
    }
)
RULE_KEYS = REPLACEABLE | {"rule", "source", "append", "override"}


class RuleDefinition(msgspec.Struct, kw_only=True):
    """A rule before it is compiled; the condition of a sequence is that of its last step."""

    name: str
    location: Location
    condition: SourceText
    output: SourceText
    description: str
    priority: Priority
    source: str
    source_location: Location
    tags: set[str]
    exceptions: list[ExceptionDefinition]
    enabled: bool = True
    warn_evttypes: bool = True
    skip_if_unknown_filter: bool = False
    capture: bool = False
    capture_duration: int = 0  # ms
    keep: bool = False
    stateful: StatefulDefinition | None = None

    @property
    def steps(self) -> list[SourceText]:
        """Its conditions: one, or one for each step of a sequence."""
        steps = self.stateful.steps if self.stateful is not None else []
        return [step.condition for step in steps] or [self.condition]

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"rule {self.name}"


def new_rule(item: Mapping, name: Scalar, warn: Warn) -> RuleDefinition:
    """Return the rule that an item defines.

    Raises:
        ProblemError: when a key is missing or does not have the right form.
    """
    source = item.get("source")
    if source is not None and not isinstance(source, Scalar):
        raise item_error("'source' is text.", source)
    stateful = read_stateful(item)
    steps = stateful.steps if stateful is not None else []
    rule = RuleDefinition(
        name=name.text,
        location=name.location(),
        condition=steps[-1].condition if steps else condition_text(nonempty(item, "condition")),
        output=condition_text(nonempty(item, "output")),
        description=nonempty(item, "desc").text.strip(),
        priority=_priority(nonempty(item, "priority")),
        source=source.text if source is not None else "syscall",
        source_location=(source or name).location(),
        tags=_tags(item),
        exceptions=read_exceptions(item.get("exceptions"), f"rule {name.text}", warn),
        stateful=stateful,
    )
    for key in ("enabled", "warn_evttypes", "skip-if-unknown-filter", "capture", "capture_duration", "keep"):
        if item.get(key) is not None:
            replace_in_rule(rule, item, key, warn)
    return rule


def append_to_rule(rule: RuleDefinition, item: Mapping, key: str, warn: Warn) -> None:
    """Append what an item has under a key to an earlier rule.

    Raises:
        ProblemError: when the key cannot be appended to.
    """
    if key not in _APPENDABLE:
        location = _value(item, key).location()
        sentence = f"{key!r} can be replaced, not appended to."
        raise ProblemError(sentence, location, "LOAD_ERR_YAML_VALIDATE")
    if key == "condition":
        _check_plain(rule, item)
        rule.condition = rule.condition.append(nonempty(item, key))
    elif key == "output":
        rule.output = rule.output.append(nonempty(item, key))
    elif key == "desc":
        rule.description = f"{rule.description} {nonempty(item, key).text.strip()}"
    elif key == "tags":
        rule.tags |= _tags(item)
    else:
        append_exceptions(rule.exceptions, item.get("exceptions"), rule.label, warn)


def replace_in_rule(rule: RuleDefinition, item: Mapping, key: str, warn: Warn) -> None:
    """Replace what an earlier rule has under a key.

    Raises:
        ProblemError: when the value does not have the right form.
    """
    if key == "condition":
        _check_plain(rule, item)
        rule.condition = condition_text(nonempty(item, key))
    elif key in STATEFUL_KEYS:
        _replace_state(rule, item, key)
    elif key == "output":
        rule.output = condition_text(nonempty(item, key))
    elif key == "desc":
        rule.description = nonempty(item, key).text.strip()
    elif key == "tags":
        rule.tags = _tags(item)
    elif key == "priority":
        rule.priority = _priority(nonempty(item, key))
    elif key == "exceptions":
        rule.exceptions = read_exceptions(item.get(key), rule.label, warn)
    elif key == "capture_duration":
        rule.capture_duration = read_number(_value(item, key), key)
    else:
        attribute = key.replace("-", "_")
        setattr(rule, attribute, read_boolean(_value(item, key), key))


def check_rule(rule: RuleDefinition, item: Mapping) -> None:
    """Check what an item left of a rule after all its changes.

    Raises:
        ProblemError: when its parts do not fit together any more.
    """
    if rule.stateful is not None:
        check_stateful(rule.stateful, item)


def _check_plain(rule: RuleDefinition, item: Mapping) -> None:
    if rule.stateful is not None and rule.stateful.steps:
        sentence = f"The rule {rule.name!r} has a sequence, no condition: replace 'sequence' as a whole."
        raise item_error(sentence, _value(item, "condition"))


def _replace_state(rule: RuleDefinition, item: Mapping, key: str) -> None:
    stateful = rule.stateful or StatefulDefinition()
    if key == "sequence" and not stateful.steps:
        sentence = f"The rule {rule.name!r} has a condition, no sequence: define it again to make it one."
        raise item_error(sentence, _value(item, key))
    replace_stateful(stateful, item, key)
    rule.stateful = stateful
    if stateful.steps:
        rule.condition = stateful.steps[-1].condition


def _value(item: Mapping, key: str) -> Node:
    value = item.get(key)
    return item if value is None else value


def _priority(value: Scalar) -> Priority:
    try:
        return Priority.parse(value.text.strip())
    except ValueError as error:
        raise item_error(f"{error}.", value) from None


def _tags(item: Mapping) -> set[str]:
    if item.get("tags") is None:
        return set()
    return {tag.text for tag in scalar_list(item, "tags", "the tags")}
