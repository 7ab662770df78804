"""The table of dangerous rights (``risks.toml``), and which of them a rule gives."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Any, NamedTuple

from hullwatch.posture.policy_rule import NAMELESS, PolicyRule


class Wanted(NamedTuple):
    """One verb of these with one resource of these in one group of these is enough."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]


class Risk(NamedTuple):
    """A dangerous right, as ``risks.toml`` explains it."""

    id: str
    title: str
    cluster: str
    namespace: str
    any: tuple[Wanted, ...]
    all: tuple[str, ...]
    names: tuple[str, ...]
    namespaces: tuple[str, ...]
    urls: tuple[str, ...]
    verbs: tuple[str, ...]
    wildcard: str
    leads: str
    why: str
    attack: str

    def severity(self, namespace: str) -> str:
        """Return how bad it is at a place; ``none`` where it is nothing by itself."""
        return self.cluster if namespace in {"", "kube-system"} and self._counts(namespace) else self.namespace

    def _counts(self, namespace: str) -> bool:
        return not namespace or self.namespace != "none"  # nothing in a namespace, also in kube-system


class Hit(NamedTuple):
    """That a rule gives a risk.

    Attributes:
        risk: its id.
        what: verbs and resources that do, such as ``get secrets``.
        names: of the objects that it is limited to; empty for all.
    """

    risk: str
    what: tuple[str, ...]
    names: tuple[str, ...]


@functools.cache
def risks() -> dict[str, Risk]:
    """Return all risks by their id."""
    data = resources.files("hullwatch.posture").joinpath("risks.toml").read_text(encoding="utf-8")
    return {one["id"]: _read(one) for one in tomllib.loads(data)["risk"]}


def _read(one: dict[str, Any]) -> Risk:
    wanted = tuple(
        Wanted(tuple(each["verbs"]), tuple(each["groups"]), tuple(each["resources"])) for each in one.get("any", ())
    )
    lists = {key: tuple(one.get(key, ())) for key in ("all", "names", "namespaces", "urls", "verbs")}
    return Risk(
        id=one["id"],
        title=one.get("title", ""),
        cluster=one["cluster"],
        namespace=one["namespace"],
        any=wanted,
        wildcard=one.get("wildcard", ""),
        leads=one.get("leads", ""),
        why=one.get("why", ""),
        attack=one.get("attack", ""),
        **lists,
    )


@functools.lru_cache(maxsize=65_536)
def hits(rule: PolicyRule) -> tuple[Hit, ...]:
    """Return the risks that a rule gives by itself; those of combinations come from several rules."""
    found: list[Hit] = []
    for risk in risks().values():
        what = _what(rule, risk)
        if not what:
            continue
        if risk.id == "everything":
            return (Hit(risk.id, what, rule.names),)
        if risk.id == "core-everything":  # says it all about the core group: what is left of the rule is looked at
            rest = tuple(group for group in rule.groups if group)
            return (Hit(risk.id, what, rule.names), *(hits(rule._replace(groups=rest)) if rest else ()))
        names = rule.names
        if risk.names and names:
            names = tuple(name for name in names if name in risk.names)
            if not names:
                continue
        found.append(Hit(risk.id, what, names))
    return tuple(found)


def _what(rule: PolicyRule, risk: Risk) -> tuple[str, ...]:
    if risk.urls:
        allowed = [url for url in risk.urls if rule.has_verb("get") and rule.has_url(url)]
        return tuple(f"get {url}" for url in allowed) if not rule.resources else ()
    if risk.wildcard:
        wide = rule.verbs if risk.wildcard == "verbs" else rule.resources
        reads = ", ".join(rule.verbs)
        return (f"{reads} {', '.join(rule.resources)}",) if "*" in wide and rule.resources and not rule.names else ()
    return tuple(dict.fromkeys(what for wanted in risk.any for what in _given(rule, wanted)))


def _given(rule: PolicyRule, wanted: Wanted) -> list[str]:
    """Return what of the wanted a rule gives; a rule with names gives nothing to requests that name none."""
    if not any(group in rule.groups for group in wanted.groups) and "*" not in rule.groups:
        return []
    verbs = [verb for verb in wanted.verbs if rule.has_verb(verb)]
    if not verbs:
        return []
    given: list[str] = []
    for resource in wanted.resources:
        base, _, subresource = resource.partition("/")
        if not (rule.has_resource(base, subresource) or (base == "any" and rule.resources)):
            continue
        named = [verb for verb in verbs if not rule.names or subresource or verb not in NAMELESS]
        if named:
            given.append(f"{'/'.join(named)} {resource}")
    return given
