"""What a rule consists of, for people: its condition with macros and lists written out, its fields, its places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

from hullwatch.errors import UsageError
from hullwatch.fields.catalogue import catalogue
from hullwatch.rules.compile import Compiled, compile_condition
from hullwatch.rules.definitions import Definitions
from hullwatch.rules.exceptions import exclude_exceptions
from hullwatch.rules.grammar import parse_condition
from hullwatch.rules.group_keys import compile_stateful
from hullwatch.rules.loader import SOURCES, load
from hullwatch.rules.output import OutputFormat, parse_output
from hullwatch.rules.problem import Problem, did_you_mean
from hullwatch.rules.resolve import Names
from hullwatch.rules.rule_item import RuleDefinition
from hullwatch.rules.sources import lookup_for
from hullwatch.rules.syntax import And, Check, FieldUse, MacroUse, Not, Text, TextList, Transformed, fold, in_order
from hullwatch.rules.terms import from_event, split_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.config.rule_switch import RuleSwitch
    from hullwatch.fields.field import Field
    from hullwatch.rules.loader import RulesFile
    from hullwatch.rules.problem import Location
    from hullwatch.rules.syntax import Argument, Expression, Left, SourceText
    from hullwatch.rules.terms import Lookup

State = Literal["enabled", "disabled", "left out"]
_MOST_ORIGINS = 4  # that a part tells: macros that only name other macros may be nested without end
_MOST_ABSENT = 100  # checks that are warned of
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+*-]+")
_WORDS = frozenset({"and", "or", "not", "oneof", "anyof", "allof", "val", "exists"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BARE_ARGUMENT = re.compile(r"""[^\]\["' \t\r\n]+""")


class Part(msgspec.Struct, frozen=True, eq=False):
    """A part of a condition with all names written out.

    Attributes:
        kind: what it does with its parts; a check has none.
        parts: shared where a macro is used twice.
        check: of a check, with the values of lists in it.
        origins: what it stands for, outermost first: ``macro x`` or ``exception y``.
        lists: the lists that the check names.
    """

    kind: Literal["and", "or", "not", "check"]
    parts: tuple[Part, ...] = ()
    check: Check | None = None
    origins: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


class Step(msgspec.Struct, frozen=True):
    """A condition of a rule: the only one, or a step of its sequence.

    Attributes:
        condition: its tree.
        compiled: its function, event types and fields.
        written: as the files have it.
        by: what only this step has to name it by.
    """

    condition: Part
    compiled: Compiled
    written: str
    by: tuple[str, ...] = ()


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, taken apart.

    Attributes:
        definition: as the files have it, overrides included.
        state: ``left out`` when its source or a field of it is unknown here and the rule allows that.
        steps: one, or the steps of a sequence.
        output: its parsed output.
        macros: that its conditions use, in the order of their first use.
        lists: that its conditions use, with their values.
        grouped: the fields by which a rule with state groups events.
    """

    definition: RuleDefinition
    state: State
    steps: tuple[Step, ...]
    output: OutputFormat
    macros: tuple[str, ...]
    lists: dict[str, tuple[str, ...]]
    grouped: frozenset[str] = frozenset()

    @property
    def condition(self) -> Part:
        """The tree of its only condition, or of its last step."""
        return self.steps[-1].condition

    @property
    def event_types(self) -> frozenset[str] | None:
        """The events that it looks at; None if one of its conditions names none."""
        types: set[str] = set()
        for step in self.steps:
            if step.compiled.event_types is None:
                return None
            types |= step.compiled.event_types
        return frozenset(types)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that its conditions use."""
        return self.grouped.union(*(step.compiled.fields for step in self.steps))


