"""What no rule has matched is known again: by the type of call, what the process and its ancestors run, and the paths.

A host does the same things again and again. An event that agrees with one before it in all that the conditions of its
type look at cannot match either; it is counted and nothing is made of it. Types whose conditions look at anything else,
as an id or a time, or that rules with state look at, are judged one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.captures.scap.descriptors import Descriptor
from hullwatch.captures.scap.paths import AT_FDCWD
from hullwatch.detect.plan import entries_for
from hullwatch.enrich.ancestry import Ancestries
from hullwatch.fields.catalogue import catalogue, event_names
from hullwatch.fields.inputs import OF_ANCESTRY
from hullwatch.rules.graph import field_uses
from hullwatch.rules.syntax import Check, in_order
from hullwatch.rules.terms import split_name

if TYPE_CHECKING:
    from collections.abc import Hashable

    from hullwatch.captures.scap.event import ScapEvent
    from hullwatch.captures.scap.raw_event import RawEvent
    from hullwatch.captures.scap.state import Around, State
    from hullwatch.captures.scap.table import EventKind
    from hullwatch.captures.scap.threads import Thread
    from hullwatch.rules.compile import Compiled
    from hullwatch.rules.loader import RuleSet

KEPT = 1 << 16
_LONGEST_PATH = 4096  # bytes
_OF_ACCOUNTS = frozenset({"user.name", "user.homedir", "user.shell", "user.loginname", "group.name"})
_OF_CONTAINER = frozenset({"container", "k8s"})
_OF_ARGUMENTS = frozenset({"evt.arg", "evt.rawarg"})
_OF_CALL = _OF_ARGUMENTS | {
    *(
        "evt.type",
        "evt.type.is",
        "evt.dir",
        "evt.source",
        "evt.is_async",
        "evt.category",
        "evt.count",
        "evt.count.exit",
    ),
    *("evt.is_io", "evt.is_io_read", "evt.is_io_write", "evt.io_dir", "evt.is_wait", "evt.res", "evt.failed"),
    *("evt.is_open_read", "evt.is_open_write", "evt.is_open_exec", "evt.is_open_create", "evt.abspath"),
}
_NOT_KNOWN_AGAIN = frozenset({"fd.uid", "fd.ino"})
_INO = Descriptor._fields.index("ino")
_PATHS = frozenset({"name", "path", "filename", "pathname", "oldpath", "newpath", "target", "linkpath", "dir"})
_BITS = frozenset({"flags", "mode"})
_OF_STATE = frozenset(
    {"FD", "FD32", "PID", "PID32", "UID", "GID", "FDLIST"}
)  # whose text depends on more than the value


class LookedAt(NamedTuple):
    """What the conditions of a type look at.

    Attributes:
        is_known_again: whether all of it is in the key.
        has_number: whether they look at the number of the descriptor.
        arguments: parameters that they look at by name.
        stateful: conditions of rules with state: what fulfils one of them is never known again.
    """

    is_known_again: bool
    has_number: bool
    arguments: frozenset[str]
    stateful: tuple[Compiled, ...]


class Remembered:
    """What was judged and matched nothing.

    Args:
        rules: that judge; of several sets, what none of them matches.
    """

    def __init__(self, *rules: RuleSet) -> None:
        """Start with nothing remembered."""
        self._rules = rules
        self._ancestries = Ancestries()
        self._dead: set[Hashable] = set()
        self._types: dict[str, LookedAt] = {}
        self._places: dict[tuple[int, str], _Places] = {}
        self._last: Hashable = None

    def is_nothing(self, event: RawEvent, name: str, around: Around, state: State) -> bool:
        """Tell whether an event is known to match nothing; ``learn`` is for the event that was asked for last."""
        known = self._types.get(name) or self.looks_at(name)
        thread = around.thread
        self._last = None
        if known.is_known_again and thread is not None:
            self._last = self._key(event, name, around, self.context(thread, state))
        return self._last is not None and self._last in self._dead

    def learn(self, event: ScapEvent) -> None:
        """Remember that an event, the one that was asked for last, matches nothing."""
        if self._last is None or any(one.matches(event) for one in self._types[event.type.name].stateful):
            return
        if len(self._dead) >= KEPT:
            self._dead.clear()
        self._dead.add(self._last)

    def forget(self) -> None:
        """Forget everything: something else is known of a user now."""
        self._dead.clear()

    def looks_at(self, name: str) -> LookedAt:
        """Return what the conditions of a type look at."""
        known = self._types.get(name)
        if known is None:
            known = self._types[name] = self._look_at(name)
        return known

    @property
    def is_learned(self) -> bool:
        """Whether the event that was asked for last is known to match nothing."""
        return self._last is not None and self._last in self._dead

    def context(self, thread: Thread, state: State) -> tuple[Hashable, ...]:
        """Return all that an event is judged by beside its values and its descriptor."""
        return (
            thread.ancestry or self._ancestries.number(thread),
            thread.container_id,
            state.containers.content(thread.container_id),
            thread.uid,
            thread.cwd,
            thread.is_known,
        )

    def _look_at(self, name: str) -> LookedAt:
        known = name if name in event_names() else ""
        entries = [entry for rules in self._rules for entry in entries_for(rules, known)]
        fields = frozenset[str]().union(*(entry.condition.fields for entry in entries))
        arguments: set[str] = set()
        for entry in entries:
            if not entry.condition.fields.isdisjoint(_OF_ARGUMENTS):
                arguments |= _arguments(entry.condition)
        stateful = tuple(entry.condition for entry in entries if entry.rule.stateful is not None)
        return LookedAt(all(map(_is_in_key, fields)), "fd.num" in fields, frozenset(arguments), stateful)

    def _key(self, event: RawEvent, name: str, around: Around, context: tuple[Hashable, ...]) -> Hashable:
        """Return all that an event is judged by; None when that cannot be told."""
        kind, known = event.kind, self._types[name]
        places = self._places.get((kind.number, name))
        if places is None:
            places = self._places[kind.number, name] = _places(kind, known.arguments)
        values, count = event.values, len(event.values)
        if places.is_open:
            return None
        for place in places.paths:
            if place < count and len(values[place]) > _LONGEST_PATH:
                return None
            if place < count and not values[place].startswith(b"/") and _has_other_directory(event, place):
                return None
        descriptor, number = around.descriptor, around.number
        return (
            kind.number,
            *context,
            number if known.has_number else number is None,
            None if descriptor is None else (*descriptor[:_INO], *descriptor[_INO + 1 :]),
            min(event.integer(0), 0),
            *[values[place] for place in places.values if place < count],
        )


def _arguments(condition: Compiled) -> set[str]:
    """Return the parameters that a condition looks at by name or number."""
    found: set[str] = set()
    for node in in_order(condition.tree):
        if isinstance(node, Check):
            for use in field_uses(node):
                entry, argument = split_name(use.name)
                if entry is not None and entry.name in _OF_ARGUMENTS:
                    found.add((argument if use.argument is None else use.argument) or "")
    return found


def _is_in_key(name: str) -> bool:
    """Tell whether all that a field depends on is in the key."""
    group = catalogue()[name].group
    if group == "fd":
        return name not in _NOT_KNOWN_AGAIN
    if group == "evt":
        return name in _OF_CALL
    if group in _OF_CONTAINER:
        return name != "container.duration"
    return name in OF_ANCESTRY | _OF_ACCOUNTS or name.startswith(("fs.path.", "syscall."))


class _Places(NamedTuple):
    """Where an event has what is in the key: its paths, and all of it; ``is_open`` when that is not enough."""

    paths: tuple[int, ...]
    values: tuple[int, ...]
    is_open: bool


def _places(kind: EventKind, arguments: frozenset[str]) -> _Places:
    named = list(enumerate(kind.parameters))
    asked = [(place, one) for place, one in named if one.name in arguments or str(place) in arguments]
    paths = tuple(place for place, one in named if one.name in _PATHS)
    values = {*paths, *(place for place, one in named if one.name in _BITS), *(place for place, _ in asked)}
    return _Places(paths, tuple(sorted(values)), any(one.type in _OF_STATE for _, one in asked))


def _has_other_directory(event: RawEvent, place: int) -> bool:
    """Tell whether a path is relative to another directory than the working directory."""
    directory = event.kind.parameters[place].directory
    return directory >= 0 and event.integer(directory, AT_FDCWD) != AT_FDCWD
