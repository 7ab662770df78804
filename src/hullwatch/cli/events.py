"""``hullwatch events``: print events that were kept, of a capture or of this host, those that a condition holds for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.completion import complete_condition
from hullwatch.cli.store_options import SinceFlag, StateFlag, UntilFlag
from hullwatch.cli.watch_options import EVERY, ConfigFlag, EventOutputFlag, FromFlag, ToFlag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.config.settings import Settings
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.notice import Notice

FORMAT = "%evt.num %evt.time %evt.cpu %container.name %proc.name (%proc.pid) %evt.type %evt.args"
LINES_TOGETHER = 500
NO_LIMIT = 1 << 62
_ENDINGS = (".hwcap", ".scap", ".gz", ".zst")
_CONDITION = re.compile(r"[\s=<>]")


def events(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|live]",
            help="A capture (.hwcap, .scap); live is this host, as it happens; neither: the events that were kept.",
        ),
    ] = None,
    condition: Annotated[
        str,
        typer.Argument(
            metavar="[CONDITION]",
            help="As in a rule; without one all events are printed.",
            autocompletion=complete_condition,
        ),
    ] = EVERY,
    form: Annotated[
        str, typer.Option("-p", "--format", metavar="FORMAT", help="What is printed of an event, as a rule's output.")
    ] = FORMAT,
    raw: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--raw", help="Of a .scap file also what rules do not see: the beginnings of calls.")
    ] = False,
    output: EventOutputFlag = None,
    limit: Annotated[
        int | None, typer.Option("-n", "--limit", metavar="N", min=1, help="End after so many events.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="TIME", help="Of live, end after this time: 10s, 5m.")
    ] = None,
    begin: FromFlag = None,
    end: ToFlag = None,
    since: SinceFlag = None,
    until: UntilFlag = None,
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Print the events that were kept, those of a capture, or those of this host as they happen.

    \b
    Examples:
      sudo hullwatch events 'proc.name = curl' --since 1h
      sudo hullwatch events --since 24h --until 23h -o json
      hullwatch events today.hwcap
      hullwatch events today.hwcap 'container.name = web and evt.type = execve' -p '%evt.time %proc.cmdline'
      hullwatch events today.hwcap 'fd.name startswith /etc' -o json | jq '."fd.name"'
      sudo hullwatch events live 'evt.type = connect and container.id != host' -p '%container.name %proc.name %fd.name'
      hullwatch events today.hwcap 'container.id = 5a3cd53cdfc6' -n 20 --from 2026-11-28T10:30

    The condition and the format are those of rules ("docs/reference/fields.md" lists the fields). Live, the kernel
    sends what the condition needs; Ctrl-C ends it, with a summary of what was lost on standard error. With -o json an
    event is an object of the fields that the format names. Secrets are hidden as in alerts.
    Which events are kept says "events.keep" in the configuration; of these the fields can be asked for that
    "docs/kept-events.md" lists. --since and --until are for them, --from and --to for captures. The running Hullwatch
    is asked for them, or what it has left is read.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.captures.passing import Passes
    from hullwatch.captures.reader import CaptureReader
    from hullwatch.captures.scap.blocks import is_scap
    from hullwatch.captures.scap.lookup import from_scap
    from hullwatch.cli.answer import wants_json
    from hullwatch.cli.input_file import open_input
    from hullwatch.cli.replay import part_of
    from hullwatch.cli.replay_capture import CaptureReplay
    from hullwatch.cli.replay_scap import ScapReplay
    from hullwatch.cli.settings import load_settings
    from hullwatch.counters import Counters
    from hullwatch.errors import UsageError
    from hullwatch.rules.condition import condition_rules

    if output is not None:
        wants_json(output)  # the formats of alerts are not those of events
    file, condition = _asked(file, condition)
    part = part_of(begin, end, "max")
    flags = {"output.format": ("--output", output), "run.duration": ("--duration", duration)}
    settings = load_settings(flags, config).settings
    if file is None:
        from hullwatch.cli.events_kept import print_kept

        if any(part) or raw or duration is not None:
            raise UsageError("Of events that were kept, --since and --until say which; there are no others of these.")
        return print_kept(settings, (condition, form), (since, until), limit or NO_LIMIT, state, config)
    if since is not None or until is not None or state is not None:
        raise UsageError("--since, --until and --state-directory are for events that were kept: give no file.")
    if file == "live":
        from hullwatch.cli.events_live import live

        if any(part) or raw:
            raise UsageError("--from, --to and --raw are for captures: what happens live is printed as it happens.")
        return live(settings, condition, form, limit or NO_LIMIT)
    if duration is not None:
        raise UsageError("--duration is for what happens live; of a capture, give --to.")
    with open_input(file) as stream:
        printer = EventPrinter(settings, limit or NO_LIMIT)
        if is_scap(stream.peek(1)):
            scap_rules = condition_rules(condition, form, from_scap)
            ScapReplay(settings, scap_rules, part, printer, Counters(), raw=raw).run(stream, file)
        elif raw:
            raise UsageError(f"--raw is for .scap files, and {file} is none.")
        else:
            rules = condition_rules(condition, form)
            CaptureReplay(settings, rules, part, printer, Counters(), Passes(rules)).run(CaptureReader(stream, file))
    return 0


def _asked(file: str | None, condition: str) -> tuple[str | None, str]:
    """Return where events come from, None for those that were kept, and the condition: the only argument may be it."""
    return (None, file) if file is not None and condition == EVERY and not _is_file(file) else (file, condition)


def _is_file(written: str) -> bool:
    """Tell whether the only argument names what events come from, not a condition: that has blanks or a comparison."""
    if written in {"live", "-"} or written.endswith(_ENDINGS) or not _CONDITION.search(written):
        return True
    try:
        return Path(written).exists()
    except OSError:  # too long
        return False


class EventPrinter:
    """Prints matches as lines; see ``Taker``.

    Attributes:
        gone: whether nobody reads any more.
        printed: how many events.
    """

    def __init__(self, settings: Settings, limit: int = NO_LIMIT) -> None:
        """Take the format and the secrets from the settings; after so many events ``gone`` is set."""
        from hullwatch.formats.event_line import EventLines

        self.gone = False
        self.printed = 0
        self._limit = limit
        lines = EventLines(settings.mask)
        self._line = lines.json if settings.output.format == "json" else lines.text

    def matches(self, matches: Iterable[Match]) -> None:
        """Print the events of matches."""
        from hullwatch.cli.answer import write_safe

        lines: list[str] = []
        for match in matches:
            if self.printed >= self._limit:
                break
            self.printed += 1
            lines.append(f"{self._line(match)}\n")
            if len(lines) == LINES_TOGETHER:
                write_safe("".join(lines))
                lines.clear()
        write_safe("".join(lines))
        self.gone = self.printed >= self._limit

    def notice(self, notice: Notice) -> None:
        """Leave it out: it is no event."""

    def tick(self) -> None:
        """Do nothing: lines are written at once."""
