r"""Making text from outside safe to print: nothing in it can move the cursor, turn or hide other text."""

from __future__ import annotations

import re

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Everything of the Unicode categories Cc (control), Cf (format: direction, zero width), Cs (surrogates),
# Zl and Zp (line and paragraph ends), as of Unicode 16; a test compares it with Python's own table. Then
# letters that look empty (Hangul fillers and others) and variation selectors, which can carry hidden text.
_UNSAFE_RANGES = (
    r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
    r"\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef"
)
_UNSAFE = re.compile(f"[{_UNSAFE_RANGES}]")


def _as_text(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _as_json(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def escape(text: str) -> str:
    r"""Return one line of text in which control, direction and invisible characters are written out.

    The escape character becomes the four characters ``\x1b``, a newline ``\n``, U+202E ``\u202e``. A
    backslash stays as it is: the result is for people to read, not to be read back.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_as_text, text)


def escape_json(document: str) -> str:
    r"""Return a JSON document of the same value in which such characters are ``\uXXXX``.

    JSON lets DEL, C1 controls and direction marks through as they are, and a terminal obeys them. They
    can only stand inside strings, for the rest of a compact document is ASCII.
    """
    if document.isascii() and document.isprintable():
        return document
    return _UNSAFE.sub(_as_json, document)
