"""Events of the clouds' own APIs about a cluster, as events of the audit stream of kind ``CloudEvent``.

What decides whether the API server is open to everybody, or whether there are network policies, is set there and not in
the cluster. Each cloud writes it in its own way: ``change`` says it in one (see ``cloud_changes.py``), and
``original`` is the whole event, for rules that look deeper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.sources.k8s_audit import cloud_changes
from hullwatch.sources.k8s_audit.azure import cluster_of
from hullwatch.sources.k8s_audit.counts import OTHER_SERVICE
from hullwatch.sources.k8s_audit.google import CLOUD
from hullwatch.sources.k8s_audit.origin import Origin
from hullwatch.sources.k8s_audit.shapes import at, present, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.sources.k8s_audit.counts import IntakeCounts

KIND = "CloudEvent"
EKS = "eks.amazonaws.com"
AZURE = {  # how operations on clusters begin, and whose they are
    "microsoft.containerservice/managedclusters/": "Microsoft.ContainerService",
    "microsoft.kubernetes/connectedclusters/": "Microsoft.Kubernetes",  # Azure Arc
}
Inner = tuple[object, Origin]


def _event(  # noqa: PLR0913 - what the clouds' events have in common
    cloud: str,
    id_: str,
    time: str,
    *,
    name: str,
    source: str,
    user: str,
    address: str,
    cluster: str,
    failed: str,
    change: dict[str, object],
    original: dict[str, object],
    agent: str = "",
    region: str = "",
) -> dict[str, object]:
    event: dict[str, object] = {
        "kind": KIND,
        "apiVersion": "hullwatch/v1",
        "cloud": cloud,
        "auditID": id_,
        "stage": "ResponseComplete",
        "requestReceivedTimestamp": time,
        "stageTimestamp": time,
        "eventName": name,
        "eventSource": source,
        "user": {"username": user},
        "responseStatus": present(code=400 if failed else 200, message=failed),
    }
    return event | present(
        sourceIPs=[address] if address else [],
        userAgent=agent,
        cluster=cluster,
        region=region,
        change=change,
        original=original,
    )


def cloudtrail(value: dict[str, object], counts: IntakeCounts) -> Iterator[Inner]:
    """Yield the event of a record of CloudTrail, if it is EKS's."""
    if text(value.get("eventSource")) != EKS:
        counts.leave_out(OTHER_SERVICE)
        return
    identity = table(value.get("userIdentity"))
    cluster = text(at(value, "requestParameters", "name")) or text(at(value, "requestParameters", "clusterName"))
    yield (
        _event(
            "aws",
            text(value.get("eventID")),
            text(value.get("eventTime")),
            name=text(value.get("eventName")),
            source=EKS,
            user=text(identity.get("arn")) or text(identity.get("userName")) or text(identity.get("principalId")),
            address=text(value.get("sourceIPAddress")),
            agent=text(value.get("userAgent")),
            cluster=cluster,
            region=text(value.get("awsRegion")),
            failed=text(value.get("errorMessage")) or text(value.get("errorCode")),
            change=cloud_changes.of_eks(value),
            original=value,
        ),
        Origin("cloud", cluster),
    )


def is_cloudtrail(value: dict[str, object]) -> bool:
    """Tell whether an object is a record of CloudTrail."""
    return isinstance(value.get("eventSource"), str) and "eventName" in value and "eventVersion" in value


def event_bridge(value: dict[str, object], _: IntakeCounts) -> Iterator[Inner]:
    """Yield the record of CloudTrail in an event of EventBridge."""
    yield value.get("detail"), Origin("cloud")


def admin_activity(value: dict[str, object], _: IntakeCounts) -> Iterator[Inner]:
    """Yield the event of a LogEntry of the Google Kubernetes Engine API."""
    payload = table(value.get("protoPayload"))
    labels = table(at(value, "resource", "labels"))
    cluster = text(labels.get("cluster_name"))
    time = text(value.get("timestamp"))
    grpc = at(payload, "status", "code")
    failed = (text(at(payload, "status", "message")) or f"code {grpc}") if grpc else ""
    yield (
        _event(
            "gcp",
            text(value.get("insertId")),
            time,
            name=text(payload.get("methodName")),
            source=CLOUD,
            user=text(at(payload, "authenticationInfo", "principalEmail")),
            address=text(at(payload, "requestMetadata", "callerIp")),
            agent=text(at(payload, "requestMetadata", "callerSuppliedUserAgent")),
            cluster=cluster,
            region=text(labels.get("location")),
            failed=failed,
            change=cloud_changes.of_gke(payload),
            original=value,
        ),
        Origin("cloud", cluster),
    )


def is_admin_activity(value: dict[str, object]) -> bool:
    """Tell whether a LogEntry is of the Google Kubernetes Engine API."""
    return text(at(value, "protoPayload", "serviceName")) == CLOUD


def activity_log(value: dict[str, object], counts: IntakeCounts) -> Iterator[Inner]:
    """Yield the event of a record of Azure's activity log, if it is about a cluster: AKS's, or one of Azure Arc."""
    name = operation_of(value)
    source = next((service for begin, service in AZURE.items() if name.lower().startswith(begin)), "")
    if not source:
        counts.leave_out(OTHER_SERVICE)
        return
    resource = text(value.get("resourceId")) or text(value.get("ResourceId")) or text(value.get("_ResourceId"))
    result = (
        text(value.get("resultType")) or text(at(value, "status", "value")) or text(value.get("ActivityStatusValue"))
    )
    claims = table(at(value, "identity", "claims"))
    user = text(value.get("caller")) or text(value.get("Caller"))
    user = user or next((text(claims[key]) for key in claims if key.endswith(("/upn", "/name", "appid"))), "")
    time = text(value.get("time")) or text(value.get("eventTimestamp")) or text(value.get("TimeGenerated"))
    id_ = text(value.get("eventDataId")) or text(value.get("EventDataId"))
    yield (
        _event(
            "azure",
            id_ or f"{text(value.get('correlationId'))}/{result}/{time}",
            time,
            name=name,
            source=source,
            user=user,
            address=text(value.get("callerIpAddress")) or text(at(value, "httpRequest", "clientIpAddress")),
            cluster=cluster_of(resource),
            failed=result if result.lower().startswith("fail") else "",
            change=cloud_changes.of_aks(value),
            original=value,
        ),
        Origin("cloud", cluster_of(resource)),
    )


def operation_of(value: dict[str, object]) -> str:
    """Return the name of the operation of a record of Azure's activity log, in whichever shape it is."""
    name = value.get("operationName", value.get("OperationNameValue"))
    return text(name) or text(at(name, "value"))


def is_activity(value: dict[str, object]) -> bool:
    """Tell whether an object is a record of Azure's activity log, of whatever service."""
    category = text(value.get("category")) or text(at(value, "category", "value")) or text(value.get("CategoryValue"))
    return category.lower() == "administrative" and bool(operation_of(value))
