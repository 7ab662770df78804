"""``hullwatch formats``: how alerts can be written, and what that looks like."""

from __future__ import annotations

from typing import Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.completion import complete_format

formats = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="How alerts can be written.")


@formats.command("list")
def list_formats(output: OutputOption = "text") -> int:
    """List the formats of alerts: name, what HTTP calls it, what it is for.

    \b
    Examples:
      hullwatch formats list
      hullwatch formats list -o json | jq -r .name
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.formats.registry import FORMATS

    kinds = {name: FORMATS.get(name) for name in FORMATS.names()}
    if wants_json(output):
        for name, kind in kinds.items():
            parts = {"content_type": kind.content_type, "about": kind.about, "source": kind.source}
            write_json({"name": name, **parts})
    else:
        write_rows([[name, kind.content_type, kind.about] for name, kind in kinds.items()])
    return 0


@formats.command("show")
def show_format(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Of a format, as `hullwatch formats list` has it.", autocompletion=complete_format
        ),
    ],
    *,
    alone: Annotated[
        bool, typer.Option("--alone", help="As it is where alerts are not grouped: without issue and incident.")
    ] = False,
) -> int:
    """Print an example: an alert that never happened, as one line of a format.

    \b
    Examples:
      hullwatch formats show cef
      hullwatch formats show ocsf | jq .
    """  # noqa: D301 - as above
    from hullwatch.cli.answer import write_safe
    from hullwatch.errors import UsageError
    from hullwatch.formats.registry import FORMATS
    from hullwatch.formats.sample import sample_alert, sample_placement
    from hullwatch.registry import UnknownNameError

    try:
        kind = FORMATS.get(name)
    except UnknownNameError as error:
        raise UsageError(f"{error} 'hullwatch formats list' tells what each is.") from error
    write_safe(kind(sample_alert(), None if alone else sample_placement()).decode() + "\n")
    return 0
