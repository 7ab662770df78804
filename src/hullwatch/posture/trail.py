"""What the events of a run say of rights, openings and pods, with what was before: a state within limits.

Each event of the audit log is shown to it once, before the rules are asked; what it finds is what they can ask for.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hullwatch.posture.audit_event import actor
from hullwatch.posture.audit_state import AuditState
from hullwatch.posture.bounded import BoundedInventory
from hullwatch.posture.changes import WATCHED as RIGHTS
from hullwatch.posture.changes import Change, ChangeTrail
from hullwatch.posture.exposure_changes import WATCHED as EXPOSING
from hullwatch.posture.exposure_changes import ExposureChange, ExposureTrail
from hullwatch.posture.plain import at, name_of, table, tables, text
from hullwatch.posture.resources import built_in
from hullwatch.posture.trail_behind import Surroundings
from hullwatch.posture.workloads import TEMPLATES, Pod, Workload, pod_of_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hullwatch.posture.behind import Backend
    from hullwatch.posture.plain import Plain
    from hullwatch.posture.trail_behind import Sightings

MOST_AUTHORS = 20_000
MOST_AUTHOR_BYTES = 8 << 20  # of their texts; those that go are looked up where they are kept
MOST_STEPS = 4  # from a pod to who made it
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_READS = frozenset({"get", "list"})
_PODS = frozenset({"Pod", *TEMPLATES})
_INTERESTING = RIGHTS | EXPOSING
KIND_BY_RESOURCE: dict[tuple[str, str], str] = {
    (one.name, one.group): kind
    for name, found in built_in().items()
    for one in found
    if name == one.name and (kind := f"{one.kind}.{one.group}" if one.group else one.kind) in _INTERESTING
}
RESOURCES = frozenset(name for name, _ in KIND_BY_RESOURCE)
"""Names of the resources whose events are looked at."""
_SERVICE_OF_CLUSTER = "system:serviceaccount:kube-system:"


class Author(NamedTuple):
    """Who wrote an object last, and when (RFC 3339)."""

    user: str
    time: str


class Told(NamedTuple):
    """What a trail found in one event.

    Attributes:
        exposure: what it opens; None for nothing.
        rights: the changes to roles and bindings in it.
    """

    exposure: ExposureChange | None = None
    rights: tuple[Change, ...] = ()


_NOTHING = Told()


class Memory(Protocol):
    """Where a trail's findings last: beside the cluster's state on the disk."""

    def known(self, audit: str) -> Told | None:
        """Return what was found in an event before, when it came already: a restart has it come again."""
        ...

    def found(self, told: Told, audit: str) -> None:
        """Keep what was found in an event."""
        ...

    def wrote(self, place: tuple[str, str, str], author: Author) -> None:
        """Keep who wrote a workload."""
        ...

    def author(self, place: tuple[str, str, str]) -> Author | None:
        """Return who wrote a workload, as far as that was kept."""
        ...


class Trail:
    """Follows a log without end.

    Args:
        inventory: what is known of the cluster before, and where more is.
        memory: where findings last; None for nowhere.
        of_namespace: yields more of a namespace's objects than the trail has seen.
        seen: what workloads connected to; None where nobody knows.

    Attributes:
        inventory: what the log has shown of the cluster.
    """

    def __init__(
        self,
        inventory: BoundedInventory | None = None,
        memory: Memory | None = None,
        of_namespace: Callable[[str], Iterable[Plain]] | None = None,
        seen: Sightings | None = None,
    ) -> None:
        """Begin with what is known."""
        self.inventory = BoundedInventory() if inventory is None else inventory
        self._memory = memory
        self._surroundings = Surroundings(self.inventory, of_namespace, seen)
        state = AuditState(self.inventory)
        self._rights = ChangeTrail(state)
        self._exposure = ExposureTrail(state=state)
        self._authors: OrderedDict[tuple[str, str, str], Author] = OrderedDict()
        self._author_bytes = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many objects are known, and how many were forgotten for want of room."""
        return {"objects": len(self.inventory), "dropped": self.inventory.dropped, "authors": len(self._authors)}

    def take(self, event: Plain) -> Told:
        """Take an event of one of ``RESOURCES``; return what it changes."""
        if event.get("stage") != "ResponseComplete":
            return _NOTHING
        verb = event.get("verb")
        reference = table(event.get("objectRef"))
        kind = KIND_BY_RESOURCE.get((text(reference.get("resource")), text(reference.get("apiGroup"))), "")
        if not kind or not self._is_worth_it(event, kind, verb):
            return _NOTHING
        if kind in RIGHTS:
            told = Told(rights=tuple(self._rights.take(event)))
        else:
            told = Told(exposure=self._exposure.take(event))
        if kind in TEMPLATES and verb in _WRITES:
            self._note_author(event, kind)
        return told if self._memory is None or verb not in _WRITES else self._kept(text(event.get("auditID")), told)

    def _kept(self, audit: str, told: Told) -> Told:
        """Keep what was found; of an event that a restart has come again, return what was found the first time."""
        assert self._memory is not None
        before = self._memory.known(audit)
        if before is None and told != _NOTHING:
            self._memory.found(told, audit)
        return told if before is None else before

    def _is_worth_it(self, event: Plain, kind: str, verb: object) -> bool:
        """Tell whether an event can say something: pods and workloads have their status written all the time."""
        if verb in _READS:
            return kind not in _PODS and event.get("responseObject") is not None
        subresource = table(event.get("objectRef")).get("subresource")
        return verb in _WRITES and (not subresource or (kind not in _PODS and subresource == "status"))

    def _note_author(self, event: Plain, kind: str) -> None:
        by = actor(event)
        if by.user.startswith("system:") and not by.user.startswith("system:serviceaccount:"):
            return  # the cluster's own parts; what they change somebody else has asked for
        if by.user.startswith(_SERVICE_OF_CLUSTER) and by.user.endswith("-controller"):
            return
        reference = table(event.get("objectRef"))
        name = text(reference.get("name")) or name_of(event.get("responseObject"))
        if not name or event.get("verb") not in {"create", "update", "patch"}:
            return
        author = Author(by.words, text(event.get("stageTimestamp")))
        place = (kind, text(reference.get("namespace")), name)
        before = self._authors.pop(place, None)
        self._author_bytes += _cost(place, author) - (_cost(place, before) if before is not None else 0)
        self._authors[place] = author
        while len(self._authors) > MOST_AUTHORS or self._author_bytes > MOST_AUTHOR_BYTES:
            self._author_bytes -= _cost(*self._authors.popitem(last=False))
        if self._memory is not None:
            self._memory.wrote(place, author)

    # ---- what rules ask for

    def pod(self, namespace: str, name: str) -> Pod | None:
        """Return a pod that is known."""
        plain = self.inventory.find("Pod", namespace, name)
        if plain is None:
            return None
        top = self._line(plain, namespace)[-1]
        workload = Workload(top[0].partition(".")[0], namespace, top[2] or name)
        return pod_of_template(workload, plain)._replace(name=name)

    def author(self, plain: Plain, namespace: str) -> Author | None:
        """Return who wrote the workload that an object comes from, by its owners."""
        for place in reversed(self._line(plain, namespace)):
            found = self._authors.get(place)
            if found is None and self._memory is not None:
                found = self._memory.author(place)
            if found is not None:
                return found
        return None

    def author_of_pod(self, namespace: str, name: str) -> Author | None:
        """The same for a pod that is known."""
        plain = self.inventory.find("Pod", namespace, name)
        return None if plain is None else self.author(plain, namespace)

    def _line(self, plain: Plain, namespace: str) -> list[tuple[str, str, str]]:
        """Return kind, namespace and name of an object and of what made it, up to the workload on top."""
        found = [("Pod", namespace, name_of(plain))]
        current: Plain | None = plain
        for _ in range(MOST_STEPS):
            owner = next((one for one in tables(at(current, "metadata", "ownerReferences"))), None)
            key = _TEMPLATE_BY_KIND.get(text(owner.get("kind"))) if owner is not None else None
            if owner is None or key is None:
                break
            found.append((key, namespace, text(owner.get("name"))))
            current = self.inventory.find(*found[-1])
            if current is None and key == "ReplicaSet.apps":
                # A Deployment's replica sets are named by rule.
                found.append(("Deployment.apps", namespace, text(owner.get("name")).rpartition("-")[0]))
                break
        return found

    def behind(self, change: ExposureChange) -> tuple[Backend, ...]:
        """Return the workloads behind an opening, as far as they are known now."""
        return self._surroundings.behind(change)


def _cost(place: tuple[str, str, str], author: Author) -> int:
    return sum(map(len, place)) + sum(map(len, author))


_TEMPLATE_BY_KIND: Mapping[str, str] = {key.partition(".")[0]: key for key in TEMPLATES}
