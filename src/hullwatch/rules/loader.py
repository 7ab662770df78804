"""Rules files to a set of rules that can be asked: reads, resolves and compiles them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.fields.catalogue import produced_event_names
from hullwatch.rules.check_code import CheckCompiler
from hullwatch.rules.compile import Compiled, compile_condition
from hullwatch.rules.definitions import MAXIMUM_WARNINGS, Definitions
from hullwatch.rules.exceptions import exclude_exceptions
from hullwatch.rules.grammar import parse_condition
from hullwatch.rules.group_keys import Stateful, compile_stateful
from hullwatch.rules.output import CONTAINER_INFO, OutputFormat, parse_output
from hullwatch.rules.priority import Priority
from hullwatch.rules.problem import Problem, ProblemError, RulesError, UnknownFilterError
from hullwatch.rules.resolve import BrokenMacroError, Names
from hullwatch.rules.selection import Selection, select
from hullwatch.rules.sources import API, LOGS, SOURCES, SYSCALL, lookup_for
from hullwatch.rules.terms import from_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.config.rule_switch import RuleSwitch
    from hullwatch.events.event import Event
    from hullwatch.rules.problem import Code, Location
    from hullwatch.rules.rule_item import RuleDefinition
    from hullwatch.rules.syntax import SourceText
    from hullwatch.rules.terms import Lookup

_MANY_TYPES = 100  # with more event types than this a rule counts as one that names none
_SLOW_FIELDS = frozenset({"evt.dir", "evt.latency", "evt.latency.s", "evt.latency.ns", "evt.wait_latency"})


class RulesFile(msgspec.Struct, frozen=True):
    """A file's name, for messages, and its bytes."""

    name: str
    text: bytes


