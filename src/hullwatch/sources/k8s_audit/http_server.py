"""A small server of HTTP/1.1 with bounds on everything: connections, time, and the bytes that all bodies take together.

Who asks is looked at before a body is read, so that nobody without a right makes it keep anything; a body for which
there is no room is answered 429 with Retry-After, and its sender tries again.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import ssl
from asyncio import sslproto
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from hullwatch.sources.k8s_audit.http_head import LONGEST_HEAD, Answer, Head, RefusedError, parse_head, refusal
from hullwatch.sources.k8s_audit.tls_refusal import Handshake

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

CERTIFICATE_REFUSED = "client certificate refused: "  # with it begins what is counted of those; a reason follows
_CHUNK = 64 << 10  # bytes that are read at once
_SIZE_LINE = 1024  # bytes of the line before a chunk
FEWEST_DESCRIPTORS = 256  # that are kept free of connections
_MOST_DESCRIPTORS = 8192
_DRAINED = 20.0  # seconds for a sender to stop, so that it reads why it was refused: some send all of it first
_BUFFER = 32 << 10  # bytes of a connection of TLS; asyncio has 256 KiB, and a thousand connections 256 MiB


class Limits(msgspec.Struct, frozen=True):
    """What one server takes.

    Attributes:
        connections: at once; others wait until there is room.
        body: bytes of one body.
        bodies: bytes of all bodies that are there at once.
        handshake: seconds for TLS.
        head: seconds for a head to come whole.
        idle: seconds until the next request of a connection.
        body_time: seconds for a body to come whole ...
        slowest: ... and one more for so many bytes of it.
        answer: seconds for an answer to be read.
    """

    connections: int = 1500
    body: int = 32 << 20
    bodies: int = 96 << 20
    handshake: float = 10.0
    head: float = 10.0
    idle: float = 120.0
    body_time: float = 15.0
    slowest: int = 256 << 10
    answer: float = 10.0


def limits_for(body: int) -> Limits:
    """Return the limits of a server: connections as there may be descriptors, and the bytes of three bodies.

    Args:
        body: bytes of one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(_MOST_DESCRIPTORS, hard) if hard != resource.RLIM_INFINITY else _MOST_DESCRIPTORS
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    connections = max(64, min(1500, soft - FEWEST_DESCRIPTORS))
    return Limits(connections=connections, body=body, bodies=3 * body)


class Handler(Protocol):
    """What answers requests."""

    def admit(self, head: Head, *, certified: bool) -> Answer | None:
        """Look at a request before its body is read.

        Args:
            head: of the request.
            certified: whether its sender has a client certificate that was found right.

        Returns:
            What is answered at once; None when the body is to be read.

        Raises:
            RefusedError: when it is refused.
        """
        ...

    async def handle(self, head: Head, body: bytes) -> Answer:
        """Answer a request.

        Raises:
            RefusedError: when it is refused.
        """
        ...


