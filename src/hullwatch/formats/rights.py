"""Rights, risks and changes of roles as rows for people and documents for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.posture.plain import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hullwatch.posture.audit_event import Actor
    from hullwatch.posture.changes import Change
    from hullwatch.posture.paths import Place, Step
    from hullwatch.posture.rights import Answer, Grant
    from hullwatch.posture.risks import Finding
    from hullwatch.posture.subject import Subject
    from hullwatch.posture.unused import Unused

EVERYWHERE = "everywhere"


def subject_document(subject: Subject) -> dict[str, str]:
    """Return a subject as an object."""
    named = {"kind": subject.kind, "name": subject.name}
    return named | ({"namespace": subject.namespace} if subject.namespace else {})


def grant_document(grant: Grant) -> dict[str, object]:
    """Return through which binding and role somebody has a right."""
    return {
        "subject": subject_document(grant.subject),
        "binding": grant.binding.words,
        "role": grant.role.words,
        "namespace": grant.namespace,
    }


def answer_rows(answers: Sequence[Answer]) -> list[list[str]]:
    """Return who may do something, where, limited to what, and through what."""
    return [
        ["WHO", "WHERE", "ONLY", "THROUGH"],
        *(
            [
                one.subject.words,
                one.namespace or EVERYWHERE,
                joined(one.names) or "-",
                f"{one.grant.binding.words} -> {one.grant.role.words}" if one.grant else "the API server itself",
            ]
            for one in answers
        ),
    ]


def answer_document(answer: Answer) -> dict[str, object]:
    """Return the same as an object."""
    through = {} if answer.grant is None else {"binding": answer.grant.binding.words, "role": answer.grant.role.words}
    return {
        "subject": subject_document(answer.subject),
        "namespace": answer.namespace,
        "names": answer.names,
        **through,
    }


def grant_rows(grants: Sequence[Grant], subject: Subject) -> list[list[str]]:
    """Return what a subject may do, a rule each; paths of the API server are given for the whole cluster alone."""
    rows = [["WHERE", "MAY", "THROUGH", "AS"]]
    for grant in grants:
        own = "itself" if grant.subject == subject else grant.subject.words
        through = f"{grant.binding.words} -> {grant.role.words}"
        rules = (rule for rule in grant.role.rules if rule.resources or not grant.namespace)
        rows += [[grant.namespace or EVERYWHERE, rule.words, through, own] for rule in rules]
    return rows


def grants_document(grants: Sequence[Grant], subject: Subject) -> list[dict[str, object]]:
    """Return the same as objects."""
    return [
        {
            **grant_document(grant),
            "member": grant.subject != subject,
            "rules": [
                {
                    "verbs": rule.verbs,
                    "apiGroups": rule.groups,
                    "resources": rule.resources,
                    "resourceNames": rule.names,
                    "nonResourceURLs": rule.urls,
                }
                for rule in grant.role.rules
            ],
        }
        for grant in grants
    ]


def risk_rows(findings: Sequence[Finding]) -> list[list[str]]:
    """Return dangerous rights, one each."""
    return [
        ["SEVERITY", "WHO", "CAN", "WHERE", "BY", "THROUGH"],
        *(
            [
                one.severity,
                one.subject.words,
                one.about.title + (f" (only {joined(one.names, 3)})" if one.names else ""),
                one.namespace or EVERYWHERE,
                joined(one.what, 3),
                joined((grant.binding.words for grant in one.grants), 3) or "-",
            ]
            for one in findings
        ),
    ]


def risk_document(one: Finding) -> dict[str, object]:
    """Return the same as an object, with what it means."""
    return {
        "severity": one.severity,
        "risk": one.risk,
        "title": one.about.title,
        "subject": subject_document(one.subject),
        "namespace": one.namespace,
        "what": one.what,
        "names": one.names,
        "grants": [grant_document(grant) for grant in one.grants],
        "comes_with_kubernetes": one.shipped,
        "why": one.about.why,
        "attack": one.about.attack,
    }


def unused_rows(found: Sequence[Unused]) -> list[list[str]]:
    """Return grants of which something was not used."""
    return [
        ["USED", "WHO", "WHERE", "THROUGH", "LAST", "NOT USED"],
        *(
            [
                f"{one.used} of {one.rights}" if one.used else "never",
                one.grant.subject.words,
                one.grant.namespace or EVERYWHERE,
                f"{one.grant.binding.words} -> {one.grant.role.words}",
                one.last or "-",
                (joined(one.unused, 5) or "-")
                + (f"; * was used for {joined(one.narrower, 5)}" if one.narrower else ""),
            ]
            for one in found
        ),
    ]


def unused_document(one: Unused) -> dict[str, object]:
    """Return the same as an object."""
    counts = {"rights": one.rights, "used": one.used, "last": one.last}
    return {**grant_document(one.grant), **counts, "unused": one.unused, "wildcard_used_for": one.narrower}


def actor_document(by: Actor) -> dict[str, object]:
    """Return who made a request."""
    acting = {"as_user": by.as_user, "as_groups": by.as_groups} if by.as_user else {}
    return {"user": by.user, "groups": by.groups, **acting, "addresses": by.addresses, "user_agent": by.agent}


def change_lines(one: Change) -> Iterable[str]:
    """Return a change as lines: a head, then what came and what went."""
    verb = f"{one.verb}, refused" if one.refused else one.verb
    name = f"{one.namespace}/{one.name}" if one.namespace else one.name
    yield f"{one.time}  {one.severity:<8}  {one.by.words}  {verb}  {one.kind} {name or '(name unknown)'}"
    yield from (f"  - {line}" for line in one.removed)
    yield from (f"  + {line}" for line in one.added)
    if one.unknown:
        yield f"  ? not known is {one.unknown}"


def change_document(one: Change) -> dict[str, object]:
    """Return the same as an object."""
    return {
        "time": one.time,
        "severity": one.severity,
        "by": actor_document(one.by),
        "verb": one.verb,
        "kind": one.kind,
        "namespace": one.namespace,
        "name": one.name,
        "refused": one.refused,
        "added": one.added,
        "removed": one.removed,
        "unknown": one.unknown,
        "risks": one.risks,
        "audit_id": one.id,
    }


def path_document(goal: str, start: Place, steps: Sequence[Step]) -> dict[str, object]:
    """Return a way to a goal as an object."""
    return {
        "goal": goal,
        "from": start.words,
        "steps": [{"from": step.start.words, "to": step.end.words, "why": step.why} for step in steps],
    }
