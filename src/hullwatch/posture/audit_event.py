"""What an event of the audit log says: who asked for what, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from hullwatch.posture.plain import at, is_table, items, table, text, texts, whole
from hullwatch.posture.resources import Request
from hullwatch.posture.subject import ACCOUNT_PREFIX, of_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.posture.plain import Plain

LEVELS = ("None", "Metadata", "Request", "RequestResponse")


class Actor(NamedTuple):
    """Who made a request.

    Attributes:
        user: that signed in.
        groups: of that user.
        as_user: whom the user acted as; empty for nobody else.
        as_groups: of whom the user acted as.
        addresses: that the request came from.
        agent: what the program called itself.
    """

    user: str
    groups: tuple[str, ...]
    as_user: str
    as_groups: tuple[str, ...]
    addresses: tuple[str, ...]
    agent: str

    @property
    def words(self) -> str:
        """How people read it."""
        return f"{self.user} as {self.as_user}" if self.as_user else self.user


def is_audit_event(document: object) -> bool:
    """Whether a document is an event of the audit log, and not one of the objects called Event."""
    plain = table(document)
    return plain.get("kind") == "Event" and text(plain.get("apiVersion")).startswith("audit.k8s.io/")


def actor(event: Plain) -> Actor:
    """Return who made the request."""
    user, other = table(event.get("user")), table(event.get("impersonatedUser"))
    return Actor(
        text(user.get("username")),
        texts(user.get("groups")),
        text(other.get("username")),
        texts(other.get("groups")),
        texts(event.get("sourceIPs")),
        text(event.get("userAgent")),
    )


def request_of(event: Plain) -> Request:
    """Return what the authoriser was asked.

    The log names the object that was created; the authoriser did not know its name.
    """
    reference = table(event.get("objectRef"))
    verb, resource, subresource = (
        text(one) for one in (event.get("verb"), at(reference, "resource"), at(reference, "subresource"))
    )
    if not resource:
        return Request(verb, path=text(urlsplit(text(event.get("requestURI"))).path))
    name, namespace = text(reference.get("name")), text(reference.get("namespace"))
    if verb == "create" and not subresource:
        name = ""
    if resource == "namespaces":  # the log calls it its own namespace, also where none is asked for
        namespace = ""
    return Request(verb, text(reference.get("apiGroup")), resource, subresource, namespace, name)


def requests_to_act(by: Actor) -> Iterator[Request]:
    """Return what a user is asked for who acts as somebody else, as far as the log tells it."""
    if not by.as_user:
        return
    whom = of_user(by.as_user)
    if whom.kind == "ServiceAccount":
        yield Request("impersonate", "", "serviceaccounts", namespace=whom.namespace, name=whom.name)
    else:
        yield Request("impersonate", "", "users", name=by.as_user)
    given = () if not by.as_user.startswith(ACCOUNT_PREFIX) and whom.kind == "User" else whom.groups()
    for group in by.as_groups:
        if group not in given and group not in whom.groups():
            yield Request("impersonate", "", "groups", name=group)


def is_allowed(event: Plain) -> bool:
    """Whether the authoriser let it through; what became of it then is another question."""
    decision = at(event, "annotations", "authorization.k8s.io/decision")
    if isinstance(decision, str):
        return decision == "allow"
    return whole(at(event, "responseStatus", "code")) not in {401, 403}


def when(event: Plain) -> str:
    """Return when it came in, as the log has it: RFC 3339, UTC."""
    return text(event.get("requestReceivedTimestamp")) or text(event.get("stageTimestamp"))


def has_body(event: Plain) -> bool:
    """Whether the log has kept any body of the request."""
    return isinstance(event.get("requestObject"), dict) or isinstance(event.get("responseObject"), dict)


def events_of(document: Plain) -> Iterator[Plain]:
    """Return the events of a document: an event, or an EventList."""
    if is_audit_event(document):
        yield document
    elif document.get("kind") == "EventList" and text(document.get("apiVersion")).startswith("audit.k8s.io/"):
        for one in items(document.get("items")):
            if is_table(one):
                yield {"kind": "Event", "apiVersion": document["apiVersion"]} | table(one)
