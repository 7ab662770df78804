"""What an incident and its alerts tell, collected for whoever writes it down: places, techniques, what was touched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.alerts.fingerprint import fingerprint
from hullwatch.alerts.score import SEVERITIES
from hullwatch.formats.process_tree import Place, ProcessTree, Shown, arrange, shown
from hullwatch.rules.attack_techniques import TACTICS, TECHNIQUES
from hullwatch.rules.responses import builtin_responses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident, Step
    from hullwatch.rules.responses import Responses

MOST_PROCESSES = 200  # in a tree
MOST_OF_A_KIND = 20  # files, addresses, ... that are named
MOST_ORDERS = 5  # notes on what to do first
_FILES = ("fd.name", "fs.path.name", "fs.path.source", "fs.path.target", "drift.path")
_ENDS = re.compile(r"^\S+->(?P<peer>\S+)$")
_HASH = re.compile(r"^(?:sha256:)?[0-9a-f]{64}$")


class Technique(NamedTuple):
    """A technique of MITRE ATT&CK, its name, and the numbers of the steps that it was seen in."""

    id: str
    name: str
    steps: tuple[int, ...]


class Order(NamedTuple):
    """What to do first: for which rule, and its step."""

    step: int
    rule: str
    text: str


class Touched(NamedTuple):
    """What the alerts name: files, the other ends of connections, names that were asked for, hashes, users.

    And the captures that the flight recorder saved for them.
    """

    files: list[str]
    addresses: list[str]
    names: list[str]
    hashes: list[str]
    users: list[str]
    captures: list[str]
    left_out: int


def techniques(incident: Incident) -> list[Technique]:
    """Return the techniques of an incident in the order in which they were seen."""
    found: dict[str, list[int]] = {}
    for number, step in enumerate(incident.steps, 1):
        for technique in step.techniques:
            found.setdefault(technique, []).append(number)
    return [Technique(one, TECHNIQUES.get(one, ""), tuple(steps)) for one, steps in found.items()]


def tactics(steps: Iterable[Step]) -> list[str]:
    """Return the names of the tactics of some steps, in the order of an attack."""
    seen = {tag for step in steps for tag in step.tactics}
    return [name for tag, (_, name) in TACTICS.items() if tag in seen]


def orders(incident: Incident, responses: Responses | None = None) -> list[Order]:
    """Return what to do first: the notes of the worst steps, each once."""
    notes = responses or builtin_responses()
    worst = sorted(
        enumerate(incident.steps, 1), key=lambda one: (SEVERITIES.get(one[1].priority, len(SEVERITIES)), one[0])
    )
    found: dict[str, Order] = {}
    for number, step in worst:
        text = notes.of(step.rule, step.tactics)
        found.setdefault(text, Order(number, step.rule, text))
    return list(found.values())[:MOST_ORDERS]


def touched(alerts: Iterable[Alert]) -> Touched:
    """Return what alerts name of the world around them."""
    kinds: tuple[dict[str, None], ...] = ({}, {}, {}, {}, {}, {})
    files, addresses, names, hashes, users, captures = kinds
    for alert in alerts:
        for value in _named(alert):
            ends = _ENDS.match(value)
            if ends is not None:
                addresses[ends["peer"]] = None
            elif value.startswith("/"):
                files[value] = None
        question = alert.output_fields.get("dns.question")
        if isinstance(question, str) and question:
            names[question] = None
        digest = alert.output_fields.get("drift.sha256") or (alert.origin.sha256 if alert.origin is not None else "")
        if isinstance(digest, str) and _HASH.match(digest):
            hashes[digest] = None
        if alert.origin is not None and alert.origin.user:
            users[alert.origin.user] = None
        if alert.capture:
            captures[alert.capture] = None
    left_out = sum(max(0, len(kind) - MOST_OF_A_KIND) for kind in kinds)
    return Touched(*(list(kind)[:MOST_OF_A_KIND] for kind in kinds), left_out=left_out)


def _named(alert: Alert) -> Iterator[str]:
    """Yield what an alert and the events before it name as files and connections."""
    for source in (alert.output_fields, *alert.evidence):
        for field in _FILES:
            value = source.get(field)
            if isinstance(value, str):
                yield value


class _Actor:
    """A process of a tree that is put together from the alerts' origins."""

    __slots__ = ("command", "container", "key", "name", "steps")

    def __init__(self, key: tuple[int, int], name: str, command: str, container: str) -> None:
        self.key = key
        self.name = name
        self.command = command
        self.container = container
        self.steps: set[int] = set()


def tree(incident: Incident, alerts: Sequence[Alert], most: int = MOST_PROCESSES) -> ProcessTree:
    """Return the processes of an incident's alerts and those above them, with the steps that each made.

    Args:
        incident: that it is of.
        alerts: with their origins; others have no process.
        most: how many are shown; those that made a step stay.
    """
    numbers = {step.issue: number for number, step in enumerate(incident.steps, 1)}
    actors: dict[tuple[int, int], _Actor] = {}
    parents: dict[tuple[int, int], tuple[int, int]] = {}
    for alert in alerts:
        origin = alert.origin
        if origin is None:
            continue
        line = origin.processes
        for place, one in enumerate(line):
            actor = actors.setdefault((one.pid, one.start), _Actor((one.pid, one.start), "", "", ""))
            if place == 0 or not actor.command:  # of those above, the last thing that they ran is what is known
                actor.name, actor.command = one.name, one.command
            actor.container = actor.container or alert.container_name or alert.container_id
            if place + 1 < len(line):
                above = line[place + 1]
                parents.setdefault(actor.key, (above.pid, above.start))
        number = numbers.get(fingerprint(alert).issue)
        if line and number:
            actors[line[0].pid, line[0].start].steps.add(number)
    return _shown(actors, parents, most)


def _shown(
    actors: dict[tuple[int, int], _Actor], parents: dict[tuple[int, int], tuple[int, int]], most: int
) -> ProcessTree:
    order = sorted(actors, key=lambda key: (not actors[key].steps, key[1], key[0]))
    kept = set(order[:most])
    children: dict[tuple[int, int], list[tuple[int, int]]] = {}
    roots: list[tuple[int, int]] = []
    for key in sorted(kept, key=lambda one: (one[1], one[0])):
        parent = parents.get(key)
        if parent is None or parent not in kept:
            roots.append(key)
        else:
            children.setdefault(parent, []).append(key)
    rows = [_row(actors[key], place) for key, place in arrange(roots, children)]
    return ProcessTree(rows, len(actors) - len(kept))


def _row(actor: _Actor, place: Place) -> Shown:
    where = f" in {shown(actor.container, 60)}" if actor.container not in {"", "host"} else ""
    steps = sorted(actor.steps)
    mark = f"step{'s' * (len(steps) > 1)} {', '.join(map(str, steps[:10]))}" if steps else ""
    kind = "focus" if steps else "inside" if where else "box"
    name = f"{shown(actor.name, 60) or '?'} (pid {actor.key[0]}){where}"
    return Shown(place, name, "", [shown(actor.command)] if actor.command else [], kind, mark)
