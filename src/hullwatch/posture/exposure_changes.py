"""Openings that are added or widened, with their author, by the audit log."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.enrich.kubernetes.audit_objects import was_done
from hullwatch.posture.audit_event import actor, when
from hullwatch.posture.audit_state import AuditState, kind_of
from hullwatch.posture.inventory import GATEWAY, KINDS, NETWORKING, kind_key
from hullwatch.posture.openings import OUTSIDE, ROUTE_KINDS, of_object, parents
from hullwatch.posture.plain import as_json, at, items, name_of, table, tables, text
from hullwatch.posture.workloads import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.posture.audit_event import Actor
    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.plain import Plain

_POLICY = f"NetworkPolicy.{NETWORKING}"
WATCHED = {"Service", "Pod", f"Ingress.{NETWORKING}", f"Gateway.{GATEWAY}", _POLICY, *ROUTE_KINDS, *TEMPLATES}


class ExposureChange(NamedTuple):
    """An opening that somebody added or widened.

    Attributes:
        time: RFC 3339, UTC.
        by: the author.
        verb: of the request.
        kind: of the object.
        namespace: of it.
        name: of it; empty when the API chose it and the log does not tell.
        change: ``added``, ``widened``, or ``unknown`` when the log does not tell what was before or what came of it.
        what: what is open now and was not, piece by piece.
        sentence: all of it for people, not escaped.
        severity: low for what only the cloud's own network or a name reaches, else medium.
        id: the event's auditID.
        before: what was open already, piece by piece; empty where that is not known.
        told: whether the log tells what is open now.
    """

    time: str
    by: Actor
    verb: str
    kind: str
    namespace: str
    name: str
    change: str
    what: tuple[str, ...]
    sentence: str
    severity: str
    id: str
    before: tuple[str, ...] = ()
    told: bool = True


def exposure_changes(events: Iterable[Plain], known: Inventory | None = None) -> Iterator[ExposureChange]:
    """Return the openings that the events of an audit log add or widen, in its order.

    Args:
        events: in their order: what they show earlier is what was before.
        known: what was there before the first of them, if that is known; it then follows the events.
    """
    trail = ExposureTrail(known)
    for event in events:
        change = trail.take(event)
        if change is not None:
            yield change


class ExposureTrail:
    """Follows a log, and says what is opened."""

    def __init__(self, known: Inventory | None = None, state: AuditState | None = None) -> None:
        """Begin with what is known, or share a state with another trail."""
        self.state = AuditState(known) if state is None else state

    def take(self, event: Plain) -> ExposureChange | None:
        """Take an event; return what it opens, or None."""
        kind, verb = kind_of(event), text(event.get("verb"))
        reference = table(event.get("objectRef"))
        relevant = kind in WATCHED and verb in {"create", "update", "patch", "delete"} and was_done(event)
        if not relevant or reference.get("subresource"):
            self.state.take(event)
            return None
        place = _place(kind, reference, event)
        before = None if verb == "create" else self.state.inventory.get(kind, *place)
        lost = self.state.unknown[kind]
        self.state.take(event)
        if verb == "delete":
            return self._removed(event, kind, place, before) if kind == _POLICY else None
        if self.state.unknown[kind] > lost:
            self.state.inventory.remove(kind, *place)
            return self._unknown(event, kind, place) if _may_open(kind, event) else None
        after = self.state.inventory.get(kind, *place)
        if after is None or _is_made_by_another(kind, after):
            return None
        old, new = _parts(kind, before, *place), _parts(kind, after, *place)
        old |= _given_before(kind, before, after) & new
        what = tuple(sorted(part for part in new - old if not _is_within(part, old)))
        if not what or (kind == _POLICY and before is None and verb == "create"):
            return None
        known = verb == "create" or before is not None
        change = "unknown" if not known else "widened" if old or kind == _POLICY else "added"
        return _change(event, kind, place, change, what)._replace(before=tuple(sorted(old)))

    def _removed(self, event: Plain, kind: str, place: tuple[str, str], before: Plain | None) -> ExposureChange:
        what = "what it kept away from pods is let in, as far as no other policy is there"
        return _change(event, kind, place, "widened" if before is not None else "unknown", (what,))

    def _unknown(self, event: Plain, kind: str, place: tuple[str, str]) -> ExposureChange:
        level = text(event.get("level")) or "unknown"
        what = (f"the log has the level {level}, which does not tell",)
        return _change(event, kind, place, "unknown", what)._replace(told=False)


def _place(kind: str, reference: Plain, event: Plain) -> tuple[str, str]:
    answer = table(event.get("responseObject"))
    same = kind_key(text(answer.get("kind")), text(answer.get("apiVersion"))) == kind
    name = text(reference.get("name")) or (name_of(answer) if same else name_of(event.get("requestObject")))
    return (text(reference.get("namespace")) or "default" if KINDS[kind] else "", name)


def _may_open(kind: str, event: Plain) -> bool:
    """Whether a change whose result is unknown is worth a word: pods and workloads open nothing as a rule."""
    if kind in {"Service", f"Ingress.{NETWORKING}", f"Gateway.{GATEWAY}", _POLICY, *ROUTE_KINDS}:
        return True
    if _is_made_by_another(kind, table(event.get("requestObject"))):
        return False
    written = as_json(event["requestObject"], 1_000_000) if event.get("requestObject") else ""
    return "hostPort" in written or "hostNetwork" in written


def _is_made_by_another(kind: str, plain: Plain) -> bool:
    """Whether a workload made it, which was told already when somebody made that."""
    if kind not in {"Pod", "ReplicaSet.apps", "Job.batch"}:
        return False
    owners = tables(at(plain, "metadata", "ownerReferences"))
    return any(kind_key(text(one.get("kind")), text(one.get("apiVersion"))) in TEMPLATES for one in owners)


def _parts(kind: str, plain: Plain | None, namespace: str, name: str) -> set[str]:
    if plain is None:
        return set()
    if kind == _POLICY:
        return _let_in(plain)
    parts = {part for opening in of_object(kind, namespace, name, plain) for part in opening.parts()}
    if kind in ROUTE_KINDS:
        hanging = {
            f"at gateway {where}/{gateway} {section}".rstrip() for where, gateway, section in parents(plain, namespace)
        }
        return parts | hanging if hanging else set()
    return parts


def _given_before(kind: str, before: Plain | None, after: Plain) -> set[str]:
    """Return the node ports of a service's ports that had one already, which a request does not tell."""
    spec = table(at(before, "spec"))
    opened = kind == "Service" and spec.get("type") in {"NodePort", "LoadBalancer"}
    if not opened or spec.get("allocateLoadBalancerNodePorts") is False:
        return set()
    without = {(_protocol(one), one.get("port")) for one in tables(spec.get("ports")) if not one.get("nodePort")}
    ports = (one for one in tables(at(after, "spec", "ports")) if (_protocol(one), one.get("port")) in without)
    return {f"NodePort {_protocol(one)} {one.get('nodePort')}" for one in ports}


