"""What Google wraps audit events in: Pub/Sub, and Cloud Logging's LogEntry, which is converted to a native event.

The shapes are those of the documentation of Pub/Sub (push and pull), of Cloud Logging (LogEntry) and of Cloud Audit
Logs (AuditLog, ``protoPayload``). A LogEntry has not all that a native event has; docs/kubernetes-audit.md says what is
inferred and what is absent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hullwatch.sources.k8s_audit.counts import OTHER_SERVICE
from hullwatch.sources.k8s_audit.google_status import status_of
from hullwatch.sources.k8s_audit.origin import Origin
from hullwatch.sources.k8s_audit.payload import from_base64, values
from hullwatch.sources.k8s_audit.shapes import at, items, present, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.sources.k8s_audit.counts import IntakeCounts

KUBERNETES = "k8s.io"
CLOUD = "container.googleapis.com"
_VERSION = re.compile(r"v\d+((alpha|beta)\d+)?\Z")
_ACCOUNT = "system:serviceaccount:"
Inner = tuple[object, Origin]


def pushed(value: dict[str, object], counts: IntakeCounts) -> Iterator[Inner]:
    """Yield what a message of Pub/Sub holds, pushed or pulled."""
    data = from_base64(text(at(value, "message", "data")), counts)
    for inner in values(data, counts) if data else ():
        yield inner, Origin("gke")


def log_entry(value: dict[str, object], counts: IntakeCounts) -> Iterator[Inner]:
    """Yield the event of a LogEntry of the API server's audit log."""
    payload = table(value.get("protoPayload"))
    if text(payload.get("serviceName")) != KUBERNETES:
        counts.leave_out(OTHER_SERVICE)
        return
    yield _converted(value, payload), Origin("gke", text(at(value, "resource", "labels", "cluster_name")))


class _Target:
    """What a request was about: the names of the resource and the method, taken apart.

    ``io.k8s.core.v1.pods.exec.create`` and ``core/v1/namespaces/shop/pods/ok/exec``; for what is no resource,
    ``io.k8s.get`` and ``readyz``.
    """

    def __init__(self, method: str, resource: str) -> None:
        words = method.split(".")
        self.verb = words[-1]
        version = max((place for place, word in enumerate(words[:-1]) if _VERSION.match(word)), default=-1)
        named = words[version + 1 : -1] if version >= 0 else []
        parts = resource.split("/")
        self.reference: dict[str, object] = {}
        self.uri = f"/{resource}"
        if not named or len(parts) < 2:
            return
        group = "" if parts[0] == "core" else parts[0]
        namespaced = len(parts) > 3 and parts[2] == "namespaces" and named[0] != "namespaces"
        rest = parts[4:] if namespaced else parts[2:]
        name = rest[1] if len(rest) > 1 else ""
        self.reference = present(
            resource=named[0],
            namespace=parts[3] if namespaced else name if named[0] == "namespaces" else "",
            name=name,
            apiGroup=group,
            apiVersion=parts[1],
            subresource="/".join(named[1:]),
        )
        self.uri = f"/{'apis/' + group if group else 'api'}/{'/'.join(parts[1:])}"

    @property
    def subresource(self) -> str:
        return text(self.reference.get("subresource"))


def _converted(entry: dict[str, object], payload: dict[str, object]) -> dict[str, object]:
    """Return a native event with what the entry tells."""
    target = _Target(text(payload.get("methodName")), text(payload.get("resourceName")))
    request, response = _object(payload.get("request")), _object(payload.get("response"))
    labels = table(entry.get("labels"))
    user = text(at(payload, "authenticationInfo", "principalEmail"))
    operation = table(entry.get("operation"))
    time = text(entry.get("timestamp")) or text(entry.get("receiveTimestamp"))
    started = bool(operation.get("first")) and not operation.get("last")
    event: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse" if response else "Request" if request else "Metadata",
        "auditID": text(operation.get("id")) or text(entry.get("insertId")),
        "stage": "ResponseStarted" if started else "ResponseComplete",
        "requestURI": target.uri,
        "verb": target.verb,
        "user": {"username": user, "groups": groups_of(user)},
        "responseStatus": status_of(payload, labels, target.verb, target.subresource),
        "requestReceivedTimestamp": time,
        "stageTimestamp": time,
    }
    address = text(at(payload, "requestMetadata", "callerIp"))
    return event | present(
        sourceIPs=[address] if address else [],
        userAgent=text(at(payload, "requestMetadata", "callerSuppliedUserAgent")),
        objectRef=target.reference,
        requestObject=request,
        responseObject=response,
        annotations=labels,
        hullwatch=present(
            wrapper="gke",
            cluster=text(at(entry, "resource", "labels", "cluster_name")),
            project=text(at(entry, "resource", "labels", "project_id")),
            inferred=["responseStatus.code", "stage", "requestURI", "user.groups"],
        ),
    )


def groups_of(user: str) -> list[str]:
    """Return the groups that every request of a user has by its name alone; the entry does not tell any."""
    if user.startswith(_ACCOUNT):
        namespace = user[len(_ACCOUNT) :].partition(":")[0]
        return ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    if user.startswith("system:node:"):
        return ["system:nodes", "system:authenticated"]
    return ["system:unauthenticated"] if user in {"system:anonymous", ""} else ["system:authenticated"]


def _object(value: object) -> dict[str, object]:
    """Return an object without the type that protobuf adds, of which kind and version come where they lack."""
    found = dict(table(value))
    group, _, rest = text(found.pop("@type", "")).rpartition("/")
    version, _, name = rest.rpartition(".")
    if found and name and group.endswith("k8s.io") and "kind" not in found:
        found = {"kind": name, "apiVersion": version if group == "core.k8s.io" else f"{group}/{version}", **found}
    return found


def is_pushed(value: dict[str, object]) -> bool:
    """Tell whether an object is a message of Pub/Sub."""
    return isinstance(at(value, "message", "data"), str)


def entries(value: dict[str, object], _: IntakeCounts) -> Iterator[Inner]:
    """Yield the entries of an answer of ``entries.list``."""
    for entry in items(value.get("entries")):
        yield entry, Origin("gke")
