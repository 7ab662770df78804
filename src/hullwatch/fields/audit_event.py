"""The event that rules of the source ``k8s_audit`` see: a JSON object of the audit log, and how its values are read.

All of it is hostile: a value of another type than Kubernetes gives it is absent or its JSON, never an error.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import msgspec

from hullwatch.enrich.container import Container
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME, EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SOURCE = "k8s_audit"
AUDIT_TYPE = EventType(number=0, name="pluginevent", index=0, layout=BY_NAME["container"].layout, category="", doc="")
"""The type of all events of the source; as in Falco, where they come from a plugin."""
NO_CONTAINER = Container(id="host")  # an event of the API is none of a container
MOST_ITEMS = 10_000  # of a list in an event; what follows is not looked at

_SECOND = 1_000_000_000  # ns
_EPOCH = dt.date(1970, 1, 1).toordinal()  # days
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_TIMES = ("stageTimestamp", "requestReceivedTimestamp", "timestamp")

_REMEMBERED = ("auditID", "stage", "verb", "user", "impersonatedUser", "objectRef", "userAgent", "sourceIPs", *_TIMES)
_MOST_REMEMBERED = 16_384  # characters; of a larger event only its time would be

Value = TypeVar("Value")


class New(NamedTuple):
    """Something about an event that is not ordinary in its cluster.

    Attributes:
        kind: what it is, a key of ``ka_new.KINDS``.
        value: the value that is new, such as a registry.
        why: what makes it new, as a part of a sentence.
    """

    kind: str
    value: str
    why: str


class AuditEvent(Event):
    """An event of the API.

    Attributes:
        audit: the whole object.
        memo: what fields have in common and is made once, by its name.
        news: what about it is not ordinary in its cluster, as far as that is learnt.
    """

    __slots__ = ("audit", "memo", "news")

    def __init__(self, audit: Mapping[str, Any], number: int = 0, news: tuple[New, ...] = ()) -> None:
        """Take the object; the time is that of its stage."""
        self.audit = audit
        self.memo: dict[str, Any] = {}
        self.news = news
        self.number = number
        self.time = time_of(audit)
        self.type = AUDIT_TYPE
        self.params = {}
        self.process = None
        self.program = None
        self.container = NO_CONTAINER
        self.uid = self.tid = self.cpu = self.flags = 0
        self.names = None
        self.held = False

    def remembered(self) -> AuditEvent:
        """Return what is remembered of it for a later one: who did what to which object, without its content."""
        kept = {name: one for name in _REMEMBERED if (one := self.audit.get(name)) is not None}
        whole = text(kept)
        fits = whole is not None and len(whole) <= _MOST_REMEMBERED
        made = AuditEvent(kept if fits else {}, self.number)
        made.time = self.time
        return made

    def once(self, name: str, make: Callable[[AuditEvent], Value]) -> Value:
        """Return what ``make`` gives for this event; it is called once."""
        if name not in self.memo:
            self.memo[name] = make(self)
        return cast("Value", self.memo[name])


def time_of(audit: Mapping[str, Any]) -> int:
    """Return when an event was, ns since the epoch: the time of its stage, else of its request; 0 for none."""
    return next((moment for name in _TIMES if (moment := moment_of(audit.get(name))) is not None), 0)


def moment_of(written: object) -> int | None:
    """Return the ns since the epoch of a time such as 2026-11-28T10:00:00.5Z; None for what is none."""
    match = _TIME.match(written) if isinstance(written, str) else None
    return _moment(*match.groups()) if match is not None else None


def _moment(date: str, hour: str, minute: str, second: str, fraction: str | None, *zone: str | None) -> int | None:
    """Return ns since the epoch of the parts of a time; None when the calendar has no such day."""
    try:
        day = dt.date.fromisoformat(date).toordinal() - _EPOCH
    except ValueError:
        return None
    sign, hours, minutes = zone
    ahead = int(f"{sign}1") * (int(hours or 0) * 3600 + int(minutes or 0) * 60) if sign else 0
    seconds = day * 86_400 + int(hour) * 3600 + int(minute) * 60 + int(second) - ahead
    return seconds * _SECOND + int((fraction or "0").ljust(9, "0"))


def at(node: Any, *keys: str) -> Any:
    """Return what stands in an object under a key, in that under the next, and so on; None where it ends."""
    for key in keys:
        if node.__class__ is not dict:
            return None
        node = node.get(key)
    return node


def text(value: Any) -> str | None:
    """Return a value as Falco has it: text as it is, other values as their JSON; None for null."""
    if value.__class__ is str or value is None:
        return cast("str | None", value)
    if value.__class__ is bool:
        return "true" if value else "false"
    if value.__class__ is int:
        return str(value)
    try:
        return msgspec.json.encode(value).decode()
    except (RecursionError, UnicodeError, msgspec.MsgspecError):
        return None


def word(value: Any) -> str:
    """Return a value that is text; empty for any other."""
    return value if value.__class__ is str else ""


def items(value: Any) -> list[Any]:
    """Return the items of a list; none of what is no list."""
    return cast("list[Any]", value)[:MOST_ITEMS] if value.__class__ is list else []


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in a list."""
    return (one for one in items(value) if one.__class__ is dict)


def texts(values: Any) -> tuple[str, ...] | None:
    """Return the values of a list as text, null left out; None when there are none: a field without values is absent.

    Text that stands where a list belongs is its only value.
    """
    if values.__class__ is str:
        return (values,)
    found = tuple([shown for one in items(values) if (shown := text(one)) is not None])
    return found or None
