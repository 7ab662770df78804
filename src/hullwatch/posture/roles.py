"""Roles as the authoriser uses them: aggregated ones with the rules of those that they collect."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.inventory import RBAC
from hullwatch.posture.plain import at, items, labels, table, tables, text
from hullwatch.posture.policy_rule import PolicyRule, read_rule
from hullwatch.posture.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.plain import Plain

MOST_COLLECTED = 2_000_000  # rules of all aggregated roles together
MOST_CIRCLES = 200  # aggregated roles that are looked at for circles
MOST_COMPARED = 20_000_000  # labels of one role with the selectors of another
RoleKey = tuple[str, str, str]  # kind, namespace and name


class Role(NamedTuple):
    """A role with its rules, each of them once."""

    kind: str
    namespace: str
    name: str
    rules: tuple[PolicyRule, ...]

    @property
    def words(self) -> str:
        """How people read it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Roles(NamedTuple):
    """All roles, the names of ClusterRoles that others collect, and sentences about what is wrong."""

    roles: dict[RoleKey, Role]
    collected: set[str]
    problems: list[str]


def read_roles(inventory: Inventory) -> Roles:
    """Return all roles, each with the rules that it has or will have."""
    known: dict[PolicyRule, PolicyRule] = {}  # equal rules are one object: thousands of roles share a few

    def rules_of(plain: Plain) -> tuple[PolicyRule, ...]:
        read = (read_rule(one) for one in items(plain.get("rules")))
        return tuple(dict.fromkeys(known.setdefault(rule, rule) for rule in read))

    roles: dict[RoleKey, Role] = {}
    for (namespace, name), plain in inventory.of(f"Role.{RBAC}").items():
        roles["Role", namespace, name] = Role("Role", namespace, name, rules_of(plain))
    cluster = {name: plain for (_, name), plain in inventory.of(f"ClusterRole.{RBAC}").items()}
    own = {name: rules_of(plain) for name, plain in cluster.items()}
    collected, problems = _collected(cluster)
    left = MOST_COLLECTED
    for name in cluster:
        rules = own[name]
        if name in collected and left > 0:
            rules = _rules(name, own, collected)
            left -= len(rules)
        roles["ClusterRole", "", name] = Role("ClusterRole", "", name, rules)
    if left <= 0:
        problems.append(
            "Aggregated roles collect so many rules that some have only their own here: answers may lack them."
        )
    return Roles(roles, {name for names in collected.values() for name in names}, problems)


def _collected(cluster: dict[str, Plain]) -> tuple[dict[str, list[str]], list[str]]:
    """Return which roles each aggregated one collects, itself never, and sentences about cycles."""
    named = {name: labels(at(plain, "metadata", "labels")) for name, plain in cluster.items()}
    labelled = {name: of for name, of in named.items() if of}
    found: dict[str, list[str]] = {}
    problems: list[str] = []
    left = MOST_COMPARED
    for name, plain in cluster.items():
        selectors = [Selector(one) for one in tables(at(plain, "aggregationRule", "clusterRoleSelectors"))]
        if not selectors:
            continue
        candidates = named if any(selector.empty for selector in selectors) else labelled
        left -= len(candidates) * len(selectors)
        if left < 0:
            problems.append(
                f"ClusterRole {name} collects others, and they are too many to be compared: it has its own rules."
            )
            continue
        found[name] = [
            other
            for other, of in candidates.items()
            if other != name and any(selector.holds(of) for selector in selectors)
        ]
    problems += [
        f"ClusterRole {name} collects itself through others; each of them gets the rules of all."
        for name in itertools.islice(found, MOST_CIRCLES)
        if name in _reached(found[name], found)
    ]
    return found, problems


def _reached(beginning: Iterable[str], collected: dict[str, list[str]]) -> dict[str, None]:
    """Return all roles whose rules come to one that collects these, in order."""
    reached: dict[str, None] = {}
    waiting = list(beginning)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = None
            waiting += collected.get(name, ())
    return reached


def _rules(
    name: str, own: dict[str, tuple[PolicyRule, ...]], collected: dict[str, list[str]]
) -> tuple[PolicyRule, ...]:
    """Return the rules that a role has or will have when the cluster's controller has filled it."""
    if name not in collected:
        return own[name]
    gathered = dict.fromkeys(own[name])
    for other in _reached(collected[name], collected):
        gathered |= dict.fromkeys(own[other])
    return tuple(gathered)


def role_reference(written: object, namespace: str) -> RoleKey:
    """Return which role a binding is for; that of another kind than the two is never found."""
    reference = table(written)
    kind = text(reference.get("kind"))
    return (kind, namespace if kind == "Role" else "", text(reference.get("name")))
