"""Dangerous rights of each subject: what its roles give, alone and together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.plain import at, labels
from hullwatch.posture.resources import built_in
from hullwatch.posture.risk_table import hits, risks
from hullwatch.posture.severity import SEVERITIES, at_least, worse
from hullwatch.posture.shipped import comes_with_kubernetes
from hullwatch.posture.subject import MASTERS, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.rights import Grant, Rights
    from hullwatch.posture.risk_table import Hit, Risk
    from hullwatch.posture.roles import RoleKey

# Annotations of service accounts by which clouds know them.
CLOUD_IDENTITIES = ("eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id")
_SHIPPED_ROLES = {"cluster-admin", "admin", "edit", "view"}
MOST_WORDS = 50  # rules that a finding about public rights lists


class Finding(NamedTuple):
    """A dangerous right of a subject at a place.

    Attributes:
        risk: its id in ``risks.toml``.
        severity: how bad it is there.
        subject: whose.
        namespace: where; empty for everywhere.
        what: the verbs and resources that give it.
        names: of the objects that it is limited to; empty for all.
        grants: through which bindings and roles.
        shipped: whether all of it comes with Kubernetes.
    """

    risk: str
    severity: str
    subject: Subject
    namespace: str
    what: tuple[str, ...]
    names: tuple[str, ...]
    grants: tuple[Grant, ...]
    shipped: bool

    @property
    def about(self) -> Risk:
        """What the table says about it."""
        return risks()[self.risk]


class _Part:
    """What was found of one risk of one subject at one place."""

    __slots__ = ("grants", "limited", "names", "shipped", "what")

    def __init__(self) -> None:
        self.what: dict[str, None] = {}
        self.names: dict[str, None] = {}
        self.grants: list[Grant] = []
        self.limited = self.shipped = True

    def take(self, hit: Hit, what: Iterable[str], grant: Grant) -> None:
        self.what.update(dict.fromkeys(what))
        self.names.update(dict.fromkeys(hit.names))
        self.limited &= bool(hit.names)
        self.shipped &= comes_with_kubernetes(grant, hit.risk)
        if grant not in self.grants[-3:]:
            self.grants.append(grant)

    def join(self, other: _Part) -> None:
        self.what |= other.what
        self.names |= other.names
        self.limited &= other.limited
        self.shipped &= other.shipped
        self.grants += [grant for grant in other.grants if grant not in self.grants]


_Parts = dict[str, dict[str, _Part]]  # by the risk's id, then by namespace


def find_risks(rights: Rights, inventory: Inventory | None = None) -> list[Finding]:
    """Return all dangerous rights, the worst first.

    Args:
        rights: whose.
        inventory: with the service accounts, for what their annotations tell; None for without.
    """
    parts: defaultdict[Subject, _Parts] = defaultdict(dict)
    of_role: dict[RoleKey, tuple[Hit, ...]] = {}
    for grant in rights.grants():
        key = grant.binding.role
        if key not in of_role:
            of_role[key] = tuple(hit for rule in grant.role.rules for hit in hits(rule))
        for hit in of_role[key]:
            _note(parts[grant.subject], hit, grant)
    found: list[Finding] = []
    for subject in list(parts):
        own = parts[subject]
        _combine(own, [parts[group] for name in subject.groups() if (group := Subject("Group", name)) in parts])
        found += _findings(subject, own)
    found += _public(rights)
    found += _unbound(rights, of_role)
    if inventory is not None:
        found += _cloud_identities(inventory)
    return sorted(found, key=_order)


def _order(finding: Finding) -> tuple[int, Subject, str, str]:
    return -SEVERITIES.index(finding.severity), finding.subject, finding.namespace, finding.risk


def _note(parts: _Parts, hit: Hit, grant: Grant) -> None:
    risk, namespace = risks()[hit.risk], grant.namespace
    if namespace:
        if risk.urls or (risk.namespaces and namespace not in risk.namespaces):
            return
        what = [one for one in hit.what if _holds_in_namespaces(one)]
    else:
        what = list(hit.what)
    if what:
        parts.setdefault(hit.risk, {}).setdefault(namespace, _Part()).take(hit, what, grant)


def _holds_in_namespaces(what: str) -> bool:
    """Whether a binding in a namespace gives it: resources of the whole cluster are not among that."""
    verbs, _, resource = what.rpartition(" ")
    base = resource.partition("/")[0]
    if base == "namespaces" or (verbs == "bind" and base == "clusterroles"):
        return True
    known = built_in().get(base)
    return known is None or any(one.namespaced for one in known)


def _combine(own: _Parts, of_groups: list[_Parts]) -> None:
    """Add the combinations that hold at one place; what a subject's groups give counts with something of its own."""
    for risk in risks().values():
        if not risk.all:
            continue
        have = [[own.get(one, {}), *(group.get(one, {}) for group in of_groups)] for one in risk.all]
        places = {place for sources in have for source in sources for place in source}
        for place in sorted(places):
            joined = [[source[at_] for source in sources for at_ in {"", place} if at_ in source] for sources in have]
            mine = any(at_ in own.get(one, {}) for one in risk.all for at_ in {"", place})
            if not mine or not all(joined):
                continue
            if place and all(any("" in source for source in sources) for sources in have):
                continue  # it holds everywhere
            part = own.setdefault(risk.id, {}).setdefault(place, _Part())
            for each in joined:
                for one in each:
                    part.join(one)
            part.limited = any(all(one.limited for one in each) for each in joined)
            part.shipped = part.shipped and all(comes_with_kubernetes(grant, risk.id) for grant in part.grants)


