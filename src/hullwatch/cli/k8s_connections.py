"""``hullwatch k8s connections``: what workloads connected to, as the sensor saw it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.k8s_input import NamespaceFlag
from hullwatch.cli.store_options import SinceFlag, StateFlag

if TYPE_CHECKING:
    from hullwatch.posture.connections import Reached
    from hullwatch.posture.peers import Peer, Peers
    from hullwatch.store.contacts import Contact

_PROTOCOLS = {6: "tcp", 17: "udp"}


def connections(
    workload: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Of this workload or pod only.")] = None,
    namespace: NamespaceFlag = None,
    stores: Annotated[bool, typer.Option("--stores", help="Only to databases, caches and vaults.")] = False,  # noqa: FBT002
    since: SinceFlag = None,
    state: StateFlag = None,
    output: OutputOption = "text",
) -> int:
    """List what workloads connected to: address, port, name, and the workload that had the address then.

    \b
    Examples:
      sudo hullwatch k8s connections --stores
      sudo hullwatch k8s connections web -n shop --since 24h

    A run that follows the cluster notes it (kubernetes.connections), whatever rules ask for. It is known when a
    workload was seen to connect first and last; how often, and how much went over, is not.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.asking import moment
    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.cli.settings import load_settings
    from hullwatch.posture.connections import classify
    from hullwatch.posture.data_stores import data_stores
    from hullwatch.store.contacts import connection_of

    as_json = wants_json(output)
    begin = moment(since, 0)
    recognises = data_stores(load_settings({}, None).settings.kubernetes.data_stores)
    peers, seen = _peers(state, namespace or "", begin)
    rows: list[tuple[str, ...]] = []
    noted = False
    for contact in seen:
        noted = True
        if workload not in {None, contact.workload, contact.pod}:
            continue
        reached = classify(connection_of(contact), recognises, peers)
        if stores and reached is None:
            continue
        peer = peers.of(contact.address, contact.at)
        if as_json:
            write_json(document(contact, reached, peer))
        else:
            rows.append(row(contact, reached, peer))
    if not as_json:
        if rows:
            write_rows([("WHO", "TO", "NAME", "WHO HAD IT", "WHAT", "FIRST", "LAST"), *rows])
        elif noted:
            write_line("No connection that was noted is one of these.")
        else:
            write_line(
                "No connections were noted: a run does it where it follows the cluster or its audit events "
                "('hullwatch config explain kubernetes.connections')."
            )
    _tell_left_out(state)
    return 0


def _peers(state: str | None, namespace: str, since: int) -> tuple[Peers, list[Contact]]:
    """Return what knows who was behind addresses, and the contacts."""
    from hullwatch.cli.k8s_cluster import Noted, contacts_without_cluster, followed, tell_source
    from hullwatch.outputs.standard_error import say
    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.peers import Peers
    from hullwatch.posture.workloads import Workloads
    from hullwatch.store.database import NoStoreError

    inventory, noted = Inventory(), Noted()
    try:
        known, about = followed(state)
    except NoStoreError:
        known = contacts_without_cluster(state)
    else:
        remarks: list[str] = []
        tell_source(about, remarks)
        for sentence in remarks:
            say(f"Warning: {sentence}")
        for one in known.objects():
            inventory.take(one)
    seen = list(known.seen(namespace, since))
    for one in seen:
        noted.note(one)
    return Peers(inventory, Workloads(inventory), noted.holders), [one.contact for one in seen]


def row(contact: Contact, reached: Reached | None, peer: Peer | None) -> tuple[str, ...]:
    """Return a contact as a line of a table."""
    from hullwatch.cli.store_options import date

    end = f"[{contact.address}]" if ":" in contact.address else contact.address
    protocol = _PROTOCOLS.get(contact.protocol, str(contact.protocol))
    return (
        f"{contact.kind} {contact.namespace}/{contact.workload}",
        f"{end}:{contact.port}/{protocol}",
        contact.name,
        "" if peer is None else peer.words,
        "" if reached is None else f"{reached.what} (by its {reached.by})",
        date(contact.began),
        date(contact.at),
    )


def document(contact: Contact, reached: Reached | None, peer: Peer | None) -> dict[str, object]:
    """Return it for programs: times as text in UTC."""
    from hullwatch.formats.falco import times

    return {
        "namespace": contact.namespace,
        "kind": contact.kind,
        "workload": contact.workload,
        "pod": contact.pod,
        "address": contact.address,
        "port": contact.port,
        "protocol": _PROTOCOLS.get(contact.protocol, str(contact.protocol)),
        "name": contact.name,
        "held_by": None if peer is None else peer.words,
        "store": None if reached is None else {"what": reached.what, "kind": reached.kind, "by": reached.by},
        "first": times(contact.began)[1],
        "last": times(contact.at)[1],
    }


def _tell_left_out(state: str | None) -> None:
    """Say what the run could not note, by its status."""
    import contextlib

    import msgspec

    from hullwatch.cli.store_options import place
    from hullwatch.outputs.standard_error import say

    with contextlib.suppress(OSError, msgspec.MsgspecError, AttributeError):
        status = msgspec.json.decode((place(state, None)[1] / "status.json").read_bytes(), type=dict[str, Any])
        told = status.get("contacts", {})
        for reason, number in told.get("left_out", {}).items():
            say(f"Warning: {number:,} connections were not noted: {reason}.")
        if told.get("problem"):
            say(f"Warning: connections are not kept: {told['problem']}")
