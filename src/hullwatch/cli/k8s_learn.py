"""``hullwatch k8s learn``: take the cluster's state from files, where its API is not reachable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import StateFlag
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedIOBase

    from hullwatch.store.cluster import Cluster
    from hullwatch.store.cluster_audit import AuditTaker

_LONGEST = 16 << 20  # bytes of a line


def learn(
    manifests: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="Manifests, folders of them, or 'kubectl get -o json'."),
    ] = None,
    audit: Annotated[
        list[str] | None,
        typer.Option(
            "--audit", metavar="FILE", help="An audit log, one event a line; - for standard input. Repeatable."
        ),
    ] = None,
    api: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--api", help="List what is in the cluster now, as kubernetes.api says how to reach it.")
    ] = False,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Learn what is in the cluster, who had which address, and who ran what in which pod, from files.

    \b
    Examples:
      kubectl get pods,nodes,services -A -o json > now.json; sudo hullwatch k8s learn now.json
      sudo hullwatch k8s learn --audit /var/log/kubernetes/audit.log
      tail -F audit.log | sudo hullwatch k8s learn --audit -
      HULLWATCH_KUBERNETES_API_CREDENTIALS=kubeconfig sudo -E hullwatch k8s learn --api
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.store_options import place
    from hullwatch.errors import UsageError
    from hullwatch.store.cluster import Cluster
    from hullwatch.store.cluster_audit import AuditTaker
    from hullwatch.store.cluster_tables import open_cluster, open_requests
    from hullwatch.store.exec_requests import ExecRequests

    as_json = wants_json(output)
    if not (manifests or audit or api):
        raise UsageError("Nothing to learn from: name manifests, an audit log with --audit, or --api.")
    url, directory = place(state, config)
    if not directory.is_dir():
        raise UsageError(f"There is no state directory {directory}: make it, or name another with --state-directory.")
    cluster = Cluster(open_cluster(directory, make=True))
    counts: dict[str, int] = {}
    problems = _take_api(cluster, config) if api else {}
    for path in manifests or ():
        counts["objects"] = counts.get("objects", 0) + _take_manifests(cluster, path, counts)
    taker = AuditTaker(ExecRequests(open_requests(url, directory, make=True)), cluster)
    for name in audit or ():
        _take_audit(taker, name, counts)
    counts |= taker.counts
    if api:
        counts["objects"] = sum(cluster.counts().values())
    cluster.close()
    if as_json:
        write_json({**counts, **({"problems": problems} if problems else {})})
    else:
        for what, number in counts.items():
            write_line(f"{number:,} {what}")
        for name, problem in problems.items():
            write_line(f"The cluster's {name} are not known: {problem}")
    return 3 if problems else 0


def _take_api(cluster: Cluster, config: str | None) -> dict[str, str]:
    from hullwatch.cli.settings import load_settings
    from hullwatch.cluster_process import access, node_of
    from hullwatch.enrich.kubernetes.resources import named
    from hullwatch.errors import UsageError
    from hullwatch.store.cluster_following import list_once

    settings = load_settings({}, config).settings.kubernetes.api
    if settings.credentials == "none":
        raise UsageError(
            'How to reach the API is not set: kubernetes.api.credentials is "none". Set it to "kubeconfig" or '
            '"in-cluster" (or HULLWATCH_KUBERNETES_API_CREDENTIALS).'
        )
    node = node_of(settings.node)
    return list_once(access(settings), named(settings.resources, node), node, cluster)


def _take_manifests(cluster: Cluster, path: Path, counts: dict[str, int]) -> int:
    from hullwatch.enrich.kubernetes.manifests import read_manifests
    from hullwatch.enrich.kubernetes.plain import table, text
    from hullwatch.enrich.kubernetes.resources import BY_KIND
    from hullwatch.enrich.kubernetes.trimming import trimmed

    taken = 0
    with cluster.batch():
        for found in read_manifests(path):
            resource = BY_KIND.get(text(found, "kind"))
            if resource is None:
                counts["objects of other kinds"] = counts.get("objects of other kinds", 0) + 1
                continue
            kept = trimmed(found, resource.kind, resource.version)
            if resource.namespaced:
                table(kept, "metadata").setdefault("namespace", "default")
            cluster.put(resource, kept)
            taken += 1
    return taken


def _take_audit(taker: AuditTaker, name: str, counts: dict[str, int]) -> None:
    import msgspec

    from hullwatch.enrich.kubernetes.plain import table

    decode = msgspec.json.Decoder().decode
    for line in _lines(name):
        if line is None:  # a pause: what was found so far is written
            taker.tick()
            continue
        try:
            event = table(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            event = {}
        counts["events"] = counts.get("events", 0) + 1
        if event.get("kind") != "Event":
            counts["lines that are no events"] = counts.get("lines that are no events", 0) + 1
            continue
        taker.take(event)
    taker.tick()


def _lines(name: str) -> Iterator[bytes | None]:
    """Yield the lines of a file; None now and then, when what waits is to be written."""
    import select

    from hullwatch.errors import UsageError

    if name != "-":
        try:
            with Path(name).open("rb") as stream:
                yield from _whole_lines(stream, name)
        except OSError as error:
            raise UsageError(f"{name} cannot be read: {error.strerror}.") from error
        return
    stream = cast("BufferedIOBase", sys.stdin.buffer)
    for line in _whole_lines(stream, "standard input"):
        yield line
        if not select.select([stream], [], [], 0)[0]:
            yield None


def _whole_lines(stream: BufferedIOBase, name: str) -> Iterator[bytes]:
    """Yield lines; of one that is too long, which is no event, the beginning."""
    from hullwatch.sources.long_lines import skip_line

    for number, line in enumerate(iter(lambda: stream.readline(_LONGEST), b""), 1):
        if len(line) == _LONGEST and not line.endswith(b"\n"):
            skip_line(stream, number, name)
        yield line
