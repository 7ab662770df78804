"""What is sent over HTTPS: by API servers' webhooks, Firehose, Pub/Sub, or anybody who has audit events.

An answer of 200 means that the events were judged and that the alerts of them are kept: until then whoever sends keeps
them, and sends them again. What comes again is known by its auditID and stage.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Protocol

import msgspec

from hullwatch.sources.k8s_audit.http_head import Answer, Head, RefusedError
from hullwatch.sources.k8s_audit.payload import unpack
from hullwatch.sources.unpacking import TooMuchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.sources.k8s_audit.pipeline import Taken

LOGS_PATH = "/logs"  # of requests in which all is lines of containers' logs
READY_PATHS = frozenset({"/healthz", "/readyz", "/livez"})
_REQUEST_ID = re.compile(r"[\w-]{1,128}\Z")


class Taking(Protocol):
    """Where events go to."""

    def full(self) -> str:
        """Return why nothing can be taken now, as a sentence; empty when something can."""
        ...

    async def take(self, documents: list[bytes]) -> Taken:
        """Judge the events of some documents."""
        ...

    async def take_logs(self, body: bytes) -> Taken:
        """Judge the lines of containers' logs of a body; what looks like an event is a line, too.

        Raises:
            RefusedError: where they are not taken.
        """
        ...

    async def kept(self, ticket: int) -> bool:
        """Wait until the alerts up to a number are kept, within a time; tell whether they are."""
        ...


class Webhook:
    """Answers requests with events; see ``http_server.Handler``.

    Args:
        taking: where the events go to.
        tokens: of which a sender has to have one; empty for none.
        certificates: whether a client certificate is a right to send.
        largest: bytes of a body when it is unpacked.
    """

    def __init__(self, taking: Taking, tokens: Sequence[str], *, certificates: bool, largest: int) -> None:
        """Be ready to answer."""
        self._taking = taking
        self.use(tokens)
        self._certificates = certificates
        self._largest = largest

    def use(self, tokens: Sequence[str]) -> None:
        """Ask for one of these tokens from now on."""
        self._tokens = [token.encode() for token in tokens]

    def admit(self, head: Head, *, certified: bool) -> Answer | None:
        """Look at a request before its body is read; see ``http_server.Handler``."""
        if head.path in READY_PATHS and head.method in {"GET", "HEAD"}:
            problem = self._taking.full()
            if problem:
                raise RefusedError(503, problem)
            return Answer(200, "" if head.method == "HEAD" else "ok\n")
        self._authenticate(head, certified=certified)
        if head.method != "POST":
            raise RefusedError(405, "Events are sent with POST.", Allow="POST")
        if head.fields.get("content-encoding", "identity").lower() not in {"identity", "gzip", ""}:
            raise RefusedError(415, "A body is plain, or compressed with gzip.")
        if not head.length:
            raise RefusedError(411 if "content-length" not in head.fields else 400, "There is no body.")
        problem = self._taking.full()
        if problem:
            raise RefusedError(429, problem, Retry_After="2")
        return None

    def _authenticate(self, head: Head, *, certified: bool) -> None:
        if (self._certificates and certified) or not (self._tokens or self._certificates):
            return
        if self._tokens:
            kind, _, given = head.fields.get("authorization", "").partition(" ")
            if kind.lower() != "bearer":
                given = head.fields.get("x-amz-firehose-access-key", head.query.get("token", ""))
            sent = given.strip().encode("utf-8", "replace")
            if sum(hmac.compare_digest(sent, one) for one in self._tokens):  # all are compared, whichever is right
                return
        raise RefusedError(
            401, "Events need a right to be sent: a token or a client certificate.", WWW_Authenticate="Bearer"
        )

    async def handle(self, head: Head, body: bytes) -> Answer:
        """Take the events of a body; see ``http_server.Handler``."""
        if head.fields.get("content-encoding", "").lower() == "gzip":
            try:
                unpacked = unpack(body, self._largest)
            except TooMuchError as error:
                raise RefusedError(413, f"The body is refused: {error}.") from error
            if unpacked is None:
                raise RefusedError(400, "The body is damaged: its gzip cannot be unpacked.")
            body = unpacked
        logs = head.path == LOGS_PATH
        taken = await (self._taking.take_logs(body) if logs else self._taking.take([body]))
        if not taken.events and (taken.unusable or not (logs or _is_json(body))):
            what = "line of a container's log" if logs else "audit event"
            raise RefusedError(400, f"There is no {what} in the body: {taken.unusable or 'it is no JSON'}.")
        if not await self._taking.kept(taken.ticket):
            raise RefusedError(503, "The alerts could not be kept yet; send it again.", Retry_After="5")
        request = head.fields.get("x-amz-firehose-request-id", "")
        if _REQUEST_ID.match(request):
            return Answer(
                200, msgspec.json.encode({"requestId": request, "timestamp": taken.time // 1_000_000}).decode()
            )
        return Answer(200)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
