"""The options that the verbs which judge events share, and the settings that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hullwatch.config import Settings

EVERY = "evt.num exists"  # the condition that all events fulfil
OUTPUTS = ["text", "json", "falco", "ocsf", "ecs", "cef", "leef", "cloudevents", "otlp", "sarif"]
MATCHING = ["first", "all"]
PRIORITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"]

RulesFlag = Annotated[
    list[str] | None,
    typer.Option(
        "-r",
        "--rules",
        metavar="FILE",
        help="Rules file, or directory of *.yaml; may be repeated. Replaces the built-in rules.",
    ),
]
OutputFlag = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="text|json|...",
        help="How alerts are printed: text, json, or another of `hullwatch formats list`.",
        autocompletion=lambda: OUTPUTS,
    ),
]
EventOutputFlag = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="text|json", help="How events are printed.", autocompletion=lambda: ["text", "json"]
    ),
]
FailOnFlag = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="PRIORITY",
        help="End with exit code 1 if there was an alert at least this severe.",
        autocompletion=lambda: PRIORITIES,
    ),
]
PriorityFlag = Annotated[
    str | None,
    typer.Option(
        "--priority",
        metavar="PRIORITY",
        help="Alert only on rules that are at least this severe.",
        autocompletion=lambda: PRIORITIES,
    ),
]
MatchFlag = Annotated[
    str | None,
    typer.Option(
        "--match",
        metavar="first|all",
        help="Alert on the first rule that matches an event, or on all that do.",
        autocompletion=lambda: MATCHING,
    ),
]
FromFlag = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="Of a capture, only what happened from then on: 2026-11-28T10:30."),
]
ToFlag = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="Of a capture, only what happened until then.")
]
ConfigFlag = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Configuration file, over the usual ones.")
]

_FLAGS = {
    "priority": ("rules.priority", "--priority"),
    "match": ("rules.match", "--match"),
    "output": ("output.format", "--output"),
    "fail_on": ("run.fail_on", "--fail-on"),
    "show_all": ("output.all", "--all"),
    "duration": ("run.duration", "--duration"),
    "labels": ("output.labels", "--label"),
    "log_format": ("log.format", "--log-format"),
    "pushdown": ("sensor.pushdown", "--pushdown"),
    "sources": ("run.sources", "--enable-source"),
    "record_mask": ("record.mask", "--mask"),
}


def flags_of(path: str) -> list[str]:
    """Return the flags of ``hullwatch run`` that set a value, by its dotted path."""
    return [flag for target, flag in (*_FLAGS.values(), ("rules.files", "--rules")) if target == path]


def watch_settings(context: typer.Context, rules: list[str] | None, config: str | None, **flags: object) -> Settings:
    """Return the settings of a verb that judges events.

    Args:
        context: of the verb, with the flags that turn rules on and off.
        rules: the rules files that were named.
        config: the configuration file that was named.
        flags: the values of the other options by the names of their parameters.

    Raises:
        UsageError: for a value that is wrong, or a file that cannot be read.
    """
    from hullwatch.cli.selection import with_switches
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.rules_files import find

    given: dict[str, tuple[str, object]] = {
        "rules.files": ("-r", [str(path) for path in find(rules)] if rules else None)
    }
    given |= {_FLAGS[name][0]: (_FLAGS[name][1], value) for name, value in flags.items()}
    return with_switches(load_settings(given, config).settings, context)
