"""A document as one line of JSON that is safe to print."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from hullwatch.formats.escape import escape_json


def json_line(document: Any) -> str:
    """Return a document as a line of JSON with its end; control characters in it are escaped."""
    try:
        data = msgspec.json.encode(document).decode()
    except UnicodeEncodeError:  # a file name that is not UTF-8
        data = json.dumps(msgspec.to_builtins(document))
    return escape_json(data) + "\n"
