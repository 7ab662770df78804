"""What everybody really did, by the audit log."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.audit_event import actor, is_allowed, request_of, requests_to_act, when
from hullwatch.posture.plain import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.posture.plain import Plain
    from hullwatch.posture.resources import Request

MOST_REQUESTS = 20_000  # of one user, each with the name of its object
MOST_USERS = 100_000
_REMEMBERED = 65_536  # ids of requests that were counted when they began


class Used(NamedTuple):
    """How often a request was made, and when last (RFC 3339)."""

    number: int
    last: str


class UserUse:
    """What one user did.

    Attributes:
        allowed: requests that the authoriser let through.
        acted: those that others made acting as this user: a proxy for its users, or an administrator who tries.
        refused: requests that it did not.
        groups: that the user was in when it signed in itself.
        cut: requests whose names were left out.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.allowed: dict[Request, Used] = {}
        self.acted: dict[Request, Used] = {}
        self.refused: dict[Request, Used] = {}
        self.groups: dict[str, None] = {}
        self.cut = 0

    def note(self, found: dict[Request, Used], request: Request, moment: str) -> None:
        """Count a request; when a user made too many different ones, without the names of their objects."""
        if len(found) >= MOST_REQUESTS and request not in found:
            self.cut += 1
            request = request._replace(name="", path=request.path[:64])
            if len(found) >= 2 * MOST_REQUESTS and request not in found:
                return
        before = found.get(request)
        found[request] = Used(1, moment) if before is None else Used(before.number + 1, max(before.last, moment))


class Usage:
    """What the users of a log did.

    Attributes:
        users: by name.
        first: time of the first event, RFC 3339; empty without one.
        last: time of the last one.
        left_out: requests of users who were too many.
    """

    def __init__(self, since: str = "") -> None:
        """Begin with nothing; events before ``since`` (RFC 3339, UTC) are passed over."""
        self.users: defaultdict[str, UserUse] = defaultdict(UserUse)
        self.first, self.last, self.left_out, self.events = "", "", 0, 0
        self._since = since
        self._begun: dict[str, None] = {}

    def follow(self, events: Iterable[Plain]) -> None:
        """Take events."""
        for event in events:
            self.take(event)

    def take(self, event: Plain) -> None:
        """Count a request once, at the first of its stages that tells what the authoriser decided."""
        stage, moment = text(event.get("stage")), when(event)
        if stage not in {"ResponseStarted", "ResponseComplete", "Panic"} or (self._since and moment < self._since):
            return
        number = text(event.get("auditID"))
        if stage == "ResponseStarted":
            self._begun[number] = None
            if len(self._begun) > _REMEMBERED:
                del self._begun[next(iter(self._begun))]
        elif number in self._begun:
            del self._begun[number]
            return
        self.events += 1
        self.first = min(self.first or moment, moment)
        self.last = max(self.last, moment)
        by, allowed = actor(event), is_allowed(event)
        own = self._use(by.user)
        if own is not None:
            own.groups.update(dict.fromkeys(by.groups))
            for request in requests_to_act(by):
                own.note(own.allowed, request, moment)
        use = self._use(by.as_user) if by.as_user else own
        if use is not None:
            done = use.acted if by.as_user else use.allowed
            use.note(done if allowed else use.refused, request_of(event), moment)

    def _use(self, user: str) -> UserUse | None:
        if user not in self.users and len(self.users) >= MOST_USERS:
            self.left_out += 1
            return None
        return self.users[user]

    def groups_of(self, user: str) -> tuple[str, ...]:
        """Return the groups that a user was seen in."""
        return tuple(self.users[user].groups) if user in self.users else ()
