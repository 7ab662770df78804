"""The objects of a cluster, as far as its audit log shows them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hullwatch.enrich.kubernetes.audit_objects import VERBS, answer_of
from hullwatch.posture.inventory import KINDS, Inventory, kind_key
from hullwatch.posture.plain import at, name_of, table, text
from hullwatch.posture.resources import built_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.enrich.kubernetes.audit_objects import Shown
    from hullwatch.posture.plain import Plain


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
        if text(event.get("verb")) not in VERBS:
            return
        kind = kind_of(event)
        if kind not in KINDS:
            return
        answer = answer_of(event, kind.partition(".")[0])
        reference = table(event.get("objectRef"))
        for one in answer.shown:
            self._take(kind, one, reference, deleted=event["verb"] == "delete")
        if answer.unknown:
            self.unknown[kind] += 1
        if answer.emptied is not None:
            for namespace, name in list(self.inventory.of(kind)):
                if answer.emptied in {"", namespace}:
                    self.inventory.remove(kind, namespace, name)

    def _take(self, kind: str, one: Shown, reference: Plain, *, deleted: bool) -> None:
        """Take an object; a pod that ends counts no more, nor does what somebody has asked to delete."""
        if one.gone or (one.ends and (deleted or kind == "Pod")):
            where = text(at(one.found, "metadata", "namespace")) or text(reference.get("namespace"))
            name = name_of(one.found) or text(reference.get("name"))
            self.inventory.remove(kind, where if KINDS[kind] else "", name)
        else:
            group = kind.partition(".")[2]
            self.inventory.take(one.found, kind.partition(".")[0], f"{group}/v1" if group else "v1")


def kind_of(event: Plain) -> str:
    """Return the kind of an event's object, as ``KINDS`` has it; empty when it is none of them."""
    reference = table(event.get("objectRef"))
    group, resource = text(reference.get("apiGroup")), text(reference.get("resource"))
    for one in built_in().get(resource, ()):
        if one.group == group and one.name == resource:
            return kind_key(one.kind, f"{group}/v1" if group else "v1")
    return ""
