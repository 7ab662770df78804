"""``hullwatch capture bundle``: the evidence of an alert, in a folder that can be handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.reader import CaptureReader
    from hullwatch.evidence.subject import Subject


def bundle(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    alert: Annotated[
        str, typer.Argument(metavar="ALERT", help="A file with the alert, as -o json prints it; - is standard input.")
    ],
    capture: Annotated[str, typer.Argument(metavar="CAPTURE", help="The capture that it is in (.hwcap).")],
    write: Annotated[
        str | None,
        typer.Option(
            "-w",
            "--write",
            metavar="OUT",
            help="An archive (.tar.gz) or a new directory; without it evidence-TIME.tar.gz here.",
        ),
    ] = None,
    line: Annotated[
        int | None, typer.Option("--line", metavar="N", min=1, help="Which line of ALERT, where it has several alerts.")
    ] = None,
    before: Annotated[str, typer.Option("--before", metavar="TIME", help="How much time before the alert.")] = "5m",
    after: Annotated[str, typer.Option("--after", metavar="TIME", help="How much time after it.")] = "1m",
    read_files: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--read-files/--no-read-files",
            help="Read files that are still there for their hashes, if the capture is of this host.",
        ),
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace the archive if it is there.")] = False,  # noqa: FBT002 - a flag
    config: ConfigFlag = None,
) -> int:
    """Put together what a capture tells of an alert, to hand it on.

    \b
    Examples:
      hullwatch capture bundle alert.json today.hwcap
      hullwatch capture bundle alerts.ndjson today.hwcap --line 7 -w incident.tar.gz
      hullwatch replay today.hwcap -o json | head -1 | hullwatch capture bundle - today.hwcap -w incident/

    A README to begin with, the alert, the part of the capture (the container and its relatives), the process tree as
    text and drawn, containers and images, files with their hashes, what happened line by line, and SHA256SUMS. Secrets
    are masked everywhere. Ends with 2 when the capture is damaged; what could be read is in the bundle then.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.alerts.mask import Masker
    from hullwatch.captures.reader import CaptureReader
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.capture_run import for_each_capture
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.values import parse_duration
    from hullwatch.evidence.archive import write_bundle
    from hullwatch.evidence.bundle import Around, make_bundle

    settings = load_settings({}, config).settings
    masker = Masker(settings.mask.patterns, builtin=settings.mask.builtin)
    around = Around(int(parse_duration(before) * 1e9), int(parse_duration(after) * 1e9), read_files)
    subject = _subject(alert, line)
    out = write or f"{subject.name}.tar.gz"
    lines: list[str] = []

    def make(reader: CaptureReader, tell: Callable[[int], None]) -> None:
        made = make_bundle(subject, reader, around, masker, tell)
        write_bundle(made.files, out, subject.name, subject.time // 1_000_000_000, force=force)
        account = made.account
        lines.append(
            f"{out}: {account.events:,} events, {len(account.actors):,} processes, "
            f"{len(account.containers)} containers, {len(account.files):,} files; {made.masked:,} values masked"
        )
        if account.focus is None:
            lines.append("The event of the alert is not in the capture: the process that did it is not known.")

    damaged = for_each_capture([capture], CaptureReader, make)
    for text in lines:
        write_line(text)
    return 2 if damaged else 0


def _subject(alert: str, line: int | None) -> Subject:
    import sys

    from hullwatch.cli.input_file import open_input
    from hullwatch.evidence.subject import LARGEST_FILE, read_subject

    if alert == "-":
        return read_subject(sys.stdin.buffer.read(LARGEST_FILE + 1), line, "standard input")
    with open_input(alert) as stream:
        return read_subject(stream.read(LARGEST_FILE + 1), line, alert)
