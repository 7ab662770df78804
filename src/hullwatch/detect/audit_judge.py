"""From events of the Kubernetes API to matches: what an event is about is decided once, the rest is asked.

Nearly all calls repeat others in their verb, resource, stage and the like. For each combination the checks of such
fields are answered once, and what is left of the rules' conditions is remembered: mostly nothing. Where something is
left, the checks of who calls are answered once for each caller in the same way. (docs/adr/0030)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.detect.asking import Asking, Left
from hullwatch.fields.audit_event import AUDIT_TYPE, AuditEvent, at
from hullwatch.fields.ka_new import NEWS_FIELDS
from hullwatch.fields.ka_trail import tell
from hullwatch.posture.trail import RESOURCES
from hullwatch.rules.audit_lookup import from_audit
from hullwatch.rules.graph import FALSE, TRUE, Node, field_uses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hullwatch.counters import Counters
    from hullwatch.detect.engine import Match
    from hullwatch.fields.audit_event import New
    from hullwatch.posture.trail import Told, Trail
    from hullwatch.rules.loader import Rule, RuleSet

Audit = dict[str, Any]
Key = tuple[Any, ...]

MOST_KNOWN = 20_000  # combinations that are remembered, and callers; then all are forgotten
LONGEST_KEY = 400  # characters of what one is remembered by: more has nobody but who makes it up

_CODE = 7  # where the status stands in a key
_DECISION = "authorization.k8s.io/decision"
_NONE: Mapping[str, Any] = {}

# The fields whose checks a combination answers: each reads nothing but what is in the key. See ``_key``.
_OF_COMBINATION = frozenset(
    {
        *("ka.verb", "ka.stage", "ka.level", "ka.target.resource", "ka.target.subresource", "ka.target.group"),
        *("ka.target.session", "ka.response.code", "ka.response.status", "ka.response.success", "ka.auth.decision"),
        *("evt.type", "evt.type.is", "evt.source", "evt.pluginname", "evt.is_async", "evt.count"),
    }
)
# Those whose checks the name of the caller answers, if he has one.
_OF_CALLER = frozenset({"ka.user.name", "ka.user.kind", "ka.user.serviceaccount", "ka.user.serviceaccount.namespace"})
_POINTERS_OF_COMBINATION = frozenset(
    {
        *("/kind", "/verb", "/stage", "/level", "/objectRef/resource", "/objectRef/subresource"),
        *("/objectRef/apiGroup", "/responseStatus/code"),
    }
)
_POINTERS_OF_CALLER = frozenset({"/user/username"})


_COMBINATION = frozenset({0})
_ORDINARY = frozenset({0, 3})  # what a combination answers where nothing is new: then all fields of news are absent
_CALLER = frozenset({1})


def _key(audit: Any, news: tuple[New, ...]) -> Key:
    """Return what an event is about: the parts that the fields of ``_OF_COMBINATION`` read, and whether it has news."""
    reference = audit.get("objectRef")
    if reference.__class__ is not dict:
        reference = _NONE
    status = audit.get("responseStatus")
    annotations = audit.get("annotations")
    return (
        audit.get("verb"),
        reference.get("resource"),
        reference.get("subresource"),
        reference.get("apiGroup"),
        audit.get("stage"),
        audit.get("level"),
        audit.get("kind"),
        status.get("code") if status.__class__ is dict else None,
        annotations.get(_DECISION) if annotations.__class__ is dict else None,
        "news" if news else None,
    )


def _is_plain(key: Key) -> bool:
    """Tell whether a key can be remembered by: equal ones mean the same, and it is not large."""
    others = (*key[:_CODE], *key[_CODE + 1 :])
    if not all(one is None or one.__class__ is str for one in others) or not _is_code(key[_CODE]):
        return False
    return sum(len(one) for one in key if one.__class__ is str) <= LONGEST_KEY


def _is_code(value: object) -> bool:
    return value is None or value.__class__ is int  # True is equal to 1, and looks different


class AuditJudge(Asking):
    """Judges events of the API by the rules of the source ``k8s_audit``; others in the set are left out.

    Args:
        trail: follows what is in the cluster; None where nothing does.
        look: tells what is not ordinary about an event; None where nothing is learnt.
    """

    def __init__(
        self,
        rules: RuleSet,
        counters: Counters,
        *,
        every: bool = False,
        trail: Trail | None = None,
        look: Callable[[Audit], tuple[New, ...]] | None = None,
    ) -> None:
        """Take the rules."""
        self._trail = trail
        self._look = look
        super().__init__(rules, counters, AUDIT_TYPE.name, from_audit, every=every)

    def _of_source(self, rules: RuleSet) -> Sequence[Rule]:
        return rules.of_api

    def _take(self, rules: RuleSet) -> None:
        super()._take(rules)
        self._known: dict[Key, Left] = {}
        self._callers: dict[tuple[int, str], tuple[Left, Left]] = {}
        self._groups = [self._group(atom) for atom in range(len(self._graph.checks))]
        self._numbers = 0

    def matches(self, audit: Audit) -> list[Match]:
        """Return the matches of an event that count, in the order of the rules.

        Args:
            audit: the object as it was decoded: an Event of ``audit.k8s.io``, or what stands in the place of one.
        """
        self._numbers += 1
        self._count()
        news = () if self._look is None else self._look(audit)
        key = _key(audit, news)
        try:
            left = self._known.get(key)
            told = self._follow(audit) if key[1] in RESOURCES and self._trail is not None else None
        except TypeError:  # a list or an object stands where there should be text
            return self._judge(AuditEvent(audit, self._numbers, news), self._all)
        if left is None or not (key[_CODE].__class__ is int or key[_CODE] is None):
            left = self._learn(key, audit, news)
        if not left.asked:
            return []
        name = at(audit, "user", "username")
        if isinstance(name, str) and name:
            known = self._callers.get((id(left), name))
            left = known[1] if known is not None else self._learn_caller(left, name, audit)
            if not left.asked:
                return []
        event = AuditEvent(audit, self._numbers, news)
        if self._trail is not None:
            tell(event, self._trail, told)
        return self._judge(event, left)

    def _follow(self, audit: Audit) -> Told | None:
        """Show an event to the trail; return what it found."""
        assert self._trail is not None
        try:
            return self._trail.take(audit)
        except Exception:  # noqa: BLE001 - whatever an event provokes; counted
            self._counters.drop(AUDIT_TYPE.name, "trail_error")
            return None

    def matches_of(self, event: AuditEvent) -> list[Match]:
        """Return the matches of an event by asking every rule, with nothing remembered: for tests and single events."""
        return self._judge(event, self._all)

    # ---- what is remembered

    def _learn(self, key: Key, audit: Audit, news: tuple[New, ...]) -> Left:
        """Return what is left of all conditions for events that are about the same, and remember it."""
        if not _is_plain(key):
            return self._all
        left = self._without(self._all, _COMBINATION if news else _ORDINARY, AuditEvent(audit))
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
            self._callers.clear()
            self._shared.clear()
        self._known[key] = left
        return left

    def _learn_caller(self, left: Left, name: str, audit: Audit) -> Left:
        """Return what is left for a caller, and remember it."""
        if len(name) > LONGEST_KEY:
            return left
        found = self._without(left, _CALLER, AuditEvent(audit))
        if len(self._callers) >= MOST_KNOWN:
            self._callers.clear()
            self._shared.clear()
        # It holds what it was made of, too: no other has its number as long as this is remembered.
        self._callers[id(left), name] = left, found
        return found

    def _without(self, left: Left, groups: frozenset[int], event: AuditEvent) -> Left:
        """Return conditions with the checks of some groups answered for an event."""

        def literal(node: Node) -> int | None:
            if self._groups[node.atom] not in groups:
                return None
            holds = self._compiler.function(self._graph.literal(node.atom, positive=True))(event)
            return TRUE if bool(holds) == node.positive else FALSE

        known: dict[int, int] = {}
        nodes = [(entry, self._graph.replace(root, literal, known)) for entry, root in left.nodes]
        return self._left([(entry, root) for entry, root in nodes if root != FALSE])

    def _group(self, atom: int) -> int:
        """Return what answers a check: 0 the combination, 1 the caller, 2 the event alone, 3 what is new about it."""
        uses = field_uses(self._graph.checks[atom])
        groups = {self._group_of(use.name, use.argument) for use in uses}
        return groups.pop() if len(groups) == 1 else 2

    @staticmethod
    def _group_of(name: str, argument: str | None) -> int:
        if name in _OF_COMBINATION or name.startswith("evt.type.is."):
            return 0
        if name in _OF_CALLER:
            return 1
        if name in NEWS_FIELDS:
            return 3
        if name == "jevt.value" and argument is not None:
            pointer = f"/{argument.removeprefix('/')}"
            return 0 if pointer in _POINTERS_OF_COMBINATION else (1 if pointer in _POINTERS_OF_CALLER else 2)
        return 2
