"""What was granted and not used, by the audit log."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.resources import requested_namespace
from hullwatch.posture.subject import Subject, of_user

if TYPE_CHECKING:
    from hullwatch.posture.policy_rule import PolicyRule
    from hullwatch.posture.resources import Request
    from hullwatch.posture.rights import Grant, Rights
    from hullwatch.posture.usage import Usage

MOST_LISTED = 200  # rights of one grant
MOST_RIGHTS = 100_000  # of one rule: beyond them it counts as one right


class Unused(NamedTuple):
    """What of a grant was not used.

    Attributes:
        grant: which.
        used: how many of its rights were used; a right is a verb with a resource of one of its rules.
        rights: how many it has.
        unused: those that were not, in words.
        narrower: what a rule with ``*`` was really used for, in words.
        last: when it was used last, RFC 3339; empty for never.
    """

    grant: Grant
    used: int
    rights: int
    unused: tuple[str, ...]
    narrower: tuple[str, ...]
    last: str


class _Use:
    __slots__ = ("last", "requests")

    def __init__(self) -> None:
        self.requests: dict[tuple[PolicyRule, str, str, str], None] = {}  # rule, verb, group, resource
        self.last = ""


def find_unused(rights: Rights, usage: Usage) -> list[Unused]:
    """Return for each grant what was not used of it; grants that are used whole are left out.

    A request counts as a use of every grant that allows it: without one of them it would still have gone through. A
    group is used by each user that the log shows in it.
    """
    uses = _uses(rights, usage)
    found: list[Unused] = []
    for grant in rights.grants():
        use = uses.get(_key(grant))
        one = _compare(grant, use)
        if one.used < one.rights or one.narrower:
            found.append(one)
    return sorted(found, key=lambda one: (one.used > 0, one.grant.subject, one.grant.namespace, one.grant.binding.name))


def _key(grant: Grant) -> tuple[Subject, str, str]:
    return grant.subject, grant.namespace, grant.binding.name


def _uses(rights: Rights, usage: Usage) -> dict[tuple[Subject, str, str], _Use]:
    found: defaultdict[tuple[Subject, str, str], _Use] = defaultdict(_Use)
    for user, use in usage.users.items():
        subject = of_user(user)
        grants = rights.of(subject, tuple(use.groups))
        seen: dict[Request, str] = {}  # without names where no rule has any: a thousand pods are one question
        named = any(rule.names for grant in grants for rule in grant.role.rules)
        for done in (use.allowed, use.acted):
            for request, used in done.items():
                asked = request if named or request.resource == "namespaces" else request._replace(name="")
                seen[asked] = max(seen.get(asked, ""), used.last)
        for request, last in seen.items():
            namespace = requested_namespace(request)
            for grant in grants:
                if grant.namespace and grant.namespace != namespace:
                    continue
                for rule in grant.role.rules:
                    if rule.allows(request):
                        noted = found[_key(grant)]
                        resource = (
                            f"{request.resource}/{request.subresource}" if request.subresource else request.resource
                        )
                        noted.requests[rule, request.verb, request.group, resource or request.path] = None
                        noted.last = max(noted.last, last)
    return found


def _compare(grant: Grant, use: _Use | None) -> Unused:
    """Return what of a grant's rights were used; ``*`` counts as one right, and what it was used for is told."""
    of_rule: defaultdict[PolicyRule, list[tuple[str, str, str]]] = defaultdict(list)
    for rule, verb, group, resource in use.requests if use is not None else ():
        of_rule[rule].append((verb, group, resource))
    used = number = 0
    unused: list[str] = []
    narrower: list[str] = []
    for rule in grant.role.rules:
        requests = of_rule.get(rule, [])
        if len(rule.verbs) * len(rule.resources or rule.urls) > MOST_RIGHTS:
            number, used = number + 1, used + bool(requests)
            continue
        for verb in rule.verbs:
            for resource in rule.resources or rule.urls:
                number += 1
                if any(_is_of(verb, resource, request) for request in requests):
                    used += 1
                elif len(unused) < MOST_LISTED:
                    groups = [group for group in rule.groups if group]
                    unused.append(f"{verb} {resource}" + (f".{groups[0]}" if groups and rule.resources else ""))
        if "*" in rule.verbs or "*" in (*rule.resources, *rule.urls):
            narrower += sorted(
                {f"{verb} {resource}" + (f".{group}" if group else "") for verb, group, resource in requests}
            )
    last = use.last if use is not None else ""
    return Unused(grant, used, number, tuple(unused), tuple(dict.fromkeys(narrower))[:MOST_LISTED], last)


def _is_of(verb: str, resource: str, request: tuple[str, str, str]) -> bool:
    asked_verb, _, asked = request
    if verb not in {"*", asked_verb}:
        return False
    if resource.startswith("*/"):
        return asked.endswith(resource[1:])
    return resource in {"*", asked} or (resource.endswith("*") and asked.startswith(resource.rstrip("*")))
