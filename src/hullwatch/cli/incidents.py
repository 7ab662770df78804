"""``hullwatch incidents``: alerts that belong together, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.scored_list import scored_group
from hullwatch.cli.store_options import IdArgument, StateFlag
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident

incidents = scored_group(
    "incidents",
    """List incidents (alerts that belong together), the highest score first; look at one, and decide on it.

    \b
    Examples:
      sudo hullwatch incidents
      sudo hullwatch incidents show ID
      sudo hullwatch incidents why ID
      sudo hullwatch incidents ack ID
    """,
)


@incidents.command("show")
def show(
    target: IdArgument,
    svg: Annotated[
        str | None, typer.Option("--svg", metavar="FILE", help="Draw its processes into a new file instead.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,  # noqa: FBT002 - a flag
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Show an incident: what happened, where, in which order, its processes, what to do first, what was decided.

    \b
    Examples:
      sudo hullwatch incidents show ID
      sudo hullwatch incidents show ID --svg tree.svg
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.documents import of_incident
    from hullwatch.cli.answer import columns, wants_json, write_json, write_safe
    from hullwatch.cli.desk import open_desk
    from hullwatch.cli.issues import write_decisions
    from hullwatch.formats.incident import story
    from hullwatch.outputs.stdout import has_colours

    as_json = wants_json(output)
    report = open_desk(state, config).incident(target)
    if svg is not None:
        _draw(report.incident, report.alerts, svg, force=force)
    elif as_json:
        write_json(of_incident(report))
    else:
        write_safe(story(report.incident, report.alerts, colour=has_colours(1), width=columns()))
        write_decisions(report.decisions)
        _write_next(report.incident)
    return 0


def _write_next(one: Incident) -> None:
    """Write what can be decided now, for whoever sits before a terminal."""
    from hullwatch.cli.answer import columns, write_line

    if columns() is None:
        return
    if one.state == "closed":
        verbs = [f"reopen {one.id}"]
    else:
        looking = [] if one.state == "acknowledged" else [f"ack {one.id}"]
        verbs = [*looking, f"close {one.id} --reason TEXT", f"mute {one.id} --for 12h --why TEXT"]
    write_line()
    write_line("What you can say of it")
    for verb in verbs:
        write_line(f"  sudo hullwatch incidents {verb}")


def _draw(one: Incident, alerts: list[Alert], name: str, *, force: bool) -> None:
    from hullwatch.captures.new_file import new_file
    from hullwatch.formats.incident import summary
    from hullwatch.formats.incident_facts import tree
    from hullwatch.formats.process_tree_svg import MOST_DRAWN, tree_svg

    drawing = tree_svg(tree(one, alerts, MOST_DRAWN), one.title, summary(one, alerts))
    with new_file(name, force=force) as stream:
        stream.write(drawing.encode("utf-8", "replace"))


@incidents.command("why")
def why(
    target: IdArgument,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Say why each step belongs to an incident, and by what later alerts are known to.

    \b
    Example:
      sudo hullwatch incidents why ID
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api import documents
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.desk import open_desk

    as_json = wants_json(output)
    one = open_desk(state, config).incident(target).incident
    if as_json:
        write_json(documents.why(one))
        return 0
    write_line(f"{one.id}  {one.title}")
    for number, step in enumerate(one.steps, 1):
        write_line(f"  {number}. {step.rule} ({step.issue}): {step.why or 'it opened the incident'}")
    write_line("What comes later belongs to it by one of these:")
    for key in one.keys:
        write_line(f"  {key.replace(':', ' ', 1)}")
    return 0
