"""``hullwatch run``: watch this host."""

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
    from hullwatch.config import Settings


SOURCES = ["syscall", "k8s_audit", "container_log"]


def _sources(enabled: list[str] | None, disabled: list[str] | None) -> list[str] | None:
    """Return what is watched, by the flags; None where there are none."""
    from hullwatch.errors import UsageError

    wrong = next((name for name in (*(enabled or ()), *(disabled or ())) if name not in SOURCES), None)
    if wrong is not None:
        raise UsageError(f'A source is {" or ".join(SOURCES)}, not "{wrong[:80]}".')
    if enabled and disabled:
        raise UsageError("--enable-source and --disable-source do not go together.")
    if enabled or not disabled:
        return enabled or None
    left = [name for name in SOURCES if name not in disabled]
    if not left:
        raise UsageError("With every source disabled there is nothing to watch.")
    return left


def run(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    rules: RulesFlag = None,
    output: OutputFlag = None,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="TIME", help="End after this time: 10s, 5m, 1h30m.")
    ] = None,
    fail_on: FailOnFlag = None,
    priority: PriorityFlag = None,
    match: MatchFlag = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="KEY=VALUE", help="A label that every alert carries; may be repeated."),
    ] = None,
    show_all: Annotated[
        bool | None, typer.Option("--all", help="On a terminal, show every repeat instead of a count.")
    ] = None,
    pushdown: Annotated[
        bool | None,
        typer.Option("--pushdown/--no-pushdown", help="Leave out in the kernel what no rule can match (default: yes)."),
    ] = None,
    show_pushdown: Annotated[
        bool | None, typer.Option("--show-pushdown", help="Print what the kernel would send and leave out, and end.")
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            "--log-format",
            metavar="auto|text|json",
            help="How Hullwatch tells of its own work on standard error (auto: json for systemd's journal).",
            autocompletion=lambda: ["auto", "text", "json"],
        ),
    ] = None,
    enable_source: Annotated[
        list[str] | None,
        typer.Option(
            "--enable-source",
            metavar="syscall|k8s_audit|container_log",
            help="Watch only this: the host's calls, audit events of Kubernetes, logs of containers; may be repeated.",
            autocompletion=lambda: SOURCES,
        ),
    ] = None,
    disable_source: Annotated[
        list[str] | None,
        typer.Option(
            "--disable-source",
            metavar="syscall|k8s_audit|container_log",
            help="Do not watch this; without syscall no root is needed.",
            autocompletion=lambda: SOURCES,
        ),
    ] = None,
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """Watch this host, and print an alert when a rule matches.

    \b
    Examples:
      sudo hullwatch run
      sudo hullwatch run -r my_rules.yaml -o json | jq .output
      sudo hullwatch run --duration 10m --fail-on warning
      sudo hullwatch run --disable-tag network --enable-rule "System program*"
      hullwatch run --show-pushdown -r my_rules.yaml
      hullwatch run --disable-source syscall     only what [kubernetes.audit] and [container_logs] name

    A rules file that changes is loaded again, without a pause; one that is wrong then leaves the rules
    as they are, with an alert. SIGHUP does the same at once, and has the settings read again: an alert
    says which are in force and which need a restart.

    Ends with Ctrl-C, and a summary on standard error. Watching the host needs root, Linux 5.10 or newer with BTF;
    "hullwatch doctor" tells what is missing.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.policy_checks import check_policies, with_all_problems
    from hullwatch.config.values import parse_labels
    from hullwatch.errors import UsageError

    def read() -> Settings:
        return watch_settings(
            context,
            rules,
            config,
            priority=priority,
            match=match,
            output=output,
            show_all=show_all,
            labels=parse_labels(label) if label else None,
            duration=duration,
            fail_on=fail_on,
            pushdown=pushdown,
            log_format=log_format,
            sources=_sources(enable_source, disable_source),
        )

    try:
        settings = read()
        check_policies(settings)
    except UsageError as error:
        raise with_all_problems(error, config) from error
    if show_pushdown:
        from hullwatch.cli.pushdown_report import show_pushdown as report

        return report(settings, as_json=settings.output.format == "json")
    from hullwatch.supervisor import run as supervise

    try:
        return supervise(settings, again=read)
    except KeyboardInterrupt:
        # Before the supervisor took over the signal; Ctrl-C is how a run ends.
        return 0
