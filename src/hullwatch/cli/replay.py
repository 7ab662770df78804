"""``hullwatch replay``: judge events that were recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from hullwatch.cli.selection import NO_FLAGS
from hullwatch.cli.watch_options import (
    ConfigFlag,
    FailOnFlag,
    FromFlag,
    MatchFlag,
    OutputFlag,
    PriorityFlag,
    RulesFlag,
    ToFlag,
    watch_settings,
)

if TYPE_CHECKING:
    import io

    from hullwatch.app import Deliver
    from hullwatch.cli.replay_capture import Part
    from hullwatch.config.settings import Settings
    from hullwatch.rules.loader import RuleSet
    from hullwatch.rules.terms import Lookup

SOURCES = ["auto", "container_log", "fields", "hwcap", "k8s_audit", "scap"]
AUDIT, LOGS = "k8s_audit", "container_log"
SPEEDS = ["max", "1x"]


def replay(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    file: Annotated[str, typer.Argument(metavar="FILE", help="What was recorded; - is standard input.")],
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="auto|hwcap|scap|fields|k8s_audit|container_log",
            help="What FILE is. hwcap: a capture of hullwatch record; scap: one of sysdig, Falco or Stratoshark; "
            "fields: an object of field values on each line (NDJSON), plain or gzip; "
            "k8s_audit: events of the Kubernetes API (audit log, EventList), plain or gzip; "
            "container_log: lines of containers (json-file, CRI, CloudWatch, Azure Monitor), plain or gzip; "
            "auto: one of the first three.",
            autocompletion=lambda: SOURCES,
        ),
    ] = "auto",
    rules: RulesFlag = None,
    match: MatchFlag = None,
    output: OutputFlag = None,
    fail_on: FailOnFlag = None,
    priority: PriorityFlag = None,
    begin: FromFlag = None,
    end: ToFlag = None,
    speed: Annotated[
        str,
        typer.Option(
            "--speed",
            metavar="max|1x",
            help="How fast a capture is judged: as fast as possible, or in the time that it took (2x: half of it).",
            autocompletion=lambda: SPEEDS,
        ),
    ] = "max",
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="FILE", help="Of k8s_audit: what is ordinary, as baseline.db has it."),
    ] = None,
    learn_until: Annotated[
        str | None,
        typer.Option("--learn-until", metavar="TIME", help="Of k8s_audit: learn until then, and tell what is new."),
    ] = None,
    store: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--store", help="Keep the alerts, as hullwatch run does: see hullwatch alerts.")
    ] = False,
    config: ConfigFlag = None,
    context: typer.Context = NO_FLAGS,
) -> int:
    """Judge events that were recorded, and print an alert when a rule matches.

    \b
    Examples:
      hullwatch replay today.hwcap -r my_rules.yaml
      hullwatch replay today.hwcap --from 2026-11-28T10:30 --to 2026-11-28T10:35:30 --speed 1x
      hullwatch replay sysdig.scap -r my_rules.yaml
      hullwatch replay today.hwcap --store && hullwatch incidents
      hullwatch replay events.ndjson
      hullwatch replay events.ndjson.gz -r my_rules.yaml --match all -o json | jq .rule
      some_program | hullwatch replay - --fail-on warning
      hullwatch replay audit.log --source k8s_audit -o json
      hullwatch replay audit.log --source k8s_audit --learn-until 2026-11-28T10:00
      hullwatch replay /var/log/pods/shop_web_1/web/0.log --source container_log

    Of a capture, the same rules raise the same alerts as they did on the host. A time without a zone is local.
    Of field values, a line is {"evt.type": "openat", "proc.name": "cat", "fd.name": "/etc/shadow"}; what it does not
    name is absent. A line that is wrong is told, counted and left out. Needs no root.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.errors import UsageError

    if source not in SOURCES:
        raise UsageError(f'--source is {", ".join(SOURCES[:-1])} or {SOURCES[-1]}, not "{source}".')
    part = part_of(begin, end, speed)
    if source != AUDIT and (baseline or learn_until):
        raise UsageError("--baseline and --learn-until are for --source k8s_audit.")
    settings = watch_settings(context, rules, config, priority=priority, match=match, output=output, fail_on=fail_on)
    if source == AUDIT:
        return _replay_audit_file(settings, file, part, _deliver(store=store), baseline, learn_until)
    if source == LOGS:
        return _replay_logs_file(settings, file, part, _deliver(store=store))
    return _replay(settings, file, source, part, _deliver(store=store))