def _protocol(port: Plain) -> str:
    return text(port.get("protocol")) or "TCP"


def _is_within(part: str, old: set[str]) -> bool:
    """Whether a range or a name was open before as a part of a wider one: then it has been narrowed."""
    for word, everything in ((" from ", "everywhere"), (" for ", "every name")):
        way, found, limit = part.partition(word)
        if not found or limit == everything:
            continue
        before = [one.removeprefix(f"{way}{word}") for one in old if one.startswith(f"{way}{word}")]
        return everything in before or any(_is_part(limit, one) for one in before)
    return False


def _is_part(inner: str, outer: str) -> bool:
    """Whether a range is a part of another, or a name is one of a pattern such as ``*.example``."""
    try:
        first, second = ipaddress.ip_network(inner, strict=False), ipaddress.ip_network(outer, strict=False)
    except ValueError:
        return outer.startswith("*.") and inner.endswith(outer[1:])
    return (
        first.version == second.version
        and int(first.network_address) >= int(second.network_address)
        and int(first.broadcast_address) <= int(second.broadcast_address)
    )


def _let_in(policy: Plain) -> set[str]:
    """Return what a policy lets in: an empty set for one that is new is right, for it only takes away."""
    return {f"lets in {as_json(rule, 300)}" for rule in items(at(policy, "spec", "ingress"))}


def _change(event: Plain, kind: str, place: tuple[str, str], change: str, what: tuple[str, ...]) -> ExposureChange:
    by, written = actor(event), kind.partition(".")[0]
    verbs = {
        "added": "opened something to the outside",
        "widened": "opened more to the outside",
        "unknown": "changed what may be open to the outside",
    }
    if kind == _POLICY:
        verbs = dict.fromkeys(verbs, "let more in to pods")
    sentence = f"{by.words} {verbs[change]}: {written} {place[0]}/{place[1] or '?'}: {'; '.join(what[:8])}."
    way = {one.split(" ", 1)[0] for one in what}
    quiet = way == {"ExternalName"} or (way == {"LoadBalancer"} and change == "added" and OUTSIDE not in what)
    severity = "low" if quiet else "medium"
    moment, number = when(event), text(event.get("auditID"))
    return ExposureChange(
        moment, by, text(event.get("verb")), written, *place, change, what, sentence, severity, number
    )
