"""Any HTTP server: a request for each alert or for several, with a body and headers of one's own."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from hullwatch.errors import UsageError
from hullwatch.formats.registry import FORMATS
from hullwatch.outputs.output import Output, Secret, Url, described, output
from hullwatch.outputs.secrets import MASK, shown_url
from hullwatch.outputs.template import Template
from hullwatch.outputs.tls import FormattedTlsOptions, tls_context
from hullwatch.outputs.web import WebClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.outputs.output import Context, Message

ID_HEADER = "X-Hullwatch-Id"
TIME_HEADER = "X-Hullwatch-Timestamp"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = frozenset({"host", "content-length", "connection", "transfer-encoding"})


class HttpOptions(FormattedTlsOptions, kw_only=True, frozen=True, tag="http"):
    """What can be set for HTTP."""

    url: Annotated[Url, described("Where requests go to: http:// or https://, with a user and password if need be.")]
    method: Annotated[Literal["POST", "PUT", "PATCH"], described("The method of requests.")] = "POST"
    headers: Annotated[
        dict[str, Secret],
        msgspec.Meta(extra={"secret": "values"}, max_length=64),
        described("More headers; their values are templates."),
    ] = msgspec.field(default_factory=dict[str, Secret])
    body: Annotated[
        str, described('A template of the body, such as {"text": "{{message}}"}; empty: the alert in its format.')
    ] = ""
    content_type: Annotated[
        str, described("The content type; empty: the format's, and application/json for a template.")
    ] = ""
    together: Annotated[
        Literal["no", "lines", "array"],
        described("no: a request for each alert; lines: several in one, a line each; array: as a JSON array."),
    ] = "no"
    signature_secret: Annotated[
        Secret,
        described("Sign with this key: HMAC-SHA256 of the time, a dot and the body, in hexadecimal."),
    ] = ""
    signature_header: Annotated[str, described("The header of the signature, as sha256=DIGITS.")] = (
        "X-Hullwatch-Signature"
    )


@output(HttpOptions)
class Http(Output):
    """An HTTP server: requests with bodies and headers from templates, signed if need be."""

    def __init__(self, options: HttpOptions, context: Context) -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: the URL, a header or a template is wrong.
            CannotError: a file for TLS cannot be used.
        """
        self._options = options
        where = f"outputs.{context.name}"
        tls = tls_context(options, context) if options.url.startswith("https:") else None
        try:
            self._client = WebClient(options.url, options.timeout, tls, options.server_name)
        except UsageError as error:
            raise UsageError(f"{where}: url: {error}") from error
        kind = FORMATS.get(options.format).content_type
        self._type = options.content_type or ("application/json" if options.body else kind)
        form = "json" if "json" in self._type else "text"
        self._body = Template(options.body, form, f"{where}: body") if options.body else None
        self._headers = {name: _header(name, text, where) for name, text in options.headers.items()}
        for name in (options.signature_header, self._type):
            if not name.isascii() or not name.isprintable():
                raise UsageError(f"{where}: a header must be printable ASCII.")

    def send(self, batch: Sequence[Message]) -> None:
        """Send one request, or one for each alert."""
        if self._options.together != "no":
            self._post(batch)
            return
        for number, message in enumerate(batch):
            try:
                self._post((message,))
            except Exception as error:
                if hasattr(error, "delivered"):
                    error.delivered = number  # pyright: ignore[reportAttributeAccessIssue] - both kinds have it
                raise

    def preview(self, message: Message) -> bytes:
        """Return a request without its secrets."""
        body = self._joined((message,))
        lines = [f"{self._options.method} {shown_url(self._options.url)}", f"Content-Type: {self._type}"]
        lines += [f"{ID_HEADER}: {message.id}", *(f"{name}: {MASK}" for name in self._headers)]
        if self._options.signature_secret:
            lines.append(f"{self._options.signature_header}: {MASK}")
        return "\n".join([*lines, "", ""]).encode() + body

    def _post(self, batch: Sequence[Message]) -> None:
        body = self._joined(batch)
        headers = {"Content-Type": self._type}
        if len(batch) == 1:
            headers[ID_HEADER] = batch[0].id
        headers |= {name: value.fill(batch[0]) for name, value in self._headers.items()}
        if self._options.signature_secret:
            moment = str(int(time.time()))
            key = self._options.signature_secret.encode()
            signature = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
            headers |= {TIME_HEADER: moment, self._options.signature_header: f"sha256={signature}"}
        self.answer = str(self._client.post(body, headers, method=self._options.method))

    def _joined(self, batch: Sequence[Message]) -> bytes:
        bodies = [message.body if self._body is None else self._body.fill(message).encode() for message in batch]
        if self._options.together == "array":
            return b"[" + b",".join(bodies) + b"]"
        if self._options.together == "lines":
            return b"".join(body + b"\n" for body in bodies)
        return bodies[0]

    def close(self) -> None:
        """End the connection."""
        self._client.close()


def _header(name: str, text: str, where: str) -> Template:
    if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
        raise UsageError(f'{where}: headers: "{name[:40]}" cannot be set.')
    if not text.isascii() or not text.isprintable():
        raise UsageError(f"{where}: headers: the value of {name} must be printable ASCII.")
    return Template(text, "header", f"{where}: headers.{name}")
