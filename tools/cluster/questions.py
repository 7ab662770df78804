"""Made-up roles, bindings and questions for an authoriser, with the odd corners more often than in life."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.resources import COLLECTION_VERBS, Request

if TYPE_CHECKING:
    from random import Random

RBAC = "rbac.authorization.k8s.io"
NAMESPACES = ("north", "south", "west")
USERS = ("user-0", "user-1", "user-2", "user-3", "system:anonymous")
GROUPS = ("team-0", "team-1", "system:authenticated", "system:unauthenticated", "system:serviceaccounts")
ACCOUNTS = tuple(f"system:serviceaccount:{namespace}:{name}" for namespace in NAMESPACES for name in ("app", "default"))
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
OUTSIDE = frozenset({"nodes", "namespaces", "clusterroles"})  # resources that stand in no namespace
RARE_VERBS = ("*", "escalate", "bind", "impersonate", "use", "approve", "GET")
API_GROUPS = ("", "apps", RBAC, "example.org")
RESOURCES = (
    "pods", "pods/exec", "pods/log", "secrets", "configmaps", "nodes", "nodes/proxy", "namespaces", "namespaces/status",
    "serviceaccounts/token", "deployments", "deployments/scale", "widgets", "widgets/scale", "clusterroles",
)  # fmt: skip
ODD_RESOURCES = ("*", "pods/*", "*/scale", "*/*", "*/exec", "/exec", "pods/")
NAMES = ("a", "b", *NAMESPACES)
PATHS = ("/healthz", "/metrics", "/metrics/cadvisor", "/api", "/apis/apps", "/", "/logs/")
PATTERNS = ("*", "/metrics*", "/metrics/*", "/api*", "/*", "/logs/*", "/healthz")


class Question(NamedTuple):
    """May somebody do something?"""

    user: str
    groups: tuple[str, ...]
    request: Request


class Made(NamedTuple):
    """Objects to create, each with the path to create it at."""

    path: str
    body: dict[str, object]


def _some(random: Random, of: tuple[str, ...], most: int) -> list[str]:
    return random.sample(of, random.randint(1, min(most, len(of))))


def rule(random: Random, *, paths: bool) -> dict[str, object]:
    """Return a rule of a role.

    Args:
        random: decides.
        paths: whether it may be about paths, as only those of ClusterRoles may.
    """
    verbs = _some(random, VERBS, 4)
    if random.random() < 0.2:
        verbs.append(random.choice(RARE_VERBS))
    if paths and random.random() < 0.4:
        return {"verbs": verbs, "nonResourceURLs": _some(random, PATHS if random.random() < 0.5 else PATTERNS, 2)}
    made: dict[str, object] = {
        "verbs": verbs,
        "apiGroups": ["*"] if random.random() < 0.15 else _some(random, API_GROUPS, 3),
        "resources": _some(random, RESOURCES, 5) + ([random.choice(ODD_RESOURCES)] if random.random() < 0.3 else []),
    }
    if random.random() < 0.3:
        made["resourceNames"] = _some(random, NAMES, 2)
    return made


def subject(random: Random) -> dict[str, object]:
    """Return a subject of a binding."""
    kind = random.choice(("User", "Group", "ServiceAccount"))
    if kind == "ServiceAccount":
        return {"kind": kind, "name": random.choice(("app", "default")), "namespace": random.choice(NAMESPACES)}
    names = (*USERS, *ACCOUNTS[:2]) if kind == "User" else (*GROUPS, "system:serviceaccounts:north")
    return {"kind": kind, "apiGroup": RBAC, "name": random.choice(names)}


def objects(random: Random, roles: int, bindings: int) -> list[Made]:
    """Return namespaces, roles of them and of the cluster, and bindings, a few of them for roles that are missing."""
    made = [Made("/api/v1/namespaces", {"metadata": {"name": name}}) for name in NAMESPACES]
    base = f"/apis/{RBAC}/v1"
    for number in range(roles):
        whole = random.random() < 0.5
        rules = [rule(random, paths=whole) for _ in range(random.randint(1, 3))]
        name = f"made-{number}"
        if whole:
            labels = {"collect": random.choice(("x", "y"))} if random.random() < 0.3 else {}
            made.append(Made(f"{base}/clusterroles", {"metadata": {"name": name, "labels": labels}, "rules": rules}))
        where = () if whole else NAMESPACES
        role: dict[str, object] = {"metadata": {"name": name}, "rules": rules}
        made += [Made(f"{base}/namespaces/{namespace}/roles", role) for namespace in where]
    for label in ("x", "y"):
        collecting = {"clusterRoleSelectors": [{"matchLabels": {"collect": label}}]}
        body: dict[str, object] = {
            "metadata": {"name": f"collecting-{label}"},
            "aggregationRule": collecting,
            "rules": [],
        }
        made.append(Made(f"{base}/clusterroles", body))
    for number in range(bindings):
        subjects = [subject(random) for _ in range(random.randint(1, 2))]
        named = f"collecting-{random.choice('xy')}" if random.random() < 0.1 else f"made-{random.randrange(roles + 2)}"
        whole = random.random() < 0.4
        kind = "ClusterRole" if whole or random.random() < 0.4 else "Role"
        where = "clusterrolebindings" if whole else f"namespaces/{random.choice(NAMESPACES)}/rolebindings"
        reference = {"apiGroup": RBAC, "kind": kind, "name": named}
        metadata = {"name": f"made-{number}"}
        made.append(Made(f"{base}/{where}", {"metadata": metadata, "roleRef": reference, "subjects": subjects}))
    return made


def question(random: Random) -> Question:
    """Return something that the authoriser can be asked."""
    user = random.choice((*USERS, *ACCOUNTS))
    if user in ACCOUNTS:
        namespace = user.split(":")[2]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    elif user == "system:anonymous":
        groups = ("system:unauthenticated",)
    else:
        groups = ("system:authenticated", *(("team-0",) if random.random() < 0.3 else ()))
    verb = random.choice(VERBS if random.random() < 0.85 else RARE_VERBS)
    if random.random() < 0.15:
        return Question(user, groups, Request(verb, path=random.choice(PATHS)))
    resource, _, subresource = random.choice(RESOURCES if random.random() < 0.93 else ("*", "*/scale")).partition("/")
    name = random.choice(NAMES) if random.random() < 0.4 else ""
    namespace = "" if resource in OUTSIDE else random.choice((*NAMESPACES, ""))
    group = random.choice((*API_GROUPS, "", "", "*"))
    if resource == "namespaces":  # a call for one of them names it
        group = ""
        name = "" if verb in COLLECTION_VERBS and not subresource else name or random.choice(NAMESPACES)
    return Question(user, groups, Request(verb, group, resource, subresource, namespace, name))
