"""What the verbs of ``hullwatch k8s`` look at: files of objects, audit logs, or the cluster that is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.plain import Plain
    from hullwatch.posture.reading import Reading
    from hullwatch.posture.trail import Told
    from hullwatch.posture.usage import Usage

FromFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="FILE|DIR",
        help="Manifests, what 'kubectl get -o json' prints, or an audit log; repeatable, - is standard input.",
    ),
]
FailFlag = Annotated[
    str | None,
    typer.Option(
        "--fail-on", metavar="SEVERITY", help="End with code 1 when something is low, medium, high, critical."
    ),
]
OLD = 300.0  # seconds since a cluster was heard of, after which that is worth saying
ROLES = frozenset({"Role", "ClusterRole"})
NamespaceFlag = Annotated[str | None, typer.Option("-n", "--namespace", metavar="NS", help="Only there.")]


def read_inventory(sources: list[str] | None) -> Inventory:
    """Return all objects of the sources; of an audit log those that it shows.

    Raises:
        UsageError: when there is no source, or one cannot be read.
    """
    return read_all(sources)[0]


def read_all(sources: list[str] | None, since: str = "") -> tuple[Inventory, Usage]:
    """Return the objects, and what users did, as far as there is an audit log.

    Raises:
        UsageError: when there is no source, or one cannot be read.
    """
    from hullwatch.posture.audit_state import AuditState
    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.reading import Reading
    from hullwatch.posture.usage import Usage

    inventory, usage = Inventory(), Usage(since)
    state = AuditState(inventory)

    def take_event(event: Plain) -> None:
        state.take(event)
        usage.take(event)

    reading = Reading(inventory.take, take_event)
    read(reading, sources)
    for reason, number in inventory.passed_over.items():
        if not reason.startswith("kind"):  # other kinds are nobody's mistake
            reading.remarks.append(f"{number} objects are left out: {reason}.")
    if reading.counts["objects"] + reading.counts["events"] and not len(inventory):
        reading.remarks.append("Nothing in it is looked at here: no roles, bindings, pods, services or the like.")
    for kind, number in sorted(state.unknown.items()):
        if kind == "Secret":  # no contents of secrets are looked at
            continue
        written = kind.partition(".")[0]
        reading.remarks.append(
            f"What {number} changes of a {written} came to, the log does not tell: its level is too low."
        )
    tell(reading)
    return inventory, usage


def read(reading: Reading, sources: list[str] | None) -> None:
    """Read the sources, or what is known of the cluster that is followed where none is named.

    Raises:
        UsageError: when there is none, or one cannot be read.
    """
    from hullwatch.errors import UsageError
    from hullwatch.store.database import NoStoreError

    if sources:
        reading.read(sources)
        return
    try:
        reading.take(_followed(reading.remarks))
    except NoStoreError:
        raise UsageError(
            "Say what to look at with --from: a folder of manifests, an audit log, or the output of "
            "kubectl get clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts -A -o json. "
            "Where 'hullwatch run' follows a cluster (kubernetes.api), it is not needed."
        ) from None


def kept(state: str | None) -> Iterator[Told]:
    """Yield what runs found in the audit log, the oldest first.

    Raises:
        UsageError: when no run found anything.
        StoreError: when it cannot be read.
    """
    from hullwatch.cli.store_options import place
    from hullwatch.errors import UsageError
    from hullwatch.store.database import NoStoreError
    from hullwatch.store.trail_memory import kept_findings

    try:
        yield from kept_findings(place(state, None)[1])
    except NoStoreError:
        raise UsageError(
            "Say which audit log to look at with --from. Where 'hullwatch run' takes audit events (kubernetes.audit), "
            "what it saw is kept, and --from is not needed."
        ) from None


def _followed(remarks: list[str]) -> Iterator[Plain]:
    """Yield the objects of the cluster that is followed; say what of it is not known, or old.

    Raises:
        NoStoreError: when none is.
    """
    import time

    from hullwatch.cli.store_options import date, place
    from hullwatch.enrich.kubernetes.plain import text
    from hullwatch.store.cluster import Cluster
    from hullwatch.store.cluster_tables import open_cluster

    cluster = Cluster(open_cluster(place(None, None)[1]))
    remarks += [f"{kind}: {problem}" for kind, problem in sorted(cluster.problems().items())]
    old = [kind for kind in cluster.counts() if time.time_ns() - cluster.alive_at(kind) > OLD * 1e9]
    if old:
        known = min(cluster.alive_at(kind) for kind in old)
        when = f"of {date(known)} or later" if known else "from an audit log or files"
        remarks.append(f"What is known of {', '.join(sorted(old))} is {when}.")
    for one in cluster.objects():
        if text(one, "kind") in ROLES and "rules" not in one:
            name = "/".join(filter(None, (text(one, "metadata", "namespace"), text(one, "metadata", "name"))))
            remarks.append(f"{text(one, 'kind')} {name} is too large to be kept: what it allows is missing here.")
        yield one


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
