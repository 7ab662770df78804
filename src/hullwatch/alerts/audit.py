"""Alerts for events of the Kubernetes API: what each of them has, its id, and where it comes from, for grouping."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, cast

from hullwatch.alerts.mask import CUT, valid_text
from hullwatch.alerts.origin import LONGEST_NAME, Origin
from hullwatch.fields import ka, ka_workload
from hullwatch.fields.audit_event import at, objects, word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hullwatch.alerts.alert import Alert
    from hullwatch.fields.audit_event import AuditEvent


MOST_LISTED = 100  # items of a list in an alert
_ID_DIGITS = 24
_MADE = "[bcdfghj-np-tvwxz24-9]"  # letters of the ends of names that Kubernetes makes
_OF_REPLICAS = re.compile(rf"-{_MADE}{{8,10}}-{_MADE}{{5}}$")
_OF_SET = re.compile(rf"-(?={_MADE}*[24-9]){_MADE}{{5}}$")
_KINDS = {**ka_workload.KINDS, "serviceaccounts": "ServiceAccount", "secrets": "Secret", "configmaps": "ConfigMap"}

# What every alert of the source has, whatever its rule's output names.
_ALWAYS: dict[str, Callable[[AuditEvent], object]] = {
    "ka.auditid": ka.auditid,
    "ka.stage": ka.stage,
    "ka.user.name": ka.user_name,
    "ka.verb": ka.verb,
    "ka.target.resource": ka.target_resource,
    "ka.target.subresource": ka.target_subresource,
    "ka.target.namespace": ka.target_namespace,
    "ka.target.name": ka.target_name,
    "ka.sourceip": ka.sourceip,
    "ka.response.code": ka.response_code,
}


def fields_of(event: AuditEvent, written: Mapping[str, object]) -> dict[str, object]:
    """Return all output fields of an alert: what every alert of the source has, and what its rule's output names."""
    found = {name: read(event) for name, read in _ALWAYS.items()}
    fields: dict[str, object] = {
        name: valid_text(value) if isinstance(value, str) else value for name, value in found.items()
    }
    fields.update(written)
    return {name: _shortened(value) for name, value in fields.items()}


def _shortened(value: object) -> object:
    """Return a value of which a list has at most ``MOST_LISTED`` items: events are as large as somebody makes them."""
    if not isinstance(value, list):
        return value
    items = cast("list[object]", value)
    return items if len(items) <= MOST_LISTED else [*items[:MOST_LISTED], CUT]


def identity(event: AuditEvent, rule: str) -> str:
    """Return the id of an alert: the same whenever the same stage of a call is judged by a rule of the same name."""
    parts = [word(event.audit.get("auditID")), word(event.audit.get("stage")), rule]
    if not parts[0]:  # an event without an id is known by what there is
        parts += [str(event.time), *(str(value) for value in fields_of(event, {}).values())]
    return f"k{hashlib.sha256(chr(0).join(parts).encode('utf-8', 'replace')).hexdigest()[:_ID_DIGITS]}"


def origin_of(event: AuditEvent) -> Origin:
    """Return where an alert comes from: the object as a workload, the pod, and who called."""
    audit = event.audit
    resource = word(at(audit, "objectRef", "resource"))
    is_pod = resource == "pods"
    found = ka_workload.workload(event)
    namespace = word(at(audit, "objectRef", "namespace"))
    user = word(at(audit, "user", "username"))
    containers = found.containers if found is not None else ()
    return Origin(
        workload=_workload(event),
        pod=_cut(ka.target_uid(event) or "") if is_pod else "",
        namespace=_cut(namespace),
        user=_cut(user or "unknown"),
        login=_cut(user) if ka.user_kind(event) in {"user", "anonymous"} or _is_account_of_workload(event) else "",
        privileged=any(at(one, "securityContext", "privileged") is True for one in containers),
        host_network=found is not None and found.spec.get("hostNetwork") is True,
        mounts=tuple(_cut(one) for one in (ka_workload.volumes_hostpath(event) or ())[:16]),
    )


def _workload(event: AuditEvent) -> str:
    """Return NAMESPACE/KIND/NAME of what a call is about; of a pod that others like it come from, their name."""
    audit = event.audit
    resource = word(at(audit, "objectRef", "resource"))
    if not resource:
        return "cluster"
    name = word(at(audit, "objectRef", "name")) or ka_workload.name(event) or ""
    kind = _KINDS.get(resource, resource) if name else resource  # without a name the call is about all of them
    if resource == "pods" and name:
        kind, name = _owner(event) or (kind, _OF_SET.sub("", _OF_REPLICAS.sub("", name)) or name)
    parts = (word(at(audit, "objectRef", "namespace")), kind, name)
    return "/".join(_cut(part) for part in parts if part)


def _owner(event: AuditEvent) -> tuple[str, str] | None:
    """Return what made a pod, where the event has it."""
    for part in ("requestObject", "responseObject"):
        for one in objects(at(event.audit, part, "metadata", "ownerReferences")):
            if word(one.get("kind")) and word(one.get("name")):
                return word(one.get("kind")), word(one.get("name"))
    return None


def _is_account_of_workload(event: AuditEvent) -> bool:
    """Tell whether a service account is one of somebody's pods: those of the cluster itself call for everybody."""
    return ka.user_serviceaccount_namespace(event) not in {None, "kube-system"}


def target_of(alert: Alert) -> str:
    """Return what an alert of the source is about, for people: ``pods/exec shop/web``."""
    fields = alert.output_fields

    def said(name: str) -> str:
        value = fields.get(name)
        return value if isinstance(value, str) else ""

    what = "/".join(filter(None, (said("ka.target.resource"), said("ka.target.subresource"))))
    where = "/".join(filter(None, (said("ka.target.namespace"), said("ka.target.name"))))
    return " ".join(filter(None, (what, where))) or "cluster"


def done_by(alert: Alert) -> str:
    """Return what makes two alerts of a rule and a workload the same issue, for people: who did what."""
    fields = alert.output_fields
    user = alert.origin.user if alert.origin is not None else fields.get("ka.user.name")
    what = "/".join(str(fields[name]) for name in ("ka.target.resource", "ka.target.subresource") if fields.get(name))
    return f"{user or 'unknown'}: {fields.get('ka.verb') or 'call'} {what}".rstrip()


def _cut(text: str) -> str:
    text = valid_text(text)
    return text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME] + CUT
