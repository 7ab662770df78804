"""The head of an HTTP/1.1 request, read strictly (RFC 9112): what could be read in two ways is refused."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_plus

LONGEST_HEAD = 16 << 10  # bytes
_LINE = re.compile(r"([A-Z]{1,16}) ([!-~]{1,4096}) HTTP/1\.([01])\Z")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}):[ \t]*(.*?)[ \t]*\Z")
_LENGTH = re.compile(r"\d{1,18}\Z")
_ONCE = frozenset({"content-length", "transfer-encoding", "content-encoding", "authorization", "host"})
_REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 411: "Length Required", 413: "Content Too Large", 415: "Unsupported Media Type",
    429: "Too Many Requests", 431: "Request Header Fields Too Large", 500: "Internal Server Error",
    501: "Not Implemented", 503: "Service Unavailable",
}  # fmt: skip


class RefusedError(Exception):
    """A request that is answered with something else than success."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        """Take the status, the sentence for whoever asked, and headers with _ for -."""
        super().__init__(sentence)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Head(NamedTuple):
    """What a request says before its body.

    Attributes:
        method: in capitals.
        path: without the query.
        query: its parameters; of several of one name the first.
        fields: by their names in small letters.
        length: of the body in bytes; -1 when it comes in chunks.
        keeps: whether another request may follow.
    """

    method: str
    path: str
    query: dict[str, str]
    fields: dict[str, str]
    length: int
    keeps: bool


def parse_head(data: bytes) -> Head:
    """Read a head, with the empty line at its end.

    Raises:
        RefusedError: when it is none, or says something that is not taken here.
    """
    first, *rest = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    line = _LINE.match(first)
    if line is None:
        raise RefusedError(400, "This is no HTTP/1.1 request.")
    fields: dict[str, str] = {}
    for one in rest:
        field = _FIELD.match(one)
        if field is None or "\n" in one or "\0" in one:
            raise RefusedError(400, "A header is not in its form.")
        name = field[1].lower()
        if name in fields and name in _ONCE:
            raise RefusedError(400, f"The header {name} is there twice.")
        fields.setdefault(name, field[2])
    path, _, query = line[2].partition("?")
    return Head(line[1], path, _parameters(query), fields, _length(fields), _keeps(fields, int(line[3])))


def _length(fields: dict[str, str]) -> int:
    coding, length = fields.get("transfer-encoding"), fields.get("content-length")
    if coding is None:
        if length is not None and not _LENGTH.match(length):
            raise RefusedError(400, "Content-Length is no number.")
        return int(length or 0)
    if length is not None:
        raise RefusedError(400, "There are Content-Length and Transfer-Encoding, of which only one can be true.")
    if coding.lower() != "chunked":
        raise RefusedError(501, "The only Transfer-Encoding taken here is chunked.")
    return -1


def _keeps(fields: dict[str, str], minor: int) -> bool:
    said = fields.get("connection", "").lower()
    return "close" not in said and (minor == 1 or "keep-alive" in said)


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in query.split("&")[:32]:
        name, _, value = part.partition("=")
        found.setdefault(unquote_plus(name), unquote_plus(value))
    return found


class Answer(NamedTuple):
    """What is answered; a body is a sentence, or JSON."""

    status: int
    body: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed

    def encode(self, *, keeps: bool) -> bytes:
        """Return its bytes.

        Args:
            keeps: whether the connection stays open behind it.
        """
        body = self.body.encode("utf-8", "backslashreplace")
        kind = "application/json" if self.body.startswith("{") else "text/plain; charset=utf-8"
        lines = [
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unknown')}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            f"Connection: {'keep-alive' if keeps else 'close'}",
            "Cache-Control: no-store",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def refusal(error: RefusedError) -> Answer:
    """Return the answer to a request that is refused."""
    return Answer(error.status, f"{error}\n", error.headers)
