"""What an object of a pod says that its container's labels do not: node, service account, the workload for sure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.kubernetes.plain import Plain, address, entries, labels, table, text

if TYPE_CHECKING:
    from collections.abc import Callable

_OF_CRON_JOB = re.compile(r"(?P<owner>.+)-[0-9]{8,11}")  # the minute that it was due, since 1970
_MOST_STEPS = 4  # from a pod to the workload on top


class PodFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a pod.

    Attributes:
        uid: of it.
        name: of it.
        namespace: of it.
        node: that it runs on.
        service_account: that it has.
        address: its first one; empty on the node's network.
        labels: of it.
        namespace_labels: of its namespace.
        owner_kind: of the workload on top: Deployment, DaemonSet, StatefulSet, CronJob, ...; empty for a pod alone.
        owner_name: of it.
        replica_set: that made it, where one did.
        replication_controller: the same.
        images: of its containers, by their names, as they were asked for.
    """

    uid: str
    name: str = ""
    namespace: str = ""
    node: str = ""
    service_account: str = ""
    address: str = ""
    labels: dict[str, str] = {}
    namespace_labels: dict[str, str] = {}
    owner_kind: str = ""
    owner_name: str = ""
    replica_set: str = ""
    replication_controller: str = ""
    images: dict[str, str] = {}


def pod_facts(pod: Plain, namespace: Plain, find: Callable[[str, str, str], Plain | None]) -> PodFacts:
    """Return what is known of a pod.

    Args:
        pod: the object.
        namespace: that it is in; empty where that is not known.
        find: returns the object of a kind, namespace and name; None where it is not known.
    """
    metadata, spec = table(pod, "metadata"), table(pod, "spec")
    line = owners_of(pod, find)
    made_by = dict(reversed(line))
    kind, name = line[-1] if line else ("", "")
    return PodFacts(
        uid=text(metadata, "uid"),
        name=text(metadata, "name"),
        namespace=text(metadata, "namespace"),
        node=text(spec, "nodeName"),
        service_account=text(spec, "serviceAccountName"),
        address="" if spec.get("hostNetwork") is True else address(table(pod, "status").get("podIP")),
        labels=labels(metadata, "labels"),
        namespace_labels=labels(namespace, "metadata", "labels"),
        owner_kind=kind,
        owner_name=name,
        replica_set=made_by.get("ReplicaSet", ""),
        replication_controller=made_by.get("ReplicationController", ""),
        images={text(one, "name"): text(one, "image") for one in _containers(spec)},
    )


def _containers(spec: Plain) -> list[Plain]:
    return [table(one) for kind in ("containers", "initContainers") for one in entries(spec, kind)]


def owners_of(found: Plain, find: Callable[[str, str, str], Plain | None]) -> list[tuple[str, str]]:
    """Return kind and name of what made an object, and of what made that, up to the workload on top.

    Where what is between is not known, names tell: a Deployment's replica sets and a CronJob's jobs are named by rule.
    """
    line: list[tuple[str, str]] = []
    namespace, hash_ = text(found, "metadata", "namespace"), text(found, "metadata", "labels", "pod-template-hash")
    current: Plain | None = found
    while current is not None and len(line) < _MOST_STEPS:
        owner = _controller(current)
        if owner is None:
            break
        line.append(owner)
        kind, name = owner
        current = find(kind, namespace, name)
        if current is not None:
            continue
        if kind == "ReplicaSet" and hash_ and name.endswith(f"-{hash_}"):
            line.append(("Deployment", name.removesuffix(f"-{hash_}")))
        made = _OF_CRON_JOB.fullmatch(name) if kind == "Job" else None
        if made is not None:
            line.append(("CronJob", made["owner"]))
    return line


def _controller(found: Plain) -> tuple[str, str] | None:
    listed = entries(found, "metadata", "ownerReferences")
    for one in listed:
        if table(one).get("controller") is True:
            return text(one, "kind"), text(one, "name")
    return None
