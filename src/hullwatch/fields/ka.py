"""Fields of a call to the Kubernetes API (``ka.*``): who called, what for, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.audit_event import at, text, texts, word
from hullwatch.fields.field import FieldType, Multiplicity, field
from hullwatch.fields.json_patch import requested

if TYPE_CHECKING:
    from hullwatch.fields.audit_event import AuditEvent

ANONYMOUS = "system:anonymous"
_UNAUTHENTICATED = "system:unauthenticated"
_ACCOUNT = "system:serviceaccount:"
_NODE = "system:node:"
_SESSIONS = frozenset({"exec", "attach", "portforward"})
_SESSION_VERBS = frozenset({"get", "create"})  # by WebSocket; by SPDY
_CLUSTER_NAMES = ("cluster_name", "cluster.name", "k8s.io/cluster-name")
_SWITCHING = 101
_ERRORS = 400


@field("ka.auditid")
def auditid(event: AuditEvent) -> str | None:
    """Id of the call; its stages have the same."""
    return text(event.audit.get("auditID"))


@field("ka.stage")
def stage(event: AuditEvent) -> str | None:
    """Stage of the call: RequestReceived, ResponseStarted, ResponseComplete or Panic."""
    return text(event.audit.get("stage"))


@field("ka.level", FieldType.CHARBUF)
def level(event: AuditEvent) -> str | None:
    """How much the audit policy keeps of the call: Metadata, Request or RequestResponse."""
    return text(event.audit.get("level"))


@field("ka.auth.decision")
def auth_decision(event: AuditEvent) -> str | None:
    """Whether the call was authorised: allow or forbid."""
    return text(at(event.audit, "annotations", "authorization.k8s.io/decision"))


@field("ka.auth.reason")
def auth_reason(event: AuditEvent) -> str | None:
    """Why it was authorised, such as the role and the binding."""
    return text(at(event.audit, "annotations", "authorization.k8s.io/reason"))


@field("ka.auth.openshift.decision")
def auth_openshift_decision(event: AuditEvent) -> str | None:
    """Whether OpenShift authenticated the caller."""
    return text(at(event.audit, "annotations", "authentication.openshift.io/decision"))


@field("ka.auth.openshift.username")
def auth_openshift_username(event: AuditEvent) -> str | None:
    """Whom OpenShift authenticated."""
    return text(at(event.audit, "annotations", "authentication.openshift.io/username"))


@field("ka.validations.admission.policy.failure")
def policy_failure(event: AuditEvent) -> str | None:
    """What a validating admission policy found wrong, as JSON."""
    return text(at(event.audit, "annotations", "validation.policy.admission.k8s.io/validation_failure"))


@field("ka.security.pod.violations")
def pod_violations(event: AuditEvent) -> str | None:
    """What Pod Security admission found wrong in a pod."""
    return text(at(event.audit, "annotations", "pod-security.kubernetes.io/audit-violations"))


@field("ka.user.name")
def user_name(event: AuditEvent) -> str | None:
    """Who made the call."""
    return text(at(event.audit, "user", "username"))


@field("ka.user.groups")
def user_groups(event: AuditEvent) -> tuple[str, ...] | None:
    """Groups of who made the call."""
    return texts(at(event.audit, "user", "groups"))


@field("ka.user.uid", FieldType.CHARBUF)
def user_uid(event: AuditEvent) -> str | None:
    """Unique id of who made the call, where the authenticator gives one."""
    return text(at(event.audit, "user", "uid"))


@field("ka.user.kind", FieldType.CHARBUF)
def user_kind(event: AuditEvent) -> str | None:
    """What made the call: anonymous, serviceaccount, node, component (any other of system:) or user."""
    name = word(at(event.audit, "user", "username"))
    if name == ANONYMOUS or (not name and _UNAUTHENTICATED in (user_groups(event) or ())):
        return "anonymous"
    if not name:
        return None
    if name.startswith(_ACCOUNT):
        return "serviceaccount"
    if name.startswith(_NODE):
        return "node"
    return "component" if name.startswith("system:") else "user"


def account_of(name: str) -> tuple[str, str] | None:
    """Return namespace and name of the service account that a user name stands for."""
    namespace, colon, account = name.removeprefix(_ACCOUNT).partition(":")
    return (namespace, account) if name.startswith(_ACCOUNT) and colon else None


@field("ka.user.serviceaccount", FieldType.CHARBUF)
def user_serviceaccount(event: AuditEvent) -> str | None:
    """Name of the service account that made the call; absent for others."""
    found = account_of(word(at(event.audit, "user", "username")))
    return found[1] if found is not None else None


@field("ka.user.serviceaccount.namespace", FieldType.CHARBUF)
def user_serviceaccount_namespace(event: AuditEvent) -> str | None:
    """Namespace of the service account that made the call; absent for others."""
    found = account_of(word(at(event.audit, "user", "username")))
    return found[0] if found is not None else None


@field("ka.user.pod", FieldType.CHARBUF)
def user_pod(event: AuditEvent) -> str | None:
    """Name of the pod whose service account token made the call; absent for others."""
    found = texts(at(event.audit, "user", "extra", "authentication.kubernetes.io/pod-name"))
    return found[0] if found is not None else None


@field("ka.user.node", FieldType.CHARBUF)
def user_node(event: AuditEvent) -> str | None:
    """The node that made the call, or that the token's pod runs on; absent for others."""
    name = word(at(event.audit, "user", "username"))
    if name.startswith(_NODE):
        return name.removeprefix(_NODE)
    found = texts(at(event.audit, "user", "extra", "authentication.kubernetes.io/node-name"))
    return found[0] if found is not None else None


