"""Which rules are blind under an audit policy, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.audit_policy.needs import Level
from hullwatch.fields.audit_event import at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.audit_policy.calls import Call
    from hullwatch.audit_policy.needs import Need, Needs
    from hullwatch.audit_policy.policy import AuditPolicy, Logged

_SHOWN = 8


class Gap(NamedTuple):
    """Calls of which a rule gets less than it needs, for the same reason.

    Attributes:
        calls: such as ``create/patch of pods, jobs``.
        has: the level that they are logged at.
        needs: the level that the rule needs.
        rule: which rule of the policy says so, from 1; 0 for none.
        condition: of which of these calls only it says so; empty for all.
        fields: that are absent.
        stages: that are left out, where that is the reason.
        secret: whether what is absent does not belong into a log.
    """

    calls: tuple[str, ...]
    has: Level
    needs: Level
    rule: int
    condition: str
    fields: tuple[str, ...]
    stages: tuple[str, ...]
    secret: bool = False

    @property
    def sentence(self) -> str:
        """The gap for people."""
        calls = "; ".join(self.calls)
        by = f"rule {self.rule} of the policy" if self.rule else "no rule of the policy"
        only = f" ({self.condition})" if self.condition else ""
        if self.stages:
            return f"{calls}: {by}{only} leaves out the stages {', '.join(self.stages)}, which it is about"
        fields = f" for {_list(self.fields)}" if self.fields else ""
        logs = "logs nothing" if self.has is Level.NONE else f"logs {self.has.word}"
        why = ", and should not log more, for it holds secrets" if self.secret else ""
        return f"{calls}: {by}{only} {logs}, {self.needs.word} is needed{fields}{why}"


class Sight(NamedTuple):
    """How a rule fares: of how many of the calls that it is about it gets enough, if only of some users.

    ``gaps`` is what it does not get.
    """

    rule: str
    enough: int
    gaps: tuple[Gap, ...]

    @property
    def state(self) -> str:
        """``blind`` for every call, ``partly`` for some, else ``sees``; ``withheld`` if only secrets are not logged."""
        if not self.gaps:
            return "sees"
        if all(gap.secret for gap in self.gaps):
            return "withheld"
        return "partly" if self.enough else "blind"


def look(needs: Needs, policy: AuditPolicy) -> list[Sight]:
    """Return how each rule fares under a policy; one that is about no call of the API is left out."""
    logged = {call: policy.logged(call) for calls in needs.values() for call in calls}
    return [_sight(rule, calls, logged) for rule, calls in needs.items() if calls]


def _sight(rule: str, calls: dict[Call, Need], logged: dict[Call, list[Logged]]) -> Sight:
    enough = 0
    found: dict[tuple[object, ...], list[Call]] = {}
    for call, need in calls.items():
        some = False
        for one in logged[call]:
            stages = need.stages - one.stages
            if one.level >= need.level and stages:
                some = True
                continue
            missing = () if stages else tuple(sorted(need.stages))
            secret = call.holds_secrets and one.level is Level.METADATA and not missing
            key = (one.level, need.level, one.rule, one.condition, tuple(sorted(need.fields)), missing, secret)
            found.setdefault(key, []).append(call)
        enough += some
    gaps = [Gap(_words(calls), *key) for key, calls in found.items()]  # type: ignore[arg-type]
    return Sight(rule, enough, tuple(gaps))


def _words(calls: list[Call]) -> tuple[str, ...]:
    """Return calls for people: the verbs of each resource together."""
    verbs: dict[str, list[str]] = {}
    for call in calls:
        verbs.setdefault(call.about or "paths", []).append(call.verb)
    together: dict[tuple[str, ...], list[str]] = {}
    for about, names in verbs.items():
        together.setdefault(tuple(names), []).append(about)
    return tuple(f"{'/'.join(names)} of {_list(abouts)}" for names, abouts in together.items())


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


class BlindSpots:
    """Notices in the stream that events have less than the rules need, once for each rule.

    Args:
        needs: of the rules.
    """

    def __init__(self, needs: Needs) -> None:
        """Have seen nothing yet."""
        self._by_call: dict[tuple[object, ...], list[tuple[str, Need]]] = {}
        for rule, calls in needs.items():
            for call, need in calls.items():
                if need.level > Level.METADATA and not call.holds_secrets:
                    key = (call.verb, call.resource, call.subresource)
                    self._by_call.setdefault(key, []).append((rule, need))
        self._seen: set[tuple[object, ...]] = set()
        self._told: set[str] = set()
        self._found: dict[str, str] = {}

    def look(self, event: dict[str, Any]) -> None:
        """Look at an event; called for each."""
        level = event.get("level")
        if level not in _LESS:
            return
        resource, subresource = at(event, "objectRef", "resource"), at(event, "objectRef", "subresource")
        key = (event.get("verb"), resource, subresource or "", level)
        try:
            if key in self._seen or len(self._seen) >= _MOST_SEEN:
                return
            self._seen.add(key)
        except TypeError:  # a list where there should be a text
            return
        for rule, need in self._by_call.get(key[:3], ()):
            if need.level > _LESS[str(level)] and rule not in self._told:
                what = "/".join(str(part) for part in key[1:3] if part)
                self._found.setdefault(rule, f"{key[0]} {what} is logged at {level}, {need.level.word} is needed")

    def take(self) -> dict[str, str]:
        """Return the rules that were found blind since the last time, each with why."""
        found, self._found = self._found, {}
        self._told.update(found)
        return found


_LESS = {"Metadata": Level.METADATA, "Request": Level.REQUEST}
_MOST_SEEN = 10_000