class RuleBook:
    """The rules of some files with everything that they refer to; what was taken apart once is remembered.

    Attributes:
        lookup: gives the function of each field, for rules that judge calls.
    """

    def __init__(
        self, files: Sequence[RulesFile], switches: Sequence[RuleSwitch] = (), lookup: Lookup = from_event
    ) -> None:
        """Load the files, with rules turned on and off by ``switches``.

        Raises:
            RulesError: as ``loader.load`` does.
        """
        self.lookup = lookup
        self.rule_set = load(files, lookup=lookup, switches=switches, sources=SOURCES)
        self.definitions = read_definitions(files)
        self._names = Names(self.definitions.lists, self.definitions.macros)
        self._macros: dict[str, Part] = {}
        self._described: dict[str, Description] = {}
        self._loaded = {rule.name for rule in self.rule_set.rules}

    def lookup_of(self, rule: RuleDefinition) -> Lookup:
        """Return what gives the function of each field for a rule."""
        return lookup_for(rule.source, self.lookup)

    def rules(self) -> list[RuleDefinition]:
        """Return all rules in load order, those that are not in use included."""
        return list(self.definitions.rules.values())

    def state(self, name: str) -> State:
        """Tell whether a rule is in use."""
        if name in self._loaded:
            return "enabled"
        return "disabled" if name in self.rule_set.disabled else "left out"

    def find(self, name: str) -> RuleDefinition:
        """Return a rule by its name.

        Raises:
            UsageError: when there is none, or it is left out; with the nearest name.
        """
        rule = self.definitions.rules.get(name)
        if rule is None:
            known = self.definitions.rules
            near = did_you_mean(name, known) or (" (hullwatch rules list shows the names)" if known else "")
            raise UsageError(f"There is no rule {name[:200]!r}{near}.")
        if self.state(name) == "left out":
            raise UsageError(f"The rule {name!r} is left out here; hullwatch rules validate says why.")
        return rule

    def describe(self, name: str) -> Description:
        """Take a rule apart.

        Raises:
            UsageError: as ``find`` does.
        """
        if name not in self._described:
            self._described[name] = self._describe(self.find(name))
        return self._described[name]

    def _describe(self, rule: RuleDefinition) -> Description:
        steps = tuple(self._step(rule, number) for number in range(len(rule.steps)))
        parts = [part for step in steps for part, _ in walk(step.condition, once=True)]
        origins = [origin for part in parts for origin in part.origins]
        lists = [used for part in parts for used in part.lists]
        stateful = rule.stateful
        return Description(
            definition=rule,
            state=self.state(rule.name),
            steps=steps,
            grouped=compile_stateful(stateful, self.lookup_of(rule)).fields if stateful is not None else frozenset(),
            output=parse_output(rule.output, self.lookup_of(rule)),
            macros=tuple(dict.fromkeys(one.removeprefix("macro ") for one in origins if one.startswith("macro "))),
            lists={used: tuple(item.text for item in self._names.items(used)) for used in dict.fromkeys(lists)},
        )

    def absent_checks(self) -> list[Problem]:
        """Return a warning for every check of the rules in use that nothing here can make true."""
        found: dict[tuple[str, Location], Problem] = {}
        for name in [rule.name for rule in self.rule_set.rules]:
            rule = self.definitions.rules[name]
            lookup_of = self.lookup_of(rule)
            conditions = [self._condition(rule, written) for written in rule.steps]
            parts = [part for condition in conditions for part, _ in walk(condition, once=True)]
            for check in [part.check for part in parts if part.check is not None]:
                for entry in [one for one in fields_of(check) if lookup_of(one, None) is None]:
                    place = check.place.location()
                    sentence = f"The field {entry.name} has no value here: this check is always false."
                    problem = Problem(sentence, place, "HULLWATCH_NEVER_MATCHES", "warning", f"rule {name}")
                    found.setdefault((sentence, place), problem)
                    if len(found) >= _MOST_ABSENT:
                        more = "There are more checks that are always false, which are left out."
                        return [*found.values(), msgspec.structs.replace(problem, sentence=more)]
        return list(found.values())

    def _step(self, rule: RuleDefinition, number: int) -> Step:
        written = rule.steps[number]
        resolved = self._names.resolve(exclude_exceptions(parse_condition(written), rule.exceptions))
        steps = rule.stateful.steps if rule.stateful is not None else []
        by = tuple(one.text for one in steps[number].by) if steps else ()
        compiled = compile_condition(resolved, rule.name, self.lookup_of(rule))
        return Step(self._condition(rule, written), compiled, written.text, by)

    def _condition(self, rule: RuleDefinition, written: SourceText) -> Part:
        tree = parse_condition(written)
        whole = self._part(tree)
        excluded = exclude_exceptions(tree, rule.exceptions)
        if excluded is tree or not isinstance(excluded, And):
            return whole
        named = [f"exception {one.name.text}" for one in rule.exceptions if one.values]
        exceptions = [
            msgspec.structs.replace(self._part(part), origins=(name,))
            for part, name in zip(excluded.parts[1:], named, strict=True)
        ]
        return Part("and", (whole, *exceptions))

    def _part(self, tree: Expression) -> Part:
        """Write out a tree; its macros first, innermost first, without recursion."""
        for use in _macros_of(tree):
            pending = [use]
            while pending:
                inner = parse_condition(self.definitions.macros[pending[-1]].condition)
                missing = [name for name in _macros_of(inner) if name not in self._macros]
                if missing:
                    pending += missing
                else:
                    self._macros.setdefault(pending.pop(), fold(inner, self._written_out))
        return fold(tree, self._written_out)

    def _written_out(self, node: Expression, parts: tuple[Part, ...]) -> Part:
        if isinstance(node, MacroUse):
            part = self._macros[node.name]
            return msgspec.structs.replace(part, origins=(f"macro {node.name}", *part.origins)[:_MOST_ORIGINS])
        if isinstance(node, Check):
            resolved = self._names.resolve(node)
            return Part("check", check=resolved if isinstance(resolved, Check) else node, lists=self._lists_of(node))
        return Part("not" if isinstance(node, Not) else ("and" if isinstance(node, And) else "or"), parts)

    def _lists_of(self, check: Check) -> tuple[str, ...]:
        right = check.right
        values = right.items if isinstance(right, TextList) else (right,) if isinstance(right, Text) else ()
        return tuple(one.text for one in values if not one.quoted and one.text in self.definitions.lists)


