"""Objects of a cluster as tests write them down, in a line each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from hullwatch.posture.inventory import Inventory
from hullwatch.posture.resources import Request, Resources

FOLDER = Path(__file__).parent
RBAC = "rbac.authorization.k8s.io/v1"


def cases(name: str) -> list[Any]:
    """The cases of a file."""
    return yaml.safe_load((FOLDER / "cases" / f"{name}.yaml").read_text(encoding="utf-8"))


def real_log() -> list[dict[str, object]]:
    """Events of a real API server (1.36), without what nothing here looks at; equal ones once."""
    return [msgspec.json.decode(line) for line in (FOLDER / "audit.jsonl").read_bytes().splitlines()]


def role(name: str, *rules: Any, namespace: str = "", **more: Any) -> dict[str, object]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | more.pop("metadata", {})
    kind = "Role" if namespace else "ClusterRole"
    return {"apiVersion": RBAC, "kind": kind, "metadata": metadata, "rules": list(rules), **more}


def rule(verbs: str, resources: str, group: str = "", names: str = "") -> dict[str, object]:
    """A rule: lists are words with blanks between them; ``core`` is the group without a name."""
    groups = ["" if one == "core" else one for one in (group or "core").split()]
    found: dict[str, object] = {"apiGroups": groups, "resources": resources.split(), "verbs": verbs.split()}
    return found | ({"resourceNames": names.split()} if names else {})


def subject(words: str) -> dict[str, object]:
    """``alice``, ``group:dev``, ``sa:shop/web``."""
    kind, _, rest = words.partition(":")
    if kind == "sa":
        namespace, _, name = rest.partition("/")
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return {"kind": "Group", "name": rest} if kind == "group" else {"kind": "User", "name": words}


def binding(name: str, to: str, *subjects: str, namespace: str = "", kind: str = "") -> dict[str, object]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": RBAC,
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"kind": kind or "ClusterRole", "name": to},
        "subjects": [subject(one) for one in subjects],
    }


def granted(to: str, *rules: Any, namespace: str = "") -> list[dict[str, object]]:
    """A role with these rules, bound to a subject, everywhere or in a namespace."""
    name = f"of-{to}-{namespace}".replace(":", "-").replace("/", "-").strip("-")
    return [role(name, *rules), binding(name, name, to, namespace=namespace)]


def cluster(*objects: Any) -> Inventory:
    """An inventory of objects and lists of them."""
    listed: list[object] = []
    for one in objects:
        listed += one if isinstance(one, list) else [one]
    return Inventory(listed)


def request(verb: str, resource: str, name: str = "-", namespace: str = "-") -> Request:
    """A request as cases write it down: ``-`` for what it does not have."""
    name, namespace = ("" if one == "-" else one for one in (name, namespace))
    if resource.startswith("/"):
        return Request(verb, path=resource)
    asked = Resources().asked(resource)
    return Request(verb, asked.resource.group, asked.resource.name, asked.subresource, namespace, name)
