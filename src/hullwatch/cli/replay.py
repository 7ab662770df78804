"""``hullwatch replay``: judge events that were recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.selection import NO_FLAGS
from hullwatch.cli.watch_options import (
    ConfigFlag,
    FailOnFlag,
    MatchFlag,
    OutputFlag,
    PriorityFlag,
    RulesFlag,
    watch_settings,
)

if TYPE_CHECKING:
    from hullwatch.config.settings import Settings

SOURCES = ["fields"]


def replay(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    file: Annotated[str, typer.Argument(metavar="FILE", help="What was recorded; - is standard input.")],
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="fields",
            help="What FILE is. fields: an object of field values on each line (NDJSON), plain or gzip.",
            autocompletion=lambda: SOURCES,
        ),
    ] = "fields",
    rules: RulesFlag = None,
    match: MatchFlag = None,
    output: OutputFlag = None,
    fail_on: FailOnFlag = None,
    priority: PriorityFlag = None,
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """Judge events that were recorded, and print an alert when a rule matches.

    \b
    Examples:
      hullwatch replay events.ndjson
      hullwatch replay events.ndjson.gz -r my_rules.yaml --match all -o json | jq .rule
      some_program | hullwatch replay - --fail-on warning

    A line is {"evt.type": "openat", "proc.name": "cat", "fd.name": "/etc/shadow"}; what it does not name
    is absent. A line that is wrong is told, counted and left out. Needs no root.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.errors import UsageError

    if source not in SOURCES:
        raise UsageError(f'--source is {" or ".join(SOURCES)}, not "{source}".')
    settings = watch_settings(context, rules, config, priority=priority, match=match, output=output, fail_on=fail_on)
    return _replay(settings, file)


def _replay(settings: Settings, file: str) -> int:
    """Load the rules and send the file through them; return the exit code."""
    import sys
    from pathlib import Path

    from hullwatch.cli.replay_loop import Replay
    from hullwatch.cli.rule_set import rules_files
    from hullwatch.cli.selection import say_remarks
    from hullwatch.errors import UsageError
    from hullwatch.rules.problem import RulesError
    from hullwatch.rules.reload import load_rules
    from hullwatch.rules.value_events import from_values

    files = rules_files(settings.rules.files)
    try:
        rules = load_rules(files, settings.rules, Path(settings.directories.cache), from_values)
    except RulesError as error:
        raise UsageError(str(error)) from error
    say_remarks(rules.selection.remarks)
    run = Replay(settings, rules)
    if file == "-":
        return run.run(sys.stdin.buffer, "standard input")
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - only what opening raises is meant here
    except OSError as error:
        raise UsageError(f"The file {file} cannot be read: {error.strerror}.") from error
    with stream:
        return run.run(stream, file)
