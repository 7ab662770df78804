"""``hullwatch capture merge``: several captures as one."""

from __future__ import annotations

from typing import Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.capture_cut import ForceFlag, WriteFlag


def merge(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Captures of one host, in any order.")],
    write: WriteFlag,
    force: ForceFlag = False,  # noqa: FBT002 - a flag
    output: OutputOption = "text",
) -> int:
    """Make one capture of several that follow or overlap each other.

    \b
    Examples:
      hullwatch capture merge ring.hwcap ring.1.hwcap ring.2.hwcap -w whole.hwcap
      hullwatch capture merge *.hwcap -w whole.hwcap

    They are of one host. Where nothing was recorded between two, judging begins anew with what the later one knows.
    Of what overlaps, the earlier one is taken.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import contextlib
    from pathlib import Path

    from hullwatch.captures.cut import Cut
    from hullwatch.captures.merge import merge as merge_captures
    from hullwatch.captures.new_file import check_new, new_file
    from hullwatch.captures.reader import CaptureReader
    from hullwatch.cli.answer import wants_json
    from hullwatch.cli.capture_made import told
    from hullwatch.cli.input_file import open_input
    from hullwatch.cli.progress import Share
    from hullwatch.outputs.standard_error import say

    as_json = wants_json(output)
    check_new(Path(write), force=force)
    with contextlib.ExitStack() as opened:
        readers = [CaptureReader(opened.enter_context(open_input(file)), file) for file in dict.fromkeys(files)]
        with new_file(write, force=force) as made, Share("Merging", sum(reader.size for reader in readers)) as share:
            done = merge_captures(readers, made.fileno(), share)
    for name in done.unused:
        say(f"Nothing is taken of {name}: it is empty, or the others have all of it.")
    return told(write, readers, Cut(done.events), as_json=as_json, gaps=done.gaps, unused=list(done.unused))
