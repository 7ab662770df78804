"""What a call is known by: who made it, from where, with what, and what for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.baseline.texts import NODES, is_person, network_of, program_of, short, user_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Key = tuple[Any, ...]

LONGEST_KEY = 4000  # characters of what a call is known by
MOST_ADDRESSES = 8  # of a call
CALL_SIZE = 1200  # bytes that a call takes beside its own texts: what it counts for, and its place in a table
MASTERS = "system:masters"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_CREDENTIAL = "authentication.kubernetes.io/credential-id"
_CERTIFICATE = "X509SHA256="
_REFUSED = 400
_UNKNOWN = 401  # nobody was logged in
_NONE: Mapping[str, Any] = {}


def _words(value: Any) -> tuple[Any, ...] | None:
    return tuple(value) if value.__class__ is list else None


def key_of(audit: Any) -> Key:
    """Return the parts of a call in the order of ``Caller``'s; what is hostile in it is found by ``is_plain``."""
    user: Any = audit.get("user")
    if user.__class__ is not dict:
        user = _NONE
    reference = audit.get("objectRef")
    if reference.__class__ is not dict:
        reference = _NONE
    status = audit.get("responseStatus")
    notes = audit.get("annotations")
    extra: Any = user.get("extra")
    other: Any = audit.get("impersonatedUser")
    resource = reference.get("resource")
    return (
        _cluster(notes) if notes.__class__ is dict else "",
        user.get("username"),
        _words(user.get("groups")),
        _words(extra.get(_CREDENTIAL)) if extra.__class__ is dict else None,
        (other.get("username"), _words(other.get("groups"))) if other.__class__ is dict else None,
        audit.get("verb"),
        resource,
        reference.get("subresource"),
        reference.get("name") if resource == "namespaces" else reference.get("namespace"),
        audit.get("userAgent"),
        _words(audit.get("sourceIPs")),
        status.get("code") if status.__class__ is dict else None,
    )


def _cluster(notes: Any) -> Any:
    return notes.get("cluster_name") or notes.get("cluster.name") or notes.get("k8s.io/cluster-name") or ""


def is_plain(key: Key) -> bool:
    """Tell whether all parts are text, lists of text, or numbers where those belong, and not too long."""
    other, code = key[4], key[-1]
    one, groups = other if other is not None else (None, None)
    sizes = [_size(part) for part in (*key[:4], *key[5:-1], one, groups)]
    return min(sizes) >= 0 and sum(sizes) <= LONGEST_KEY and (code is None or code.__class__ is int)


def _size(part: Any) -> int:
    """Return how long a text, or all texts of a list, are; -1 for what is neither."""
    if part is None:
        return 0
    if part.__class__ is tuple:
        return sum(len(one) + 1 for one in part) if all(one.__class__ is str for one in part) else -1
    return len(part) if part.__class__ is str else -1


def cost_of(key: Key) -> int:
    """Return about how many bytes it takes to know a call again: its texts, and what is known of it."""
    return CALL_SIZE + sum(map(_bytes, key))


def _bytes(part: Any) -> int:
    return sum(map(_bytes, part)) if part.__class__ is tuple else sys.getsizeof(part)


class Caller(NamedTuple("Caller", [("key", Key)])):
    """A call by its parts, which are plain."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Who made it, as the event has it."""
        return self.key[1] or ""

    @property
    def user(self) -> str:
        """Who made it, as they are known."""
        return user_of(self.name)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of who made it, and of whom they acted as."""
        other = self.key[4][1] if self.key[4] is not None else None
        return (*(self.key[2] or ()), *(other or ()))

    @property
    def succeeded(self) -> bool:
        """Whether it was answered without an error."""
        return self.key[11] is not None and self.key[11] < _REFUSED

    def values(self) -> Iterator[tuple[str, str, str]]:
        """Yield what there is to learn: the kind, the value, and whose it is (empty for the cluster's)."""
        if self.key[11] == _UNKNOWN:
            return
        user, program = self.user, program_of(self.key[9] or "")
        if user:
            yield "user", user, ""
            yield "useragent", program, ""
            yield "user.useragent", short(f"{user} with {program}"), user
        for network in dict.fromkeys(map(network_of, (self.key[10] or ())[:MOST_ADDRESSES])):
            if network:
                yield "network", network, ""
                if user:
                    yield "user.network", short(f"{user} from {network}"), user
        if self.succeeded:
            yield from self._done(user)
        yield from self._credentials(user)

    def _done(self, user: str) -> Iterator[tuple[str, str, str]]:
        verb, resource, part, namespace = self.key[5:9]
        if user and verb and resource:
            yield "call", short(f"{user} {verb} {resource}{f'/{part}' if part else ''}"), user
        if namespace and verb in WRITES:
            yield "namespace", short(namespace), ""

    def _credentials(self, user: str) -> Iterator[tuple[str, str, str]]:
        if user == NODES or not user:  # kubelets change theirs by themselves
            return
        own = MASTERS in (self.key[2] or ()) and is_person(self.name)
        other = self.key[4] is not None and MASTERS in (self.key[4][1] or ())
        credentials = self.key[3] or ()
        for one in credentials[:1]:
            if one.startswith(_CERTIFICATE):
                yield "certificate", short(f"{one} of {user}"), "" if own else user
        if own and not credentials:
            yield "certificate", short(f"one of {user} in {MASTERS}"), ""
        if other:
            yield "breakglass", self._account(user, MASTERS), ""
        elif own:
            yield "breakglass", f"{user} ({MASTERS})", ""

    def _account(self, user: str, what: str) -> str:
        other = self.key[4][0] if self.key[4] is not None else None
        return short(f"{user}{f' as {other}' if other else ''} ({what})")

    def listed(self, accounts: frozenset[str]) -> str:
        """Return the account for emergencies that the call used, of those that are listed; empty for none."""
        if not accounts:
            return ""
        other = self.key[4][0] if self.key[4] is not None else None
        names = [self.name, other or "", *(f"group:{one}" for one in self.groups)]
        found = next((one for one in names if one in accounts), "")
        return self._account(self.user, found) if found else ""