@field("ka.impuser.name")
def impuser_name(event: AuditEvent) -> str | None:
    """As whom the call was made by impersonation."""
    return text(at(event.audit, "impersonatedUser", "username"))


@field("ka.impersonated.user", FieldType.CHARBUF)
def impersonated_user(event: AuditEvent) -> str | None:
    """As whom the call was made by impersonation, the same as ka.impuser.name."""
    return impuser_name(event)


@field("ka.impersonated.groups", FieldType.CHARBUF, Multiplicity.LIST)
def impersonated_groups(event: AuditEvent) -> tuple[str, ...] | None:
    """As a member of which groups the call was made by impersonation."""
    return texts(at(event.audit, "impersonatedUser", "groups"))


@field("ka.verb")
def verb(event: AuditEvent) -> str | None:
    """What was to be done: get, list, watch, create, update, patch, delete, deletecollection, ..."""
    return text(event.audit.get("verb"))


@field("ka.target.name")
def target_name(event: AuditEvent) -> str | None:
    """Name of the object that the call is about."""
    return text(at(event.audit, "objectRef", "name"))


@field("ka.target.namespace")
def target_namespace(event: AuditEvent) -> str | None:
    """Namespace of the object that the call is about."""
    return text(at(event.audit, "objectRef", "namespace"))


@field("ka.target.resource")
def target_resource(event: AuditEvent) -> str | None:
    """Kind of object that the call is about, in the plural: pods, secrets, ..."""
    return text(at(event.audit, "objectRef", "resource"))


@field("ka.target.subresource")
def target_subresource(event: AuditEvent) -> str | None:
    """Part of the object that the call is about: exec, log, status, token, ..."""
    return text(at(event.audit, "objectRef", "subresource"))


@field("ka.target.group", FieldType.CHARBUF)
def target_group(event: AuditEvent) -> str | None:
    """API group of the object, such as rbac.authorization.k8s.io; absent for the core group."""
    return text(at(event.audit, "objectRef", "apiGroup"))


@field("ka.target.uid", FieldType.CHARBUF)
def target_uid(event: AuditEvent) -> str | None:
    """Unique id of the object, where the event has it."""
    return text(at(event.audit, "objectRef", "uid") or at(event.audit, "responseObject", "metadata", "uid"))


@field("ka.target.pod.name")
def target_pod_name(event: AuditEvent) -> str | None:
    """Name of the pod that the call is about; absent for other objects."""
    if at(event.audit, "objectRef", "resource") != "pods":
        return None
    return target_name(event) or resp_name(event) or text(at(requested(event), "metadata", "name"))


@field("ka.target.session", FieldType.CHARBUF)
def target_session(event: AuditEvent) -> str | None:
    """How a pod is entered: exec, attach or portforward, with the verbs get and create; absent for other calls."""
    reference = event.audit.get("objectRef")
    part = at(reference, "subresource")
    if at(reference, "resource") != "pods" or word(part) not in _SESSIONS:
        return None
    return part if word(event.audit.get("verb")) in _SESSION_VERBS else None


@field("ka.resp.name")
def resp_name(event: AuditEvent) -> str | None:
    """Name of the object that the answer has."""
    return text(at(event.audit, "responseObject", "metadata", "name"))


@field("ka.response.code")
def response_code(event: AuditEvent) -> str | None:
    """HTTP status of the answer."""
    return text(at(event.audit, "responseStatus", "code"))


@field("ka.response.status", FieldType.INT64)
def response_status(event: AuditEvent) -> int | None:
    """HTTP status of the answer as a number, for < and >."""
    code = at(event.audit, "responseStatus", "code")
    return code if code.__class__ is int else None


@field("ka.response.success", FieldType.BOOL)
def response_success(event: AuditEvent) -> bool | None:
    """Whether the call was answered without an error; absent while there is no answer."""
    code = at(event.audit, "responseStatus", "code")
    return _SWITCHING <= code < _ERRORS if code.__class__ is int else None


@field("ka.response.reason")
def response_reason(event: AuditEvent) -> str | None:
    """Why the call was refused: Forbidden, NotFound, ..."""
    return text(at(event.audit, "responseStatus", "reason"))


@field("ka.useragent")
def useragent(event: AuditEvent) -> str | None:
    """Program that made the call, as it calls itself."""
    return text(event.audit.get("userAgent"))


@field("ka.sourceips")
def sourceips(event: AuditEvent, argument: str | None = None) -> tuple[str, ...] | None:
    """Addresses that the call came from and through."""
    found = texts(event.audit.get("sourceIPs"))
    return found if found is None or argument is None else (found[int(argument) :][:1] or None)


@field("ka.sourceip", FieldType.CHARBUF)
def sourceip(event: AuditEvent) -> str | None:
    """Address that the call came from: the first of ka.sourceips."""
    found = texts(event.audit.get("sourceIPs"))
    return found[0] if found is not None else None


@field("ka.cluster.name")
def cluster_name(event: AuditEvent) -> str | None:
    """Name of the cluster, where the intake or an annotation says it."""
    annotations = event.audit.get("annotations")
    return next((shown for name in _CLUSTER_NAMES if (shown := text(at(annotations, name)))), None)
