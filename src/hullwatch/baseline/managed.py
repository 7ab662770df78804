"""Which system looks after an object, and who delivers: by the labels, annotations and owners that they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.baseline.texts import program_of, short
from hullwatch.fields.audit_event import at, objects, word

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_MARKER = "no marker"
_MANAGED_BY = "app.kubernetes.io/managed-by"
# What a system leaves on what it makes: the system, where it stands, and the key; the first that is there counts.
_MARKS = (
    ("Argo CD", "annotations", "argocd.argoproj.io/tracking-id"),
    ("Argo CD", "labels", "argocd.argoproj.io/instance"),
    ("Flux", "labels", "helm.toolkit.fluxcd.io/name"),
    ("Flux", "labels", "kustomize.toolkit.fluxcd.io/name"),
    ("Helm", "annotations", "meta.helm.sh/release-name"),
    ("Fleet", "annotations", "objectset.rio.cattle.io/owner-name"),
    ("OLM", "labels", "olm.owner"),
)
# Words in the names of the programs with which a system, or a person by it, does its work.
_PROGRAMS = {
    "Argo CD": ("argocd", "argo-cd"),
    "Flux": ("flux", "kustomize-controller", "helm-controller", "source-controller"),
    "Helm": ("helm", "terraform", "pulumi"),
    "Fleet": ("fleet", "rancher"),
    "OLM": ("olm", "catalog", "operator-lifecycle"),
}


class Manager(NamedTuple):
    """What looks after an object.

    Attributes:
        system: such as Helm, or the kind of the owner.
        name: of the release, application or owner.
    """

    system: str
    name: str

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.system}/{self.name}" if self.name else self.system


def marker_of(metadata: Any) -> Manager | None:
    """Return the delivery system whose marks an object has; None without."""
    for system, place, key in _MARKS:
        name = word(at(metadata, place, key))
        if name:
            return Manager(system, short(name))
    by = word(at(metadata, "labels", _MANAGED_BY))
    if not by:
        return None
    release = word(at(metadata, "labels", "app.kubernetes.io/instance"))
    return Manager("Helm" if by in {"Helm", "Tiller"} else short(by), short(release))


def manager_of(metadata: Any) -> Manager | None:
    """Return what looks after an object: the controller that owns it, or a delivery system; None when nothing does."""
    for one in objects(at(metadata, "ownerReferences")):
        if one.get("controller") is True:
            return Manager(short(word(one.get("kind"))), short(word(one.get("name"))))
    return marker_of(metadata)


def works_for(program: str, manager: Manager) -> bool:
    """Tell whether a program is one with which such a system does its work."""
    lowered = program.lower()
    return any(one in lowered for one in _PROGRAMS.get(manager.system, (manager.system.lower(),)))


def field_manager(audit: Mapping[str, Any]) -> str:
    """Return the program of a call, as it names itself for the fields that it writes, else by its user agent."""
    query = word(audit.get("requestURI")).partition("?")[2][:4096]
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name == "fieldManager" and value:
            return short("kubectl" if value.startswith("kubectl") else value)
    return program_of(word(audit.get("userAgent")))
