"""Which resources the API serves, and reading how people write them: ``deploy``, ``deployments.apps/scale``."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.plain import at, text, texts

if TYPE_CHECKING:
    from hullwatch.posture.inventory import Inventory


class Resource(NamedTuple):
    """A resource that the API serves."""

    name: str
    group: str
    kind: str
    namespaced: bool


class Request(NamedTuple):
    """What the authoriser is asked.

    Attributes:
        verb: such as ``get``, or ``*``, which only a rule with ``*`` allows.
        group: of the resource; empty for the core group.
        resource: without its subresource; empty for a request that is about no resource.
        subresource: such as ``exec``.
        namespace: empty for a request to the whole cluster.
        name: of the object; empty for requests about all of them, and for most that create one.
        path: of a request that is about no resource, such as ``/healthz``.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Asked(NamedTuple):
    """A resource as somebody asked for it; ``known`` is false when nothing tells its group or scope."""

    resource: Resource
    subresource: str
    known: bool


@functools.cache
def built_in() -> dict[str, list[Resource]]:
    """Return the resources of Kubernetes itself by each of their names, the core group first."""
    found: dict[str, list[Resource]] = {}
    data = resources.files("hullwatch.posture").joinpath("resources.tsv").read_text(encoding="utf-8")
    for line in data.splitlines():
        if line.startswith("#"):
            continue
        name, group, kind, namespaced, others = line.split("\t")
        one = Resource(name, group, kind, namespaced == "1")
        for word in (name, kind.lower(), *filter(None, others.split(","))):
            found.setdefault(word, []).append(one)
    return found


class Resources:
    """The resources of Kubernetes and those of the CustomResourceDefinitions of an inventory."""

    def __init__(self, inventory: Inventory | None = None) -> None:
        """Take the definitions in."""
        self._names = {name: list(found) for name, found in built_in().items()}
        for one in () if inventory is None else inventory.of("CustomResourceDefinition.apiextensions.k8s.io").values():
            names = at(one, "spec", "names")
            plural, kind = text(at(names, "plural")), text(at(names, "kind"))
            custom = Resource(plural, text(at(one, "spec", "group")), kind, at(one, "spec", "scope") != "Cluster")
            words = (plural, kind.lower(), text(at(names, "singular")), *texts(at(names, "shortNames")))
            for word in dict.fromkeys(filter(None, words)):
                self._names.setdefault(word, []).append(custom)

    def asked(self, written: str) -> Asked:
        """Return the resource that somebody wrote: ``pods/exec``, ``deploy``, ``gateways.istio.io``, ``*``."""
        whole, _, subresource = written.partition("/")
        word, _, group = whole.partition(".")
        if word == "*":
            return Asked(Resource("*", group or "*", "", namespaced=True), subresource, known=True)
        for one in self._names.get(word.lower(), ()):
            if not group or one.group == group:
                return Asked(one, subresource, known=True)
        return Asked(Resource(word, group, "", namespaced=True), subresource, known=bool(group))

    def namespaced(self, group: str, resource: str) -> bool | None:
        """Whether a resource stands in namespaces; None when that is not known."""
        for one in self._names.get(resource, ()):
            if one.group == group and one.name == resource:
                return one.namespaced
        return None


# Requests with these verbs go to all objects, or to one that is not there yet.
COLLECTION_VERBS = frozenset({"create", "list", "watch", "deletecollection"})


def is_in_itself(request: Request) -> bool:
    """Whether a request is about a namespace: the authoriser sees it as one in that namespace."""
    if request.resource != "namespaces" or request.group:
        return False
    return bool(request.subresource) or request.verb not in COLLECTION_VERBS


def requested_namespace(request: Request) -> str:
    """Return the namespace that the authoriser sees."""
    return request.name if request.name and is_in_itself(request) else request.namespace
