"""What changed rules would have raised over stored captures, beside the rules of before."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.captures.settled import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.alerts.mask import Masker
    from hullwatch.captures.judged import Judged
    from hullwatch.detect.engine import Match

WAITING_KEPT = 10_000  # alerts of one side that the other may raise a chunk later, as when they waited for metadata


class Example(msgspec.Struct, frozen=True):
    """An alert that only one side raises; ``time`` is ns since the epoch, secrets in ``output`` are masked."""

    capture: str
    time: int
    container: str
    output: str


class Numbers(msgspec.Struct):
    """How many alerts there are by the rules of before and by the others, and how many only one of them raises."""

    before: int = 0
    after: int = 0
    only_before: int = 0
    only_after: int = 0

    @property
    def differ(self) -> bool:
        """Whether the two sides do."""
        return bool(self.only_before or self.only_after)


class RuleNumbers(Numbers):
    """The same of one rule, and by capture, with examples of what only one side raises."""

    captures: dict[str, Numbers] = msgspec.field(default_factory=dict[str, Numbers])
    examples_before: list[Example] = msgspec.field(default_factory=list[Example])
    examples_after: list[Example] = msgspec.field(default_factory=list[Example])


class CaptureNumbers(Numbers):
    """The same of one capture."""

    file: str = ""
    events: int = 0
    problem: str = ""


class _Draft(NamedTuple):
    """An alert as its event was when it matched, secrets in it."""

    match: Match
    message: str
    fields: dict[str, object]


_Key = tuple[str, int, int, str]  # rule, time, thread, event type: the number of an event depends on the rules


class Backtest:
    """Compares two sets of rules over captures.

    Attributes:
        examples: how many alerts that only one side raises are shown of each rule.
        rules: what came of each rule, by name.
        captures: what came of each capture.
    """

    def __init__(self, examples: int, masker: Masker) -> None:
        """Compare nothing yet."""
        self.examples = examples
        self._masker = masker
        self.rules: dict[str, RuleNumbers] = {}
        self.captures: list[CaptureNumbers] = []

    @property
    def total(self) -> Numbers:
        """Of all captures."""
        return Numbers(
            before=sum(one.before for one in self.captures),
            after=sum(one.after for one in self.captures),
            only_before=sum(one.only_before for one in self.captures),
            only_after=sum(one.only_after for one in self.captures),
        )

    def run(self, capture: Judged, tell: Callable[[int], None]) -> CaptureNumbers:
        """Judge a capture by both sets of rules.

        Args:
            capture: with two sets of rules: that of before, and the other.
            tell: called with the number of events so far.

        Raises:
            UsageError: when it is damaged in itself; when only its end is, ``problem`` of the capture tells.
        """
        found = CaptureNumbers(file=capture.name)
        self.captures.append(found)
        comparing = _Comparing(self, found, WAITING_KEPT if capture.may_wait else 0)
        with settled():
            for before, after in capture.matches():
                comparing.take(before, after)
                tell(capture.events)
        comparing.finish()
        found.events, found.problem = capture.events, capture.problem
        return found

    def count(self, rule: str, found: CaptureNumbers, **more: int) -> RuleNumbers:
        """Add to the numbers of a rule and of a capture."""
        numbers = self.rules.setdefault(rule, RuleNumbers())
        for one in (numbers, numbers.captures.setdefault(found.file, Numbers()), found):
            for name, number in more.items():
                setattr(one, name, getattr(one, name) + number)
        return numbers

    def example(self, draft: _Draft, name: str) -> Example:
        """Return what is shown of an alert."""
        event, rule = draft.match.event, draft.match.rule
        program = event.program.comm if event.program is not None else ""
        container = event.container
        named = ("", container.id)  # when nobody told of another name
        return Example(
            capture=name,
            time=event.time,
            container=f"{container.name} ({container.id})" if container.name not in named else container.id,
            output=f"{rule.priority!s} {self._masker.alert(draft.message, draft.fields, program)[0]}",
        )


class _Comparing:
    """Finds the alerts of one capture that only one side raises.

    Part by part, so that what is the same is forgotten at once. Alerts of events that waited for a container may
    come a part earlier or later by the other rules: some are kept for that.
    """

    def __init__(self, whole: Backtest, found: CaptureNumbers, kept: int) -> None:
        self._whole = whole
        self._kept = kept
        self._found = found
        self._lonely: tuple[OrderedDict[_Key, list[_Draft]], ...] = (OrderedDict(), OrderedDict())

    def take(self, before: Iterable[Match], after: Iterable[Match]) -> None:
        """Take the matches of a part."""
        for side, matches in enumerate((before, after)):
            counted = ("before", "after")[side]
            mine, others = self._lonely[side], self._lonely[1 - side]
            for match in matches:
                event, rule = match.event, match.rule.name
                self._whole.count(rule, self._found, **{counted: 1})
                key = (rule, event.time, event.tid, event.type.name)
                same = others.get(key)
                if same is None:
                    mine.setdefault(key, []).append(_Draft(match, *match.rule.output.render(event)))
                else:
                    same.pop()
                    if not same:
                        del others[key]
        for side, lonely in enumerate(self._lonely):
            while len(lonely) > self._kept:
                self._give_up(side, *lonely.popitem(last=False))

    def finish(self) -> None:
        """What is lonely now remains so."""
        for side, lonely in enumerate(self._lonely):
            for key, drafts in lonely.items():
                self._give_up(side, key, drafts)
            lonely.clear()

    def _give_up(self, side: int, key: _Key, drafts: list[_Draft]) -> None:
        numbers = self._whole.count(key[0], self._found, **{("only_before", "only_after")[side]: len(drafts)})
        shown = (numbers.examples_before, numbers.examples_after)[side]
        room = max(0, self._whole.examples - len(shown))
        shown += [self._whole.example(draft, self._found.file) for draft in drafts[:room]]
