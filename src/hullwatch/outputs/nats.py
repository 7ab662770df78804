"""NATS: a message for each alert, into a stream of JetStream or to whoever listens.

The client works with coroutines: a thread of its own runs them, and keeps the connection alive while nothing is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import msgspec

from hullwatch.errors import CannotError, UsageError
from hullwatch.extras import install
from hullwatch.outputs.output import Output, RefusedError, Secret, UnreachableError, Url, described, output
from hullwatch.outputs.tls import FormattedTlsOptions, tls_context

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from hullwatch.outputs.output import Context, Message


ID_HEADER = "Nats-Msg-Id"  # JetStream stores a message with an id once
GRACE = 1.0  # seconds that a coroutine may take beyond its time-out, before it is left alone


class NatsOptions(FormattedTlsOptions, kw_only=True, frozen=True, tag="nats"):
    """What can be set for NATS."""

    url: Annotated[Url, described("The server: nats://HOST:4222, or tls://HOST:4222 for TLS.")]
    subject: Annotated[
        str,
        msgspec.Meta(pattern=r"^[!-)+-=?-~]{1,255}$"),
        described("What messages are about; {priority} stands for the priority in small letters."),
    ] = "hullwatch.alerts"
    jetstream: Annotated[
        bool, described("Have a stream store each message and say so; false: nobody may be listening.")
    ] = True
    user: Annotated[str, described("The user; empty: none.")] = ""
    password: Annotated[Secret, described("The user's password.")] = ""
    token: Annotated[Secret, described("A token instead of a user.")] = ""


@output(NatsOptions)
class Nats(Output):
    """NATS: JetStream or plain, with the alert's id as the message's."""

    def __init__(self, options: NatsOptions, context: Context) -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: the URL is wrong.
            CannotError: the library is missing, or a file for TLS cannot be used.
        """
        try:
            self._library: Any = importlib.import_module("nats")
            self._errors: Any = importlib.import_module("nats.errors")
            self._stream_errors: Any = importlib.import_module("nats.js.errors")
        except ImportError as error:
            raise CannotError(f"outputs.{context.name}: NATS needs nats-py; install it: {install('nats')}") from error
        self._options = options
        self._where = _address(options.url, context)
        secure = options.url.startswith("tls:") or bool(options.ca_file or options.certificate_file)
        self._tls = tls_context(options, context) if secure else None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: Any = None
        self._heard = "no server"

    def send(self, batch: Sequence[Message]) -> None:
        """Send the messages one after another: the next when the stream has the one before."""
        try:
            self._call(self._connect(), self._options.timeout)
        except Exception as error:
            self._forget()
            raise UnreachableError(self._sentence(error)) from error
        for number, message in enumerate(batch):
            try:
                self._call(self._publish(message), self._options.timeout)
            except Exception as error:
                if isinstance(error, self._errors.MaxPayloadError):
                    raise RefusedError(self._sentence(error), delivered=number) from error
                self._forget()
                raise UnreachableError(self._sentence(error), delivered=number) from error
        if not self._options.jetstream:
            try:
                self._call(self._client.flush(int(self._options.timeout) or 1), self._options.timeout)
            except Exception as error:
                self._forget()
                raise UnreachableError(self._sentence(error)) from error
            self.answer = f"{len(batch)} sent; without JetStream nobody says who has them"

    def close(self) -> None:
        """End the connection and the thread."""
        self._forget()
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(GRACE)
            if not self._thread.is_alive():
                self._loop.close()
            self._loop = self._thread = None

    async def _connect(self) -> None:
        if self._client is not None and self._client.is_connected:
            return
        options = self._options
        given: dict[str, Any] = {"user": options.user or None, "password": options.password or None}
        if self._tls is not None:
            given |= {"tls": self._tls, "tls_hostname": options.server_name or None}
        self._client = self._library.NATS()  # known before it connects: one that fails has to be closed too
        await self._client.connect(
            options.url,
            name="hullwatch",
            allow_reconnect=False,  # the queue tries again
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=max(1, int(options.timeout)),
            error_cb=self._hear,
            token=options.token or None,
            **{name: value for name, value in given.items() if value is not None},
        )

    async def _hear(self, error: Exception) -> None:
        """Note what the library would write on standard error; it explains that no server is left."""
        self._heard = str(error).removeprefix("nats: ") or type(error).__name__

    async def _publish(self, message: Message) -> None:
        subject = self._options.subject.replace("{priority}", message.alert.priority.lower())
        headers = {ID_HEADER: message.id}
        if not self._options.jetstream:
            await self._client.publish(subject, message.body, headers=headers)
            return
        stored = await self._client.jetstream().publish(
            subject, message.body, timeout=self._options.timeout, headers=headers
        )
        self.answer = f"stored in {stored.stream} as {stored.seq}"

    def _call(self, coroutine: Coroutine[Any, Any, Any], timeout: float) -> None:
        """Run a coroutine in the thread and wait for it."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
            self._thread.start()
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(coroutine, timeout), self._loop)
        future.result(timeout + GRACE)

    def _forget(self) -> None:
        """End the connection, whatever state it is in."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                self._call(client.close(), GRACE)

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, self._stream_errors.NoStreamResponseError):
            return (
                f"{self._where}: no stream of JetStream has the subject {self._options.subject}; make one: "
                f"nats stream add ALERTS --subjects '{self._options.subject}'"
            )
        if isinstance(error, (TimeoutError, self._errors.TimeoutError)):
            return f"{self._where} does not answer within {self._options.timeout:g} s"
        said = str(error).removeprefix("nats: ") or type(error).__name__
        return f"{self._where}: {self._heard if isinstance(error, self._errors.NoServersError) else said}"


def _address(url: str, context: Context) -> str:
    """Return host and port of a URL, which may be shown."""
    try:
        parts = urlsplit(url)
        port = parts.port or 4222
    except ValueError as error:
        raise UsageError(f"outputs.{context.name}: url: {error}.") from None
    if parts.scheme not in {"nats", "tls"} or not parts.hostname:
        raise UsageError(f"outputs.{context.name}: url: it must begin with nats:// or tls:// and a host.")
    return f"{parts.hostname} port {port}"
