"""An incident as a story: what happened, where, in which order, with which techniques, and what to do first.

The sentences are templates; names, paths and arguments in them come from whoever ran there, and are escaped and cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.enrich.container import SHORT_ID
from hullwatch.fields.audit_event import SOURCE
from hullwatch.formats import moment
from hullwatch.formats.falco import second
from hullwatch.formats.incident_facts import orders, tactics, techniques, touched, tree
from hullwatch.formats.incident_people import people, person
from hullwatch.formats.incident_steps import span, timeline
from hullwatch.formats.paint import Paint
from hullwatch.formats.process_tree import shown, tree_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident, Step
    from hullwatch.rules.responses import Responses

_LONGEST_NAME = 80  # characters
_LONGEST_LINE = 240
_LABEL = "container.label["
_MOST_LABELS = 16
_MOST_NAMED = 3
_SECOND = 1_000_000_000  # ns


def story(
    incident: Incident,
    alerts: Sequence[Alert],
    *,
    colour: bool = False,
    responses: Responses | None = None,
    width: int | None = None,
) -> str:
    """Return an incident as text for people, its lines ended with newlines.

    Args:
        incident: with its steps.
        alerts: of it, as many as there are at hand; with none, what they alone tell is left out.
        colour: with ANSI colours.
        responses: notes on what to do first; those of the pack if nothing is said.
        width: columns of a terminal; None: what alerts and processes say stands in one line each, for pipes.
    """
    paint = Paint(colour=colour, width=width)
    sections = [
        list(_head(incident, paint)),
        ["", paint.head("What happened"), *paint.prose(summary(incident, alerts, local=True))],
        ["", paint.head(f"In order ({moment.zone(incident.last_seen)})"), *timeline(incident, alerts, paint)],
        *_optional(paint, "Techniques", _techniques(incident)),
        *_optional(paint, "What it has to do with", _touched(alerts)),
        *_optional(paint, "Process tree", _tree(incident, alerts, paint)),
        ["", paint.head(f"Why it has {incident.score} points"), *_parts(incident)],
        ["", paint.head("What to do first"), *_orders(incident, responses, paint)],
    ]
    return "".join(f"{line.rstrip()}\n" for section in sections for line in section)


def summary(incident: Incident, alerts: Sequence[Alert] = (), *, local: bool = False) -> str:
    """Return what happened, where and in which order, as a few sentences.

    Args:
        incident: with its steps.
        alerts: of it, as many as there are at hand.
        local: with the time of this host instead of UTC: for people before a terminal.
    """
    steps = incident.steps
    number = len(steps) + incident.steps_left_out
    things = "One thing" if number == 1 else f"{number:,} different things"
    raised = "one alert" if incident.count == 1 else f"{incident.count:,} alerts"
    sentences = [f"{things} raised {raised} {_during(incident, local=local)} {_where(incident, alerts)}."]
    sentences += _entry(alerts)
    if steps:
        first = f"It began with {_named(steps[0])}"
        then = [_named(step) for step in steps[1:6]]
        more = len(steps) - 1 - len(then) + incident.steps_left_out
        if then:
            first += f"; then came {_listed(then)}"
        sentences.append(f"{first}{f', and {more} more' if more > 0 else ''}.")
    seen = tactics(steps)
    if len(seen) > 1:
        sentences.append(f"Together they are {len(seen)} tactics of an attack: {_listed(seen)}.")
    elif seen:
        sentences.append(f"Its tactic is {seen[0]}.")
    return " ".join(sentences)


def document(incident: Incident, alerts: Sequence[Alert] = (), *, responses: Responses | None = None) -> dict[str, Any]:
    """Return an incident for programs: all that it has, and what the story tells beside that."""
    found: dict[str, Any] = msgspec.to_builtins(incident)
    found["summary"] = summary(incident, alerts)
    found["techniques"] = [one._asdict() for one in techniques(incident)]
    found["tactics"] = tactics(incident.steps)
    found["touched"] = touched(alerts)._asdict()
    found["people"] = people(alerts)
    found["process_tree"] = tree_text(tree(incident, alerts)) if alerts else ""
    found["do_first"] = [one._asdict() for one in orders(incident, responses)]
    return found


def _head(incident: Incident, paint: Paint) -> Iterator[str]:
    yield paint.head(shown(incident.title, _LONGEST_LINE))
    who = f"assigned to {shown(incident.assignee, _LONGEST_NAME)}" if incident.assignee else "assigned to nobody"
    priority = paint.priority(incident.priority, shown(incident.priority, _LONGEST_NAME))
    yield f"{shown(incident.id)}   score {incident.score}   {priority}   {incident.state}, {who}"


def _during(incident: Incident, *, local: bool) -> str:
    opened = incident.opened
    begin = f"{moment.second(opened)} {moment.zone(opened)}" if local else f"{second(opened)} UTC"
    seconds = (incident.last_seen - incident.opened) / _SECOND
    if seconds < 0.001:
        return f"at {begin}"
    return f"within {span(seconds)} (from {begin})"


def _where(incident: Incident, alerts: Sequence[Alert]) -> str:
    host = f" of {shown(incident.hostname, _LONGEST_NAME)}" if incident.hostname else ""
    if alerts and all(alert.source == SOURCE for alert in alerts):
        return f"in the cluster, {shown(incident.workload, _LONGEST_NAME)}"
    if incident.container == "host":
        return f"on the host{host and ' ' + shown(incident.hostname, _LONGEST_NAME)}"
    named: dict[str, str] = {}
    given: dict[str, None] = {}
    for alert in alerts:
        given |= dict.fromkeys(_given_labels(alert))
        if alert.container_id != "host":
            image = f", image {shown(alert.container_image, _LONGEST_NAME)}" if alert.container_image else ""
            name = shown(alert.container_name, _LONGEST_NAME)
            short = shown(alert.container_id[:SHORT_ID])
            if name or short not in named:  # the first alerts of one that has just begun have no name
                named[short] = f"{name} ({short}{image})" if name else short
    containers = list(named.values()) or [shown(incident.container, _LONGEST_NAME)]
    more = f" and {len(containers) - 3} more" if len(containers) > 3 else ""
    which = "the container" if len(containers) == 1 else "the containers"
    labelled = f", labelled {', '.join(list(given)[:_MOST_LABELS])}" if given else ""
    return f"in {which} {_listed(containers[:3]) if not more else ', '.join(containers[:3]) + more}{host}{labelled}"


def _given_labels(alert: Alert) -> Iterator[str]:
    """Yield the labels of the container that the alert shows, as those that a response gave."""
    for name, value in alert.output_fields.items():
        if name.startswith(_LABEL) and value is not None:
            yield shown(f"{name.removeprefix(_LABEL).removesuffix(']')}={value}", _LONGEST_NAME)


def _entry(alerts: Sequence[Alert]) -> Iterator[str]:
    """Tell who came in from outside, where somebody did."""
    entered: dict[tuple[str, str, str], dict[str, str]] = {}  # by whom, as whom and how: the programs of sessions
    for alert in alerts:
        origin = alert.origin
        if origin is None or not origin.session:
            continue
        name = shown(origin.session_name, _LONGEST_NAME) or "a process"
        pid = shown(origin.session.partition(".")[0])
        who, how = person(alert)
        sessions = entered.setdefault((who, shown(origin.user, _LONGEST_NAME), how), {})
        sessions.setdefault(origin.session, f"{name} (pid {pid})")
    for (who, user, how), sessions in list(entered.items())[:_MOST_NAMED]:
        often = f" {len(sessions):,} times" if len(sessions) > 1 else ""
        more = [f"{len(sessions) - _MOST_NAMED:,} more"] if len(sessions) > _MOST_NAMED else []
        programs = _listed([*list(sessions.values())[:_MOST_NAMED], *more])
        yield f"{who} entered the container from outside{often} as {user}{how}, with {programs}."
    callers = dict.fromkeys(one.origin.user for one in alerts if one.source == SOURCE and one.origin is not None)
    if callers:
        names = [shown(name, _LONGEST_NAME) for name in list(callers)[:3]]
        more = f" and {len(callers) - 3} more" if len(callers) > 3 else ""
        yield f"The API of the cluster was called by {_listed(names) if not more else ', '.join(names) + more}."
    of_host = [one.origin for one in alerts if one.source != SOURCE and one.origin is not None]
    login = next((one.login for one in of_host if one.login), "")
    if login:
        yield f"On the host it was the user {shown(login, _LONGEST_NAME)} who had logged in."


def _named(step: Step) -> str:
    by = f" by {shown(step.process, _LONGEST_NAME)}" if step.process else ""
    often = f" ({step.count:,} times)" if step.count > 1 else ""
    return f'"{shown(step.rule, _LONGEST_NAME)}"{by}{often}'


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _optional(paint: Paint, heading: str, lines: list[str]) -> list[list[str]]:
    return [["", paint.head(heading), *lines]] if lines else []


def _techniques(incident: Incident) -> list[str]:
    lines: list[str] = []
    for one in techniques(incident):
        steps = f"step{'s' * (len(one.steps) > 1)} {_ranges(one.steps)}"
        lines.append(f"  {shown(one.id, _LONGEST_NAME):<10} {one.name or 'not named here'}: {steps}")
    return lines


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers that ascend, those that follow each other as one range: ``1, 3-7``."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ", ".join("-".join(map(str, one)) for one in ranges)


def _touched(alerts: Sequence[Alert]) -> list[str]:
    found = touched(alerts)
    rows = [
        ("files", found.files),
        ("addresses", found.addresses),
        ("names", found.names),
        ("hashes", found.hashes),
        ("users", found.users),
        ("captures", found.captures),
    ]
    lines: list[str] = []
    for kind, values in rows:
        for place, value in enumerate(values):
            lines.append(f"  {kind if not place else '':<10} {shown(value, _LONGEST_LINE)}")
    return [*lines, f"  and {found.left_out:,} more"] if found.left_out else lines


def _tree(incident: Incident, alerts: Sequence[Alert], paint: Paint) -> list[str]:
    made = tree(incident, alerts)
    return [paint.fitted(f"  {line}") for line in tree_text(made).splitlines()] if made.rows else []


def _parts(incident: Incident) -> Iterator[str]:
    for part in incident.parts:
        yield f"  {part.points:>3}  {shown(part.why, _LONGEST_LINE)}"


def _orders(incident: Incident, responses: Responses | None, paint: Paint) -> Iterator[str]:
    for order in orders(incident, responses):
        text = f"{shown(order.text, 1000)} (step {order.step}, {shown(order.rule, _LONGEST_NAME)})"
        yield from paint.prose(text, "  - ", "    ")
