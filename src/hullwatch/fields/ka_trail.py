"""Fields of what a call to the Kubernetes API changes, with what was before, and of the pod that it is about.

They are from what the audit log has shown so far, and from the cluster that is followed: where neither knows it, they
are absent. (docs/adr/0040)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hullwatch.fields.audit_event import at, word
from hullwatch.fields.field import FieldType, Multiplicity, field

if TYPE_CHECKING:
    from hullwatch.fields.audit_event import AuditEvent
    from hullwatch.posture.behind import Backend
    from hullwatch.posture.changes import Change
    from hullwatch.posture.exposure_changes import ExposureChange
    from hullwatch.posture.plain import Plain
    from hullwatch.posture.trail import Author, Told, Trail
    from hullwatch.posture.workloads import Pod

Texts = tuple[str, ...] | None
MOST_LINES = 50  # of a difference
_ORDER = ("none", "info", "low", "medium", "high", "critical")


def tell(event: AuditEvent, trail: Trail, told: Told | None) -> None:
    """Give an event what was found in it, and what to ask for more."""
    event.memo["trail"], event.memo["told"] = trail, told


def _exposure(event: AuditEvent) -> ExposureChange | None:
    told: Told | None = event.memo.get("told")
    return told.exposure if told is not None else None


def _rights(event: AuditEvent) -> tuple[Change, ...]:
    told: Told | None = event.memo.get("told")
    return told.rights if told is not None else ()


@field("ka.exposure.change", FieldType.CHARBUF)
def exposure_change(event: AuditEvent) -> str | None:
    """What a call does to what is open to the outside: added, widened, or unknown where the log does not tell."""
    found = _exposure(event)
    return found.change if found is not None else None


@field("ka.exposure.opened", FieldType.CHARBUF, Multiplicity.LIST)
def exposure_opened(event: AuditEvent) -> Texts:
    """What is open to the outside now and was not before, piece by piece."""
    found = _exposure(event)
    return found.what or None if found is not None and found.told else None


@field("ka.exposure.before", FieldType.CHARBUF, Multiplicity.LIST)
def exposure_before(event: AuditEvent) -> Texts:
    """What the same object opened already before the call; absent where that is nothing or not known."""
    found = _exposure(event)
    return found.before or None if found is not None else None


def _find_backends(event: AuditEvent) -> tuple[Backend, ...]:
    found = _exposure(event)
    trail: Trail | None = event.memo.get("trail")
    return () if found is None or trail is None else trail.behind(found)


def _backends(event: AuditEvent) -> tuple[Backend, ...]:
    return event.once("behind", _find_backends)


@field("ka.exposure.behind", FieldType.CHARBUF, Multiplicity.LIST)
def exposure_behind(event: AuditEvent) -> Texts:
    """Workloads that get what comes in, with their account, powers and secrets, as far as they are known."""
    return tuple(_words(one) for one in _backends(event)) or None


def _words(one: Backend) -> str:
    powers = f", {', '.join(one.powers)}" if one.powers else ""
    secrets = f", secrets {', '.join(one.secrets)}" if one.secrets else ""
    return f"{one.workload.words} ({one.account.words}{powers}{secrets})"


@field("ka.exposure.reaches", FieldType.CHARBUF, Multiplicity.LIST)
def exposure_reaches(event: AuditEvent) -> Texts:
    """Databases, caches and vaults that sensors saw those workloads connect to, such as ``Redis (10.0.0.9:6379)``."""
    reached = dict.fromkeys(to.words for one in _backends(event) for to in one.reached)
    return tuple(reached)[:MOST_LINES] or None


@field("ka.rbac.added", FieldType.CHARBUF, Multiplicity.LIST)
def rbac_added(event: AuditEvent) -> Texts:
    """What came to a role or binding by a call: rights, one line for each resource, subjects, labels."""
    return tuple([line for one in _rights(event) if not one.refused for line in one.added])[:MOST_LINES] or None


@field("ka.rbac.removed", FieldType.CHARBUF, Multiplicity.LIST)
def rbac_removed(event: AuditEvent) -> Texts:
    """What a call took from a role or binding."""
    return tuple([line for one in _rights(event) if not one.refused for line in one.removed])[:MOST_LINES] or None


@field("ka.rbac.diff", FieldType.CHARBUF)
def rbac_diff(event: AuditEvent) -> str | None:
    """The difference that a call makes to a role or binding, as ``+ get secrets; - list pods``."""
    found = [one for one in _rights(event) if not one.refused]
    if not found:
        return None
    parts = [part for one in found for part in (("-", one.removed), ("+", one.added))]
    lines = [f"{sign} {line}" for sign, part in parts for line in part]
    more = f"; and {len(lines) - MOST_LINES} more" if len(lines) > MOST_LINES else ""
    unknown = "; ".join(dict.fromkeys(one.unknown for one in found if one.unknown))
    said = "; ".join(lines[:MOST_LINES]) + more
    return " ".join(filter(None, (said, f"(not known: {unknown})" if unknown else ""))) or "nothing"


@field("ka.rbac.severity", FieldType.CHARBUF)
def rbac_severity(event: AuditEvent) -> str | None:
    """How dangerous what came to a role or binding is: info, low, medium, high or critical."""
    found = [one.severity for one in _rights(event) if not one.refused]
    return max(found, key=_ORDER.index) if found else None


@field("ka.rbac.risks", FieldType.CHARBUF, Multiplicity.LIST)
def rbac_risks(event: AuditEvent) -> Texts:
    """The dangers that came to a role or binding, as ``hullwatch k8s rbac risks`` names them."""
    return tuple(dict.fromkeys(risk for one in _rights(event) if not one.refused for risk in one.risks)) or None


# ---- the pod that a call is about


def _find_pod(event: AuditEvent) -> Pod | None:
    trail: Trail | None = event.memo.get("trail")
    reference = at(event.audit, "objectRef")
    name = word(at(reference, "name"))
    if trail is None or at(reference, "resource") != "pods" or not name:
        return None
    return trail.pod(word(at(reference, "namespace")), name)


def _pod(event: AuditEvent) -> Pod | None:
    return event.once("pod", _find_pod)


@field("ka.pod.privileged", FieldType.BOOL)
def pod_privileged(event: AuditEvent) -> bool | None:
    """Whether a container of the pod that a call is about, such as an exec, may do what its host may."""
    found = _pod(event)
    return None if found is None else "privileged" in found.powers()


@field("ka.pod.powers", FieldType.CHARBUF, Multiplicity.LIST)
def pod_powers(event: AuditEvent) -> Texts:
    """What brings the pod that a call is about near its host: privileged, hostPID, hostPath /etc, capability ..."""
    found = _pod(event)
    return None if found is None else found.powers() or None


@field("ka.pod.leaves_container", FieldType.BOOL)
def pod_leaves_container(event: AuditEvent) -> bool | None:
    """Whether root in the pod that a call is about is root on its node, without any flaw."""
    found = _pod(event)
    return None if found is None else found.leaves_container()


@field("ka.pod.host_network", FieldType.BOOL)
def pod_host_network(event: AuditEvent) -> bool | None:
    """Whether the pod that a call is about is on its node's network."""
    found = _pod(event)
    return None if found is None else found.spec.get("hostNetwork") is True