class Rule(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A rule that can be asked.

    Attributes:
        name: unique in the set.
        description: why it is there.
        priority: how much its alert matters.
        source: what kind of events it judges: ``syscall``.
        tags: sorted.
        event_types: the events that it can match; None if its condition names none.
        conditions: compiled: one, or one for each step of a sequence.
        output: makes the message.
        file: where it is defined.
        line: where it is defined, from 1.
        condition: as it is written, without macros and exceptions in it.
        fields: the fields that its condition uses.
        stateful: what it remembers; None for a rule that judges each event by itself.
        capture: whether the flight recorder saves what its alerts are about.
        capture_duration: for how long after the alert, ms; 0 for as long as is set.
        keep: whether the events of its alerts are kept.
        keeps_only: it raises no alert: it is what says which events are kept.
    """

    name: str
    description: str
    priority: Priority
    source: str
    tags: tuple[str, ...]
    event_types: frozenset[str] | None
    conditions: tuple[Compiled, ...]
    output: OutputFormat
    file: str
    line: int
    condition: str
    fields: frozenset[str]
    stateful: Stateful | None = None
    capture: bool = False
    capture_duration: int = 0
    keep: bool = False
    keeps_only: bool = False

    @property
    def matches(self) -> Callable[[Event], bool]:
        """Tells whether an event fulfils the condition; of a sequence the last one."""
        return self.conditions[-1].matches


class RuleSet:
    """The enabled rules of all files, in load order."""

    def __init__(
        self,
        rules: Sequence[Rule],
        warnings: Sequence[Problem] = (),
        disabled: Sequence[str] = (),
        selection: Selection | None = None,
    ) -> None:
        """Take compiled rules."""
        self.rules = list(rules)
        self.selection = selection or Selection({}, ())
        self.warnings = list(warnings)
        self.disabled = list(disabled)
        self.of_api = [rule for rule in self.rules if rule.source == API]
        """Those that judge events of the Kubernetes API."""
        self.of_logs = [rule for rule in self.rules if rule.source == LOGS]
        """Those that judge lines of containers' logs; all others here judge calls."""
        calls = [rule for rule in self.rules if rule.source in SYSCALL]
        self.stateful = [rule for rule in calls if rule.stateful is not None]
        self._by_type: dict[str, list[Rule]] = {}
        self._typed: dict[str, list[Rule]] = {}
        self._untyped: list[Rule] = []
        for rule in [rule for rule in calls if rule.stateful is None]:
            if rule.event_types is None:
                self._untyped.append(rule)
            for name in rule.event_types or ():
                self._typed.setdefault(name, []).append(rule)

    def for_type(self, name: str) -> list[Rule]:
        """Return the rules to ask about an event, in the order in which the first match wins.

        Those that name the event's type come first, then those that name none (as in Falco). Rules with
        state are not among them: they are asked about every event, whatever else matches it.
        """
        found = self._by_type.get(name)
        if found is None:
            found = self._by_type[name] = self._typed.get(name, []) + self._untyped
        return found

    def event_types(self) -> frozenset[str] | None:
        """Return the names of all events that a rule can match; None when one names no type."""
        names: set[str] = set()
        for rule in [rule for rule in self.rules if rule.source in SYSCALL]:
            if rule.event_types is None:
                return None
            names |= rule.event_types
        return frozenset(names)


def load(
    files: Sequence[RulesFile],
    threshold: Priority = Priority.DEBUG,
    lookup: Lookup = from_event,
    switches: Sequence[RuleSwitch] = (),
    sources: frozenset[str] = SYSCALL,
) -> RuleSet:
    """Return the rules of some files, read in this order.

    Args:
        files: the last definition of a name wins, wherever it stands.
        threshold: rules that matter less are left out.
        lookup: gives the function of each field; the fields' own functions if nothing is said.
        switches: turn rules on and off, in order, whatever the files say.
        sources: of the rules that are wanted; those of the others that are known are left out, and cost nothing.

    Raises:
        RulesError: with every problem that was found; its text is a line for each.
    """
    rule_set, problems = _load(files, threshold, lookup, switches, sources)
    if any(problem.severity == "error" for problem in problems):
        raise RulesError(problems)
    return rule_set


def find_problems(files: Sequence[RulesFile]) -> list[Problem]:
    """Return every error and warning of some files, in the order of files and lines."""
    problems = _load(files, Priority.DEBUG, from_event, sources=SOURCES)[1]
    order = {file.name: position for position, file in enumerate(files)}
    return sorted(problems, key=lambda one: (order.get(one.file, len(order)), one.line, one.column))


def _load(
    files: Sequence[RulesFile],
    threshold: Priority,
    lookup: Lookup,
    switches: Sequence[RuleSwitch] = (),
    sources: frozenset[str] = SYSCALL,
) -> tuple[RuleSet, list[Problem]]:
    definitions = Definitions()
    for file in files:
        definitions.add_file(file.name, file.text)
    names = Names(definitions.lists, definitions.macros)
    compiler = _RuleCompiler(definitions, names, lookup, sources)
    rules = [rule for definition in definitions.rules.values() if (rule := compiler.compile(definition)) is not None]
    compiler.check_unused()
    problems = _without_repeats(definitions.problems)
    warnings = [problem for problem in problems if problem.severity == "warning"]
    selection = select(list(definitions.rules.values()), switches)
    enabled = [rule for rule in rules if selection.decisions[rule.name].on and rule.priority.reaches(threshold)]
    disabled = [rule.name for rule in rules if not selection.decisions[rule.name].on]
    return RuleSet(enabled, warnings, disabled, selection), problems


def _without_repeats(problems: list[Problem]) -> list[Problem]:
    """Return errors first; an error of a macro that several rules use is one error."""
    unique: dict[tuple[str, Location], Problem] = {}
    for problem in problems:
        unique.setdefault((problem.sentence, problem.location), problem)
    errors = [problem for problem in unique.values() if problem.severity == "error"]
    return errors + [problem for problem in unique.values() if problem.severity == "warning"]


def _rule(
    definition: RuleDefinition, conditions: tuple[Compiled, ...], stateful: Stateful | None, output: OutputFormat
) -> Rule:
    types = [compiled.event_types for compiled in conditions]
    named = [one for one in types if one is not None]
    grouped = stateful.fields if stateful is not None else frozenset[str]()
    return Rule(
        name=definition.name,
        description=definition.description,
        priority=definition.priority,
        source=definition.source,
        tags=tuple(sorted(definition.tags)),
        event_types=frozenset[str]().union(*named) if len(named) == len(types) else None,
        conditions=conditions,
        output=output,
        file=definition.location.file,
        line=definition.location.line,
        condition="\n".join(step.text for step in definition.steps),
        fields=grouped.union(*(compiled.fields for compiled in conditions)),
        stateful=stateful,
        capture=definition.capture,
        capture_duration=definition.capture_duration,
        keep=definition.keep,
    )


class _RuleCompiler:
    """Compiles definitions one by one and collects what is wrong."""

    def __init__(self, definitions: Definitions, names: Names, lookup: Lookup, sources: frozenset[str]) -> None:
        self._sources = sources
        self._lookups = {source: lookup_for(source, lookup) for source in SOURCES}
        self._checks = {source: CheckCompiler(one) for source, one in self._lookups.items()}
        self._left_out = False  # whether a rule of a source that is not wanted was
        self._definitions = definitions
        self._names = names

    def compile(self, definition: RuleDefinition) -> Rule | None:
        """Return the rule; None when it has an error or is skipped, or when there are errors enough."""
        if self._definitions.has_enough:
            return None
        if definition.source not in SOURCES:
            sentence = f"The source {definition.source!r} is not known here: the rule is left out."
            self._warn(definition, sentence, "LOAD_UNKNOWN_SOURCE")
            return None
        if definition.source not in self._sources:
            self._left_out = True
            return None
        lookup, checks = self._lookups[definition.source], self._checks[definition.source]
        try:
            conditions = tuple([self._condition(definition, step) for step in definition.steps])
            stateful = compile_stateful(definition.stateful, lookup) if definition.stateful is not None else None
            output = parse_output(definition.output, constants=checks.constants)
        except UnknownFilterError as error:
            if definition.skip_if_unknown_filter:
                self._warn(definition, f"{error.sentence} The rule is left out.", "LOAD_UNKNOWN_FILTER")
            else:
                self._definitions.fail(error.problem(definition.label))
            return None
        except ProblemError as error:
            self._definitions.fail(error.problem(definition.label))
            return None
        except BrokenMacroError:
            return None
        for compiled in conditions:
            self._remark(definition, compiled)
        self._remark_all(definition, stateful)
        return _rule(definition, conditions, stateful, output)

    def _condition(self, definition: RuleDefinition, written: SourceText) -> Compiled:
        """Compile a condition; the exceptions count for each step, so what one names takes no part."""
        tree = self._names.resolve(exclude_exceptions(parse_condition(written), definition.exceptions))
        return compile_condition(tree, definition.name, checks=self._checks[definition.source])

    def _remark(self, definition: RuleDefinition, compiled: Compiled) -> None:
        for remark in compiled.remarks:
            if self._definitions.warnings >= MAXIMUM_WARNINGS:  # to find each one's place takes time
                break
            self._definitions.warn(remark.sentence, remark.place.location(), remark.code, definition.label)
        types = compiled.event_types if definition.source in SYSCALL else produced_event_names()
        if definition.source in SYSCALL and definition.warn_evttypes and (types is None or len(types) > _MANY_TYPES):
            sentence = f"The rule {definition.name!r} names no evt.type: every event is tried."
            self._warn(definition, sentence, "LOAD_NO_EVTTYPE")
        if types is not None and not types & produced_event_names():
            which = ", ".join(sorted(types)[:5]) or "none"
            sentence = f"The rule {definition.name!r} never matches here: its event types ({which}) are not watched."
            self._warn(definition, sentence, "HULLWATCH_NEVER_MATCHES")
        for field in sorted(compiled.fields & _SLOW_FIELDS):
            self._warn(definition, f"The field {field} is deprecated: leave it out.", "LOAD_DEPRECATED_ITEM")

    def _remark_all(self, definition: RuleDefinition, stateful: Stateful | None) -> None:
        for written in stateful.absent if stateful is not None else ():
            sentence = f"{written.text} has no value here: nothing is grouped by it, and the rule never alerts."
            self._definitions.warn(sentence, written.location(), "HULLWATCH_NEVER_MATCHES", definition.label)
        if f"%{CONTAINER_INFO}" in definition.output.text:
            sentence = "%container.info stands for name, id and image here; new versions of Falco print nothing for it."
            self._warn(definition, sentence, "LOAD_DEPRECATED_ITEM")

    def _warn(self, definition: RuleDefinition, sentence: str, code: Code) -> None:
        self._definitions.warn(sentence, definition.location, code, definition.label)

    def check_unused(self) -> None:
        """Warn of macros and lists that nothing refers to, and report errors in such macros."""
        definitions = self._definitions
        if self._left_out:  # what the rules that were left out refer to is not known
            return
        for name, macro in definitions.macros.items():
            if definitions.has_enough:
                return
            try:
                self._names.macro(name)
            except UnknownFilterError:
                pass  # a rule that may be skipped decides
            except ProblemError as error:
                definitions.fail(error.problem(f"macro {name}"))
            except BrokenMacroError:
                pass
            if f"macro {name}" not in self._names.used:
                sentence = f"The macro {name!r} is not used."
                definitions.warn(sentence, macro.location, "LOAD_UNUSED_MACRO", f"macro {name}")
        for name, entry in definitions.lists.items():
            if f"list {name}" not in self._names.used:
                sentence = f"The list {name!r} is not used."
                definitions.warn(sentence, entry.location, "LOAD_UNUSED_LIST", f"list {name}")
