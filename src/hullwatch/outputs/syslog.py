"""Syslog: RFC 5424 over UDP (RFC 5426), over TCP with counted octets (RFC 6587), and over TLS (RFC 5425)."""

from __future__ import annotations

import re
import select
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Annotated, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from hullwatch.errors import UsageError
from hullwatch.formats.escape import escape
from hullwatch.outputs.output import Output, UnreachableError, Url, described, output
from hullwatch.outputs.tls import FormattedTlsOptions, tls_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.outputs.output import Context, Message

ENTERPRISE = "32473"  # the number that RFC 5612 has set aside for whoever has none
Facility = Literal[
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "audit",
    "alert",
    "clock",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
]
FACILITIES: tuple[str, ...] = get_args(Facility)
# Falco took its priorities from syslog's severities.
SEVERITIES = {
    name: number
    for number, name in enumerate(
        ("Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug")
    )
}
PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
CUT = b"...(cut)"
TOO_LARGE = "larger than largest_datagram"
KEPT_SECONDS = 10.0  # for which what was sent over a connection is kept: syslog has no answer that says it arrived
KEPT_BYTES = 1 << 20
_LONGEST_VALUE = 1024  # characters of a parameter of the structured data
_NOT_NAME = re.compile(r"[^!-~]")  # RFC 5424: names are printable ASCII without blanks
_NOT_ASCII = re.compile(rb"[^\x00-\x7f]")


class SyslogOptions(FormattedTlsOptions, kw_only=True, frozen=True, tag="syslog"):
    """What can be set for syslog."""

    url: Annotated[
        Url, described("The server: udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT; ports are 514, 601, 6514.")
    ]
    facility: Annotated[Facility, described("The facility of all messages.")] = "local0"
    app_name: Annotated[
        str,
        msgspec.Meta(pattern="^[!-~]{1,48}$", extra={"form": "app_name is 1 to 48 characters of ASCII without blanks"}),
        described("The name of the application."),
    ] = "hullwatch"
    structured: Annotated[bool, described("Send id, rule, priority, issue and incident as structured data too.")] = True
    largest_datagram: Annotated[
        int, msgspec.Meta(ge=480, le=65_507), described("Bytes of a message over UDP; a longer one is cut.")
    ] = 8192