def part_of(begin: str | None, end: str | None, speed: str) -> Part:
    """Return which part of a capture is asked for.

    Raises:
        UsageError: for a time or a speed that is none.
    """
    from hullwatch.cli.replay_capture import Part
    from hullwatch.config.values import parse_speed, parse_time

    return Part(parse_time(begin) if begin else 0, parse_time(end) if end else 0, parse_speed(speed))


def _deliver(*, store: bool) -> Deliver:
    """Return what makes the delivery of a replay."""
    from hullwatch.outputs.delivery import Delivery

    if not store:
        return Delivery
    from hullwatch.cli.replay_store import keeping_delivery

    return keeping_delivery


def _replay(settings: Settings, file: str, source: str, part: Part, deliver: Deliver) -> int:
    """Load the rules and send the file through them; return the exit code."""
    import sys

    from hullwatch.cli.input_file import open_input
    from hullwatch.errors import UsageError

    if file == "-":
        if source in {"hwcap", "scap"}:
            raise UsageError("A capture is read from a file: what it holds is looked up in it.")
        return _replay_fields(settings, sys.stdin.buffer, "standard input", part, deliver)
    with open_input(file) as stream:
        if source == "hwcap" or (source == "auto" and _is_capture(stream)):
            return _replay_capture(settings, stream, file, part, deliver)
        if source == "scap" or (source == "auto" and _is_scap(stream)):
            return _replay_scap(settings, stream, file, part, deliver)
        return _replay_fields(settings, stream, file, part, deliver)


def _is_capture(stream: io.BufferedReader) -> bool:
    from hullwatch.captures.chunk import MAGIC

    return stream.peek(len(MAGIC)).startswith(MAGIC)


def _is_scap(stream: io.BufferedReader) -> bool:
    from hullwatch.captures.scap.blocks import is_scap

    return is_scap(stream.peek(1))


def _replay_scap(settings: Settings, stream: BinaryIO, name: str, part: Part, deliver: Deliver) -> int:
    from hullwatch.captures.scap.lookup import from_scap
    from hullwatch.cli.replay_scap import replay_scap

    return replay_scap(settings, _rules(settings, from_scap), part, stream, name, deliver)


def _replay_capture(settings: Settings, stream: BinaryIO, name: str, part: Part, deliver: Deliver) -> int:
    from hullwatch.cli.replay_capture import replay_capture

    return replay_capture(settings, _rules(settings), part, stream, name, deliver)


def _replay_fields(settings: Settings, stream: BinaryIO, name: str, part: Part, deliver: Deliver) -> int:
    from hullwatch.cli.replay_loop import Replay
    from hullwatch.errors import UsageError
    from hullwatch.rules.value_events import from_values

    if any(part):
        raise UsageError(f"--from, --to and --speed are for captures, and {name} is none.")
    return Replay(settings, _rules(settings, from_values), deliver).run(stream, name)


def _replay_audit_file(
    settings: Settings, file: str, part: Part, deliver: Deliver, baseline: str | None, learn_until: str | None
) -> int:
    import sys

    from hullwatch.cli.input_file import open_input
    from hullwatch.cli.replay_audit import AuditReplay, baseline_of
    from hullwatch.cli.rule_set import load_named
    from hullwatch.errors import UsageError

    if any(part):
        raise UsageError("--from, --to and --speed are for captures.")
    learnt = baseline_of(settings, baseline, learn_until)
    if file == "-":
        rules = load_named(settings, source=AUDIT)
        return AuditReplay(settings, rules, deliver, learnt).run(sys.stdin.buffer, "Standard input")
    with open_input(file) as stream:
        rules = load_named(settings, source=AUDIT)
        return AuditReplay(settings, rules, deliver, learnt).run(stream, f"The file {file}")


def _replay_logs_file(settings: Settings, file: str, part: Part, deliver: Deliver) -> int:
    import sys
    from pathlib import Path

    from hullwatch.cli.input_file import open_input
    from hullwatch.cli.replay_logs import LogReplay
    from hullwatch.cli.rule_set import load_named
    from hullwatch.errors import UsageError

    if any(part):
        raise UsageError("--from, --to and --speed are for captures.")
    if file == "-":
        return LogReplay(settings, load_named(settings, source=LOGS), "", deliver).run(
            sys.stdin.buffer, "Standard input"
        )
    with open_input(file) as stream:
        replay = LogReplay(settings, load_named(settings, source=LOGS), str(Path(file).resolve()), deliver)
        return replay.run(stream, f"The file {file}")


def _rules(settings: Settings, *lookup: Lookup) -> RuleSet:
    from hullwatch.cli.rule_set import load_named

    return load_named(settings, None, *lookup)
