"""``hullwatch replay``: judge events that were recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.run import MATCHING, OUTPUTS, PRIORITIES

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
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "-r",
            "--rules",
            metavar="FILE",
            help="Rules file, or directory of *.yaml; may be repeated. Replaces the built-in rules.",
        ),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match",
            metavar="first|all",
            help="Alert on the first rule that matches an event, or on all that do.",
            autocompletion=lambda: MATCHING,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="text|json", help="How alerts are printed.", autocompletion=lambda: OUTPUTS
        ),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on",
            metavar="PRIORITY",
            help="End with exit code 1 if there was an alert at least this severe.",
            autocompletion=lambda: PRIORITIES,
        ),
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(
            "--priority",
            metavar="PRIORITY",
            help="Alert only on rules that are at least this severe.",
            autocompletion=lambda: PRIORITIES,
        ),
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Configuration file, over the usual ones.")
    ] = None,
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
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.rules_files import find
    from hullwatch.errors import UsageError

    if source not in SOURCES:
        raise UsageError(f'--source is {" or ".join(SOURCES)}, not "{source}".')
    settings = load_settings(
        {
            "rules.files": ("-r", [str(path) for path in find(rules)] if rules else None),
            "rules.priority": ("--priority", priority),
            "rules.match": ("--match", match),
            "output.format": ("--output", output),
            "run.fail_on": ("--fail-on", fail_on),
        },
        config,
    ).settings
    return _replay(settings, file)


def _replay(settings: Settings, file: str) -> int:
    """Load the rules and send the file through them; return the exit code."""
    import sys
    from pathlib import Path

    from hullwatch.cli.replay_loop import Replay
    from hullwatch.cli.rule_set import rules_files
    from hullwatch.errors import UsageError
    from hullwatch.rules.loader import load
    from hullwatch.rules.priority import Priority
    from hullwatch.rules.problem import RulesError
    from hullwatch.rules.value_events import from_values

    files = rules_files(settings.rules.files)
    try:
        rules = load(files, Priority.parse(settings.rules.priority), from_values)
    except RulesError as error:
        raise UsageError(str(error)) from error
    run = Replay(settings, rules)
    if file == "-":
        return run.run(sys.stdin.buffer, "standard input")
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - only what opening raises is meant here
    except OSError as error:
        raise UsageError(f"The file {file} cannot be read: {error.strerror}.") from error
    with stream:
        return run.run(stream, file)
