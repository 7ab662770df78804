"""Whatever objects and events look like: a sentence or an answer comes of it, never an accident."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.posture.audit_state import AuditState
from hullwatch.posture.changes import ChangeTrail
from hullwatch.posture.exposure import find_exposure
from hullwatch.posture.exposure_changes import ExposureTrail
from hullwatch.posture.inventory import KINDS, Inventory
from hullwatch.posture.paths import ADMIN, Paths
from hullwatch.posture.resources import Resources
from hullwatch.posture.rights import Rights
from hullwatch.posture.risks import find_risks
from hullwatch.posture.subject import of_user
from hullwatch.posture.suggest import suggest
from hullwatch.posture.unused import find_unused
from hullwatch.posture.usage import Usage
from tests.posture.made import request

# Words that mean something somewhere, so that what is made up gets further than the first look.
WORDS = st.sampled_from(
    [
        "",
        "*",
        "get",
        "pods",
        "secrets",
        "name",
        "x",
        "ServiceAccount",
        "User",
        "ClusterRole",
        "Role",
        "NodePort",
        "All",
        "TCP",
    ]
)
KEYS = st.sampled_from(
    """metadata name namespace labels annotations ownerReferences kind rules verbs apiGroups resources resourceNames
    nonResourceURLs subjects roleRef spec type ports port nodePort targetPort selector externalIPs status
    loadBalancer ingress host http paths backend service tls hosts listeners allowedRoutes parentRefs backendRefs
    podSelector from policyTypes containers volumes hostPath securityContext privileged env envFrom template
    jobTemplate subsets addresses endpoints aggregationRule clusterRoleSelectors matchLabels matchExpressions
    serviceAccountName objectRef resource subresource responseObject requestObject user username groups
    impersonatedUser verb stage responseStatus code requestURI level items""".split()  # noqa: SIM905 - a list of a line each would be two pages
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=10,
)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    kind, _, group = draw(st.sampled_from(sorted(KINDS))).partition(".")
    plain = {"kind": kind, "apiVersion": f"{group}/v1" if group else "v1"}
    metadata = {"name": draw(WORDS) or "n", "namespace": draw(WORDS)}
    return draw(st.dictionaries(KEYS, ANYTHING, max_size=5)) | plain | {"metadata": metadata}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    resource = draw(
        st.sampled_from(["services", "pods", "clusterroles", "rolebindings", "networkpolicies", "ingresses"])
    )
    groups = {"clusterroles": "rbac.authorization.k8s.io", "rolebindings": "rbac.authorization.k8s.io"}
    groups |= {"networkpolicies": "networking.k8s.io", "ingresses": "networking.k8s.io"}
    event = {
        "stage": "ResponseComplete",
        "verb": draw(st.sampled_from(["create", "update", "patch", "delete", "deletecollection", "list", "get"])),
        "responseStatus": {"code": draw(st.sampled_from([200, 403]))},
        "objectRef": {"resource": resource, "apiGroup": groups.get(resource, ""), "name": "n", "namespace": "x"},
        "responseObject": draw(st.one_of(objects(), ANYTHING)),
        "requestObject": draw(st.one_of(objects(), ANYTHING)),
        "user": {"username": draw(WORDS)},
    }
    return event | draw(st.dictionaries(KEYS, ANYTHING, max_size=2))


@given(st.lists(objects(), max_size=5))
@settings(max_examples=40, deadline=None)
def test_objects_of_any_content_are_looked_at_without_an_accident(found: list[dict[str, Any]]) -> None:
    inventory = Inventory(found)
    rights = Rights(inventory)
    findings = find_risks(rights, inventory)
    list(rights.who_can(request("get", "pods"), namespaced=True))
    paths = Paths(rights, findings, inventory, {})
    paths.starts(paths.ways(ADMIN))
    find_exposure(inventory, findings)
    Resources(inventory).asked("x")


@given(st.lists(events(), max_size=5))
@settings(max_examples=40, deadline=None)
def test_events_of_any_content_are_looked_at_without_an_accident(found: list[dict[str, Any]]) -> None:
    state, usage, changed, opened = AuditState(), Usage(), ChangeTrail(), ExposureTrail()
    for event in found:
        state.take(event)
        usage.take(event)
        changed.take(event)
        opened.take(event)
    find_unused(Rights(state.inventory), usage)
    for user, use in usage.users.items():
        suggest(of_user(user), use, names=True)
