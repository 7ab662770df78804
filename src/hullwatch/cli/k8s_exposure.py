"""``hullwatch k8s exposure``: what is open to the outside, and what lies behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.k8s_input import FailFlag, FromFlag, NamespaceFlag
from hullwatch.cli.store_options import StateFlag

if TYPE_CHECKING:
    from hullwatch.cli.k8s_cluster import Noted


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
      hullwatch k8s exposure
      hullwatch k8s exposure --from cluster.json --from rights.json --fail-on high
      hullwatch k8s exposure --changes --from audit.jsonl
      hullwatch k8s exposure --changes

    Without --from it is the cluster that the running Hullwatch follows; what its sensor saw workloads connect to
    tells which of them reach a database or a vault. --changes without --from lists what runs with kubernetes.audit
    saw and kept.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.k8s_input import ends_with, read_inventory
    from hullwatch.cli.settings import load_settings
    from hullwatch.formats.exposure import exposure_document, exposure_rows
    from hullwatch.posture.data_stores import data_stores
    from hullwatch.posture.exposure import find_exposure
    from hullwatch.posture.rights import Rights
    from hullwatch.posture.risks import find_risks

    as_json = wants_json(output)
    ends_with((), fail_on)  # a wrong one is told before anything is read
    if changes:
        return _changes(source, namespace, state, fail_on, as_json=as_json)
    stores = data_stores(load_settings({}, None).settings.kubernetes.data_stores)
    inventory = read_inventory(source, state)
    findings = find_risks(Rights(inventory), inventory)
    noted = _noted(source, state)
    every = find_exposure(inventory, findings, noted.connections, stores, noted.holders)
    found = [one for one in every if namespace in {None, one.opening.namespace}]
    for one in found if as_json else ():
        write_json(exposure_document(one))
    if not as_json:
        write_rows(exposure_rows(found))
    return ends_with((one.severity for one in found), fail_on)


def _changes(
    source: list[str] | None, namespace: str | None, state: str | None, fail_on: str | None, *, as_json: bool
) -> int:
    from hullwatch.cli.answer import write_json, write_rows
    from hullwatch.cli.k8s_cluster import known_cluster
    from hullwatch.cli.k8s_input import ends_with, read, tell
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
        for one in known_cluster(state, None).opened(namespace or ""):
            show(one)
    return ends_with(seen, fail_on)


def _noted(source: list[str] | None, state: str | None) -> Noted:
    """Return what sensors saw workloads connect to, where it is this cluster's."""
    from hullwatch.cli.k8s_cluster import Noted, contacts_without_cluster, followed
    from hullwatch.cli.k8s_input import LIVE
    from hullwatch.store.database import NoStoreError

    noted = Noted()
    if source and LIVE not in source and state is None:
        return noted
    noted.add_alerts(state)
    noted.add_kept(state)
    try:
        known = followed(state)[0]
    except NoStoreError:
        known = contacts_without_cluster(state)
    noted.add(known)
    return noted
