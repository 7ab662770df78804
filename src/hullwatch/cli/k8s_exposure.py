"""``hullwatch k8s exposure``: what is open to the outside, and what lies behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.k8s_input import FailFlag, FromFlag, NamespaceFlag
from hullwatch.cli.store_options import StateFlag

if TYPE_CHECKING:
    from hullwatch.posture.connections import Connection


def exposure(
    changes: Annotated[bool, typer.Option("--changes", help="What an audit log shows being opened.")] = False,  # noqa: FBT002
    namespace: NamespaceFlag = None,
    source: FromFlag = None,
    state: StateFlag = None,
    fail_on: FailFlag = None,
    output: OutputOption = "text",
) -> int:
    """List what is open to the outside, the worst first: ways in, the workloads behind them, what those may do.

    \b
    Examples:
      kubectl get svc,ingress,pods,deploy,netpol,sa,nodes -A -o json > cluster.json
      kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json > rights.json
      hullwatch k8s exposure --from cluster.json --from rights.json --fail-on high
      hullwatch k8s exposure --changes --from audit.jsonl
      hullwatch k8s exposure --changes

    --changes without --from lists what runs with kubernetes.audit saw and kept. With --state-directory, connections in
    stored alerts tell which workloads reach a database or a vault.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.k8s_input import ends_with, read_inventory
    from hullwatch.formats.exposure import exposure_document, exposure_rows
    from hullwatch.posture.exposure import find_exposure
    from hullwatch.posture.rights import Rights
    from hullwatch.posture.risks import find_risks

    as_json = wants_json(output)
    ends_with((), fail_on)  # a wrong one is told before anything is read
    if changes:
        return _changes(source, namespace, state, fail_on, as_json=as_json)
    inventory = read_inventory(source)
    findings = find_risks(Rights(inventory), inventory)
    connections = _stored(state) if state is not None else []
    found = [
        one for one in find_exposure(inventory, findings, connections) if namespace in {None, one.opening.namespace}
    ]
    for one in found if as_json else ():
        write_json(exposure_document(one))
    if not as_json:
        write_rows(exposure_rows(found))
    return ends_with((one.severity for one in found), fail_on)


def _changes(
    source: list[str] | None, namespace: str | None, state: str | None, fail_on: str | None, *, as_json: bool
) -> int:
    from hullwatch.cli.answer import write_json, write_rows
    from hullwatch.cli.k8s_input import ends_with, kept, read, tell
    from hullwatch.formats.exposure import exposure_change_document
    from hullwatch.posture.exposure_changes import ExposureChange, ExposureTrail
    from hullwatch.posture.plain import Plain
    from hullwatch.posture.reading import Reading

    trail = ExposureTrail()
    seen: set[str] = set()

    def show(one: ExposureChange | None) -> None:
        if one is None or namespace not in {None, one.namespace}:
            return
        seen.add(one.severity)
        if as_json:
            write_json(exposure_change_document(one))
        else:
            write_rows([[one.time, one.severity, one.sentence]])

    def take(event: Plain) -> None:
        show(trail.take(event))

    if source:
        reading = Reading(trail.state.inventory.take, take)
        read(reading, source)
        tell(reading)
    else:
        for told in kept(state):
            show(told.exposure)
    return ends_with(seen, fail_on)


def _stored(state: str) -> list[Connection]:
    """Return the connections of pods in stored alerts.

    Raises:
        StoreError: when the store cannot be opened.
    """
    from hullwatch.cli.store_options import open_store
    from hullwatch.posture.connections import Connection
    from hullwatch.store.reading import AlertReader, Wanted

    found: dict[Connection, None] = {}
    for one in AlertReader(open_store(state, None)).newest_first(Wanted(), 100_000):
        fields = one.alert.output_fields
        pod, namespace, port = (fields.get(key) for key in ("k8s.pod.name", "k8s.ns.name", "fd.rport"))
        port = fields.get("fd.sport") if port is None else port
        address = fields.get("fd.rip", fields.get("fd.sip", ""))
        name = fields.get("fd.rip.name", fields.get("fd.sip.name", ""))
        if isinstance(pod, str) and isinstance(namespace, str) and isinstance(port, int) and pod:
            found[Connection(namespace, pod, str(address), port, name if isinstance(name, str) else "")] = None
    return list(found)
