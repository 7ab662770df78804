"""``hullwatch events``: print the events of a capture, those that a condition holds for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.watch_options import ConfigFlag, FromFlag, OutputFlag, ToFlag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.config.settings import Settings
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.notice import Notice
    from hullwatch.rules.loader import RuleSet
    from hullwatch.rules.terms import Lookup

FORMAT = "%evt.num %evt.time %evt.cpu %container.name %proc.name (%proc.pid) %evt.type %evt.args"
EVERY = "evt.num exists"
LINES_TOGETHER = 500


def events(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    file: Annotated[str, typer.Argument(metavar="FILE", help="A capture (.hwcap, .scap).")],
    condition: Annotated[
        str, typer.Argument(metavar="[CONDITION]", help="As in a rule; without one all events are printed.")
    ] = EVERY,
    form: Annotated[
        str, typer.Option("-p", "--format", metavar="FORMAT", help="What is printed of an event, as a rule's output.")
    ] = FORMAT,
    raw: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--raw", help="Of a .scap file also what rules do not see: the beginnings of calls.")
    ] = False,
    output: OutputFlag = None,
    begin: FromFlag = None,
    end: ToFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Print the events of a capture.

    \b
    Examples:
      hullwatch events today.hwcap
      hullwatch events today.hwcap 'container.name = web and evt.type = execve' -p '%evt.time %proc.cmdline'
      hullwatch events today.hwcap 'fd.name startswith /etc' -o json | jq '."fd.name"'

    The condition and the format are those of rules ("docs/reference/fields.md" lists the fields). With -o json an
    event is an object of the fields that the format names. Secrets are hidden as in alerts.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.captures.scap.blocks import is_scap
    from hullwatch.captures.scap.lookup import from_scap
    from hullwatch.cli.input_file import open_input
    from hullwatch.cli.replay import part_of
    from hullwatch.cli.replay_capture import CaptureReplay
    from hullwatch.cli.replay_scap import ScapReplay
    from hullwatch.cli.settings import load_settings
    from hullwatch.counters import Counters
    from hullwatch.errors import UsageError

    part = part_of(begin, end, "max")
    settings = load_settings({"output.format": ("--output", output)}, config).settings
    with open_input(file) as stream:
        printer = EventPrinter(settings)
        if is_scap(stream.peek(1)):
            scap_rules = _rules(condition, form, from_scap)
            ScapReplay(settings, scap_rules, part, printer, Counters(), raw=raw).run(stream, file)
        elif raw:
            raise UsageError(f"--raw is for .scap files, and {file} is none.")
        else:
            CaptureReplay(settings, _rules(condition, form), part, printer, Counters()).run(stream, file)
    return 0


def _rules(condition: str, form: str, lookup: Lookup | None = None) -> RuleSet:
    """Return the one rule that has the condition and the format.

    Raises:
        UsageError: when one of them is wrong.
    """
    import msgspec

    from hullwatch.errors import UsageError
    from hullwatch.rules.loader import RulesFile, load
    from hullwatch.rules.problem import RulesError
    from hullwatch.rules.terms import from_event

    rule = {
        "rule": "event", "desc": "what was asked for", "condition": condition, "output": form, "priority": "debug",
        "warn_evttypes": False,
    }  # fmt: skip
    try:
        return load([RulesFile("arguments", msgspec.json.encode([rule]))], lookup=lookup or from_event)
    except (RulesError, UnicodeEncodeError) as error:
        raise UsageError(f"The condition or the format is wrong: {_without_place(str(error))}") from error


def _without_place(text: str) -> str:
    """Return the sentences of an error without the places in a file that nobody wrote."""
    import re

    return " ".join(re.sub(r"^arguments(:\d+)*: (error: )?", "", line) for line in text.splitlines())


class EventPrinter:
    """Prints matches as lines; see ``Taker``.

    Attributes:
        gone: whether nobody reads any more.
    """

    def __init__(self, settings: Settings) -> None:
        """Take the format and the secrets from the settings."""
        from hullwatch.alerts.mask import Masker

        self.gone = False
        self._json = settings.output.format == "json"
        self._masker = Masker(settings.mask.patterns, builtin=settings.mask.builtin)

    def matches(self, matches: Iterable[Match]) -> None:
        """Print the events of matches."""
        from hullwatch.cli.answer import write_safe

        lines: list[str] = []
        for match in matches:
            lines.append(f"{self._line(match)}\n")
            if len(lines) == LINES_TOGETHER:
                write_safe("".join(lines))
                lines.clear()
        write_safe("".join(lines))

    def _line(self, match: Match) -> str:
        import msgspec

        from hullwatch.formats.escape import escape, escape_json

        program = match.event.program
        message, fields = self._masker.alert(
            *match.rule.output.render(match.event), program.comm if program is not None else ""
        )
        return escape_json(msgspec.json.encode(fields).decode()) if self._json else escape(message)

    def notice(self, notice: Notice) -> None:
        """Leave it out: it is no event."""

    def tick(self) -> None:
        """Do nothing: lines are written at once."""
