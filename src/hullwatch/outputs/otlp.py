"""Log records of OpenTelemetry over HTTP, to a collector or a service that takes them.

Source: the OTLP 1.7 specification, OTLP/HTTP. No library is needed: the records are written by ``formats/otlp.py``.
"""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from hullwatch.errors import UsageError
from hullwatch.formats.document import clean
from hullwatch.formats.escape import escape
from hullwatch.formats.otlp import export_json, export_protobuf, log_record
from hullwatch.outputs.output import Output, RefusedError, Secret, Url, described, output
from hullwatch.outputs.tls import TlsOptions, tls_context
from hullwatch.outputs.web import WebClient
from hullwatch.sources.protobuf import BrokenMessageError
from hullwatch.sources.protobuf import Message as ProtobufMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.outputs.output import Context, Message

PATH = "/v1/logs"  # where the specification has logs, unless the URL says otherwise
_TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}
_OURS = frozenset({"content-type", "content-encoding", "content-length", "host"})


class OtlpOptions(TlsOptions, kw_only=True, frozen=True, tag="otlp"):
    """What can be set for OpenTelemetry."""

    url: Annotated[Url, described("Of the collector: http://HOST:4318; without a path /v1/logs is meant.")]
    encoding: Annotated[
        Literal["protobuf", "json"], described("How records are written; some services take protobuf alone.")
    ] = "protobuf"
    compress: Annotated[bool, described("Compress requests with gzip.")] = True
    headers: Annotated[
        dict[str, Secret],
        msgspec.Meta(extra={"secret": "values"}, max_length=64),
        described('More headers, such as {Authorization = "Bearer ${TOKEN}"}.'),
    ] = msgspec.field(default_factory=dict[str, str])


class _Rejected(msgspec.Struct, frozen=True, rename="camel"):
    rejected_log_records: int | str = 0  # the encoding has numbers of 64 bits as text
    error_message: str = ""


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    partial_success: _Rejected = _Rejected()


@output(OtlpOptions)
class Otlp(Output):
    """OpenTelemetry: a log record for each alert, over OTLP/HTTP."""

    def __init__(self, options: OtlpOptions, context: Context) -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: the URL or a header is wrong.
            CannotError: a file for TLS cannot be used.
        """
        self._options = options
        where = f"outputs.{context.name}"
        tls = tls_context(options, context) if options.url.startswith("https:") else None
        try:
            self._client = WebClient(options.url, options.timeout, tls, options.server_name)
        except UsageError as error:
            raise UsageError(f"{where}: url: {error}") from error
        parts = urlsplit(options.url)
        query = f"?{parts.query}" if parts.query else ""
        self._path = parts.path + query if parts.path.strip("/") else PATH + query
        for name, value in options.headers.items():
            if not name or name.lower() in _OURS or not (name + value).isascii() or not (name + value).isprintable():
                raise UsageError(f"{where}: headers: {escape(name[:40])} cannot be set: names and values are ASCII.")

    def send(self, batch: Sequence[Message]) -> None:
        """Send one request for all of the batch."""
        headers = {"Content-Type": _TYPES[self._options.encoding], **self._options.headers}
        body = self._body(batch, time.time_ns())
        if self._options.compress:
            body = gzip.compress(body, 6, mtime=0)
            headers["Content-Encoding"] = "gzip"
        answer = self._client.post(body, headers, path=self._path)
        self.answer = f"{answer.status} {answer.reason}"
        rejected, why = self._rejected(answer.body)
        if rejected:
            said = f": {escape(clean(why, 300))}" if why else ""
            raise RefusedError(f"{self._client.host} took all but {rejected} of {len(batch)} records{said}")

    def preview(self, message: Message) -> bytes:
        """Return the request in JSON, which is the one that people can read."""
        return export_json([log_record(message.alert, message.placement)], message.alert.time)

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _body(self, batch: Sequence[Message], observed: int) -> bytes:
        records = [log_record(message.alert, message.placement) for message in batch]
        return (export_json if self._options.encoding == "json" else export_protobuf)(records, observed)

    def _rejected(self, body: bytes) -> tuple[int, str]:
        """Return how many records the server did not take, and what it says about that."""
        try:
            if self._options.encoding == "json":
                rejected = msgspec.json.decode(body or b"{}", type=_Answer).partial_success
                return int(rejected.rejected_log_records), rejected.error_message
            partial = ProtobufMessage(body).message(1)
            return partial.signed(1), partial.text(2)
        except (BrokenMessageError, msgspec.DecodeError, ValueError):
            return 0, ""  # it said 200: what it says beside that is for people
