"""Fields of questions and answers of the domain name system (``dns.*``). Falco has none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.events.dns_message import Message, read_message
from hullwatch.fields.field import FieldType, Multiplicity, field

if TYPE_CHECKING:
    from hullwatch.events.event import Event

_TCP = 6


def message_of(event: Event) -> Message | None:
    """Return the message of an event; None for other events, and for bytes that are no message."""
    if event.type.layout.name != "dns":
        return None
    data = event.params.get("data")
    return read_message(data, stream=event.params.get("l4proto") == _TCP) if isinstance(data, bytes) else None


@field("dns.question", FieldType.CHARBUF)
def question(event: Event) -> str | None:
    """Name that is asked for, or that the answer is about; in lower case and without the last dot."""
    message = message_of(event)
    return message.question if message is not None else None


@field("dns.type", FieldType.CHARBUF)
def kind(event: Event) -> str | None:
    """What is asked for: A, AAAA, TXT, ..."""
    message = message_of(event)
    return message.kind if message is not None else None


@field("dns.id", FieldType.UINT32)
def number(event: Event) -> int | None:
    """Number that a question and its answer share."""
    message = message_of(event)
    return message.number if message is not None else None


@field("dns.is_answer", FieldType.BOOL)
def is_answer(event: Event) -> bool | None:
    """Whether the message is an answer; false for a question."""
    message = message_of(event)
    return message.is_answer if message is not None else None


@field("dns.rcode", FieldType.CHARBUF)
def rcode(event: Event) -> str | None:
    """Result of an answer: NOERROR, NXDOMAIN, ...; absent for a question."""
    message = message_of(event)
    return message.code or None if message is not None else None


@field("dns.answer", FieldType.CHARBUF, Multiplicity.ENDS)
def answer(event: Event) -> tuple[str, ...] | None:
    """Addresses and names of an answer, at most 32; absent without."""
    message = message_of(event)
    return message.answers or None if message is not None else None
