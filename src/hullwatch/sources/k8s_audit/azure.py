"""What Azure wraps audit events in: Event Hubs, exports to storage, Log Analytics, and the activity log.

The shapes are those of the documentation of Azure Monitor: resource logs (``records``, ``category``,
``properties.log``), the tables AzureDiagnostics, AKSAudit and AKSAuditAdmin, and the answers of its query API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.sources.k8s_audit.counts import NO_EVENT, OTHER_CATEGORY
from hullwatch.sources.k8s_audit.origin import Origin
from hullwatch.sources.k8s_audit.payload import is_truncated, note_truncated, values
from hullwatch.sources.k8s_audit.shapes import at, is_table, items, present, table, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.sources.k8s_audit.counts import IntakeCounts

AUDIT_CATEGORIES = frozenset({"kube-audit", "kube-audit-admin"})
AUDIT_TABLES = frozenset({"AKSAudit", "AKSAuditAdmin"})
_CLUSTERS = ("/managedclusters/", "/connectedclusters/")  # AKS's own, and those that are connected by Azure Arc
Inner = tuple[object, Origin]


def cluster_of(resource: str) -> str:
    """Return the cluster of a resource's id, in the case that Azure wrote it in; empty for another resource."""
    for kind in _CLUSTERS:
        begin = resource.lower().find(kind)
        if begin >= 0:
            return resource[begin + len(kind) :].partition("/")[0]
    return ""


def resource_log(value: dict[str, object], counts: IntakeCounts) -> Iterator[Inner]:
    """Yield the event of a record of a resource log, or a row of AzureDiagnostics."""
    category = text(value.get("category") or value.get("Category"))
    if category not in AUDIT_CATEGORIES:
        counts.leave_out(OTHER_CATEGORY)
        return
    resource = text(value.get("resourceId") or value.get("_ResourceId") or value.get("ResourceId"))
    log = value.get("log_s", at(value, "properties", "log"))
    if log is None:
        properties = _object(value.get("properties"))  # an export may have made a text of them
        log = properties.get("log")
    yield from _log(log, Origin("aks", cluster_of(resource)), counts)


def _log(log: object, origin: Origin, counts: IntakeCounts) -> Iterator[Inner]:
    if is_table(log):
        yield log, origin
    elif not isinstance(log, str):
        counts.leave_out(NO_EVENT)
    elif is_truncated(log):
        note_truncated(log.encode(), counts)
    else:
        for value in values(log.encode("utf-8", "replace"), counts):
            yield value, origin


def is_resource_log(value: dict[str, object]) -> bool:
    """Tell whether an object is a record of a resource log, of whatever category."""
    if "log_s" in value:
        return True
    return isinstance(value.get("category"), str) and "properties" in value and "operationName" in value


def query_answer(value: dict[str, object], _: IntakeCounts) -> Iterator[Inner]:
    """Yield the rows of an answer of Log Analytics, as objects."""
    for one in items(value.get("tables")):
        names = [text(table(column).get("name")) for column in items(table(one).get("columns"))]
        for row in items(table(one).get("rows")):
            yield dict(zip(names, items(row), strict=False)), Origin("aks")


def is_audit_row(value: dict[str, object]) -> bool:
    """Tell whether an object is a row of AKSAudit or AKSAuditAdmin."""
    return text(value.get("Type")) in AUDIT_TABLES or ("AuditId" in value and "StageReceivedTime" in value)


def audit_row(value: dict[str, object], _: IntakeCounts) -> Iterator[Inner]:
    """Yield the event of a row of AKSAudit or AKSAuditAdmin, whose columns are the event's own keys by other names."""
    addresses = texts(_json(value.get("SourceIps")))
    event: dict[str, object] = {"kind": "Event", "apiVersion": "audit.k8s.io/v1"}
    event |= present(
        level=value.get("Level"),
        auditID=value.get("AuditId"),
        stage=value.get("Stage"),
        requestURI=value.get("RequestUri"),
        verb=value.get("Verb"),
        user=_object(value.get("User")),
        impersonatedUser=_object(value.get("ImpersonatedUser")),
        sourceIPs=addresses,
        userAgent=value.get("UserAgent"),
        objectRef=_object(value.get("ObjectRef")),
        responseStatus=_object(value.get("ResponseStatus")),
        requestObject=_object(value.get("RequestObject")),
        responseObject=_object(value.get("ResponseObject")),
        requestReceivedTimestamp=value.get("RequestReceivedTime"),
        stageTimestamp=value.get("StageReceivedTime") or value.get("TimeGenerated"),
        annotations=_object(value.get("Annotations")),
    )
    yield event, Origin("aks", cluster_of(text(value.get("_ResourceId"))))


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None


def _object(value: object) -> dict[str, object]:
    """Return a column that is an object, or the text of one."""
    return table(_json(value))
