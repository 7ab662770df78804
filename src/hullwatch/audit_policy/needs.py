"""How much of each call the loaded rules need: found by asking their conditions what is left of them for a call.

Checks of verb, resource and stage are answered for a call; if something is left that may be true, the rule is about
such calls, and the fields that are left say what of the event has to be there.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.audit_policy.calls import Call, all_calls
from hullwatch.fields.audit_event import AuditEvent
from hullwatch.fields.ka_new import CONTENT_FIELDS
from hullwatch.fields.ka_workload import KINDS
from hullwatch.posture.trail import RESOURCES
from hullwatch.rules.audit_lookup import from_audit
from hullwatch.rules.graph import FALSE, TRUE, Graph, Node, field_uses
from hullwatch.rules.node_code import NodeCompiler
from hullwatch.rules.syntax import Text, TextList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.rules.loader import Rule
    from hullwatch.rules.syntax import Check, FieldUse

STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete")
_CALL = frozenset({"ka.verb", "ka.target.resource", "ka.target.subresource", "ka.target.group", "ka.target.session"})
_CALL_POINTERS = frozenset({"/verb", "/objectRef/resource", "/objectRef/subresource", "/objectRef/apiGroup"})
_STREAMS = frozenset({"exec", "attach", "portforward", "log", "proxy"})  # calls that have a stage when they begin
_WRITING = frozenset({"create", "update", "patch"})
_WORKLOADS = frozenset(KINDS)
_OF_WRITTEN = ("ka.req.", "ka.rbac.", "ka.exposure.")  # fields of what is written
_OF_RESULTS = ("ka.rbac.", "ka.exposure.")  # fields of what it is compared with before
# What objects the fields of a request are of; of others, and of calls that write nothing, they are absent.
_OBJECTS: dict[str, frozenset[str]] = {
    "ka.req.workload.": _WORKLOADS,
    "ka.req.pod.": _WORKLOADS,
    "ka.req.container.": _WORKLOADS,
    "ka.req.volume.": _WORKLOADS,
    "ka.req.binding.": frozenset({"rolebindings", "clusterrolebindings"}),
    "ka.req.role.": frozenset({"roles", "clusterroles"}),
    "ka.req.service.": frozenset({"services"}),
    "ka.req.configmap.": frozenset({"configmaps"}),
    "ka.req.networkpolicy.": frozenset({"networkpolicies"}),
    "ka.rbac.": frozenset(RESOURCES & {"roles", "clusterroles", "rolebindings", "clusterrolebindings"}),
    "ka.exposure.": RESOURCES - {"roles", "clusterroles", "rolebindings", "clusterrolebindings"},
    "ka.new.grant": frozenset({"rolebindings", "clusterrolebindings"}),
    "ka.new.": _WORKLOADS,  # those that are read from what is written
}


class Level(IntEnum):
    """How much of a call is logged."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3

    @property
    def word(self) -> str:
        """The name in a policy."""
        return ("None", "Metadata", "Request", "RequestResponse")[self]


class Need(NamedTuple):
    """What a rule needs of a call.

    Attributes:
        level: at least.
        fields: those of its fields that need more than Metadata.
        stages: one of them at least has to be logged.
    """

    level: Level
    fields: frozenset[str]
    stages: frozenset[str]


Needs = dict[str, dict[Call, Need]]
"""By rule, and by call."""


def needs_of(rules: Sequence[Rule]) -> Needs:
    """Return what rules for audit events need, of all calls that they may match."""
    asked = _Asked(rules)
    calls = all_calls(asked.resources())
    found: Needs = {rule.name: {} for rule in rules}
    for call in calls:
        for name, need in asked.needs(call):
            found[name][call] = need
    return found


