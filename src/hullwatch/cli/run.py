"""``hullwatch run``: watch this host."""

from __future__ import annotations

from typing import Annotated

import typer

OUTPUTS = ["text", "json"]
MATCHING = ["first", "all"]
PRIORITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"]


def run(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "-r",
            "--rules",
            metavar="FILE",
            help="Rules file, or directory of *.yaml; may be repeated. Replaces the built-in rules.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="text|json", help="How alerts are printed.", autocompletion=lambda: OUTPUTS
        ),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="TIME", help="End after this time: 10s, 5m, 1h30m.")
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
    match: Annotated[
        str | None,
        typer.Option(
            "--match",
            metavar="first|all",
            help="Alert on the first rule that matches an event, or on all that do.",
            autocompletion=lambda: MATCHING,
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="KEY=VALUE", help="A label that every alert carries; may be repeated."),
    ] = None,
    show_all: Annotated[
        bool | None, typer.Option("--all", help="On a terminal, show every repeat instead of a count.")
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Configuration file, over the usual ones.")
    ] = None,
) -> int:
    """Watch this host, and print an alert when a rule matches.

    \b
    Examples:
      sudo hullwatch run
      sudo hullwatch run -r my_rules.yaml -o json | jq .output
      sudo hullwatch run --duration 10m --fail-on warning

    Ends with Ctrl-C, and a summary on standard error. Needs root, Linux 5.18 or newer with BTF;
    "hullwatch doctor" tells what is missing.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.rules_files import find
    from hullwatch.config.values import parse_labels

    settings = load_settings(
        {
            "rules.files": ("-r", [str(path) for path in find(rules)] if rules else None),
            "rules.priority": ("--priority", priority),
            "rules.match": ("--match", match),
            "output.format": ("--output", output),
            "output.all": ("--all", show_all),
            "output.labels": ("--label", parse_labels(label) if label else None),
            "run.duration": ("--duration", duration),
            "run.fail_on": ("--fail-on", fail_on),
        },
        config,
    ).settings
    from hullwatch.supervisor import run as supervise

    try:
        return supervise(settings)
    except KeyboardInterrupt:
        # Before the supervisor took over the signal; Ctrl-C is how a run ends.
        return 0
