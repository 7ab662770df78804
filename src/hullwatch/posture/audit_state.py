"""The objects of a cluster, as far as its audit log shows them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hullwatch.posture.audit_event import is_done, parameters
from hullwatch.posture.inventory import KINDS, Inventory, kind_key
from hullwatch.posture.plain import at, items, name_of, table, text
from hullwatch.posture.resources import built_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.posture.plain import Plain

# Where the answer is the whole object.
_WHOLE = {"", "status", "ephemeralcontainers", "resize", "finalize", "approval"}


class AuditState:
    """An inventory that follows the events of an audit log.

    Attributes:
        inventory: what is there after the events so far.
        unknown: changes whose result the log does not hold, by kind.
    """

    def __init__(self, inventory: Inventory | None = None) -> None:
        """Begin with what an inventory holds, or with nothing."""
        self.inventory = Inventory() if inventory is None else inventory
        self.unknown: Counter[str] = Counter()

    def follow(self, events: Iterable[Plain]) -> None:
        """Take events in their order."""
        for event in events:
            self.take(event)

    def take(self, event: Plain) -> None:
        """Take an event: what it answers with is known from then on, and what it deletes is gone."""
        verb = text(event.get("verb"))
        if verb in {"watch", "connect", "proxy"} or not is_done(event):
            return
        reference, answer = table(event.get("objectRef")), table(event.get("responseObject"))
        if verb in {"delete", "deletecollection"}:
            self._remove(verb, reference, answer, event)
            return
        if text(reference.get("subresource")) not in _WHOLE:
            return
        kind = kind_of(event)
        if kind in KINDS and verb == "list":
            if text(answer.get("kind")).endswith("List"):
                self.inventory.take(answer)
        elif kind in KINDS:
            self._take_answer(kind, verb, event)

    def _take_answer(self, kind: str, verb: str, event: Plain) -> None:
        """Take what a request about one object answers with."""
        reference, answer = table(event.get("objectRef")), table(event.get("responseObject"))
        if not answer and verb in {"create", "update"}:
            # The level Request: as it was asked for, which need not say what the path does.
            answer = _placed(table(event.get("requestObject")), reference)
        answered = kind_key(text(answer.get("kind")), text(answer.get("apiVersion")))
        if answered != kind or not name_of(answer):
            if verb != "get" and text(reference.get("subresource")) in {"", "ephemeralcontainers"}:
                self.unknown[kind] += 1
        elif at(answer, "metadata", "deletionTimestamp") is not None and kind == "Pod":
            self.inventory.remove(kind, *_place(kind, reference))
        else:
            namespace = text(reference.get("namespace"))
            if KINDS[kind] and namespace:  # what was asked for need not say it: the path does
                answer = answer | {"metadata": table(answer.get("metadata")) | {"namespace": namespace}}
            self.inventory.take(answer)

    def _remove(self, verb: str, reference: Plain, answer: Plain, event: Plain) -> None:
        kind = kind_of(event)
        if kind not in KINDS or reference.get("subresource"):
            return
        if verb == "delete":
            self.inventory.remove(kind, *_place(kind, reference))
        elif text(answer.get("kind")).endswith("List"):
            for one in items(answer.get("items")):
                self.inventory.remove(kind, text(at(one, "metadata", "namespace")), name_of(one))
        elif parameters(event).keys() & {"labelSelector", "fieldSelector"}:
            self.unknown[kind] += 1
        else:
            where = text(reference.get("namespace"))
            for namespace, name in list(self.inventory.of(kind)):
                if namespace == where or not where:
                    self.inventory.remove(kind, namespace, name)


def _placed(asked: Plain, reference: Plain) -> Plain:
    metadata = table(asked.get("metadata"))
    said = {one: reference[one] for one in ("namespace", "name") if one in reference and not metadata.get(one)}
    return asked | {"metadata": metadata | said} if asked and said else asked


def _place(kind: str, reference: Plain) -> tuple[str, str]:
    namespace = text(reference.get("namespace")) if KINDS[kind] else ""
    return namespace, text(reference.get("name"))


def kind_of(event: Plain) -> str:
    """Return the kind of an event's object, as ``KINDS`` has it; empty when it is none of them."""
    reference = table(event.get("objectRef"))
    group, resource = text(reference.get("apiGroup")), text(reference.get("resource"))
    for one in built_in().get(resource, ()):
        if one.group == group and one.name == resource:
            return kind_key(one.kind, f"{group}/v1" if group else "v1")
    return ""
