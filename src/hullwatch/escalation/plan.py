"""What a policy does with an incident: which one it is, and who would be told when."""

from __future__ import annotations

import datetime as dt
import fnmatch
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.config.values import format_duration
from hullwatch.escalation.policy import ROSTER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.alerts.incident import Incident
    from hullwatch.escalation.policy import Escalation, Person, Policy, Step

_MOST_QUIET = 400  # hours of a calendar that are passed over, one after the other


class Due(NamedTuple):
    """A time at which a step of a policy tells somebody.

    Attributes:
        at: in UTC.
        step: position in the policy.
        number: 0 the first time, then of the repeat.
        why: in words.
    """

    at: dt.datetime
    step: int
    number: int
    why: str


class Target(NamedTuple):
    """Who is told, and how.

    Attributes:
        output: name; empty when nobody is there to be told.
        person: who; None where an output is told itself.
        why: in words.
    """

    output: str
    person: Person | None
    why: str


def choose(escalation: Escalation, incident: Incident, at: dt.datetime) -> tuple[Policy | None, list[str]]:
    """Return the policy for an incident, and of each that was looked at why it is the one or not."""
    said: list[str] = []
    for policy in escalation.policies:
        reason = _why_not(policy, incident, at)
        if not reason:
            said.append(f"{policy.name}: it is for this incident")
            return policy, said
        said.append(f"{policy.name}: {reason}")
    return None, said


def _why_not(policy: Policy, incident: Incident, at: dt.datetime) -> str:
    if incident.score < policy.score:
        return f"the score {incident.score} is below {policy.score}"
    if not fnmatch.fnmatchcase(incident.workload, policy.workload):
        return f'the workload is not "{policy.workload}"'
    if policy.only is not None and policy.only.span(at) is None:
        return "its hours have not begun"
    return ""


def schedule(policy: Policy, begun: dt.datetime, score: int) -> Iterator[Due]:
    """Yield when a policy tells somebody, as long as nobody acknowledges: of each step in order of time."""
    is_loud = score >= policy.loud
    start, waits = (begun, "") if is_loud else _after_quiet(policy, begun)
    for place, step in enumerate(policy.steps):
        last: dt.datetime | None = None
        for number in range(step.most):
            seconds = step.after + number * step.repeat
            at, moved = start + dt.timedelta(seconds=seconds), ""
            if not is_loud:
                at, moved = _after_quiet(policy, at)
            if at == last:  # repeats of the quiet hours are one
                continue
            last = at
            yield Due(at, place, number, _why(step, number, waits or moved))


def _why(step: Step, number: int, waits: str) -> str:
    words = "at once" if not step.after else f"after {format_duration(step.after)}"
    if number:
        words = f"again after {format_duration(step.after + number * step.repeat)}"
    return f"{words}, {waits}" if waits else words


def _after_quiet(policy: Policy, at: dt.datetime) -> tuple[dt.datetime, str]:
    """Return the first time from then on that is not quiet, and in words that it was waited for."""
    if policy.quiet is None:
        return at, ""
    moment = at
    for _ in range(_MOST_QUIET):
        span = policy.quiet.span(moment)
        if span is None:
            break
        moment = span[1]
    return moment, "after the quiet hours" if moment != at else ""


def targets(escalation: Escalation, step: Step, at: dt.datetime) -> list[Target]:
    """Return whom a step tells at a time; the same person or output once."""
    found: dict[tuple[str, str], Target] = {}
    for name in step.tell:
        target = _target(escalation, name, step, at)
        found.setdefault((target.output, target.person.id if target.person else name), target)
    return list(found.values())


def _target(escalation: Escalation, name: str, step: Step, at: dt.datetime) -> Target:
    if name.startswith(ROSTER):
        roster = escalation.rosters[name.removeprefix(ROSTER)]
        one = roster.at(at)
        if one is None:
            following = roster.next_begin(at)
            when = f"the next shift begins {following:%a %d %b %H:%M} UTC" if following else "no shift follows"
            return Target("", None, f'nobody of the roster "{roster.name}" is on call; {when}')
        person = escalation.people[one.who]
        return Target(step.by or person.output, person, f'on call by the roster "{roster.name}": {one.why}')
    person = escalation.people.get(name)
    if person is None:
        return Target(step.by or name, None, "an output")
    return Target(step.by or person.output, person, "named by the policy")
