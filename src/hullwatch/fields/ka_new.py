"""Fields of what is not ordinary about a call to the Kubernetes API, by what was learnt (``ka.new.*`` and more).

Each is absent where nothing is new, where the cluster is still being learnt, and where nothing is learnt at all. Beside
each stands one with ``.why`` behind its name, which says how the value is known to be new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.fields.field import FieldType, Multiplicity, field

if TYPE_CHECKING:
    from hullwatch.fields.audit_event import AuditEvent
    from hullwatch.fields.field import FieldFunction

Texts = tuple[str, ...] | None


class Kind(NamedTuple):
    """A kind of values that are learnt.

    Attributes:
        field: the name of its field.
        many: what several of them are called.
        help: what the field's value is.
        content: whether it is read from what is written, so that the audit level Request is needed.
        several: whether one call can have several that are new.
    """

    field: str
    many: str
    help: str
    content: bool = False
    several: bool = False


KINDS: dict[str, Kind] = {
    "registry": Kind(
        "ka.new.registry",
        "registries",
        "Hosts that images are pulled from, never seen before",
        content=True,
        several=True,
    ),
    "repository": Kind(
        "ka.new.repository",
        "repositories",
        "Images without tag and digest, never seen before",
        content=True,
        several=True,
    ),
    "image": Kind(
        "ka.new.image", "images", "Images as they are written, never seen before", content=True, several=True
    ),
    "tag": Kind(
        "ka.new.tag",
        "tags",
        "Images with a tag that they never had before, as repository:tag",
        content=True,
        several=True,
    ),
    "namespace": Kind("ka.new.namespace", "namespaces", "Namespace in which nothing was ever written before"),
    "user": Kind("ka.new.user", "users", "Who made the call, never seen before"),
    "useragent": Kind("ka.new.useragent", "programs", "Program that made the call, never seen before"),
    "network": Kind(
        "ka.new.network", "networks", "Networks that the call came from (/24, /48), never seen before", several=True
    ),
    "user.useragent": Kind("ka.new.user.useragent", "programs", "Program that this user never used before"),
    "user.network": Kind(
        "ka.new.user.network", "networks", "Networks that this user never called from before", several=True
    ),
    "call": Kind("ka.new.call", "kinds of calls", "What this user never did before, as user, verb and resource"),
    "grant": Kind(
        "ka.new.grant", "grants", "Who is given which role where, as it never was before", content=True, several=True
    ),
    "certificate": Kind("ka.new.certificate", "certificates", "Client certificate that was never used before"),
    "deliverer": Kind(
        "ka.new.deliverer",
        "ways to write workloads",
        "Who wrote a workload by what, as nobody did before",
        content=True,
    ),
    "breakglass": Kind("ka.breakglass", "such accounts", "Account for emergencies that the call used"),
    "hour": Kind("ka.rare_hour", "hours", "Hour of the week in which this user hardly ever calls"),
    "byhand": Kind("ka.byhand", "objects", "Object that a system looks after and that a person changed", content=True),
}
"""By the name that ``hullwatch k8s baseline`` has for it."""

NEWS_FIELDS = frozenset({"ka.new.why", *(name for one in KINDS.values() for name in (one.field, f"{one.field}.why"))})
CONTENT_FIELDS = frozenset(name for one in KINDS.values() if one.content for name in (one.field, f"{one.field}.why"))


@field("ka.new.why", FieldType.CHARBUF, Multiplicity.LIST)
def why(event: AuditEvent) -> Texts:
    """What is not ordinary about the call, and how that is known, each as a part of a sentence."""
    return tuple([f"{one.kind} {one.value}: {one.why}" for one in event.news]) or None


def _value_of(kind: str, help_: str) -> FieldFunction:
    def value(event: AuditEvent) -> str | None:
        return next((one.value for one in event.news if one.kind == kind), None) if event.news else None

    value.__doc__ = f"{help_}; absent for what is ordinary."
    return value


def _values_of(kind: str, help_: str) -> FieldFunction:
    def values(event: AuditEvent) -> Texts:
        return tuple([one.value for one in event.news if one.kind == kind]) or None if event.news else None

    values.__doc__ = f"{help_}; absent for what is ordinary."
    return values


def _reason_of(kind: str, name: str) -> FieldFunction:
    def reason(event: AuditEvent) -> str | None:
        return next((one.why for one in event.news if one.kind == kind), None) if event.news else None

    reason.__doc__ = f"How {name} is known, such as since when there was another; absent where that is."
    return reason


for _kind, _one in KINDS.items():
    _make = _values_of if _one.several else _value_of
    field(_one.field, FieldType.CHARBUF, Multiplicity.LIST if _one.several else Multiplicity.ONE)(
        _make(_kind, _one.help)
    )
    field(f"{_one.field}.why", FieldType.CHARBUF)(_reason_of(_kind, _one.field))