@field("ka.pod.host_pid", FieldType.BOOL)
def pod_host_pid(event: AuditEvent) -> bool | None:
    """Whether the pod that a call is about sees its node's processes."""
    found = _pod(event)
    return None if found is None else found.spec.get("hostPID") is True


@field("ka.pod.hostpaths", FieldType.CHARBUF, Multiplicity.LIST)
def pod_hostpaths(event: AuditEvent) -> Texts:
    """Paths of its node that the pod that a call is about mounts."""
    found = _pod(event)
    paths = () if found is None else (one for one in found.powers() if one.startswith("hostPath "))
    return tuple(one.removeprefix("hostPath ") for one in paths) or None


@field("ka.pod.serviceaccount", FieldType.CHARBUF)
def pod_serviceaccount(event: AuditEvent) -> str | None:
    """Service account of the pod that a call is about."""
    found = _pod(event)
    return None if found is None else found.account


@field("ka.pod.workload", FieldType.CHARBUF)
def pod_workload(event: AuditEvent) -> str | None:
    """Workload that the pod that a call is about belongs to, such as ``Deployment shop/web``."""
    found = _pod(event)
    return None if found is None else found.workload.words


# ---- who is behind a controller


def _find_author(event: AuditEvent) -> Author | None:
    trail: Trail | None = event.memo.get("trail")
    if trail is None:
        return None
    reference = at(event.audit, "objectRef")
    namespace, name = word(at(reference, "namespace")), word(at(reference, "name"))
    for part in ("responseObject", "requestObject"):
        written = event.audit.get(part)
        if isinstance(written, dict) and at(written, "metadata", "ownerReferences"):
            return trail.author(cast("Plain", written), namespace)
    return trail.author_of_pod(namespace, name) if at(reference, "resource") == "pods" and name else None


@field("ka.author.name", FieldType.CHARBUF)
def author_name(event: AuditEvent) -> str | None:
    """Who last wrote the workload behind the pod that a call is about: by owners, past the cluster's controllers."""
    found = event.once("author", _find_author)
    return found.user if found is not None else None


@field("ka.author.time", FieldType.CHARBUF)
def author_time(event: AuditEvent) -> str | None:
    """When that was, as the audit log has it."""
    found = event.once("author", _find_author)
    return found.time if found is not None else None
