"""The file of the escalation: persons, calendars, rosters and policies, checked as a whole."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import msgspec

from hullwatch.config.values import nearest, parse_duration
from hullwatch.errors import UsageError
from hullwatch.escalation.calendar import UTC, Hours, zone
from hullwatch.escalation.located import Located, WrongFileError
from hullwatch.escalation.roster import Override, Roster, Shift

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

T = TypeVar("T")

EXAMPLE = Path(__file__).parent.parent / "packs" / "escalation" / "example.yaml"
LARGEST_FILE = 1 << 20  # bytes
MOST = 1000  # persons, rosters, policies, steps of one
ROSTER = "roster:"
_DEFAULT_REPEATS = 12
_FIRST_MONDAY = "1970-01-05"


class _Person(msgspec.Struct, forbid_unknown_fields=True):
    output: str
    name: str = ""
    timezone: str = "UTC"


class _Calendar(msgspec.Struct, forbid_unknown_fields=True):
    hours: str = "00:00-24:00"
    days: tuple[str, ...] = ()
    timezone: str = "UTC"
    holidays: tuple[str, ...] = ()


class _Shift(msgspec.Struct, forbid_unknown_fields=True):
    who: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    hours: str = "00:00-24:00"
    days: tuple[str, ...] = ()
    timezone: str = ""
    rotate: str = ""
    since: str = _FIRST_MONDAY
    handover: str = "00:00"


class _Override(msgspec.Struct, forbid_unknown_fields=True, rename={"begin": "from", "end": "to"}):
    who: str
    begin: str
    end: str


class _Roster(msgspec.Struct, forbid_unknown_fields=True):
    shifts: Annotated[tuple[_Shift, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    timezone: str = "UTC"
    overrides: Annotated[tuple[_Override, ...], msgspec.Meta(max_length=MOST)] = ()


class _Step(msgspec.Struct, forbid_unknown_fields=True):
    tell: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    after: str = "0s"
    by: str = ""
    repeat: str = ""
    most: Annotated[int, msgspec.Meta(ge=1, le=1000)] = _DEFAULT_REPEATS


class _Policy(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    steps: Annotated[tuple[_Step, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    score: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    workload: str = "*"
    only: str = ""
    quiet: str = ""
    loud: Annotated[int, msgspec.Meta(ge=0, le=101)] = 101


class _File(msgspec.Struct, forbid_unknown_fields=True):
    policies: Annotated[tuple[_Policy, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    people: dict[str, _Person] = {}
    calendars: dict[str, _Calendar] = {}
    rosters: dict[str, _Roster] = {}


class Person(NamedTuple):
    """Somebody who is told.

    Attributes:
        id: the key in the file.
        name: for people.
        output: by which they are told.
        zone: of the times that they are shown.
    """

    id: str
    name: str
    output: str
    zone: dt.tzinfo


class Step(NamedTuple):
    """Whom a policy tells, when, and how often.

    Attributes:
        after: seconds since the policy began.
        tell: ids of persons, ``roster:NAME``, or names of outputs.
        by: the output; empty for each person's own.
        repeat: seconds between repeats; 0: told once.
        most: how often at most.
    """

    after: float
    tell: tuple[str, ...]
    by: str
    repeat: float
    most: int


class Policy(NamedTuple):
    """What happens with an incident that it is for.

    Attributes:
        name: for people.
        score: the least one.
        workload: pattern of names, with ``*``.
        only: hours in which it counts; None: always.
        quiet: hours in which it waits; None: never.
        loud: the score from which it does not wait.
        steps: in order.
    """

    name: str
    score: int
    workload: str
    only: Hours | None
    quiet: Hours | None
    loud: int
    steps: tuple[Step, ...]


class Escalation(NamedTuple):
    """A whole file.

    Attributes:
        people: by id.
        rosters: by name.
        policies: of which the first that an incident is for counts.
        outputs: that it names.
    """

    people: dict[str, Person]
    rosters: dict[str, Roster]
    policies: tuple[Policy, ...]
    outputs: frozenset[str]


def read_escalation(path: Path, outputs: Collection[str] | None = None) -> Escalation:
    """Return what a file says.

    Args:
        path: of the file.
        outputs: names that are configured; None: any name will do.

    Raises:
        UsageError: when it cannot be read; ``WrongFileError`` with the place of the first mistake.
    """
    return parse_escalation(str(path), read_text(path), outputs)


def read_text(path: Path) -> bytes:
    """Return the text of a file.

    Raises:
        UsageError: when it cannot be read, or is too long.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"The escalation file {path} cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_FILE:
        raise UsageError(f"The escalation file {path} has more than {LARGEST_FILE:,} bytes; it should be a few pages.")
    return content


def parse_escalation(name: str, content: bytes, outputs: Collection[str] | None = None) -> Escalation:
    """Return what the text of a file says.

    Args:
        name: of the file, for messages.
        content: its text.
        outputs: names that are configured; None: any name will do.

    Raises:
        WrongFileError: with the place of the first mistake.
    """
    return _Reader(Located(name, content), outputs).read()


