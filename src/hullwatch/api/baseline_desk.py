"""Where verbs ask what is ordinary in clusters, and decide of it: by the file, for verbs and for the instance."""

from __future__ import annotations

import contextlib
import difflib
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, cast

import msgspec

from hullwatch.api.stored import LONGEST_REASON
from hullwatch.baseline.cluster import ALL_KINDS, Span
from hullwatch.baseline.known import KnownBaseline
from hullwatch.baseline.texts import short
from hullwatch.errors import UsageError
from hullwatch.fields.ka_new import KINDS
from hullwatch.store import baseline_reading
from hullwatch.store.baseline_file import FILE, BaselineFile, Decision
from hullwatch.store.opening import open_to_read
from hullwatch.store.packing import clean
from hullwatch.store.reading import alert_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from hullwatch.baseline.known import Learnt, LearntHours, LearntValue
    from hullwatch.config.kubernetes_baseline_settings import BaselineSettings


class BaselineWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants to decide of what is ordinary; who they are is not theirs to say.

    Attributes:
        verb: accept: a value is never new; forget: it is new when it is seen again; undo: accept it no more.
        kind: of the value.
        value: as an alert has it; with ``*`` at its end all such.
        alert: instead of both, all that is new by the alert with this id.
        number: of the decision that ``undo`` takes back.
        why: the reason; needed unless it is tried only.
        dry_run: only tell what it would be about.
    """

    verb: Literal["accept", "forget", "undo"]
    kind: Annotated[str, msgspec.Meta(max_length=200)] = ""
    value: str = ""
    alert: Annotated[str, msgspec.Meta(max_length=200)] = ""
    number: int = 0
    why: str = ""
    dry_run: bool = False


class Decided(msgspec.Struct, frozen=True):
    """What was decided of a value, or would be; how many known values it stands for."""

    kind: str
    value: str
    known: int = 0
    decision: Decision | None = None


class BaselineDesk(KnownBaseline, Protocol):
    """Tells what was learnt, and takes decisions of that.

    Every method raises ``UsageError`` for what is wrong in the question, ``StoreError`` or ``CannotError`` when it
    cannot be answered.
    """

    def decisions(self, limit: int) -> Iterator[Decision]:
        """Yield what people have decided, the last one first."""
        ...

    def decide(self, wish: BaselineWish) -> list[Decided]:
        """Decide of each value that is meant; return that as it is kept, with who did it."""
        ...


class StoredBaseline:
    """Asks and decides by the files of the state directory.

    Args:
        url: of the store, where alerts are; empty for the file in the state directory.
        state: that directory.
        settings: how long things are learnt.
        who: names who decides; called when somebody does.
    """

    def __init__(self, url: str, state: Path, settings: BaselineSettings, who: Callable[[], str]) -> None:
        """Open nothing yet."""
        self._url, self._state = url, state
        self._span = Span(settings.learn, settings.forget)
        self._who = who

    def _open(self, *, write: bool = False) -> contextlib.closing[BaselineFile]:
        return contextlib.closing(BaselineFile(self._state / FILE, write=write))

    def about(self) -> Learnt:
        """Return how much was learnt."""
        with self._open() as file:
            return baseline_reading.about(file, self._span)

    def values(self, kind: str, limit: int) -> Generator[LearntValue]:
        """Yield values of a kind, the newest first."""
        check_kind(kind, ALL_KINDS)
        with self._open() as file:
            yield from baseline_reading.values(file, kind, limit)

    def hours(self, limit: int) -> Generator[LearntHours]:
        """Yield the hours of people, by their names."""
        with self._open() as file:
            yield from baseline_reading.hours(file, limit)

    def decisions(self, limit: int) -> Generator[Decision]:
        """Yield what people have decided, the last one first."""
        with self._open() as file:
            yield from baseline_reading.decisions(file, limit)

    def decide(self, wish: BaselineWish) -> list[Decided]:
        """Decide of each value that is meant."""
        wish = msgspec.structs.replace(wish, why=clean(wish.why), alert=clean(wish.alert))
        if len(wish.why) > LONGEST_REASON:
            raise UsageError(f"The why has more than {LONGEST_REASON} characters: make it shorter.")
        if wish.verb == "undo":
            return [self._undo(wish)]
        if bool(wish.alert) == bool(wish.kind or wish.value) or (wish.kind and not wish.value):
            raise UsageError(f"Say what to {wish.verb}: KIND and VALUE, or --alert ID.")
        values = self._of_alert(wish.alert) if wish.alert else [(wish.kind, wish.value)]
        for kind, value in values:
            check_kind(kind, tuple(KINDS))
            if value.strip() in {"", "*"}:
                raise UsageError("That would be every value there is: say which, or switch the rule off.")
        if not wish.dry_run:
            _need(wish.why)
        with self._open(write=not wish.dry_run) as file:
            return [self._decide(file, wish, kind, short(value)) for kind, value in values]

    def _decide(self, file: BaselineFile, wish: BaselineWish, kind: str, value: str) -> Decided:
        known = baseline_reading.known(file, kind, value)
        if wish.verb == "forget" and not known:
            raise UsageError(f"There is no {kind} {value}: 'hullwatch k8s baseline show {kind}' has them.")
        made = None if wish.dry_run else file.decide(self._who(), wish.verb, kind, value, wish.why)
        return Decided(kind, value, known, made)

    def _undo(self, wish: BaselineWish) -> Decided:
        if wish.kind or wish.value or wish.alert or wish.dry_run:
            raise UsageError("To undo a decision takes its number and why, and nothing else.")
        _need(wish.why)
        with self._open(write=True) as file:
            made = file.undo(wish.number, self._who(), wish.why)
        return Decided(made.kind, made.value, decision=made)

    def _of_alert(self, written: str) -> list[tuple[str, str]]:
        """Return what is new by an alert."""
        with contextlib.closing(open_to_read(self._url, self._state)) as database:
            found = alert_of(database, written)
        if found is None:
            raise UsageError(f"There is no alert \"{written[:80]}\": 'hullwatch alerts -o json' has their ids.")
        values: list[tuple[str, str]] = []
        for kind, one in KINDS.items():
            value: Any = found.output_fields.get(one.field)
            every = cast("list[Any]", value) if isinstance(value, list) else [value]
            values += [(kind, str(item)) for item in every if item is not None]
        if not values:
            raise UsageError(f"Nothing is new by the alert {written[:80]}: its rule is {found.rule}.")
        return values


def check_kind(kind: str, kinds: tuple[str, ...] = ALL_KINDS) -> None:
    """Look whether there is such a kind.

    Raises:
        UsageError: when there is none, with the nearest.
    """
    if kind not in kinds:
        near = difflib.get_close_matches(kind[:80], kinds, n=1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(kinds)}."
        raise UsageError(f'There is no kind "{kind[:80]}": {advice}')


def _need(why: str) -> None:
    if not why.strip():
        raise UsageError("Say why: it is kept with the decision.")
