"""What the verbs of ``hullwatch k8s`` look at: files of objects, audit logs, or the cluster that is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.plain import Plain
    from hullwatch.posture.reading import Reading
    from hullwatch.posture.usage import Usage

FromFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="FILE|DIR",
        help="Manifests, what 'kubectl get -o json' prints, or an audit log; repeatable, - is standard input, live the "
        "cluster that the running Hullwatch follows, which is meant without --from.",
    ),
]
FailFlag = Annotated[
    str | None,
    typer.Option(
        "--fail-on", metavar="SEVERITY", help="End with code 1 when something is low, medium, high, critical."
    ),
]
LIVE = "live"  # stands for the cluster that is followed
NamespaceFlag = Annotated[str | None, typer.Option("-n", "--namespace", metavar="NS", help="Only there.")]
# In the other verbs -n is a number; in these it is a namespace, as it is for kubectl.
LimitFlag = Annotated[int, typer.Option("--limit", "--number", metavar="N", help="How many at most; 0: all.")]


def read_inventory(sources: list[str] | None, state: str | None = None) -> Inventory:
    """Return all objects of the sources; of an audit log those that it shows.

    Raises:
        UsageError: when there is no source, or one cannot be read.
    """
    return read_all(sources, state=state)[0]


def read_all(sources: list[str] | None, since: str = "", state: str | None = None) -> tuple[Inventory, Usage]:
    """Return the objects, and what users did, as far as there is an audit log.

    Raises:
        UsageError: when there is no source, or one cannot be read.
    """
    from hullwatch.posture.audit_state import AuditState
    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.reading import Reading
    from hullwatch.posture.usage import Usage

    inventory, usage = Inventory(), Usage(since)
    shown = AuditState(inventory)

    def take_event(event: Plain) -> None:
        shown.take(event)
        usage.take(event)

    reading = Reading(inventory.take, take_event)
    read(reading, sources, state)
    for reason, number in inventory.passed_over.items():
        if not reason.startswith("kind"):  # other kinds are nobody's mistake
            reading.remarks.append(f"{number} objects are left out: {reason}.")
    if reading.counts["objects"] + reading.counts["events"] and not len(inventory):
        reading.remarks.append("Nothing in it is looked at here: no roles, bindings, pods, services or the like.")
    for kind, number in sorted(shown.unknown.items()):
        if kind == "Secret":  # no contents of secrets are looked at
            continue
        written = kind.partition(".")[0]
        reading.remarks.append(
            f"What {number} changes of a {written} came to, the log does not tell: its level is too low."
        )
    tell(reading)
    return inventory, usage


def read(reading: Reading, sources: list[str] | None, state: str | None = None) -> None:
    """Read the sources, or what is known of the cluster that is followed where none is named; say which it was.

    Raises:
        UsageError: when there is none, or one cannot be read.
    """
    from hullwatch.cli.k8s_cluster import followed, objects_of, tell_source
    from hullwatch.errors import UsageError
    from hullwatch.store.database import NoStoreError

    if sources:
        reading.read([one for one in sources if one != LIVE])
    if sources and LIVE not in sources:
        return
    try:
        known, about = followed(state)
    except NoStoreError:
        raise UsageError(
            "Say what to look at with --from: a folder of manifests, an audit log, or the output of "
            "kubectl get clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts -A -o json. "
            "Where 'hullwatch run' follows a cluster (kubernetes.api), it is not needed."
        ) from None
    tell_source(about, reading.remarks)
    reading.take(objects_of(known, reading.remarks))


def tell(reading: Reading) -> None:
    """Say on standard error what could not be read."""
    from hullwatch.outputs.standard_error import say

    for sentence in reading.remarks:
        say(f"Warning: {sentence}")
    if reading.counts["no objects"]:
        say(f"Warning: {reading.counts['no objects']} documents are no objects. They are left out.")
    if reading.counts["more remarks"]:
        say(f"Warning: {reading.counts['more remarks']} more files or lines could not be read.")


def ends_with(severities: Iterable[str], fail_on: str | None) -> int:
    """Return the exit code: 1 when something is at least as bad as ``--fail-on``.

    Raises:
        UsageError: when that is no severity.
    """
    from hullwatch.posture.severity import at_least, parse_severity

    if fail_on is None:
        return 0
    limit = parse_severity(fail_on)
    return int(any(at_least(one, limit) for one in severities))
