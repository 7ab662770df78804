"""``hullwatch capture cut``: a part of a capture as a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.watch_options import FromFlag, ToFlag

if TYPE_CHECKING:
    from hullwatch.captures.cut import Wanted
    from hullwatch.captures.reader import CaptureReader

WriteFlag = Annotated[str, typer.Option("-w", "--write", metavar="OUT", help="The file that is made.")]
ForceFlag = Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")]
FilterFlag = Annotated[
    str | None,
    typer.Option("--filter", metavar="CONDITION", help="Only events that it holds for, as in a rule; and all state."),
]


def cut(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    file: Annotated[str, typer.Argument(metavar="FILE", help="A capture (.hwcap).")],
    write: WriteFlag,
    begin: FromFlag = None,
    end: ToFlag = None,
    container: Annotated[
        list[str] | None,
        typer.Option(
            "--container",
            metavar="NAME|ID",
            help="Only what happened in it, and what its processes and those above them are; may be repeated.",
        ),
    ] = None,
    condition: FilterFlag = None,
    force: ForceFlag = False,  # noqa: FBT002 - a flag
    output: OutputOption = "text",
) -> int:
    """Cut a part out of a capture: a time, some containers, what a condition holds for.

    \b
    Examples:
      hullwatch capture cut today.hwcap -w ten.hwcap --from 2026-11-28T10:30 --to 2026-11-28T10:40
      hullwatch capture cut today.hwcap -w web.hwcap --container web
      hullwatch capture cut today.hwcap -w net.hwcap --filter 'evt.type in (connect, accept4)'

    The part is a capture of its own, and judged it raises what the whole raises of it; but for rules that remember
    what was before it. With --filter or --container its events are numbered anew.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from pathlib import Path

    from hullwatch.captures.cut import cut as cut_out
    from hullwatch.captures.new_file import check_new, new_file
    from hullwatch.captures.reader import CaptureReader
    from hullwatch.cli.answer import wants_json
    from hullwatch.cli.capture_made import told
    from hullwatch.cli.input_file import open_input
    from hullwatch.cli.progress import Share

    as_json = wants_json(output)
    wanted = _wanted(begin, end, condition)
    check_new(Path(write), force=force)
    with open_input(file) as stream:
        reader = CaptureReader(stream, file)
        wanted = _of_containers(reader, wanted, container or [])
        with new_file(write, force=force) as made, Share("Cutting", reader.size) as share:
            done = cut_out(reader, made.fileno(), wanted, share)
    return told(write, [reader], done, as_json=as_json)


def _wanted(begin: str | None, end: str | None, condition: str | None) -> Wanted:
    """Return what the flags say.

    Raises:
        UsageError: for a time or a condition that is wrong.
    """
    from hullwatch.captures.cut import Wanted
    from hullwatch.config.values import parse_time
    from hullwatch.rules.condition import condition_rules

    wanted = Wanted(parse_time(begin) if begin else 0, parse_time(end) if end else 0)
    if condition is None:
        return wanted
    return wanted._replace(rules=condition_rules(condition), left_out=f"what this does not hold for: {condition[:500]}")


def _of_containers(reader: CaptureReader, wanted: Wanted, names: list[str]) -> Wanted:
    """Return what is wanted of some containers.

    Raises:
        UsageError: when one of them is not in the capture.
    """
    from hullwatch.captures.cut import containers_called
    from hullwatch.errors import UsageError

    if not names:
        return wanted
    found = containers_called(reader, names)
    for name, ids in found.items():
        if not ids:
            raise UsageError(
                f'No container in {reader.name} is called "{name[:80]}": give a name, or 12 digits of an id or more, '
                'as "hullwatch capture info" prints them.'
            )
    ids = {one for ids in found.values() for one in ids}
    others = f"what was done outside of the containers {', '.join(sorted(one[:12] for one in ids))[:500]}"
    return wanted._replace(containers=ids, left_out="; ".join(filter(None, (others, wanted.left_out))))
