"""A message as it stands in a queue: the alert and its place as they are, to be written in a format when it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.incident import Placement
from hullwatch.alerts.mask import CUT, valid_text
from hullwatch.outputs.output import Kind, Message

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_TEXT = 1 << 16  # characters of a text in a message that is too large, at first; then halves of it
SHORTEST_TEXT = 32  # to which texts are cut at most
_LEFT_OUT = {"hullwatch.notes": "the fields were left out, for the alert was too large"}


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """A message without its body.

    Attributes:
        id: as ``Message`` has it; and so are ``kind`` and ``key``.
        alert: encoded.
        placement: encoded; nil for none.
    """

    id: str
    kind: Kind
    key: str
    alert: msgspec.Raw
    placement: msgspec.Raw


def _other(value: object) -> object:
    """Give what msgpack has no form for: text, and nothing for what a format remembers."""
    return None if type(value).__name__ == "Reused" else str(value)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_other)
_ALERTS = msgspec.msgpack.Decoder(Alert)
_PLACEMENTS = msgspec.msgpack.Decoder(Placement | None)
_KEPT = msgspec.msgpack.Decoder(Kept)


class Encoded:
    """An alert and its place, encoded once for all outputs."""

    def __init__(self, alert: Alert, placement: Placement | None) -> None:
        """Encode nothing yet."""
        self._alert = alert
        self._placement = placement
        self._alerts: dict[int, msgspec.Raw] = {}
        self._whole: bytes | None = None
        self._slim: msgspec.Raw | None = None
        self._steps: msgspec.Raw | None = None
        self.cut: set[int] = set()
        """The sizes to which the alert had to be cut."""

    def message(self, kind: Kind, largest: int) -> bytes:
        """Return it as a message that stands in a queue; ``largest``: bytes of the alert that are kept."""
        alert = self._encoded_alert(largest)
        identity = self._alert.id or hashlib.blake2s(self._whole or b"", digest_size=12).hexdigest()
        placement = self._placement
        key = self._alert.rule
        if placement is not None:
            key = placement.issue.id
            if kind == "issue":
                identity = f"{placement.issue.id}.{identity}"
            elif kind == "incident" and placement.incident is not None:
                identity = f"{placement.incident.id}.{identity}"
        return _ENCODER.encode(Kept(identity, kind, key, alert, self._encoded_placement(steps=kind == "incident")))

    def _encoded_alert(self, largest: int) -> msgspec.Raw:
        found = self._alerts.get(largest)
        if found is None:
            if self._whole is None:
                self._whole = _encode(self._alert)
            whole = self._whole
            if len(whole) > largest:
                whole = _cut(self._alert, largest)
                self.cut.add(largest)
            found = self._alerts[largest] = msgspec.Raw(whole)
        return found

    def _encoded_placement(self, *, steps: bool) -> msgspec.Raw:
        placement = self._placement
        if steps or placement is None or placement.incident is None or not placement.incident.steps:
            if self._steps is None:
                self._steps = msgspec.Raw(_encode(placement))
            return self._steps
        if self._slim is None:
            incident = placement.incident
            left_out = incident.steps_left_out + len(incident.steps)
            slim = msgspec.structs.replace(incident, steps=[], steps_left_out=left_out)
            self._slim = msgspec.Raw(_encode(msgspec.structs.replace(placement, incident=slim)))
        return self._slim


def _encode(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value)
    except (UnicodeEncodeError, OverflowError, TypeError):  # half a surrogate pair, a number of more than 64 bits
        plain = msgspec.to_builtins(value, builtin_types=(int,), enc_hook=_other, str_keys=True)
        return _ENCODER.encode(_map_texts(plain, valid_text))


def _cut(alert: Alert, largest: int) -> bytes:
    """Return an alert whose long texts are cut until it is small enough."""
    longest = LONGEST_TEXT
    plain = msgspec.to_builtins(alert, enc_hook=_other, str_keys=True)
    while longest > SHORTEST_TEXT:
        limit = longest
        data = _encode(_map_texts(plain, lambda text, limit=limit: text[:limit] + CUT if len(text) > limit else text))
        if len(data) <= largest:
            return data
        longest //= 2
    small = _map_texts({**plain, "output_fields": _LEFT_OUT, "evidence": [], "labels": {}}, lambda text: text[:80])
    return _encode(small)


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value)
        return {_map_texts(key, change): _map_texts(item, change) for key, item in items.items()}
    if isinstance(value, (list, tuple)):
        return [_map_texts(item, change) for item in cast("list[Any]", value)]
    if isinstance(value, int) and value.bit_length() > 63:
        return str(value)
    return value


Write = Callable[[Alert, Placement | None], bytes]
"""A format."""


def decode(payload: bytes, write: Write | None) -> Message:
    """Return the message that stands in a queue, with its body in a format; None: without.

    Raises:
        msgspec.DecodeError: it cannot be read (any more).
        Exception: whatever the format raises.
    """
    kept = _KEPT.decode(payload)
    alert, placement = _ALERTS.decode(kept.alert), _PLACEMENTS.decode(kept.placement)
    body = write(alert, placement) if write is not None else b""
    return Message(id=kept.id, kind=kept.kind, key=kept.key, alert=alert, placement=placement, body=body)


def to_document(payload: bytes) -> Mapping[str, Any]:
    """Return a message that stands in a queue as something that people can read."""
    kept = _KEPT.decode(payload)
    return {
        "id": kept.id,
        "kind": kept.kind,
        "key": kept.key,
        "alert": msgspec.msgpack.decode(kept.alert),
        "placement": msgspec.msgpack.decode(kept.placement),
    }


def from_document(document: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the priority and the message of a document that ``to_document`` has made.

    Raises:
        msgspec.ValidationError: it is no such document.
    """
    alert = msgspec.convert(document.get("alert"), Alert)
    placement = msgspec.convert(document.get("placement"), Placement | None)
    head = msgspec.convert([document.get("id"), document.get("kind"), document.get("key")], tuple[str, Kind, str])
    kept = Kept(*head, msgspec.Raw(_encode(alert)), msgspec.Raw(_encode(placement)))
    return alert.priority, _ENCODER.encode(kept)
