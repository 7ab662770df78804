"""``hullwatch k8s rbac unused|suggest|changes``: rights beside what an audit log says about their use and change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.k8s_input import FailFlag, FromFlag, NamespaceFlag
from hullwatch.cli.store_options import StateFlag

if TYPE_CHECKING:
    from hullwatch.posture.usage import Usage

SinceFlag = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="30d: before the log's end; or a date. Default: all of the log."),
]


def unused(
    since: SinceFlag = None,
    every: Annotated[bool, typer.Option("--all", help="Also what comes with Kubernetes.")] = False,  # noqa: FBT002
    source: FromFlag = None,
    state: StateFlag = None,
    output: OutputOption = "text",
) -> int:
    """List what was granted and not used: bindings never used first, then those used in part.

    \b
    Examples:
      hullwatch k8s rbac unused --since 30d --from rights.json --from audit.jsonl
      hullwatch k8s rbac unused --since 30d --from live --from audit.jsonl

    The roles come from the objects, or from the audit log itself as far as it shows them.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.k8s_input import read_all
    from hullwatch.formats.rights import unused_document, unused_rows
    from hullwatch.posture.rights import Rights
    from hullwatch.posture.shipped import comes_with_kubernetes
    from hullwatch.posture.unused import find_unused

    as_json = wants_json(output)
    inventory, usage = read_all(source, _begin(since, source), state)
    _need_log(usage)
    found = [one for one in find_unused(Rights(inventory), usage) if every or not comes_with_kubernetes(one.grant)]
    for one in found if as_json else ():
        write_json(unused_document(one))
    if not as_json:
        write_rows(unused_rows(found))
    _tell_window(usage, since)
    return 0


def suggest(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="user:NAME or sa:NAMESPACE/NAME.")],
    names: Annotated[bool, typer.Option("--names", help="Limit to the objects' names, where they are few.")] = False,  # noqa: FBT002
    acted: Annotated[bool, typer.Option("--acted-as", help="Also what others did acting as it.")] = False,  # noqa: FBT002
    since: SinceFlag = None,
    source: FromFlag = None,
) -> int:
    """Write roles and bindings, as YAML, that allow what a subject did by the audit log, and nothing else.

    \b
    Examples:
      hullwatch k8s rbac suggest sa:shop/web --from audit.jsonl > web.yaml
      hullwatch k8s rbac suggest user:alice --names --since 30d --from audit.jsonl
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import yaml

    from hullwatch.cli.answer import write_safe
    from hullwatch.cli.k8s_input import read_all
    from hullwatch.formats.escape import escape
    from hullwatch.posture.subject import parse_subject
    from hullwatch.posture.suggest import suggest as suggest_for

    whom = parse_subject(subject)
    _, usage = read_all(source, _begin(since, source))
    _need_log(usage)
    found = suggest_for(whom, usage.users.get(whom.user), names=names, acted=acted)
    window = f"What {whom.words} did from {usage.first} to {usage.last}, by the audit log."
    for sentence in (window, *found.remarks):
        write_safe(f"# {escape(sentence)}\n")
    if found.objects:
        write_safe("---\n" + yaml.safe_dump_all(found.objects, sort_keys=False, explicit_start=False))
    return 0


def changes(
    refused: Annotated[bool, typer.Option("--refused", help="Also attempts that were not allowed.")] = False,  # noqa: FBT002
    namespace: NamespaceFlag = None,
    source: FromFlag = None,
    state: StateFlag = None,
    fail_on: FailFlag = None,
    output: OutputOption = "text",
) -> int:
    """List every change to roles and bindings: who, when, what went and what came.

    \b
    Examples:
      hullwatch k8s rbac changes
      hullwatch k8s rbac changes --from audit.jsonl --refused

    Without --from, those that runs with kubernetes.audit saw and kept: 90 days of them, 100,000 at most. What the
    log's level does not hold is told as not known.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.k8s_cluster import known_cluster
    from hullwatch.cli.k8s_input import ends_with, read, tell
    from hullwatch.formats.rights import change_document, change_lines
    from hullwatch.posture.changes import Change, ChangeTrail
    from hullwatch.posture.plain import Plain
    from hullwatch.posture.reading import Reading

    as_json = wants_json(output)
    ends_with((), fail_on)
    trail, seen = ChangeTrail(), {"info": 0}

    def show(one: Change) -> None:
        if (one.refused and not refused) or namespace not in {None, one.namespace}:
            return
        seen[one.severity] = seen.get(one.severity, 0) + 1
        if as_json:
            write_json(change_document(one))
        else:
            for line in change_lines(one):
                write_line(line)

    def take(event: Plain) -> None:
        for one in trail.take(event):
            show(one)

    if source:
        reading = Reading(lambda _: None, take)
        read(reading, source)
        tell(reading)
    else:
        for one in known_cluster(state, None).rights():
            show(one)
    return ends_with((severity for severity, number in seen.items() if number), fail_on)


def _begin(since: str | None, sources: list[str] | None) -> str:
    """Return the beginning of the time that counts, RFC 3339 in UTC; empty for all of it.

    How long ago counts from the log's last event: a log of last year says what was used then.
    """
    from datetime import UTC, datetime

    from hullwatch.cli.k8s_input import LIVE, read
    from hullwatch.config.values import parse_duration, parse_time
    from hullwatch.errors import UsageError
    from hullwatch.posture.audit_event import when
    from hullwatch.posture.plain import Plain
    from hullwatch.posture.reading import Reading

    if since is None:
        return ""
    if "-" in since or ":" in since:
        return _written(parse_time(since) / 1e9)
    duration = parse_duration(since)
    if "-" in (sources or ()):
        raise UsageError("Standard input can be read once only: give --since as a date, or the log as a file.")
    last = [""]

    def take(event: Plain) -> None:
        last[0] = max(last[0], when(event))

    logs = [one for one in sources or () if one != LIVE]
    if logs:
        read(Reading(lambda _: None, take), logs)
    try:
        end = datetime.fromisoformat(last[0]).timestamp()
    except ValueError:
        end = datetime.now(UTC).timestamp()
    return _written(end - duration)


def _written(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(max(0.0, seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _need_log(usage: Usage) -> None:
    from hullwatch.errors import UsageError

    if not usage.events:
        raise UsageError(
            "There is no event of an audit log in what was looked at, so nothing tells what was used: name the log "
            "with --from, and --from live as well for the roles of the cluster that is followed."
        )


def _tell_window(usage: Usage, since: str | None) -> None:
    from hullwatch.outputs.standard_error import say

    asked = f" of the last {since}" if since else ""
    say(
        f"The log has {usage.events:,} requests{asked}, from {usage.first} to {usage.last}: of before nothing is known."
    )
    if usage.left_out:
        say(f"Warning: {usage.left_out:,} requests of users beyond the first {len(usage.users):,} were left out.")
