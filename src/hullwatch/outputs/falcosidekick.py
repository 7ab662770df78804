"""Falcosidekick, in the form in which Falco's own http_output speaks to it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from hullwatch.errors import UsageError
from hullwatch.formats.escape import escape_json
from hullwatch.formats.falco import falco
from hullwatch.outputs.output import Output, Url, described, output
from hullwatch.outputs.tls import TlsOptions, tls_context
from hullwatch.outputs.web import WebClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.outputs.output import Context, Message

# Ours alone, so that an alert has the same uuid each time it is sent.
_NAMESPACE = uuid.UUID("6f6ad3a8-5a3b-5d0c-9f0e-7d6a3d1f5b21")


class FalcosidekickOptions(TlsOptions, kw_only=True, frozen=True, tag="falcosidekick"):
    """What can be set for Falcosidekick."""

    url: Annotated[Url, described("Where it listens: http://HOST:2801/ as a rule.")]


@output(FalcosidekickOptions)
class Falcosidekick(Output):
    """Falcosidekick, which hands alerts on to the services that it knows."""

    def __init__(self, options: FalcosidekickOptions, context: Context) -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: the URL is wrong.
            CannotError: a file for TLS cannot be used.
        """
        tls = tls_context(options, context) if options.url.startswith("https:") else None
        try:
            self._client = WebClient(options.url, options.timeout, tls, options.server_name)
        except UsageError as error:
            raise UsageError(f"outputs.{context.name}: url: {error}") from error

    def send(self, batch: Sequence[Message]) -> None:
        """Send a request for each alert: Falcosidekick takes one at a time."""
        for number, message in enumerate(batch):
            try:
                answer = self._client.post(self.preview(message), {"Content-Type": "application/json"})
            except Exception as error:
                if hasattr(error, "delivered"):
                    error.delivered = number  # pyright: ignore[reportAttributeAccessIssue] - both kinds have it
                raise
            self.answer = str(answer)

    def preview(self, message: Message) -> bytes:
        """Return Falco's JSON with a ``uuid``; what Falco has no key for stands among the output fields."""
        document: dict[str, Any] = msgspec.json.decode(falco(message.alert))
        fields = document["output_fields"]
        for name, text in document.pop("labels", {}).items():
            fields.setdefault(name, text)
        document.pop("evidence", None)
        if "capture" in document:
            fields.setdefault("hullwatch.capture", document.pop("capture"))
        placement = message.placement
        if placement is not None:
            fields.setdefault("hullwatch.issue", placement.issue.id)
            if placement.incident is not None:
                fields.setdefault("hullwatch.incident", placement.incident.id)
        document["uuid"] = str(uuid.uuid5(_NAMESPACE, message.id))
        return escape_json(msgspec.json.encode(document, order="sorted").decode()).encode()

    def close(self) -> None:
        """End the connection."""
        self._client.close()