class _Asked:
    """The conditions of rules, as one graph."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._graph = Graph()
        self._compiler = NodeCompiler(self._graph, from_audit)
        self._roots = [(rule.name, self._graph.add(one.tree)) for rule in rules for one in rule.conditions]
        self._atoms = {root: sorted(self._graph.atoms(root)) for _, root in self._roots}
        self._uses = [field_uses(check) for check in self._graph.checks]
        self._answered = [_answers(check, stage=False) or _answers(check, stage=True) for check in self._graph.checks]
        self._left: dict[tuple[object, ...], int] = {}

    def resources(self) -> set[str]:
        """Return the resources that the conditions name."""
        found: set[str] = set()
        for check in self._graph.checks:
            if any(use.name == "ka.target.resource" for use in field_uses(check)):
                right = check.right
                parts = right.items if isinstance(right, TextList) else [right] if isinstance(right, Text) else []
                found.update(part.text for part in parts)
        return {name for name in found if name.isalnum()}

    def needs(self, call: Call) -> list[tuple[str, Need]]:
        """Return the rules that may match a call, with what they need of it."""
        stages = STAGES if call.subresource in _STREAMS or call.verb == "watch" else (STAGES[0], STAGES[2])
        absent = [any(_is_absent(use, call) for use in uses) for uses in self._uses]
        values = {stage: self._values(AuditEvent(_event(call, stage)), absent) for stage in stages}
        found: dict[str, Need] = {}
        for name, root in self._roots:
            for stage, holding in values.items():
                left = self._without(root, holding)
                if left != FALSE:
                    level, fields = self._level(left, call)
                    known = found.get(name, Need(Level.NONE, frozenset(), frozenset()))
                    merged = Need(max(level, known.level), known.fields | fields, known.stages | {stage})
                    found[name] = merged
        return list(found.items())

    def _without(self, root: int, values: Sequence[bool | None]) -> int:
        """Return what is left of a condition for an event of which only this is known of each check."""
        key = (root, *[values[atom] for atom in self._atoms[root]])
        left = self._left.get(key)
        if left is None:

            def literal(node: Node) -> int | None:
                value = values[node.atom]
                return None if value is None else TRUE if value == node.positive else FALSE

            left = self._left[key] = self._graph.replace(root, literal, {})
        return left

    def _values(self, event: AuditEvent, absent: Sequence[bool]) -> list[bool | None]:
        """Return what each check gives; None when that depends on more than the call and the stage.

        Args:
            event: of which only these are known.
            absent: of each check, whether it asks for a field that such calls do not have.
        """
        return [
            self._holds(atom, event) if answered else (False if absent[atom] else None)
            for atom, answered in enumerate(self._answered)
        ]

    def _holds(self, atom: int, event: AuditEvent) -> bool:
        return bool(self._compiler.function(self._graph.literal(atom, positive=True))(event))

    def _level(self, left: int, call: Call) -> tuple[Level, frozenset[str]]:
        level, fields = Level.METADATA, set[str]()
        for atom in self._graph.atoms(left):
            for use in field_uses(self._graph.checks[atom]):
                needed = _level_of(use, call)
                if needed > Level.METADATA:
                    fields.add(use.name if use.argument is None else f"{use.name}[{use.argument}]")
                level = max(level, needed)
        return level, frozenset(fields)


def _answers(check: Check, *, stage: bool) -> bool:
    """Tell whether a check asks for nothing but the call, or nothing but the stage."""
    uses = field_uses(check)
    return bool(uses) and all(_is_stage(use) if stage else _is_call(use) for use in uses)


def _pointer(use: FieldUse) -> str:
    return f"/{(use.argument or '').removeprefix('/')}"


def _is_call(use: FieldUse) -> bool:
    return use.name in _CALL or (use.name == "jevt.value" and _pointer(use) in _CALL_POINTERS) or _is_kind(use)


def _is_kind(use: FieldUse) -> bool:
    return use.name == "jevt.value" and _pointer(use) in {"/kind", "/apiVersion"}


def _is_stage(use: FieldUse) -> bool:
    return use.name == "ka.stage" or (use.name == "jevt.value" and _pointer(use) == "/stage")


def _is_absent(use: FieldUse, call: Call) -> bool:
    """Tell whether a field has no value for any such call; a check of it is false then."""
    if not call.resource:  # a path has no object
        return _level_of(use, call) > Level.METADATA
    if use.name.startswith("ka.byhand"):
        return call.holds_secrets or call.verb not in {"update", "patch", "delete"}  # and no secret is logged for it
    if not (use.name.startswith(_OF_WRITTEN) or use.name in CONTENT_FIELDS):
        return False
    objects = next((found for begin, found in _OBJECTS.items() if use.name.startswith(begin)), None)
    if call.verb not in _WRITING or (objects is not None and call.resource not in objects):
        return True
    return bool(call.subresource) and call.subresource != "ephemeralcontainers" and objects is not None


def _level_of(use: FieldUse, call: Call) -> Level:
    """Return how much of the event of a call a field reads; what a patch came to, only the answer tells."""
    pointer = _pointer(use) if use.name == "jevt.value" else ""
    if use.name.startswith("ka.resp.") or pointer.startswith("/responseObject"):
        return Level.REQUEST_RESPONSE
    if call.verb == "patch" and use.name.startswith(_OF_RESULTS):
        return Level.REQUEST_RESPONSE
    written = use.name.startswith(_OF_WRITTEN) or use.name in CONTENT_FIELDS
    if written or pointer.startswith("/requestObject"):
        return Level.REQUEST
    return Level.METADATA


def _event(call: Call, stage: str) -> dict[str, object]:
    event: dict[str, object] = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": stage, "verb": call.verb}
    if call.resource:
        about = {"resource": call.resource, "subresource": call.subresource, "apiGroup": call.group}
        event["objectRef"] = {name: value for name, value in about.items() if value}
    return event
