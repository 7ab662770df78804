"""Every change to roles and bindings that an audit log holds: who, when, what was before and what is after."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.enrich.kubernetes.audit_objects import parameters, was_done
from hullwatch.posture.audit_event import actor, is_allowed, when
from hullwatch.posture.audit_state import AuditState, kind_of
from hullwatch.posture.inventory import KINDS, RBAC
from hullwatch.posture.plain import as_json, at, items, name_of, table, tables, text, texts
from hullwatch.posture.policy_rule import read_rule
from hullwatch.posture.risk_table import hits, risks
from hullwatch.posture.severity import SEVERITIES
from hullwatch.posture.subject import Subject, read_subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.posture.audit_event import Actor
    from hullwatch.posture.plain import Plain

WATCHED = {f"{kind}.{RBAC}" for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")}
VERBS = {"create", "update", "patch", "delete", "deletecollection"}
LONGEST_PATCH = 2000  # characters
MOST_LINES = 5000  # of one object


class Change(NamedTuple):
    """One change, or one attempt.

    Attributes:
        time: RFC 3339, UTC.
        by: who.
        verb: of the request.
        kind: of the object.
        namespace: of it.
        name: of it; empty when the log does not tell.
        refused: whether it was only tried.
        added: rules, subjects, labels and the like that came, in words.
        removed: those that went.
        unknown: what the log cannot tell, in a sentence; empty when it tells all.
        severity: how dangerous what came is.
        risks: the ids of what came.
        id: the event's auditID.
    """

    time: str
    by: Actor
    verb: str
    kind: str
    namespace: str
    name: str
    refused: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]
    unknown: str
    severity: str
    risks: tuple[str, ...]
    id: str


def changes(events: Iterable[Plain], *, refused: bool = False) -> Iterator[Change]:
    """Return the changes in an audit log in its order; writes that change nothing are left out.

    Args:
        events: of the log, in their order: what they show earlier is what was before.
        refused: also attempts that were not allowed.
    """
    trail = ChangeTrail()
    for event in events:
        for change in trail.take(event):
            if refused or not change.refused:
                yield change


class ChangeTrail:
    """Follows a log, and says what changes."""

    def __init__(self, state: AuditState | None = None) -> None:
        """Know nothing yet, or share a state with another trail."""
        self.state = AuditState() if state is None else state

    def take(self, event: Plain) -> list[Change]:
        """Take an event; return the changes in it: several when many objects are deleted at once."""
        kind = kind_of(event)
        verb = text(event.get("verb"))
        if kind not in WATCHED:
            return []
        if verb not in VERBS or at(event, "objectRef", "subresource"):
            self.state.take(event)
            return []
        if event.get("stage") == "ResponseComplete" and not was_done(event):
            return [] if is_allowed(event) or parameters(event).get("dryRun") else [self._attempt(event, kind)]
        if not was_done(event):
            return []
        if verb == "deletecollection":
            found = self._deleted(event, kind)
            self.state.take(event)
            return found
        reference = table(event.get("objectRef"))
        place = self._place(kind, reference, event)
        before = self.state.inventory.get(kind, *place) if place[1] else None
        unknown_before = self.state.unknown[kind]
        self.state.take(event)
        after = self.state.inventory.get(kind, *place) if verb != "delete" and place[1] else None
        lost = self.state.unknown[kind] > unknown_before
        if lost and place[1]:
            self.state.inventory.remove(kind, *place)  # what is known of it is not so any more
        if verb in {"update", "patch"} and after is not None and not lost and before == after:
            return []
        change = self._change(event, kind, place, None if verb == "create" else before, None if lost else after)
        said = change.added or change.removed or change.unknown
        return [change] if said or verb in {"create", "delete"} else []

    def _place(self, kind: str, reference: Plain, event: Plain) -> tuple[str, str]:
        answer = table(event.get("responseObject"))
        same = answer.get("kind") == kind.partition(".")[0]
        name = text(reference.get("name")) or (name_of(answer) if same else name_of(event.get("requestObject")))
        return (text(reference.get("namespace")) or "default" if KINDS[kind] else "", name)

    def _attempt(self, event: Plain, kind: str) -> Change:
        place = self._place(kind, table(event.get("objectRef")), event)
        asked = table(event.get("requestObject"))
        found = self._change(event, kind, place, None, asked if event.get("verb") == "create" and asked else None)
        unknown = "" if found.added else "what was asked for is not in the log"
        return found._replace(refused=True, severity="info", removed=(), unknown=unknown)

    def _deleted(self, event: Plain, kind: str) -> list[Change]:
        listed = items(at(event, "responseObject", "items"))
        places = [(text(at(one, "metadata", "namespace")), name_of(one)) for one in listed]
        if not places:
            where = text(at(event, "objectRef", "namespace"))
            selected = parameters(event).keys() & {"labelSelector", "fieldSelector"}
            known = [] if selected else [place for place in self.state.inventory.of(kind) if where in {"", place[0]}]
            nameless = self._change(event, kind, (where, ""), None, None)
            places = known
            if not known:
                return [nameless._replace(unknown="several were deleted; which, the log does not tell")]
        return [self._change(event, kind, place, self.state.inventory.get(kind, *place), None) for place in places]

    def _change(
        self, event: Plain, kind: str, place: tuple[str, str], before: Plain | None, after: Plain | None
    ) -> Change:
        verb = text(event.get("verb"))
        old, new = _facts(kind, before, place[0]), _facts(kind, after, place[0])
        gone = verb in {"delete", "deletecollection"}
        if after is None and not gone:
            added, removed = [], []
        elif before is None and verb in {"update", "patch"}:
            added, removed = list(new), []
        else:
            added, removed = [one for one in new if one not in old], [one for one in old if one not in new]
        unknown = _unknown(event, verb, before, after)
        severity, found = self._danger(kind, before if verb != "create" else None, after)
        return Change(
            when(event),
            actor(event),
            verb,
            kind.partition(".")[0],
            *place,
            refused=False,
            added=tuple(added),
            removed=tuple(removed),
            unknown=unknown,
            severity=severity,
            risks=found,
            id=text(event.get("auditID")),
        )

    def _danger(self, kind: str, before: Plain | None, after: Plain | None) -> tuple[str, tuple[str, ...]]:
        """Return how bad what came is, and its risks: of a binding those of its role, as far as that is known."""
        if after is None:
            return "info", ()
        bound = kind.startswith(("RoleBinding", "ClusterRoleBinding"))
        new = self._risks_of(after) if bound else _risks_of_rules(after)
        if bound and before is not None and _subjects(before) >= _subjects(after):
            return "low", ()
        came_to = _subjects(after) - _subjects(before or {}) if bound else set[Subject]()
        if any(one.public for one in came_to):
            new = (*new, "public")
        old = (() if bound else _risks_of_rules(before)) if before is not None else ()
        came = tuple(one for one in new if one not in old)
        namespace = "" if kind.startswith("Cluster") else text(at(after, "metadata", "namespace"))
        found = [severity for one in came if (severity := risks()[one].severity(namespace)) != "none"]
        return max(found, key=SEVERITIES.index, default="low"), came

    def _risks_of(self, binding: Plain) -> tuple[str, ...]:
        reference = table(binding.get("roleRef"))
        kind = f"{text(reference.get('kind'))}.{RBAC}"
        if kind not in WATCHED:
            return ()
        namespace = text(at(binding, "metadata", "namespace")) if kind.startswith("Role.") else ""
        if reference.get("name") == "cluster-admin" and kind.startswith("Cluster"):
            return ("everything",)
        return _risks_of_rules(self.state.inventory.find(kind, namespace, text(reference.get("name"))))


def _subjects(binding: Plain) -> set[Subject]:
    namespace = text(at(binding, "metadata", "namespace"))
    read = (read_subject(one, namespace) for one in items(binding.get("subjects")))
    return {one for one in read if one is not None}


def _risks_of_rules(role: Plain | None) -> tuple[str, ...]:
    found = (hit.risk for one in items(at(role, "rules")) for hit in hits(read_rule(one)))
    return tuple(dict.fromkeys(found))


def _facts(kind: str, plain: Plain | None, namespace: str) -> dict[str, None]:
    """Return what an object says, a line each: rules one by one, so that the difference is what really changed."""
    if plain is None:
        return {}
    found: list[str] = []
    if kind.startswith(("Role.", "ClusterRole.")):
        lines = (line for rule in tables(plain.get("rules")) for line in _atoms(rule))
        found += itertools.islice(lines, MOST_LINES)
        if next(lines, None) is not None:
            found.append(f"more than {MOST_LINES} lines, of which the rest is not compared")
        for one in items(at(plain, "aggregationRule", "clusterRoleSelectors")):
            found.append(f"collects roles by {as_json(one, 300)}")
    else:
        role = table(plain.get("roleRef"))
        found.append(f"role {text(role.get('kind'))} {text(role.get('name'))}")
        subjects = (read_subject(one, namespace) for one in items(plain.get("subjects")))
        found += [f"subject {one.words}" for one in subjects if one is not None]
    labels = table(at(plain, "metadata", "labels"))
    found += [f"label {text(key)}={text(value)}" for key, value in labels.items()]
    return dict.fromkeys(found)


def _atoms(rule: Plain) -> Iterator[str]:
    """Return a rule as one line for each resource, with its verbs in order: the order in a rule means nothing."""
    verbs = ", ".join(sorted(texts(rule.get("verbs"))))
    names = sorted(texts(rule.get("resourceNames")))
    only = f" only {', '.join(names)}" if names else ""
    for group in texts(rule.get("apiGroups")):
        for resource in texts(rule.get("resources")):
            yield f"{verbs} {resource}{f'.{group}' if group else ''}{only}"
    for url in texts(rule.get("nonResourceURLs")):
        yield f"{verbs} {url}"


def _unknown(event: Plain, verb: str, before: Plain | None, after: Plain | None) -> str:
    """Return what cannot be known of a change, and why."""
    level = text(event.get("level"))
    if verb in {"delete", "deletecollection"}:
        return "" if before is not None else "what it gave: the log does not show it before"
    if after is None:
        if isinstance(event.get("requestObject"), dict | list):
            patch = as_json(event["requestObject"], LONGEST_PATCH)
            return f"the result: the log has the level {level or 'of nobody'}, so only the request is known: {patch}"
        return f"what changed: the log has the level {level or 'of nobody'}, which keeps no contents"
    if before is None and verb in {"update", "patch"}:
        return "what was before: the log does not show it, so all that is there now is listed"
    return ""