class _Reader:
    """Turns words into what they mean, and knows where each of them stands."""

    def __init__(self, document: Located, outputs: Collection[str] | None) -> None:
        self._document = document
        self._outputs = outputs
        self._named: set[str] = set()
        self._file = document.convert(_File)

    def read(self) -> Escalation:
        file = self._file
        people = {
            id_: Person(
                id_,
                one.name or id_,
                self._output(one.output, "people", id_, "output"),
                self._at(lambda one=one: zone(one.timezone), "people", id_, "timezone"),
            )
            for id_, one in file.people.items()
        }
        calendars = {name: self._calendar(name, one) for name, one in file.calendars.items()}
        rosters = {name: self._roster(name, one) for name, one in file.rosters.items()}
        policies = [self._policy(place, one, calendars) for place, one in enumerate(file.policies)]
        return Escalation(people, rosters, tuple(policies), frozenset(self._named))

    def _at(self, read: Callable[[], T], *path: str | int) -> T:
        """Return what is read; say where it stands when it is wrong."""
        try:
            return read()
        except WrongFileError:
            raise
        except UsageError as error:
            raise WrongFileError(self._document.where(*path), f"{str(error).removesuffix('.')}.") from None

    def _wrong(self, sentence: str, *path: str | int) -> WrongFileError:
        return WrongFileError(self._document.where(*path), sentence)

    def _known(self, what: str, name: str, known: dict[str, T], *path: str | int) -> T:
        if name not in known:
            hint = nearest(name, known)
            raise self._wrong(f'There is no {what} "{name[:64]}" in this file{hint}.', *path)
        return known[name]

    def _output(self, name: str, *path: str | int) -> str:
        if self._outputs is not None and name not in self._outputs:
            hint = nearest(name, self._outputs)
            raise self._wrong(f'There is no output "{name[:64]}" in the configuration{hint}.', *path)
        self._named.add(name)
        return name

    def _calendar(self, name: str, one: _Calendar) -> Hours:
        holidays = [
            self._at(lambda text=text: _date(text), "calendars", name, "holidays", place)
            for place, text in enumerate(one.holidays)
        ]
        return self._at(lambda: Hours(one.days, one.hours, one.timezone, frozenset(holidays)), "calendars", name)

    def _roster(self, name: str, one: _Roster) -> Roster:
        shifts = [self._shift(name, place, shift, one.timezone) for place, shift in enumerate(one.shifts)]
        overrides = [self._override(name, place, other, one.timezone) for place, other in enumerate(one.overrides)]
        return Roster(name, shifts, overrides)

    def _shift(self, roster: str, place: int, one: _Shift, timezone: str) -> Shift:
        path = ("rosters", roster, "shifts", place)
        for number, who in enumerate(one.who):
            self._known("person", who, self._file.people, *path, "who", number)
        own = one.timezone or timezone
        return self._at(
            lambda: Shift(
                one.who,
                Hours(one.days, one.hours, own),
                rotate=one.rotate,
                since=_date(one.since),
                handover=one.handover,
                timezone=own,
            ),
            *path,
        )

    def _override(self, roster: str, place: int, one: _Override, timezone: str) -> Override:
        path = ("rosters", roster, "overrides", place)
        self._known("person", one.who, self._file.people, *path, "who")
        begin, end = (
            self._at(lambda text=text: _moment(text, timezone), *path, key)
            for text, key in ((one.begin, "from"), (one.end, "to"))
        )
        if end <= begin:
            raise self._wrong("It ends before it begins.", *path, "to")
        return Override(begin, end, one.who)

    def _policy(self, place: int, one: _Policy, calendars: dict[str, Hours]) -> Policy:
        path = ("policies", place)
        only, quiet = (
            self._known("calendar", name, calendars, *path, key) if name else None
            for name, key in ((one.only, "only"), (one.quiet, "quiet"))
        )
        steps = tuple(self._step(step, *path, "steps", number) for number, step in enumerate(one.steps))
        return Policy(one.name, one.score, one.workload, only, quiet, one.loud, steps)

    def _step(self, one: _Step, *path: str | int) -> Step:
        for number, who in enumerate(one.tell):
            if who.startswith(ROSTER):
                self._known("roster", who.removeprefix(ROSTER), self._file.rosters, *path, "tell", number)
            elif who not in self._file.people:
                self._output(who, *path, "tell", number)
        after = 0.0 if one.after == "0s" else self._at(lambda: parse_duration(one.after), *path, "after")
        repeat = self._at(lambda: parse_duration(one.repeat), *path, "repeat") if one.repeat else 0.0
        by = self._output(one.by, *path, "by") if one.by else ""
        return Step(after, one.tell, by, repeat, one.most if repeat else 1)


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f'"{text[:32]}" is no day; write 2026-12-24') from None


def _moment(text: str, timezone: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f'"{text[:32]}" is no time; write 2026-12-24T18:00') from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone(timezone))).astimezone(UTC)


def remarks(escalation: Escalation, now: dt.datetime) -> Iterable[str]:
    """Yield what is allowed but probably not meant: times at which nobody is on call, policies that never count."""
    for roster in escalation.rosters.values():
        gaps = roster.gaps(now)
        if gaps:
            begin, end = gaps[0]
            until = "for good" if end is None else f"until {end:%a %d %b %H:%M} UTC"
            more = f" ({len(gaps) - 1} more gaps within four weeks)" if len(gaps) > 1 else ""
            yield f'roster "{roster.name}": nobody is on call from {begin:%a %d %b %H:%M} UTC {until}{more}'
    for place, policy in enumerate(escalation.policies):
        before = next((one for one in escalation.policies[:place] if _hides(one, policy)), None)
        if before is not None:
            yield f'policy "{policy.name}" never counts: "{before.name}" before it is for the same incidents'


def _hides(before: Policy, policy: Policy) -> bool:
    return before.only is None and before.score <= policy.score and before.workload in {"*", policy.workload}
