"""The intake of audit events as those see it who bring them: the webhook, and inputs that wait in threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading

    from hullwatch.sources.k8s_audit.inputs import Input
    from hullwatch.sources.k8s_audit.pipeline import Taken


class Watching(Protocol):
    """The watch as far as it is needed here; see ``audit_watch.AuditWatch``."""

    ending: threading.Event

    def full(self) -> str:
        """Return why nothing can be taken now."""
        ...

    def stored(self) -> int:
        """Return the number up to which all alerts are kept."""
        ...

    def take(self, documents: list[bytes], source: Input) -> int:
        """Judge the events of documents, for a thread."""
        ...

    async def kept(self, ticket: int) -> bool:
        """Wait until the alerts up to a number are kept."""
        ...

    async def take_documents(self, documents: list[bytes], source: Input) -> Taken:
        """Judge the events of documents."""
        ...

    async def take_logs(self, body: bytes) -> Taken:
        """Judge a body that is nothing but lines of logs."""
        ...


class WebhookTaking:
    """The watch as the webhook sees it."""

    def __init__(self, watch: Watching, source: Input) -> None:
        """Take them for an input."""
        self.full = watch.full
        self.kept = watch.kept
        self.take_logs = watch.take_logs
        self._watch = watch
        self._source = source

    async def take(self, documents: list[bytes]) -> Taken:
        """Judge documents; see ``webhook.Taking``."""
        return await self._watch.take_documents(documents, self._source)


class InputFeed:
    """The watch as an input sees it that waits in a thread."""

    def __init__(self, watch: Watching, source: Input) -> None:
        """Take them for an input."""
        self.ending = watch.ending
        self.stored = watch.stored
        self.input = source
        self._watch = watch

    def take(self, documents: list[bytes]) -> int:
        """Judge documents, and return the number of the last alert; see ``feed.Feed``."""
        return self._watch.take(documents, self.input)
