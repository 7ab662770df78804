"""Test cases of rules as YAML: events in, alerts out.

Example::

    rules: shells.yaml                # a file or a list, beside this one; without it, Hullwatch's pack
    cases:
      - it: alerts when a web server starts a shell
        events:
          - {type: execve, proc: {name: sh, parent: {name: nginx}}, container: {image: nginx}}
        alerts: [Shell in a container]

An event of the Kubernetes API is written as ``event``, as a map or as a text of JSON; see ``audit_cases``. ``known``
lists objects of the cluster that are there before the first of them, as a manifest has them. Rules that ask for what is
new (``ka.new.*``) know what a case has as ``history``: such events, of an hour before.

A case with ``capture`` instead of ``events`` is judged by a recording; see ``capture_cases``.

With ``match: all``, in the file or in a case, every rule that matches an event is among the alerts, in the order
in which they are asked. The events happen at the same time, unless ``after: 30s`` says how long after the one
before, or ``time`` when.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

import msgspec

from hullwatch.events.event import Event
from hullwatch.rules.audit_cases import is_audit_event, known_objects, read_audit_event, read_times
from hullwatch.rules.capture_cases import capture_path, compare_numbers, expected_numbers
from hullwatch.rules.case_events import case_error, check_keys, read_event
from hullwatch.rules.document import MAXIMUM_FILE, Mapping, Scalar, read_documents
from hullwatch.rules.document import Sequence as SequenceNode
from hullwatch.rules.loader import SOURCES, RuleSet, RulesFile, load
from hullwatch.rules.log_cases import is_log_line, read_log_lines
from hullwatch.rules.pack import builtin_files
from hullwatch.rules.problem import Location, ProblemError, RulesError
from hullwatch.rules.terms import from_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from hullwatch.config.rule_switch import RuleSwitch
    from hullwatch.rules.capture_cases import CaptureJudging
    from hullwatch.rules.document import Node
    from hullwatch.rules.loader import Rule
    from hullwatch.rules.terms import Lookup

_FILE_KEYS = frozenset({"rules", "match", "cases"})
_CASE_KEYS = frozenset({"it", "match", "history", "event", "log", "events", "known", "capture", "alerts"})
MOST_LISTED = 100  # alerts in a sentence
_MATCHING = {"first": False, "all": True}
_LATER = 3_600_000_000_000  # ns between what happened before and the events of a case


class Judging(Protocol):
    """Makes a judge of some rules."""

    def __call__(
        self,
        rules: RuleSet,
        /,
        *,
        every: bool,
        known: Sequence[dict[str, object]] = (),
        history: Sequence[Event] = (),
    ) -> Callable[[Event], Iterable[Rule]]:
        """Return what answers each event that it is given with the rules that alert, in order.

        Args:
            rules: that judge.
            every: with every rule that matches, not only the first (of those without state).
            known: objects of the cluster that are there before.
            history: what happened before, and is known.
        """
        ...


class Case(msgspec.Struct, frozen=True):
    """A case that can be run.

    Attributes:
        events: what happens.
        alerts: the rules whose alerts are expected, in order.
        every: whether every rule that matches an event alerts, or only the first; None where the file does not say.
        capture: path of the file that has the events instead.
        numbers: how often each rule is expected to alert, in any order, instead of ``alerts``.
        known: objects of the cluster that are there before.
        history: what happened before, and nothing is told of.
    """

    name: str
    location: Location
    rules: RuleSet
    events: tuple[Event, ...]
    alerts: tuple[str, ...]
    every: bool | None = None
    capture: str = ""
    numbers: dict[str, int] | None = None
    known: tuple[dict[str, object], ...] = ()
    history: tuple[Event, ...] = ()


class CaseResult(msgspec.Struct, frozen=True):
    """What came of a case; ``sentence`` says what was wrong, and is empty when it passed."""

    name: str
    file: str
    line: int
    passed: bool
    sentence: str = ""
    messages: tuple[str, ...] = ()


def case_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files of some paths: a folder stands for all ``*.yaml`` below it."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    return found


def read_cases(
    path: Path, switches: Sequence[RuleSwitch] = (), lookup_of: Callable[[str], Lookup] = lambda _: from_event
) -> list[Case]:
    """Return the cases of a file, for its rules as ``switches`` turn them on and off.

    Args:
        path: of the file.
        switches: that turn rules on and off.
        lookup_of: tells what rules are loaded with that judge a capture, by its path.

    Raises:
        RulesError: when the file, or a rules file that it names, has an error.
    """
    try:
        return _read(path, tuple(switches), lookup_of)
    except ProblemError as error:
        raise RulesError([error.problem()]) from None


def run_case(
    case: Case, judging: Judging, judging_captures: CaptureJudging | None = None, *, every: bool = False
) -> CaseResult:
    """Have the events of a case judged, and compare.

    Args:
        case: whose rules and events they are; each case begins with nothing remembered.
        judging: the judge stands above the rules, which know nothing of him.
        judging_captures: the same for captures; without one, a case of a capture fails.
        every: judge with every rule that matches, where neither the case nor its file says which.
    """
    alerts: list[str] = []
    messages: list[str] = []
    every = every if case.every is None else case.every
    if case.capture and judging_captures is not None:
        alerts += [rule.name for rule in judging_captures(case.capture, case.rules, every=every)]
    elif not case.capture:
        judge = judging(case.rules, every=every, known=case.known, history=case.history)
        for event in case.events:
            for rule in judge(event):
                alerts.append(rule.name)
                messages.append(rule.output.render(event)[0])
    sentence = _compare(case, alerts, judged=not case.capture or judging_captures is not None)
    return CaseResult(case.name, case.location.file, case.location.line, not sentence, sentence, tuple(messages))


def _compare(case: Case, alerts: list[str], *, judged: bool) -> str:
    """Return what is wrong with the alerts of a case, as a sentence; empty when nothing is."""
    if not judged:
        return "Captures are not judged here."
    if case.numbers is not None:
        return compare_numbers(case.numbers, alerts)
    return "" if tuple(alerts) == case.alerts else f"Expected {_listed(case.alerts)}, got {_listed(alerts)}."


def run_cases(paths: Iterable[Path], judging: Judging, *, every: bool = False) -> list[CaseResult]:
    """Run the cases of files and folders, as ``run_case`` does.

    Raises:
        RulesError: when a file cannot be read or has an error.
    """
    return [run_case(case, judging, every=every) for path in case_files(paths) for case in read_cases(path)]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:MOST_LISTED]) or "no alert"
    return shown if len(names) <= MOST_LISTED else f"{shown} and {len(names) - MOST_LISTED:,} more"


def _read(path: Path, switches: tuple[RuleSwitch, ...], lookup_of: Callable[[str], Lookup]) -> list[Case]:
    cases: list[Case] = []
    for root in read_documents(str(path), _content(path, Location(str(path), 1, 1))):
        if not isinstance(root, Mapping):
            raise case_error("A file of cases is a map with 'rules' and 'cases'.", root)
        check_keys(root, _FILE_KEYS, "A file of cases")
        rules = functools.cache(functools.partial(_rules, root.get("rules"), path, switches))
        rules(from_event)  # a mistake in them is told, whatever the cases are
        every = _every(root.get("match"))
        entries = root.get("cases")
        if not isinstance(entries, SequenceNode):
            raise case_error("'cases' is a list.", entries or root)
        cases += [_case(entry, path, rules, every, lookup_of) for entry in entries.items]
    return cases


def _content(path: Path, location: Location) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAXIMUM_FILE + 1)  # one that has no end is too large
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ProblemError(f"The file {path} cannot be read: {reason}.", location, "LOAD_ERR_FILE_READ") from None


def _rules(node: Node | None, path: Path, switches: tuple[RuleSwitch, ...], lookup: Lookup) -> RuleSet:
    if node is None:
        return _pack(switches, lookup)
    names = node.items if isinstance(node, SequenceNode) else [node]
    files: list[RulesFile] = []
    for name in names:
        if not isinstance(name, Scalar):
            raise case_error("'rules' is a file or a list of files, beside this one.", name)
        target = path.parent / name.text
        files.append(RulesFile(str(target), _content(target, name.location())))
    return load(files, lookup=lookup, switches=switches, sources=SOURCES)


@functools.cache
def _pack(switches: tuple[RuleSwitch, ...], lookup: Lookup) -> RuleSet:
    return load(builtin_files(*sorted(SOURCES)), lookup=lookup, switches=switches, sources=SOURCES)


def _every(node: Node | None) -> bool | None:
    """Return what ``match`` says; None where it is not there."""
    if node is None:
        return None
    if not isinstance(node, Scalar) or node.text not in _MATCHING:
        raise case_error("'match' is first or all: which of the rules that match an event alert.", node)
    return _MATCHING[node.text]


def _case(
    node: Node,
    path: Path,
    rules_for: Callable[[Lookup], RuleSet],
    every: bool | None,  # noqa: FBT001 - what the file says, None for nothing
    lookup_of: Callable[[str], Lookup],
) -> Case:
    """Return a case; ``every`` counts where it has no ``match`` of its own."""
    if not isinstance(node, Mapping):
        raise case_error("A case is a map with 'it', 'events' and 'alerts'.", node)
    check_keys(node, _CASE_KEYS, "A case")
    name, events, alerts = node.get("it"), node.get("events"), node.get("alerts")
    if not isinstance(name, Scalar) or not name.text:
        raise case_error("A case needs 'it': a sentence about what it shows.", name or node)
    own = _every(node.get("match"))
    every = every if own is None else own
    rules = rules_for(from_event)
    known = {rule.name for rule in rules.rules}
    objects = known_objects(node.get("known"))
    recorded = node.get("capture")
    if recorded is not None:
        if events is not None:
            raise case_error("A case has 'events' or a 'capture', not both.", events)
        capture = capture_path(recorded, path)
        rules = rules_for(lookup_of(capture))
        if isinstance(alerts, Mapping):
            numbers = expected_numbers(alerts, known)
            return Case(name.text, name.location(), rules, (), (), every, capture, numbers)
        return Case(name.text, name.location(), rules, (), _expected(alerts or node, known), every, capture)
    history = _history(node.get("history"))
    made = _only(node, events, history)
    if made is None:
        if not isinstance(events, SequenceNode) or not events.items:
            raise case_error("A case needs 'events': a list of at least one.", events or node)
        made = _several(events, history)
    expected = _expected(alerts or node, known)
    return Case(name.text, name.location(), rules, made, expected, every, known=objects, history=history)


def _later(history: tuple[Event, ...]) -> int | None:
    """Return when the first event of a case is that has others before; None where there are none."""
    return history[-1].time + _LATER if history else None


def _only(node: Mapping, events: Node | None, history: tuple[Event, ...]) -> tuple[Event, ...] | None:
    """Return the event that stands in the case itself; None where there is none."""
    one, line = node.get("event"), node.get("log")
    if one is None and line is None:
        return None
    if events is not None or (one is not None and line is not None):
        raise case_error("A case has 'event' or 'events' or 'log', only one of them.", one or line or node)
    number, before = len(history) + 1, _later(history)
    if one is not None:
        return (read_audit_event(node, number, before, keys=_CASE_KEYS),)
    return tuple(read_log_lines(node, number, before, keys=_CASE_KEYS))


def _several(events: SequenceNode, history: tuple[Event, ...]) -> tuple[Event, ...]:
    """Return the events of a list."""
    made: list[Event] = []
    for number, event in enumerate(events.items, start=len(history) + 1):
        before = made[-1].time if made else _later(history)
        if is_log_line(event):
            made += read_log_lines(event, number, before)
        else:
            made.append((read_audit_event if is_audit_event(event) else read_event)(event, number, before))
    return tuple(made)


def _history(node: Node | None) -> tuple[Event, ...]:
    """Return the events of the API that happened before."""
    if node is None:
        return ()
    if not isinstance(node, SequenceNode) or not node.items:
        raise case_error("'history' is a list of events of the API: - event: {...}.", node)
    made: list[Event] = []
    for number, event in enumerate(node.items, start=1):
        if not is_audit_event(event):
            raise case_error("'history' has events of the API only: - event: {...}.", event)
        for _ in range(read_times(event)):
            made.append(read_audit_event(event, number, made[-1].time if made else None))
    return tuple(made)


def _expected(alerts: Node, known: set[str]) -> tuple[str, ...]:
    """Return the rules whose alerts are expected, in order."""
    if not isinstance(alerts, SequenceNode):
        raise case_error("A case needs 'alerts': the names of the rules that alert, [] for none.", alerts)
    expected: list[str] = []
    for alert in alerts.items:
        if not isinstance(alert, Scalar) or alert.text not in known:
            raise case_error("'alerts' names a rule that is not loaded.", alert)
        expected.append(alert.text)
    return tuple(expected)