def _findings(subject: Subject, parts: _Parts) -> list[Finding]:
    found: list[Finding] = []
    all_of = parts.get("everything", {})
    for risk_id, places in parts.items():
        risk = risks()[risk_id]
        for namespace, part in places.items():
            if risk_id != "everything" and (namespace in all_of or "" in all_of):
                continue  # everything says it
            severity = risk.severity(namespace)
            if severity == "none":
                continue
            names = tuple(part.names) if part.limited else ()
            if names:
                severity = worse(severity, -1)
            if subject.public:
                severity = worse(severity)
            shipped = part.shipped or subject == Subject("Group", MASTERS)
            grants = tuple(part.grants)
            found.append(Finding(risk_id, severity, subject, namespace, tuple(part.what), names, grants, shipped))
    return found


def _public(rights: Rights) -> list[Finding]:
    """Return what was given to everybody, to all service accounts, and to those that pods get unasked."""
    found: list[Finding] = []
    for grant in rights.grants():
        subject = grant.subject
        default = subject.kind == "ServiceAccount" and subject.name == "default"
        if not (subject.public or default) or comes_with_kubernetes(grant) or not grant.role.rules:
            continue
        risk = "default-account" if default else "public"
        severity = risks()[risk].severity(grant.namespace)
        what = tuple(rule.words for rule in grant.role.rules[:MOST_WORDS])
        found.append(Finding(risk, severity, subject, grant.namespace, what, (), (grant,), shipped=False))
    return found


def _unbound(rights: Rights, of_role: dict[RoleKey, tuple[Hit, ...]]) -> list[Finding]:
    """Return roles that nobody is bound to and that would be a high risk; those that come with Kubernetes are not."""
    found: list[Finding] = []
    for key, role in rights.roles.items():
        if key in of_role or role.name.startswith("system:") or role.name in _SHIPPED_ROLES:
            continue
        if role.kind == "ClusterRole" and role.name in rights.collected:
            continue  # the one that collects it says it
        worst = [hit for rule in role.rules for hit in hits(rule) if at_least(_alone(hit, role.namespace), "high")]
        if worst:
            what = tuple(dict.fromkeys(one for hit in worst for one in hit.what))
            subject = Subject(role.kind, role.name, role.namespace)
            found.append(Finding("unbound", "low", subject, role.namespace, what, (), (), shipped=False))
    return found


def _alone(hit: Hit, namespace: str) -> str:
    severity = risks()[hit.risk].severity(namespace)
    return "info" if severity == "none" else severity


def _cloud_identities(inventory: Inventory) -> list[Finding]:
    found: list[Finding] = []
    for (namespace, name), plain in inventory.of("ServiceAccount").items():
        annotations = labels(at(plain, "metadata", "annotations"))
        what = tuple(f"{key}={annotations[key]}" for key in CLOUD_IDENTITIES if annotations.get(key))
        if what:
            subject = Subject("ServiceAccount", name, namespace)
            found.append(Finding("cloud-identity", "medium", subject, namespace, what, (), (), shipped=False))
    return found
