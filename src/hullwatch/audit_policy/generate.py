"""A policy that gives the loaded rules what they need, and logs no more than that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.audit_policy.calls import OTHER, VERBS, Call
from hullwatch.audit_policy.needs import STAGES, Level

if TYPE_CHECKING:
    from hullwatch.audit_policy.needs import Needs


def generate(needs: Needs, *, with_secrets: bool = False) -> str:
    """Return a policy as YAML.

    Args:
        needs: of the rules.
        with_secrets: log what secrets and tokens hold as well, if a rule needs it.
    """
    wanted = _wanted(needs)
    secret: set[Call] = set() if with_secrets else _secret(wanted)
    wanted |= dict.fromkeys(secret, Level.METADATA)
    lines = [
        "# Made by: hullwatch k8s audit-policy generate",
        f"# It gives {sum(map(bool, needs.values()))} rules what they need; what no rule asks for is not logged.",
    ]
    if secret:
        abouts = ", ".join(sorted({call.about for call in secret}))
        lines.append(f"# Of {abouts} only the metadata is logged, for what they hold is secret.")
    lines += ["apiVersion: audit.k8s.io/v1", "kind: Policy"]
    stages = [need.stages for calls in needs.values() for need in calls.values()]
    if not any(one <= {STAGES[0]} for one in stages):  # no rule is about the beginning of a call alone
        lines.append(f"omitStages: [{STAGES[0]}]")
    return "\n".join([*lines, "rules:", *_all_rules(wanted)]) + "\n"


def _secret(wanted: dict[Call, Level]) -> set[Call]:
    """Return the calls of which rules would like to see what is secret."""
    return {call for call, level in wanted.items() if level > Level.METADATA and call.holds_secrets}


def _wanted(needs: Needs) -> dict[Call, Level]:
    wanted: dict[Call, Level] = {}
    for calls in needs.values():
        for call, need in calls.items():
            wanted[call] = max(need.level, wanted.get(call, Level.NONE))
    return wanted


def _all_rules(wanted: dict[Call, Level]) -> list[str]:
    """Return the rules of a policy: of what is known by name, of paths, and of all the rest."""
    others: dict[str, Level] = {}  # by verb: a policy names groups, and of these resources the group is not known
    for call, level in wanted.items():
        if call.group == OTHER:
            others[call.verb] = max(level, others.get(call.verb, Level.NONE))
    lines: list[str] = []
    for level in (Level.REQUEST_RESPONSE, Level.REQUEST, Level.METADATA):
        lines += _rules(level, [call for call, one in wanted.items() if one is level and call.group != OTHER], others)
    if wanted.get(Call("get", "", "")):
        lines += ["- level: None", '  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version"]']
        lines += ["- level: Metadata", '  nonResourceURLs: ["*"]']
    else:
        lines += ["- level: None", '  nonResourceURLs: ["*"]']
    lines += _rules(Level.NONE, [one for one in _known(wanted) if one not in wanted and others.get(one.verb)], {})
    for level in sorted(set(others.values()), reverse=True):
        verbs = [verb for verb in VERBS if others.get(verb) is level]
        lines += [f"- level: {level.word}", *([f"  verbs: [{', '.join(verbs)}]"] if len(verbs) < len(VERBS) else [])]
    return lines if set(others) == set(VERBS) else [*lines, "- level: None"]


def _known(wanted: dict[Call, Level]) -> list[Call]:
    """Return every call to the resources that some call is wanted of."""
    abouts = {(call.group, call.resource, call.subresource) for call in wanted if call.resource and call.group != OTHER}
    return [Call(verb, *about) for about in sorted(abouts) for verb in VERBS]


def _rules(level: Level, calls: list[Call], others: dict[str, Level]) -> list[str]:
    """Return rules of a policy: those resources together of which the same verbs are meant."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for call in calls:
        if call.resource and others.get(call.verb) is not level:  # else the rule at the end says so
            verbs.setdefault((call.group, call.about), []).append(call.verb)
    together: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for (group, about), names in verbs.items():
        together.setdefault(tuple(names), {}).setdefault(group, []).append(about)
    lines: list[str] = []
    for names, groups in together.items():
        lines.append(f"- level: {level.word}")
        if len(names) < len(VERBS):
            lines.append(f"  verbs: [{', '.join(names)}]")
        lines.append("  resources:")
        for group, abouts in groups.items():
            listed = ", ".join(f'"{about}"' for about in abouts)
            lines.append(f'  - {{group: "{group}", resources: [{listed}]}}')
    return lines