class HttpServer:
    """Serves on a socket that listens already.

    Attributes:
        counts: what went wrong, by reason.
        open: connections that are open now.
        refused: whose client certificate was refused last, and why; empty for nobody.
    """

    def __init__(
        self, listener: socket.socket, context: ssl.SSLContext | None, handler: Handler, limits: Limits | None = None
    ) -> None:
        """Be ready to serve.

        Args:
            listener: that listens; it stays its owner's.
            context: of TLS; None for plain HTTP.
            handler: answers.
            limits: of what is taken.
        """
        listener.settimeout(0)
        self.counts: dict[str, int] = {}
        self.open = 0
        self.refused = ""
        self._listener = listener
        self._context = context
        self._handler = handler
        self._limits = limits or Limits()
        self._room = asyncio.Semaphore(self._limits.connections)
        self._left = self._limits.bodies
        self._generation = 0  # of what is agreed on
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Take connections until it is cancelled."""
        sslproto.SSLProtocol.max_size = _BUFFER  # there is no other way
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                connection, address = await loop.sock_accept(self._listener)
            except OSError:  # it has gone again, or there are no descriptors left
                self._room.release()
                self._count("connection that could not be taken")
                await asyncio.sleep(0.1)
                continue
            except asyncio.CancelledError:
                self._room.release()
                raise
            task = loop.create_task(self._serve(connection, str(address[0])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def use(self, context: ssl.SSLContext | None) -> None:
        """Agree on this with whoever connects from now on; those who are connected come again after their next answer.

        So nothing that is on its way is lost, and nobody stays whose certificate is no longer right.
        """
        self._context = context
        self._generation += 1

    async def close(self, patience: float) -> None:
        """Let requests that are being answered end, within a time."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=patience)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=1.0)

    async def _serve(self, connection: socket.socket, address: str) -> None:
        self.open += 1
        writer: asyncio.StreamWriter | None = None
        generation = self._generation
        try:
            reader, writer = await self._open(connection)
            first = True
            while await self._one(reader, writer, generation, first=first):
                first = False
        except TimeoutError:
            self._count("too slow")
        except ssl.SSLCertVerificationError as error:  # the messages are OpenSSL's own, and few
            self._count(f"{CERTIFICATE_REFUSED}{error.verify_message}")
            self.refused = f"{address}, {error.verify_message}"
        except (OSError, EOFError):  # TLS errors are OSErrors
            self._count("connection lost" if writer is not None else "TLS not agreed on")
        finally:
            if writer is None:
                connection.close()
            else:
                await self._shut(writer)
            self.open -= 1
            self._room.release()

    async def _open(self, connection: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(LONGEST_HEAD, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        if self._context is None:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection)
            return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
        times = {"ssl_handshake_timeout": self._limits.handshake, "ssl_shutdown_timeout": 1.0}
        handshake: Any = Handshake(self._context, connection)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=handshake, **times)
        except ssl.SSLError:
            await handshake.tell()
            raise
        finally:
            handshake.close()
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, generation: int, *, first: bool
    ) -> bool:
        """Answer one request; return whether another may follow."""
        keeps, unread = False, False
        try:
            head = await self._head(reader, first=first)
            if head is None:
                return False
            answer, keeps = await self._answer(head, reader, writer)
        except RefusedError as error:
            self._count(f"answered {error.status}")
            answer, unread = refusal(error), True
        keeps = keeps and generation == self._generation
        writer.write(answer.encode(keeps=keeps))
        async with asyncio.timeout(self._limits.answer):
            await writer.drain()
        if unread:
            await self._drain(reader, writer)
        return keeps

    async def _head(self, reader: asyncio.StreamReader, *, first: bool) -> Head | None:
        try:
            async with asyncio.timeout(self._limits.head if first else self._limits.idle):
                return parse_head(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise RefusedError(400, "The request ends in the middle of its head.") from None
            return None
        except asyncio.LimitOverrunError:
            raise RefusedError(431, f"The head of the request is longer than {LONGEST_HEAD} bytes.") from None
        except TimeoutError:
            if not first:
                return None
            raise RefusedError(408, f"The head did not come within {self._limits.head:g} seconds.") from None

    async def _answer(
        self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[Answer, bool]:
        """Return the answer to a request, and whether another may follow."""
        certified = bool(writer.get_extra_info("peercert"))
        answer = self._handler.admit(head, certified=certified)
        if answer is not None:
            return answer, head.keeps and not head.length
        if head.length > self._limits.body:
            raise self._too_large()
        with _Reserved(self._take, self._give_back) as reserved:
            reserved.more(max(0, head.length))
            if head.fields.get("expect", "").lower() == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await self._body(head, reader, reserved)
            try:
                return await self._handler.handle(head, body), head.keeps
            except RefusedError as error:  # the body was read: the connection is as it should be
                self._count(f"answered {error.status}")
                return refusal(error), head.keeps

    async def _body(self, head: Head, reader: asyncio.StreamReader, reserved: _Reserved) -> bytes:
        most = head.length if head.length >= 0 else self._limits.body
        seconds = self._limits.body_time + most / self._limits.slowest
        try:
            async with asyncio.timeout(seconds):
                return bytes(await (self._sized(head, reader) if head.length >= 0 else self._chunked(reader, reserved)))
        except TimeoutError:
            raise RefusedError(408, f"The body did not come within {seconds:.0f} seconds.") from None
        except (asyncio.IncompleteReadError, EOFError):
            raise RefusedError(400, "The body ends before its end.") from None

    @staticmethod
    async def _sized(head: Head, reader: asyncio.StreamReader) -> bytearray:
        body = bytearray()
        while len(body) < head.length:
            data = await reader.read(min(_CHUNK, head.length - len(body)))
            if not data:
                raise EOFError
            body += data
        return body

    async def _chunked(self, reader: asyncio.StreamReader, reserved: _Reserved) -> bytearray:
        body = bytearray()
        while True:
            line = await self._line(reader)
            try:
                size = int(line.partition(b";")[0].strip(), 16) if line[:1] not in b"+-_" else -1
            except ValueError:
                size = -1
            if size < 0:
                raise RefusedError(400, "A chunk has no size.")
            if len(body) + size > self._limits.body:
                raise self._too_large()
            if not size:
                break
            reserved.more(size)
            body += await reader.readexactly(size)
            if await reader.readexactly(2) != b"\r\n":
                raise RefusedError(400, "A chunk does not end where it should.")
        while await self._line(reader):
            pass  # trailers say nothing that matters here
        return body

    @staticmethod
    async def _line(reader: asyncio.StreamReader) -> bytes:
        try:
            line = await reader.readuntil(b"\r\n")
        except asyncio.LimitOverrunError:
            line = b"x" * (_SIZE_LINE + 1)
        if len(line) > _SIZE_LINE:
            raise RefusedError(400, "A line between chunks is too long.")
        return line[:-2]

    async def _drain(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read what its sender still sends and forget it: else the answer would be lost with it."""
        with contextlib.suppress(TimeoutError, OSError, RuntimeError):
            if writer.can_write_eof():
                writer.write_eof()
            async with asyncio.timeout(_DRAINED):
                while await reader.read(_CHUNK):
                    pass

    @staticmethod
    async def _shut(writer: asyncio.StreamWriter) -> None:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError, EOFError):
            async with asyncio.timeout(2.0):
                await writer.wait_closed()

    def _take(self, size: int) -> None:
        if size > self._left:
            raise RefusedError(429, "There are too many bodies at once; send it again.", Retry_After="1")
        self._left -= size

    def _give_back(self, size: int) -> None:
        self._left += size

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"A body has at most {self._limits.body} bytes (kubernetes.audit.largest_body).")

    def _count(self, reason: str) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1


class _Reserved:
    """Bytes that a body may take, given back when it is done."""

    def __init__(self, take: Callable[[int], None], give_back: Callable[[int], None]) -> None:
        self._take = take
        self._give_back = give_back
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back(self._size)

    def more(self, size: int) -> None:
        self._take(size)
        self._size += size