@output(SyslogOptions)
class Syslog(Output):
    """A syslog server, over UDP, TCP or TLS, in the form of RFC 5424."""

    def __init__(self, options: SyslogOptions, context: Context) -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: the URL is wrong.
            CannotError: a file for TLS cannot be used.
        """
        try:
            parts = urlsplit(options.url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"outputs.{context.name}: url: {error}.") from None
        if parts.scheme not in PORTS or not parts.hostname:
            raise UsageError(
                f"outputs.{context.name}: url must be udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT."
            )
        self._options = options
        self._count = context.count
        self._scheme = parts.scheme
        self._host = parts.hostname
        self._port = port or PORTS[parts.scheme]
        self._tls = tls_context(options, context) if parts.scheme == "tls" else None
        self._connection: socket.socket | None = None
        self._sent: deque[tuple[float, bytes]] = deque()  # what may not have arrived
        self._sent_size = 0
        self.answer = "sent over UDP: no server answers" if self._scheme == "udp" else "sent: syslog has no answer"

    def send(self, batch: Sequence[Message]) -> None:
        """Send the messages; over a connection that was lost, also those again that may have been lost with it."""
        frames = [self._frame(message) for message in batch]
        try:
            if self._scheme == "udp":
                self._send_datagrams(frames)
            else:
                self._send_stream(frames)
        except OSError as error:
            self.close()
            raise UnreachableError(self._sentence(error)) from error

    def preview(self, message: Message) -> bytes:
        """Return the message as it goes over the wire."""
        return self._frame(message)

    def _send_datagrams(self, frames: list[bytes]) -> None:
        connection = self._connection or self._connect(socket.SOCK_DGRAM)
        for frame in frames:
            connection.send(frame)

    def _send_stream(self, frames: list[bytes]) -> None:
        if self._connection is not None and _was_closed(self._connection):
            self.close()
        connection = self._connection
        if connection is None:
            connection = self._connect(socket.SOCK_STREAM)
            frames = [*(frame for _, frame in self._sent), *frames]
            self._sent.clear()
            self._sent_size = 0
        connection.sendall(b"".join(frames))
        now = time.monotonic()
        for frame in frames:
            self._sent.append((now, frame))
            self._sent_size += len(frame)
        while self._sent and (self._sent[0][0] < now - KEPT_SECONDS or self._sent_size > KEPT_BYTES):
            self._sent_size -= len(self._sent.popleft()[1])

    def _connect(self, kind: socket.SocketKind) -> socket.socket:
        timeout = self._options.timeout
        if kind is socket.SOCK_STREAM:
            made = socket.create_connection((self._host, self._port), timeout)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        else:
            family, _, _, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
            made = socket.socket(family, socket.SOCK_DGRAM)
            made.settimeout(timeout)
            made.connect(address)
        if self._tls is not None:
            try:
                made = self._tls.wrap_socket(made, server_hostname=self._options.server_name or self._host)
            except BaseException:
                made.close()
                raise
        self._connection = made
        return made

    def _frame(self, message: Message) -> bytes:
        frame = self._message(message)
        if self._scheme != "udp":
            return b"%d %s" % (len(frame), frame)
        if len(frame) > self._options.largest_datagram:
            self._count(TOO_LARGE, 1)
            kept = frame[: self._options.largest_datagram - len(CUT)]
            return kept.decode("utf-8", "ignore").encode() + CUT
        return frame

    def _message(self, message: Message) -> bytes:
        alert = message.alert
        priority = FACILITIES.index(self._options.facility) * 8 + SEVERITIES.get(alert.priority, 5)
        seconds, rest = divmod(alert.time // 1000, 1_000_000)
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        host = _NOT_NAME.sub("_", alert.hostname)[:255] or "-"
        head = f"<{priority}>1 {moment}.{rest:06d}Z {host} {self._options.app_name} - {message.kind} "
        data = _structured(message) if self._options.structured else "-"
        body = message.body.replace(b"\n", b"\\n").replace(b"\r", b"\\r").replace(b"\0", b"\\0")
        mark = b"\xef\xbb\xbf" if _NOT_ASCII.search(body) else b""  # RFC 5424: what is UTF-8 begins with it
        return f"{head}{data} ".encode() + mark + body

    def _sentence(self, error: OSError) -> str:
        where = f"{self._host} port {self._port}"
        if isinstance(error, TimeoutError):
            return f"{where} does not answer within {self._options.timeout:g} s"
        reason = getattr(error, "verify_message", "") or error.strerror or getattr(error, "reason", "")
        return f"{where}: {reason or error}"

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _structured(message: Message) -> str:
    values = {"id": message.id, "rule": message.alert.rule, "priority": message.alert.priority}
    placement = message.placement
    if placement is not None:
        values["issue"] = placement.issue.id
        if placement.incident is not None:
            values["incident"] = placement.incident.id
    return f"[hullwatch@{ENTERPRISE} " + " ".join(f'{name}="{_value(text)}"' for name, text in values.items()) + "]"


def _value(text: str) -> str:
    r"""Return a parameter's value: RFC 5424 wants ``"``, ``\`` and ``]`` behind a backslash."""
    safe = escape(text[:_LONGEST_VALUE])
    return safe.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _was_closed(connection: socket.socket) -> bool:
    """Tell whether the server has closed a connection; it never sends anything else."""
    ready, _, _ = select.select([connection], [], [], 0)
    if not ready:
        return False
    connection.settimeout(0)
    try:
        return not connection.recv(4096)
    except BlockingIOError:
        return False
    except OSError as error:
        # A record of TLS that is no data, such as a ticket for the next session.
        return type(error).__name__ not in {"SSLWantReadError", "SSLWantWriteError"}
    finally:
        connection.settimeout(None)
