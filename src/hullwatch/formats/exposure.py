"""Openings to the outside as rows for people and documents for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.formats.rights import actor_document, subject_document
from hullwatch.posture.plain import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.posture.behind import Backend
    from hullwatch.posture.exposure import Exposure
    from hullwatch.posture.exposure_changes import ExposureChange


def exposure_rows(found: Sequence[Exposure]) -> list[list[str]]:
    """Return openings, each in a row."""
    return [
        ["SEVERITY", "WHAT", "OPENS", "FOR", "BEHIND IT", "WHY"],
        *(
            [
                one.severity,
                one.opening.words,
                joined((one.opening.way, *one.opening.ports), 5),
                _reach(one),
                joined((backend.workload.words for backend in one.backends), 3) or "-",
                " ".join((*one.reasons, *one.remarks)),
            ]
            for one in found
        ),
    ]


def _reach(one: Exposure) -> str:
    opening = one.opening
    at = joined((*opening.hosts, *(f"at {address}" for address in opening.addresses)), 3)
    at += f" from {joined(opening.ranges, 3)}" if opening.ranges else ""
    at += f" by {joined(one.through, 3)}" if one.through else ""
    return at.strip() or ("the cloud's network" if opening.internal else "everybody who reaches it")


def exposure_document(one: Exposure) -> dict[str, object]:
    """Return an opening and what lies behind it as an object."""
    opening = one.opening
    return {
        "severity": one.severity,
        "kind": opening.kind,
        "namespace": opening.namespace,
        "name": opening.name,
        "way": opening.way,
        "ports": opening.ports,
        "addresses": opening.addresses,
        "hosts": opening.hosts,
        "ranges": opening.ranges,
        "encrypted": opening.encrypted,
        "internal": opening.internal,
        "leads_to": opening.outwards,
        "gateways": one.through,
        "targets": [{"namespace": to.namespace, "service": to.service, "port": to.port} for to in opening.targets],
        "backends": [_backend(backend) for backend in one.backends],
        "reasons": one.reasons,
        "remarks": one.remarks,
    }


def _backend(one: Backend) -> dict[str, object]:
    allowed = one.restriction
    return {
        "workload": one.workload.words,
        "pods": one.pods,
        "service_account": subject_document(one.account),
        "token_mounted": one.token,
        "risks": [
            {"risk": finding.risk, "severity": finding.severity, "namespace": finding.namespace}
            for finding in one.risks
        ],
        "secrets": one.secrets,
        "powers": one.powers,
        "leaves_container": one.leaves_container,
        "network_policies": allowed.policies,
        "outside_allowed": allowed.outside,
        "pods_allowed": allowed.from_pods,
        "ranges_allowed": allowed.ranges,
        "outgoing_restricted": allowed.outgoing,
        "reaches": [to._asdict() for to in one.reached],
    }


def exposure_change_document(one: ExposureChange) -> dict[str, object]:
    """Return an opening that was added or widened as an object."""
    return {
        "time": one.time,
        "severity": one.severity,
        "by": actor_document(one.by),
        "verb": one.verb,
        "kind": one.kind,
        "namespace": one.namespace,
        "name": one.name,
        "change": one.change,
        "what": one.what,
        "sentence": one.sentence,
        "audit_id": one.id,
    }
