"""Rules that remember events, as the files define them: ``sequence``, ``threshold``, ``by`` and ``within``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.config.values import format_duration, parse_duration
from hullwatch.errors import UsageError
from hullwatch.rules.document import Mapping, Scalar, Sequence
from hullwatch.rules.problem import did_you_mean
from hullwatch.rules.scalars import condition_text, item_error, nonempty, read_number
from hullwatch.rules.syntax import SourceText

if TYPE_CHECKING:
    from hullwatch.rules.document import Node

STATEFUL_KEYS = frozenset({"sequence", "threshold", "by", "within"})
MAXIMUM_STEPS = 16
MAXIMUM_COUNT = 10_000
MAXIMUM_BY = 8
MAXIMUM_WITHIN = 86_400.0  # seconds: what is remembered ends with the process, and costs memory until then

_STEP_KEYS = frozenset({"condition", "by"})
_THRESHOLD_KEYS = frozenset({"count", "within", "distinct"})


class StepDefinition(msgspec.Struct):
    """A step of a sequence; ``by`` is what only this step has to name it by."""

    condition: SourceText
    by: list[Scalar]
    node: Mapping


class ThresholdDefinition(msgspec.Struct):
    """How many events, within how many ns; ``distinct`` is the field of which different values are counted."""

    count: int
    within: int
    distinct: Scalar | None


class StatefulDefinition(msgspec.Struct):
    """What a rule remembers, before it is compiled; each part may come from another item.

    Attributes:
        by: what its events have in common.
        within: ns from the first step to the last; None when it is not said.
    """

    steps: list[StepDefinition] = []
    threshold: ThresholdDefinition | None = None
    by: list[Scalar] = []
    within: int | None = None

    @property
    def span(self) -> int:
        """How long an event counts, ns."""
        return self.threshold.within if self.threshold is not None else self.within or 0

    @property
    def text(self) -> str:
        """All of it on one line: two rules whose texts are equal can go on with each other's state."""
        steps = [(step.condition.text, [one.text for one in step.by]) for step in self.steps]
        counted = self.threshold
        threshold = counted and (counted.count, counted.distinct.text if counted.distinct is not None else None)
        return repr((steps, threshold, [one.text for one in self.by], self.span))

    def describe(self) -> list[str]:
        """Return what it asks for, as lines for people."""
        if self.threshold is not None:
            what = f"{self.threshold.count} events"
            if self.threshold.distinct is not None:
                what = f"{self.threshold.count} different values of {self.threshold.distinct.text}"
        else:
            what = f"{len(self.steps)} steps in order"
        lines = [f"{what} within {format_duration(self.span / 1e9)}"]
        lines.append(f"by {', '.join(one.text for one in self.by)}" if self.by else "by nothing: all events together")
        return lines


def read_stateful(item: Mapping) -> StatefulDefinition | None:
    """Return what an item says about state; None when it says nothing.

    Raises:
        ProblemError: when a key does not have the right form, or does not fit the others.
    """
    keys = [key.text for key, _ in item.entries if key.text in STATEFUL_KEYS]
    if not keys:
        return None
    if item.key("sequence") is not None and (condition := item.key("condition")) is not None:
        sentence = "A rule has a 'condition' or a 'sequence' of them: make the condition a step."
        raise item_error(sentence, condition)
    definition = StatefulDefinition()
    for key in dict.fromkeys(keys):
        replace_stateful(definition, item, key)
    check_stateful(definition, item)
    return definition


def replace_stateful(definition: StatefulDefinition, item: Mapping, key: str) -> None:
    """Replace one part by what an item has under its key.

    Raises:
        ProblemError: when it does not have the right form.
    """
    value = item.get(key)
    if value is None:
        raise item_error(f"The key {key!r} is missing.", item)
    if key == "sequence":
        definition.steps = _steps(value)
    elif key == "threshold":
        definition.threshold = _threshold(value)
    elif key == "within":
        definition.within = _duration(value, key)
    else:
        definition.by = _by(value)


