import json

from hullwatch.formats.document import clean, line


def test_a_text_is_cut_and_made_unicode() -> None:
    assert clean("x" * 20, 12) == "xxxx...(cut)"
    assert clean("a\udcffb") == "a\ufffdb"
    assert [clean(value) for value in (True, 5, ["a", 1, False], None)] == ["true", "5", "a,1,false", "None"]


def test_a_document_is_one_line_in_which_control_and_direction_characters_are_written_out() -> None:
    document = {"a\udcff": ["\x1b\x9b\u202e\n", {"b": "\ud800"}]}
    data = line(document)
    assert data == b'{"a\xef\xbf\xbd":["\\u001b\\u009b\\u202e\\n",{"b":"\xef\xbf\xbd"}]}'
    assert json.loads(data) == {"a\ufffd": ["\x1b\x9b\u202e\n", {"b": "\ufffd"}]}
