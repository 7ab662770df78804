"""An API server's audit policy (``audit.k8s.io/v1 Policy``), and how much it has logged of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec
import yaml

from hullwatch.audit_policy.needs import Level
from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from hullwatch.audit_policy.calls import Call

LARGEST = 4 << 20  # bytes
_HEALTH = ("/healthz", "/livez", "/readyz", "/version", "/metrics")  # that say nothing, whoever asks
_LEVELS = {level.word: level for level in Level}


class _Resources(msgspec.Struct):
    group: str = ""
    resources: list[str] = []
    resource_names: list[str] | None = msgspec.field(default=None, name="resourceNames")


class _Rule(msgspec.Struct):
    level: str
    users: list[str] | None = None
    user_groups: list[str] | None = msgspec.field(default=None, name="userGroups")
    verbs: list[str] | None = None
    resources: list[_Resources] | None = None
    namespaces: list[str] | None = None
    non_resource_urls: list[str] | None = msgspec.field(default=None, name="nonResourceURLs")
    omit_stages: list[str] | None = msgspec.field(default=None, name="omitStages")


class _Policy(msgspec.Struct):
    kind: str
    rules: list[_Rule]
    omit_stages: list[str] | None = msgspec.field(default=None, name="omitStages")


class Logged(NamedTuple):
    """How much is logged of a call.

    Attributes:
        level: of it.
        rule: which rule of the policy says so, from 1; 0 for none: then nothing is logged.
        stages: that are left out.
        condition: of which calls the rule says so: of some users or namespaces; empty for all that are left.
    """

    level: Level
    rule: int
    stages: frozenset[str]
    condition: str = ""


class AuditPolicy:
    """A policy.

    Args:
        text: of its YAML.
        name: of its file, for sentences.
    """

    def __init__(self, text: bytes, name: str) -> None:
        """Read it.

        Raises:
            UsageError: when it is none.
        """
        try:
            tree: object = yaml.safe_load(text)
            self._policy = msgspec.convert(tree, _Policy)
        except yaml.YAMLError as error:
            place = cast("object", getattr(error, "problem_mark", None))
            line = f":{getattr(place, 'line', 0) + 1}" if place is not None else ""
            raise UsageError(f"{name}{line}: this is no YAML: {getattr(error, 'problem', None) or error}.") from error
        except (msgspec.ValidationError, RecursionError) as error:
            raise UsageError(f"{name} is no audit policy (audit.k8s.io/v1 Policy): {error}.") from error
        wrong = next((rule.level for rule in self._policy.rules if rule.level not in _LEVELS), None)
        if self._policy.kind != "Policy" or wrong is not None:
            what = f"its kind is {self._policy.kind!r}" if wrong is None else f"there is no level {wrong!r}"
            raise UsageError(f"{name} is no audit policy (audit.k8s.io/v1 Policy): {what}.")

    def logged(self, call: Call) -> list[Logged]:
        """Return what is logged of a call: the first rule that fits, behind those that fit some of such calls."""
        found: list[Logged] = []
        everywhere = frozenset(self._policy.omit_stages or ())
        for number, rule in enumerate(self._policy.rules, start=1):
            if not _fits(rule, call):
                continue
            condition = _condition(rule, call)
            left_out = everywhere | frozenset(rule.omit_stages or ())
            found.append(Logged(_LEVELS[rule.level], number, left_out, condition))
            if not condition:
                return found
        return [*found, Logged(Level.NONE, 0, everywhere)]


def _fits(rule: _Rule, call: Call) -> bool:
    if rule.verbs and call.verb not in rule.verbs:
        return False
    if not call.resource:
        paths = rule.non_resource_urls or ()
        health = bool(paths) and all(path.startswith(_HEALTH) for path in paths)
        return not health and bool(paths or not rule.resources)
    if rule.resources:
        return any(_is_of(one, call) for one in rule.resources)
    return not rule.non_resource_urls


def _is_of(resources: _Resources, call: Call) -> bool:
    if resources.group != call.group:
        return False
    return not resources.resources or any(
        one in {"*", call.about, f"{call.resource}/*" if call.subresource else "", f"*/{call.subresource or '-'}"}
        for one in resources.resources
    )


def _condition(rule: _Rule, call: Call) -> str:
    """Return of which calls only a rule is, in words; empty for all."""
    named = [one for one in rule.resources or () if call.resource and _is_of(one, call)]
    names = (
        [] if any(not one.resource_names for one in named) else [n for one in named for n in one.resource_names or ()]
    )
    paths = rule.non_resource_urls or []
    parts = {
        "users": rule.users,
        "groups": rule.user_groups,
        "namespaces": rule.namespaces,
        "names": names,
        "paths": [] if call.resource or "*" in paths else paths,
    }
    return "; ".join(f"{what} {', '.join(values[:3])}" for what, values in parts.items() if values)
