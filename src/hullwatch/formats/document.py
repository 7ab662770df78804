"""JSON documents of alerts as one safe line each, and texts that are made fit for any format."""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec

from hullwatch.alerts.mask import CUT
from hullwatch.formats.escape import escape_json

LONGEST_TEXT = 1 << 14  # characters of one value; receivers refuse documents that are too long
MOST_LISTED = 64  # values of one list
_SURROGATES = re.compile("[\ud800-\udfff]")
_DELETE = 0x7F


def clean(value: object, longest: int = LONGEST_TEXT) -> str:
    """Return a value as text that is Unicode, and cut where it is too long; not escaped."""
    text = value if isinstance(value, str) else _other(value)
    if len(text) > longest:
        text = text[: max(longest - len(CUT), 0)] + CUT
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def valid(value: Any) -> Any:
    """Return a value of JSON in which all texts are Unicode, keys too."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value)
        return {valid(key): valid(item) for key, item in items.items()}
    if isinstance(value, (list, tuple)):
        return [valid(item) for item in cast("list[Any]", value)]
    return value


def line(document: dict[str, Any]) -> bytes:
    r"""Return a document as one line of JSON in UTF-8, without the newline; control characters are ``\uXXXX``."""
    try:
        data = _ENCODER.encode(document)
    except UnicodeEncodeError:  # a text with half of a surrogate pair
        data = _ENCODER.encode(valid(document))
    if data.isascii() and _DELETE not in data:  # all other control characters are escaped in any JSON
        return data
    return escape_json(data.decode()).encode()


def _other(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_other(item) if not isinstance(item, str) else item for item in cast("list[object]", value))
    return _SURROGATES.sub("\ufffd", str(value))


_ENCODER = msgspec.json.Encoder(enc_hook=_other)
