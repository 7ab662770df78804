import json
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.formats.escape import escape, escape_json

UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain", "plain"),
        ("über 日本 🎉", "über 日本 🎉"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("a\nb\r\tc\x00\x7f", "a\\nb\\r\\tc\\x00\\x7f"),
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
        ("a\u2028b", "a\\u2028b"),
        ("\\x1b", "\\x1b"),
    ],
)
def test_what_could_move_turn_or_hide_is_written_out(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_every_control_and_format_character_that_python_knows_is_escaped() -> None:
    left = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in UNSAFE and escape(chr(code)) == chr(code)
    ]
    assert left == []


@given(st.text())
def test_an_escaped_text_has_nothing_left_to_escape(text: str) -> None:
    assert escape(escape(text)) == escape(text)
    assert not any(unicodedata.category(character) in UNSAFE for character in escape(text))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_an_escaped_json_document_has_the_same_value(text: str) -> None:
    document = json.dumps({"a": text}, ensure_ascii=False)
    escaped = escape_json(document)
    assert json.loads(escaped) == {"a": text}
    assert not re.search("[\x7f-\x9f\u202a-\u202e]", escaped)
