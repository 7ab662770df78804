"""Asking and deciding by the store itself: the one implementation, for verbs and for the instance that runs."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

from hullwatch.alerts.condition import AlertCondition
from hullwatch.alerts.issue import Decision
from hullwatch.api import upkeep
from hullwatch.api.desk import IncidentReport, IssueReport, StoreInfo, Trial, WholeAlert
from hullwatch.config.values import parse_duration
from hullwatch.errors import CannotError, UsageError
from hullwatch.store import reading
from hullwatch.store.database import NoStoreError, StoreError
from hullwatch.store.deciding import decide, find
from hullwatch.store.opening import open_to_decide, open_to_read
from hullwatch.store.reading import AlertReader, Wanted, removed
from hullwatch.store.remembering import decisions, mutes
from hullwatch.store.schema import version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident
    from hullwatch.alerts.issue import Issue, Mute
    from hullwatch.api.desk import Among, Wish
    from hullwatch.store.database import Database
    from hullwatch.store.reading import Found

SHOWN_ALERTS = 5  # of an issue
LOOKED_AT = 500  # alerts of an incident, for what they alone tell
COMPLETIONS = 50
LONGEST_REASON = 1000  # characters
LONGEST_ASSIGNEE = 200
LONGEST_CONDITION = 4000
CONTAINER = r"[0-9a-f]{6,64}"
_TABLES = ("alerts", "placements", "issues", "incidents", "decisions")


class StoreDesk:
    """Asks and decides by the store.

    Args:
        url: of the store; empty for the file in the state directory.
        state: that directory.
        who: names who decides; called when somebody does.
        undo: takes back what was done to a container.
        look: called now and then while something takes long; may raise ``CannotError`` to end it.
        hint: what people are told as well when nothing was kept yet.
    """

    def __init__(
        self,
        url: str,
        state: Path,
        who: Callable[[], str],
        undo: Callable[[str], list[str]],
        look: Callable[[], None] = lambda: None,
        hint: str = "",
    ) -> None:
        """Open nothing yet."""
        self._hint = hint
        self._place = url, state
        self._who = who
        self._undo = undo
        self._look = look

    def _reading(self) -> contextlib.closing[Database]:
        return self._opened(open_to_read)

    def _writing(self) -> contextlib.closing[Database]:
        return self._opened(open_to_decide)

    def _opened(self, opens: Callable[[str, Path], Database]) -> contextlib.closing[Database]:
        try:
            return contextlib.closing(opens(*self._place))
        except NoStoreError as error:
            raise NoStoreError(f"{error} {self._hint}".rstrip()) from None

    # ---- questions

    def alerts(self, wanted: Wanted, limit: int) -> Iterator[Found]:
        """Yield alerts, the newest first."""
        with self._reading() as database:
            yield from AlertReader(database, self._look).newest_first(wanted, limit)

    def count(self, wanted: Wanted) -> int:
        """Return how many alerts there are."""
        with self._reading() as database:
            return AlertReader(database, self._look).count(wanted)

    def issues(self, states: Sequence[str], limit: int, since: int) -> list[Issue]:
        """Return issues in some states."""
        with self._reading() as database:
            return reading.issues(database, states, limit, since)

    def incidents(self, states: Sequence[str], limit: int, since: int) -> list[Incident]:
        """Return incidents in some states."""
        with self._reading() as database:
            return reading.incidents(database, states, limit, since)

    def issue(self, written: str) -> IssueReport:
        """Return what is known of an issue."""
        with self._reading() as database:
            one = reading.issue(database, find(database, "issues", written))
            assert one is not None
            reader = AlertReader(database, self._look)
            alerts = [WholeAlert(*found) for found in reader.newest_first(Wanted(issue=one.id), SHOWN_ALERTS)]
            return IssueReport(one, decisions(database, "target = ?", (one.id,)), alerts, *reader.kept_by(one))

    def incident(self, written: str) -> IncidentReport:
        """Return what is known of an incident."""
        with self._reading() as database:
            one = reading.incident(database, find(database, "incidents", written))
            assert one is not None
            made = decisions(database, "target = ?", (one.id,))
            return IncidentReport(one, made, self._alerts(database, one))

    def _alerts(self, database: Database, one: Incident) -> list[Alert]:
        """Return alerts of an incident: the first of each step, and the last ones."""
        reader = AlertReader(database, self._look)
        first = [found for step in one.steps if (found := reader.alert(step.alert)) is not None]
        last = reader.newest_first(Wanted(incident=one.id), LOOKED_AT)
        found = {one.alert.id: one.alert for one in (*first, *last)}
        return sorted(found.values(), key=lambda alert: alert.time)

    def decisions(self, limit: int) -> list[Decision]:
        """Return what people have decided, the last one first."""
        with self._reading() as database:
            return decisions(database)[::-1][:limit]

    def ids(self, among: Among, beginning: str) -> list[str]:
        """Return ids for the completion of a shell."""
        with self._reading() as database:
            return reading.ids(database, among, beginning, COMPLETIONS)

    def info(self) -> StoreInfo:
        """Return how much is kept."""
        with self._reading() as database:
            counts = {name: int(database.read(f"SELECT count(*) FROM {name}")[0][0]) for name in _TABLES}  # noqa: S608
            first, last = database.read("SELECT min(time), max(time) FROM alerts")[0]
            return StoreInfo(
                name=database.name,
                version=version(database),
                **counts,
                size=database.size(),
                used=database.used(),
                first=first,
                last=last,
                removed=removed(database),
                kept_events=upkeep.kept_events(self._place[1]),
            )

    def trial(self, among: Among, target: str, condition: str) -> Trial:
        """Return what a mute would have muted."""
        with self._reading() as database:
            id_ = _muted(database, among, target, condition)
            reader = AlertReader(database, self._look)
            wanted = Wanted(condition, issue=id_) if among == "issues" else Wanted(condition, incident=id_)
            return Trial(reader.count(wanted), reader.count(Wanted()))

    # ---- what is kept, as a whole

    def soundness(self) -> list[upkeep.Soundness]:
        """Return whether what is kept is sound."""
        with self._reading() as database:
            return upkeep.soundness(database, self._place[1])

    def make_smaller(self) -> list[upkeep.Smaller]:
        """Make what is kept smaller."""
        with self._writing() as database:
            return upkeep.make_smaller(database, self._place[1])

    # ---- decisions

    def decide(self, wish: Wish) -> Decision:
        """Decide; return it as it is kept."""
        _check_lengths(wish)
        if wish.verb in {"close", "mute"} and not wish.why.strip():
            raise UsageError("Say why: it is kept with the decision.")
        with self._writing() as database:
            if wish.verb == "mute":
                target = _muted(database, wish.among, wish.target, wish.condition)
                return self._keep(database, wish, target, condition=wish.condition, until=_end(wish.duration))
            if wish.condition or wish.duration:
                raise UsageError("Only a mute has a condition and an end.")
            if wish.verb == "unmute":
                mute = _in_force(database, wish)
                return self._keep(database, wish, mute.target, condition=mute.condition)
            return self._keep(database, wish, find(database, wish.among, wish.target))

    def _keep(self, database: Database, wish: Wish, target: str, *, condition: str = "", until: int = 0) -> Decision:
        assignee = wish.assignee if wish.verb == "assign" else ""
        decision = Decision(
            at=time.time_ns(),
            who=self._who(),
            verb=wish.verb,
            target=target,
            why=wish.why,
            assignee=assignee,
            until=until,
            condition=condition,
        )
        return decide(database, decision)

    def undo(self, container: str) -> list[str]:
        """Take back what was done to a container; the store keeps who did it, where there is one."""
        if not re.fullmatch(CONTAINER, container):
            container = self._id_of(container)
        done = self._undo(container)
        decision = Decision(at=time.time_ns(), who=self._who(), verb="undo", target=container, why="; ".join(done))
        with contextlib.suppress(StoreError, CannotError), self._writing() as database:
            decide(database, decision)
        return done

    def _id_of(self, name: str) -> str:
        """Return the id of the container of a name that the last alert of such a one has."""
        found = ""
        with contextlib.suppress(StoreError, CannotError), self._reading() as database:
            found = reading.last_container(database, name)
        if not found:
            raise UsageError(
                f'"{name[:80]}" is no id of a container, which has 6 to 64 digits of 0-9 and a-f, and no alert that '
                "is kept is of a container of this name."
            )
        return found


def _check_lengths(wish: Wish) -> None:
    for name, text, longest in (
        ("why", wish.why, LONGEST_REASON),
        ("assignee", wish.assignee, LONGEST_ASSIGNEE),
        ("condition", wish.condition, LONGEST_CONDITION),
    ):
        if len(text) > longest:
            raise UsageError(f"The {name} has more than {longest} characters: make it shorter.")


def _end(duration: str) -> int:
    """Return when a mute ends, ns since the epoch."""
    if not duration:
        raise UsageError("Say for how long, for example 7d: a mute has an end.")
    return time.time_ns() + int(parse_duration(duration) * 1e9)


def _muted(database: Database, among: Among, written: str, condition: str) -> str:
    """Return the id of what is to be muted, empty for whatever the condition says; check both."""
    if not written and not condition:
        raise UsageError("Say what to mute: an id, a condition (--where CONDITION), or both.")
    if condition:
        AlertCondition(condition)
    return find(database, among, written) if written else ""


def _in_force(database: Database, wish: Wish) -> Mute:
    """Return the mute that is meant by its number, or by what it mutes."""
    found = mutes(database, time.time_ns())
    written = wish.target
    if written.isascii() and written.isdigit():
        meant = next((mute for mute in found if mute.id == int(written)), None)
    else:
        target = find(database, wish.among, written)
        meant = next((mute for mute in found if mute.target == target), None)
    if meant is None:
        known = ", ".join(mute.target or str(mute.id) for mute in found) or "nothing"
        raise UsageError(f'Nothing is muted by "{written[:80]}"; muted is: {known[:500]}.')
    return meant
