"""How somebody gets from few rights to all of them: a graph of steps that rights and pods allow, and its shortest ways.

Places of the graph are subjects, what a right leads to (the accounts of a namespace, its running pods, the machines)
and goals. Each step is one right or one fact; the ways are found backwards from a goal, each place with its
shortest one.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.plain import at, labels, text
from hullwatch.posture.subject import MASTERS, Subject, of_user
from hullwatch.posture.workloads import Workloads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.rights import Rights
    from hullwatch.posture.risks import Finding
    from hullwatch.posture.workloads import Pod

ADMIN, EVERY_SECRET = "everything in the cluster", "every secret in the cluster"
_CONTROL_PLANE = {"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}
_NO_HOST = {"baseline", "restricted"}  # levels of pod security that keep pods from the host


class Place(NamedTuple):
    """A place of the graph: a goal, a subject, a workload, a node, or what a right leads to."""

    kind: str
    name: str
    namespace: str = ""

    @property
    def words(self) -> str:
        """How people read it."""
        where = f"in {self.namespace}" if self.namespace else "anywhere"
        if self.kind in {"accounts", "pods", "secrets", "all"}:
            return {
                "accounts": f"any service account {where}",
                "pods": f"any running pod {where}",
                "secrets": f"every secret {where}",
                "all": f"everything {where}",
            }[self.kind]
        if self.kind == "nodes":
            return "any node"
        if self.kind == "goal":
            return self.name
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Step(NamedTuple):
    """That one gets from a place to another, and why."""

    start: Place
    end: Place
    why: str


class Way(NamedTuple):
    """The shortest way of a place to a goal: its first step, and how many there are."""

    step: Step
    length: int


class Paths:
    """All steps of a cluster.

    Attributes:
        own: places that nobody but Kubernetes has made: they are steps, and no starts.
    """

    def __init__(
        self, rights: Rights, findings: Iterable[Finding], inventory: Inventory, groups: dict[str, tuple[str, ...]]
    ) -> None:
        """Find the steps.

        Args:
            rights: of the cluster.
            findings: its dangerous rights.
            inventory: for pods, nodes and secrets.
            groups: of users, as far as a log showed them.
        """
        self._to: defaultdict[Place, dict[Place, str]] = defaultdict(dict)
        self._leaving: set[Place] = set()
        self._namespaces: set[str] = set()
        self._stealing: set[Subject] = set()  # who can draw pods to a node of choice
        self._homes: defaultdict[str, list[str]] = defaultdict(list)  # the namespaces with an account of a name
        for account in rights.accounts:
            self._homes[account.name].append(account.namespace)
        self.own: set[Place] = set()
        self._masters(findings := list(findings))
        for finding in findings:
            self._of_finding(finding, inventory)
        pods = Workloads(inventory)
        self._of_accounts(rights, groups)
        self._of_pods(pods.pods, inventory)
        self._of_nodes(inventory)
        self._of_secrets(inventory)
        self._of_namespaces()

    def _step(self, start: Place, end: Place, why: str) -> None:
        if start == end:
            return
        self._to[end].setdefault(start, why)
        self._leaving.add(start)
        self._namespaces.update(place.namespace for place in (start, end) if place.namespace and not place.name)

    def _masters(self, findings: list[Finding]) -> None:
        masters = Subject("Group", MASTERS)
        self._step(_place(masters), Place("goal", ADMIN), "everything is allowed, by the API server itself")
        self._step(Place("goal", ADMIN), Place("goal", EVERY_SECRET), "reads secrets")
        users: defaultdict[Subject, bool] = defaultdict(lambda: True)
        for finding in findings:
            users[finding.subject] &= finding.shipped
        self.own = {_place(subject) for subject, shipped in users.items() if shipped} | {_place(masters)}

    def _of_finding(self, finding: Finding, inventory: Inventory) -> None:
        leads, namespace = finding.about.leads, finding.namespace
        if not leads:
            return
        start = _place(finding.subject)
        through = finding.grants[0].binding.words if finding.grants else ""
        limited = f" (only {', '.join(finding.names[:5])})" if finding.names else ""
        why = f"can {finding.about.title}{limited}: {through}"
        if finding.names and leads != "draw":
            self._of_names(finding, start, why)
        elif leads == "draw":
            self._stealing.add(finding.subject)
        elif leads == "admin":
            self._step(start, Place("all", "", namespace) if namespace else Place("goal", ADMIN), why)
        elif leads == "workloads":
            self._step(start, Place("accounts", "", namespace), why)
            if not namespace or not _keeps_from_host(inventory, namespace):
                self._step(start, Place("nodes", ""), f"{why}; no level of pod security keeps them from the host")
        else:
            self._step(start, Place(leads, "", "" if leads == "nodes" else namespace), why)
            if leads == "secrets" and not namespace:
                self._step(start, Place("goal", EVERY_SECRET), why)

    def _of_names(self, finding: Finding, start: Place, why: str) -> None:
        """Take the steps of a right that is limited to names; where one leads that is not a subject's is not known."""
        for name in finding.names:
            if finding.risk == "impersonate":  # the rule may be for users, for groups, or for both
                self._step(start, _place(of_user(name)), why)
                self._step(start, Place("Group", name), why)
            elif finding.risk in {"tokens", "impersonate-accounts"}:
                for namespace in [finding.namespace] if finding.namespace else self._homes.get(name, ()):
                    self._step(start, Place("ServiceAccount", name, namespace), why)
            elif finding.risk == "bind" and name == "cluster-admin":
                everything = Place("all", "", finding.namespace) if finding.namespace else Place("goal", ADMIN)
                self._step(start, everything, why)

    def _of_accounts(self, rights: Rights, groups: dict[str, tuple[str, ...]]) -> None:
        for account in rights.accounts:
            place = _place(account)
            self._step(Place("accounts", "", account.namespace), place, "is one of them")
            self._members(account, account.groups())
        for subject in rights.subjects():
            if subject.kind == "User":
                self._members(subject, (*subject.groups(), *groups.get(subject.name, ())))
        for user, seen in groups.items():
            subject = of_user(user)
            if subject.kind == "User":
                self._members(subject, seen)

    def _members(self, subject: Subject, groups: Iterable[str]) -> None:
        for group in groups:
            place = Place("Group", group)
            if place in self._leaving:
                self._step(_place(subject), place, "is a member")

    def _of_pods(self, pods: list[Pod], inventory: Inventory) -> None:
        for pod in pods:
            workload = Place(pod.workload.kind, pod.workload.name, pod.namespace)
            running, account = Place("pods", "", pod.namespace), Place("ServiceAccount", pod.account, pod.namespace)
            if pod.mounts_token(inventory):
                self._step(running, account, f"{pod.workload.words} runs as it")
                self._step(workload, account, "runs as it, with its token")
            node = Place("Node", pod.node) if pod.node else Place("nodes", "")
            if pod.leaves_container():
                powers = ", ".join(pod.powers()[:4])
                self._step(running, node, f"{pod.workload.words} is not kept from its node: {powers}")
                self._step(workload, node, f"is not kept from its node: {powers}")
            if pod.node:
                self._step(Place("nodes", ""), node, "is one of them")
            # A node may ask for tokens of the accounts of its pods, mounted or not.
            self._step(node, account, f"{pod.workload.words} runs there as it")
            if Subject("ServiceAccount", pod.account, pod.namespace) in self._stealing:
                why = f"and {account.words}, which {pod.workload.words} has there, can draw pods to it"
                self._step(node, Place("accounts", ""), why)

    def _of_nodes(self, inventory: Inventory) -> None:
        for (_, name), plain in inventory.of("Node").items():
            node = Place("Node", name)
            self._step(Place("nodes", ""), node, "is one of them")
            if _CONTROL_PLANE & labels(at(plain, "metadata", "labels")).keys():
                self._step(node, Place("goal", ADMIN), "it runs the control plane, whose keys lie there")

    def _of_secrets(self, inventory: Inventory) -> None:
        for (namespace, name), secret in inventory.of("Secret").items():
            if secret.get("type") == "kubernetes.io/service-account-token":
                account = labels(at(secret, "metadata", "annotations")).get("kubernetes.io/service-account.name", "")
                to = Place("ServiceAccount", text(account), namespace)
                self._step(Place("secrets", "", namespace), to, f"secret {namespace}/{name} holds its token")

    def _of_namespaces(self) -> None:
        for namespace in sorted(self._namespaces):
            everything = Place("all", "", namespace)
            self._step(everything, Place("accounts", "", namespace), "starts pods as them")
            for kind in ("accounts", "pods", "secrets"):
                self._step(Place(kind, ""), Place(kind, "", namespace), "is among them")

    def ways(self, goal: str) -> dict[Place, Way]:
        """Return the shortest way of every place that reaches a goal."""
        end = Place("goal", goal)
        found: dict[Place, Way] = {}
        waiting = deque([(end, 0)])
        while waiting:
            place, length = waiting.popleft()
            for start in sorted(self._to.get(place, ())):
                if start not in found and start != end:
                    found[start] = Way(Step(start, place, self._to[place][start]), length + 1)
                    waiting.append((start, length + 1))
        return found

    def starts(self, ways: dict[Place, Way]) -> list[Place]:
        """Return where people and programs begin that Kubernetes did not bring, the nearest first."""
        kinds = {"User", "Group", "ServiceAccount"}
        found = [
            place
            for place in ways
            if (place.kind in kinds and place not in self.own and not _kubernetes_own(place))
            or (place.kind not in kinds | {"goal", "accounts", "pods", "nodes", "secrets", "all", "Node"})
        ]
        return sorted(found, key=lambda place: (ways[place].length, place))


def steps_of(ways: dict[Place, Way], start: Place) -> list[Step]:
    """Return the steps of a place to the goal."""
    steps: list[Step] = []
    while start in ways:
        steps.append(ways[start].step)
        start = steps[-1].end
    return steps


def _place(subject: Subject) -> Place:
    return Place(subject.kind, subject.name, subject.namespace)


def _kubernetes_own(place: Place) -> bool:
    """Whether it is a component of Kubernetes, which signs in under a name that nobody else can get."""
    return place.kind == "User" and place.name.startswith(("system:kube-", "system:node:"))


def _keeps_from_host(inventory: Inventory, namespace: str) -> bool:
    return text(inventory.namespace_labels(namespace).get("pod-security.kubernetes.io/enforce")) in _NO_HOST
