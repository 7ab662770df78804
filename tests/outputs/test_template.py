import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.errors import UsageError
from hullwatch.formats.escape import escape
from hullwatch.outputs.output import Message
from hullwatch.outputs.template import VALUES, Form, Template
from tests.receivers import alert, hostile_alert, placement


def message(text: str = "hello") -> Message:
    made = alert(1, message=text)
    return Message(id="1", kind="alert", key="k", alert=made, placement=placement(made), body=b'{"a":1}')


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{{message}} of {{ rule }}", "a<b> of Rule 0"),
        ("{{message|html}}", "a&lt;b&gt;"),
        ("{{message|url}}", "a%3Cb%3E"),
        ("{{message|json}}", '"a<b>"'),
        ("{{message|upper|cut:2}}", "A<..."),
        ("{{tags|json}} {{time}}", '["T1003","container"] 2026-11-21T23:40:05.001002004Z'),
        ("{{body}} {{incident.id}} {{issue.count}}", '{"a":1} n1 3'),
        ("[{{fields.none}}{{labels.none}}]", "[]"),
        ("{{fields|json}}", '{"proc.name":"cat","fd.name":"/etc/1","evt.type":"openat"}'),
    ],
)
def test_a_template_is_filled(template: str, filled: str) -> None:
    assert Template(template, "text", "t").fill(message("a<b>")) == filled


def test_what_is_not_known_is_empty() -> None:
    one = Message(id="1", kind="alert", key="k", alert=alert(1))
    assert Template("[{{incident.id}}{{issue.id}}]", "text", "t").fill(one) == "[]"


@given(st.text())
def test_any_text_stays_inside_its_string(text: str) -> None:
    filled = Template('{"a": "{{message}}", "b": {{message|json}}}', "json", "t").fill(message(text))
    assert json.loads(filled) == {"a": text, "b": text}
    assert escape(filled) == filled


@pytest.mark.parametrize("form", ["text", "header", "json"])
def test_every_value_of_a_hostile_alert_is_one_line(form: Form) -> None:
    of = hostile_alert(1)
    one = Message(id="1", kind="alert", key="k", alert=of, placement=placement(of), body=b"{}")
    for name in VALUES:
        filled = Template(f"{{{{{name}}}}}", form, "t").fill(one)
        assert escape(filled) == filled, name
        assert form != "header" or filled.isascii(), name


@given(st.text())
def test_any_text_is_a_template_or_a_usage_error(text: str) -> None:
    try:
        Template(text, "text", "t").fill(message())
    except UsageError as error:
        assert str(error).startswith("t: ")  # noqa: PT017 - either outcome is right


def test_a_huge_template_is_refused() -> None:
    with pytest.raises(UsageError, match="more than 65536 characters"):
        Template("x" * 100_000, "text", "t")
    with pytest.raises(UsageError, match="more than 500 values"):
        Template("{{rule}}" * 501, "text", "t")
