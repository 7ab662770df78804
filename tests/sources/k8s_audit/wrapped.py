"""The wrappers of the clouds, built from native events in the documented shapes."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

Event = dict[str, Any]
CLUSTER = "shop-prod"
RESOURCE = f"/subscriptions/0000/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/{CLUSTER}"
GROUP = f"/aws/eks/{CLUSTER}/cluster"
STREAM = "kube-apiserver-audit-9cbe9b1f45f3b2bd6dd5cde5d0e5a8d4"


def event(number: int = 0, **changes: Any) -> Event:
    """Return an exec of a user in a pod."""
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": f"11e5bba7-407d-41fe-857d-{number:012d}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods/ok/exec?command=cat&command=%2Fetc%2Fshadow",
        "verb": "get",
        "user": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
        "sourceIPs": ["203.0.113.7"],
        "userAgent": "kubectl/v1.32.4",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "ok", "apiVersion": "v1", "subresource": "exec"},
        "responseStatus": {"metadata": {}, "code": 101},
        "requestReceivedTimestamp": "2026-11-21T21:36:00.000000Z",
        "stageTimestamp": "2026-11-21T21:36:01.000000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
        **changes,
    }


def text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def event_list(events: list[Event]) -> Event:
    """Return a batch as API servers send it: kind and version stand in the list alone, and not in its events."""
    items = [{key: value for key, value in one.items() if key not in {"kind", "apiVersion"}} for one in events]
    return {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items}


def packed(value: Any) -> str:
    """Return base64 of gzip of JSON, as CloudWatch Logs sends it."""
    return base64.b64encode(gzip.compress(text(value).encode())).decode()


def subscription(events: list[Event], stream: str = STREAM, messages: list[str] | None = None) -> Event:
    said = [text(one) for one in events] if messages is None else messages
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": GROUP,
        "logStream": stream,
        "subscriptionFilters": ["hullwatch"],
        "logEvents": [{"id": str(n), "timestamp": 1_795_304_405_000 + n, "message": one} for n, one in enumerate(said)],
    }


def kinesis(events: list[Event]) -> Event:
    return {"Records": [{"kinesis": {"data": packed(subscription(events))}, "eventSource": "aws:kinesis"}]}


def firehose(events: list[Event]) -> Event:
    return {
        "requestId": "ed4acda5-034f-9f42-bba1-f29aea6d7d8f",
        "timestamp": 1_578_090_903_599,
        "records": [{"data": packed(subscription(events))}],
    }


def filtered(events: list[Event]) -> Event:
    return {
        "events": [
            {"logStreamName": STREAM, "timestamp": n, "message": text(one), "ingestionTime": n, "eventId": str(n)}
            for n, one in enumerate(events)
        ],
        "searchedLogStreams": [],
    }


def event_hub(events: list[Event], *, as_object: bool = False, category: str = "kube-audit") -> Event:
    return {
        "records": [
            {
                "time": one["stageTimestamp"],
                "resourceId": RESOURCE.upper().replace(CLUSTER.upper(), CLUSTER),
                "category": category,
                "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
                "properties": {
                    "log": one if as_object else text(one),
                    "pod": "kube-apiserver-1",
                    "containerID": "c",
                    "stream": "stdout",
                },
            }
            for one in events
        ]
    }


def diagnostics(events: list[Event]) -> list[Event]:
    """Return rows of AzureDiagnostics."""
    return [
        {"TenantId": "t", "Category": "kube-audit", "log_s": text(one), "pod_s": "p", "_ResourceId": RESOURCE}
        for one in events
    ]


COLUMNS = {
    "Level": "level", "AuditId": "auditID", "Stage": "stage", "RequestUri": "requestURI", "Verb": "verb",
    "User": "user", "SourceIps": "sourceIPs", "UserAgent": "userAgent", "ObjectRef": "objectRef",
    "ResponseStatus": "responseStatus", "RequestObject": "requestObject", "ResponseObject": "responseObject",
    "RequestReceivedTime": "requestReceivedTimestamp", "StageReceivedTime": "stageTimestamp",
    "Annotations": "annotations",
}  # fmt: skip


def audit_rows(events: list[Event], *, as_text: bool = False) -> list[Event]:
    """Return rows of AKSAudit, whose objects the exports write as texts."""
    rows: list[Event] = []
    for one in events:
        row = {column: one[key] for column, key in COLUMNS.items() if key in one}
        if as_text:
            row = {column: value if isinstance(value, str) else text(value) for column, value in row.items()}
        rows.append({"Type": "AKSAudit", "_ResourceId": RESOURCE, **row})
    return rows


def query_answer(events: list[Event]) -> Event:
    rows = audit_rows(events, as_text=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [{"name": name, "type": "string"} for name in names]
    table = {"name": "PrimaryResult", "columns": columns, "rows": [[row.get(n) for n in names] for row in rows]}
    return {"tables": [table]}


def log_entry(one: Event) -> Event:
    """Return the LogEntry that GKE makes of an event: less than the event."""
    about = one.get("objectRef", {})
    group = about.get("apiGroup", "")
    inside = ["namespaces", about["namespace"]] if about.get("namespace") and about["resource"] != "namespaces" else []
    parts = [about.get("apiVersion", ""), *inside, about.get("resource"), about.get("name"), about.get("subresource")]
    name = "/".join([group or "core", *[part for part in parts if part]])
    words = [about.get("resource", ""), *([about["subresource"]] if about.get("subresource") else []), one["verb"]]
    method = f"io.k8s.{group.removesuffix('.k8s.io') or 'core'}.{about.get('apiVersion')}.{'.'.join(words)}"
    if not about:
        name, method = one["requestURI"].partition("?")[0].strip("/"), f"io.k8s.{one['verb']}"
    payload: Event = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "serviceName": "k8s.io",
        "methodName": method,
        "resourceName": name,
        "authenticationInfo": {"principalEmail": one["user"].get("username", "")},
        "requestMetadata": {"callerIp": one["sourceIPs"][0], "callerSuppliedUserAgent": one.get("userAgent", "")},
    }
    code = one.get("responseStatus", {}).get("code", 200)
    allowed = one.get("annotations", {}).get("authorization.k8s.io/decision") != "forbid"
    payload["authorizationInfo"] = [{"permission": "p", "resource": name} | ({"granted": True} if allowed else {})]
    grpc = {401: 16, 403: 7, 404: 5, 409: 6, 400: 3, 422: 3, 500: 13}.get(code, 0)
    payload["status"] = {"code": grpc, "message": "no"} if grpc else {}
    payload |= {
        ours: one[native]
        for ours, native in (("request", "requestObject"), ("response", "responseObject"))
        if native in one
    }
    return {
        "protoPayload": payload,
        "insertId": one["auditID"],
        "resource": {"type": "k8s_cluster", "labels": {"cluster_name": CLUSTER, "project_id": "p", "location": "l"}},
        "timestamp": one["stageTimestamp"],
        "labels": one.get("annotations", {}),
        "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
        "operation": {"id": one["auditID"], "producer": "k8s.io", "first": True}
        | ({} if one["stage"] == "ResponseStarted" else {"last": True}),
    }


def pushed(one: Event) -> Event:
    data = base64.b64encode(text(log_entry(one)).encode()).decode()
    return {
        "message": {"data": data, "messageId": "1", "publishTime": "t"},
        "subscription": "projects/p/subscriptions/s",
    }


def cloudtrail(name: str = "UpdateClusterConfig", **parameters: Any) -> Event:
    return {
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "userName": "eve"},
        "eventTime": "2026-11-21T21:36:00Z",
        "eventSource": "eks.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2",
        "requestParameters": {"name": CLUSTER, **parameters},
        "responseElements": None,
        "eventID": "b0d1f7a8-0000-4000-8000-000000000001",
        "eventType": "AwsApiCall",
    }


def google_activity(method: str, **request: Any) -> Event:
    return {
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "serviceName": "container.googleapis.com",
            "methodName": f"google.container.v1.ClusterManager.{method}",
            "authenticationInfo": {"principalEmail": "eve@example.com"},
            "requestMetadata": {"callerIp": "203.0.113.7"},
            "request": {"@type": f"type.googleapis.com/google.container.v1.{method}Request", **request},
        },
        "insertId": "1abc",
        "resource": {"type": "gke_cluster", "labels": {"cluster_name": CLUSTER, "location": "europe-west3"}},
        "timestamp": "2026-11-21T21:36:00Z",
    }


def azure_activity(**properties: Any) -> Event:
    return {
        "time": "2026-11-21T21:36:00Z",
        "resourceId": RESOURCE,
        "operationName": "MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/WRITE",
        "category": "Administrative",
        "resultType": "Start",
        "correlationId": "c-1",
        "callerIpAddress": "203.0.113.7",
        "identity": {"claims": {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "eve@example.com"}},
        "properties": {"requestbody": text({"location": "westeurope", "properties": properties})},
    }
