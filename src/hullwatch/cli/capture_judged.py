"""Captures of both kinds with the rules that judge them: what a kind needs is loaded when the first of it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Sequence

    from hullwatch.captures.judged import Judged
    from hullwatch.config.settings import Settings
    from hullwatch.rules.loader import RuleSet
    from hullwatch.rules.terms import Lookup


class NamedRules:
    """The rules of one side.

    Args:
        settings: of the run.
        files: that are read instead of those of the settings; none of them: the built-in rules.
    """

    def __init__(self, settings: Settings, files: tuple[str, ...] | None = None) -> None:
        """Load nothing yet."""
        self._settings = settings
        self._files = files
        self._loaded: dict[Lookup, RuleSet] = {}

    def __call__(self, lookup: Lookup) -> RuleSet:
        """Return the rules for a kind of captures; they are loaded once, and warned about once.

        Raises:
            UsageError: for a file that cannot be read or has a mistake.
        """
        from hullwatch.cli.rule_set import load_named

        rules = self._loaded.get(lookup)
        if rules is None:
            rules = load_named(self._settings, self._files, lookup, quiet=bool(self._loaded))
            self._loaded[lookup] = rules
        return rules

    @property
    def names(self) -> set[str]:
        """Of the rules that are loaded."""
        return {rule.name for rules in self._loaded.values() for rule in rules.rules}


def judged_by(
    sides: Sequence[Callable[[Lookup], RuleSet]], hold_events: int, *, every: bool
) -> Callable[[io.BufferedReader, str], Judged]:
    """Return what makes of a file a capture that is judged; which kind it is, its content says.

    Args:
        sides: give their rules for a lookup.
        hold_events: how many events may wait for the metadata of their container.
        every: every rule that matches an event alerts, not only the first.
    """
    from hullwatch.captures.judged import JudgedCapture
    from hullwatch.captures.reader import CaptureReader
    from hullwatch.captures.scap.judged import JudgedScap
    from hullwatch.captures.scap.lookup import from_scap
    from hullwatch.rules.terms import from_event

    def opened(stream: io.BufferedReader, name: str) -> Judged:
        if _lookup(stream) is from_scap:
            return JudgedScap(stream, name, [side(from_scap) for side in sides], every=every)
        reader = CaptureReader(stream, name)
        return JudgedCapture(reader, [side(from_event) for side in sides], hold_events, every=every)

    return opened


def lookup_of(file: str) -> Lookup:
    """Return the lookup that rules for a capture are loaded with.

    Raises:
        UsageError: when it cannot be opened.
    """
    from hullwatch.cli.input_file import open_input

    with open_input(file) as stream:
        return _lookup(stream)


def _lookup(stream: io.BufferedReader) -> Lookup:
    from hullwatch.captures.scap.blocks import is_scap
    from hullwatch.captures.scap.lookup import from_scap
    from hullwatch.rules.terms import from_event

    return from_scap if is_scap(stream.peek(1)) else from_event