def check_stateful(definition: StatefulDefinition, item: Mapping) -> None:
    """Check that the parts fit together.

    Raises:
        ProblemError: at the key of the item that does not fit.
    """
    if definition.steps and definition.threshold is not None:
        raise item_error("A rule has a 'sequence' or a 'threshold', not both.", _key(item, "threshold"))
    if definition.threshold is not None and definition.within is not None:
        raise item_error("The 'within' of a threshold stands in it: threshold: {count: 5, within: 1m}.", _key(item))
    if not definition.steps and definition.threshold is None:
        sentence = "'by' and 'within' belong to a 'sequence' or a 'threshold', and this rule has neither."
        raise item_error(sentence, _key(item))
    if definition.steps and definition.within is None:
        raise item_error("A sequence needs 'within': the longest time from its first step to its last.", _key(item))
    wanted = len(definition.steps[0].by) if definition.steps else 0
    for number, step in enumerate(definition.steps, start=1):
        if len(step.by) != wanted:
            counts = f"step 1 has {wanted}, and step {number} has {len(step.by)}"
            raise item_error(f"Each step has as many values in its 'by' as the others: {counts}.", step.node)


def _key(item: Mapping, *names: str) -> Node:
    """Return the first key about state that an item has, for its place."""
    wanted = names or ("within", "by", "sequence", "threshold")
    return next((key for name in wanted if (key := item.key(name)) is not None), item)


def _steps(node: Node) -> list[StepDefinition]:
    if not isinstance(node, Sequence):
        raise item_error("'sequence' is a list of steps, such as '- condition: evt.type = execve'.", node)
    if not 2 <= len(node.items) <= MAXIMUM_STEPS:
        sentence = f"A sequence has 2 to {MAXIMUM_STEPS} steps, and this one has {len(node.items)}."
        advice = " For a single one write 'condition'." if len(node.items) == 1 else ""
        raise item_error(sentence + advice, node)
    steps: list[StepDefinition] = []
    for step in node.items:
        if not isinstance(step, Mapping):
            raise item_error("A step is a map with 'condition' and, if need be, 'by'.", step)
        _check_keys(step, _STEP_KEYS, "A step")
        by = step.get("by")
        steps.append(StepDefinition(condition_text(nonempty(step, "condition")), [] if by is None else _by(by), step))
    return steps


def _threshold(node: Node) -> ThresholdDefinition:
    if not isinstance(node, Mapping):
        raise item_error("'threshold' is a map such as {count: 5, within: 1m, distinct: fd.name}.", node)
    _check_keys(node, _THRESHOLD_KEYS, "A threshold")
    counted = nonempty(node, "count")
    count = read_number(counted, "count")
    if not 1 <= count <= MAXIMUM_COUNT:
        raise item_error(f"'count' is a number from 1 to {MAXIMUM_COUNT}.", counted)
    within = _duration(nonempty(node, "within"), "within")
    distinct = nonempty(node, "distinct") if node.key("distinct") is not None else None
    return ThresholdDefinition(count, within, distinct)


def _check_keys(node: Mapping, known: frozenset[str], what: str) -> None:
    """Refuse keys that are not known: what they were to mean would be missing from the rule."""
    seen: set[str] = set()
    for key, _ in node.entries:
        if key.text not in known:
            raise item_error(f"{what} has no key {key.text!r}{did_you_mean(key.text, sorted(known))}.", key)
        if key.text in seen:
            raise item_error(f"The key {key.text!r} is given twice.", key)
        seen.add(key.text)


def _by(node: Node) -> list[Scalar]:
    values = node.items if isinstance(node, Sequence) else [node]
    found = [one for one in values if isinstance(one, Scalar) and one.text.strip()]
    if not found or len(found) != len(values):
        raise item_error("'by' is a field, or a list of fields such as [container, proc.exepath].", node)
    if len(found) > MAXIMUM_BY:
        raise item_error(f"'by' has at most {MAXIMUM_BY} values, and this one has {len(found)}.", node)
    return found


def _duration(node: Node, key: str) -> int:
    """Return a time in ns."""
    if not isinstance(node, Scalar):
        raise item_error(f"{key!r} is a time, such as 30s or 5m.", node)
    try:
        seconds = parse_duration(node.text)
    except UsageError as error:
        raise item_error(f"{key!r} is a time, such as 30s or 5m: {error}", node) from None
    if seconds > MAXIMUM_WITHIN:
        sentence = f"{key!r} is at most {format_duration(MAXIMUM_WITHIN)}: what is remembered costs memory until then."
        raise item_error(sentence, node)
    return round(seconds * 1e9)