def read_definitions(files: Sequence[RulesFile]) -> Definitions:
    """Return what the files define, as far as they can be read; nothing is compiled."""
    definitions = Definitions()
    for file in files:
        definitions.add_file(file.name, file.text)
    return definitions


def _macros_of(tree: Expression) -> list[str]:
    return [node.name for node in in_order(tree) if isinstance(node, MacroUse)]


def walk(root: Part, *, once: bool = False) -> Iterator[tuple[Part, int]]:
    """Yield every part and its depth, each before its own parts.

    Args:
        root: the whole condition.
        once: leave out parts that were yielded before.
    """
    pending = [(root, 0)]
    seen: set[int] = set()
    while pending:
        part, depth = pending.pop()
        if once and id(part) in seen:
            continue
        seen.add(id(part))
        yield part, depth
        pending += [(one, depth + 1) for one in reversed(part.parts)]


def fields_of(check: Check) -> list[Field]:
    """Return the fields on both sides of a check."""
    found: list[Field] = []
    pending: list[Argument] = [check.left]
    if isinstance(check.right, FieldUse | Transformed):
        pending.append(check.right)
    while pending:
        one = pending.pop(0)
        if isinstance(one, FieldUse):
            entry = split_name(one.name)[0]
            found += [entry] if entry is not None else []
        elif isinstance(one, Transformed):
            pending += one.arguments
    return found


def absent_fields(names: frozenset[str]) -> list[str]:
    """Return those of some fields that never have a value here, sorted."""
    known = catalogue()
    return sorted(name for name in names if name in known and known[name].function is None)


def write_check(check: Check, most: int | None = None) -> str:
    """Return a check as the language writes it.

    Args:
        check: resolved or not.
        most: show only so many values of a list; the result is then for people only.
    """
    left, right = write_left(check.left), check.right
    if right is None:
        return f"{left} {check.operator}"
    if isinstance(right, TextList):
        shown = right.items if most is None else right.items[:most]
        values = ", ".join(write_value(item) for item in shown)
        more = f", ... {len(right.items) - len(shown)} more" if len(shown) < len(right.items) else ""
        modifier = f"{check.modifier} " if check.modifier else ""
        return f"{left} {check.operator} {modifier}({values}{more})"
    if isinstance(right, Text):
        return f"{left} {check.operator} {write_value(right)}"
    other = write_left(right)
    return f"{left} {check.operator} {other if isinstance(right, Transformed) else f'val({other})'}"


def write_left(left: Left) -> str:
    """Return a field or a transformer as the language writes it."""
    name, argument = left.name, left.argument if isinstance(left, FieldUse) else left.index
    if isinstance(left, Transformed):
        name = f"{name}({', '.join(_write_argument(one) for one in left.arguments)})"
    if argument is None:
        return name
    if _BARE_ARGUMENT.fullmatch(argument):
        return f"{name}[{argument}]"
    quote = "'" if '"' in argument else '"'
    return f"{name}[{quote}{argument}{quote}]"


def _write_argument(argument: Argument) -> str:
    if isinstance(argument, Text):
        return write_value(argument)
    if isinstance(argument, TextList):
        return f"({', '.join(write_value(item) for item in argument.items)})"
    return write_left(argument)


def write_value(value: Text) -> str:
    """Return a value, in quotes where it needs them."""
    if not value.quoted and _PLAIN.fullmatch(value.text) and value.text not in _WORDS:
        return value.text
    return '"' + "".join(_ESCAPES.get(character, character) for character in value.text) + '"'
