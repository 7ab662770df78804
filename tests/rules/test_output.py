"""What an output becomes: text, output_fields, absent values, lists, widths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.enrich.container import HOST, Container
from hullwatch.events.table import BY_NAME
from hullwatch.fields.catalogue import catalogue
from hullwatch.rules.document import Scalar, Source
from hullwatch.rules.output import OutputFormat, clean, field_value, parse_output, value_text
from hullwatch.rules.problem import RulesError
from hullwatch.rules.syntax import SourceText
from hullwatch.rules.value_events import ValueEvent, from_values
from tests.rules.conftest import load_text, make_event, rule_of

if TYPE_CHECKING:
    from hullwatch.events.event import Event

ARGUMENTS = (
    "fd=3(<f>/etc/passwd) dirfd=-100(AT_FDCWD) name=/etc/passwd flags=4097(O_RDONLY|O_CLOEXEC) mode=0 dev=5 ino=7"
    " inode_mode=0100644"
)
CONTAINER = Container(id="c0ffee000001", name="web", image="nginx:1.27")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("'%proc.name'", "cat"),
        ("'a %proc.name b'", "a cat b"),
        ("'*%proc.name'", "cat"),
        ("'%proc.namexyz'", "catxyz"),
        ("'%proc.name.'", "cat."),
        ("'%proc.name: %proc.pid'", "cat: 30"),
        ("'[%10proc.name]'", "[cat       ]"),
        ("'[%2proc.name]'", "[ca]"),
        ("'%proc.aname[2]'", "sshd"),
        ("'%proc.aname'", "bash sshd init"),
        ("'%proc.aname[20]'", "<NA>"),
        ("'%fd.types'", "<NA>"),
        ("'%evt.arg.flags %evt.rawarg.flags'", "O_RDONLY|O_CLOEXEC 1001"),
        ("'%evt.arg[name]'", "/etc/passwd"),
        ("'%toupper(proc.name) %basename(fd.name)'", "CAT passwd"),
        ("'%evt.is_open_read %evt.failed'", "true false"),
        ("'%k8s.pod.name'", "<NA>"),
        ("'%fd.ip'", "<NA>"),
        ("'%container.info'", "web (id=c0ffee000001, image=nginx:1.27)"),
        ("'%user.name %user.loginuid'", "root -1"),
        ("'  %evt.type  '", "openat"),
        ("'%evt.time.iso8601'", "2023-11-14T22:13:20.123456789+0000"),
        ("'%evt.args'", ARGUMENTS),
    ],
)
def test_tokens_become_values(output: str, message: str) -> None:
    rule = rule_of("proc.name = cat", output)
    assert rule.output.render(make_event(container=CONTAINER))[0] == message


def test_fields_have_their_own_types_and_times_are_nanoseconds() -> None:
    output = (
        "'%evt.time %proc.pid %evt.failed %proc.aname[1] %k8s.pod.name %toupper(proc.name) %container.info %evt.arg.fd'"
    )
    _, values = rule_of("proc.name = cat", output).output.render(make_event(container=CONTAINER))
    assert values == {
        "evt.time": 1_700_000_000_123_456_789,
        "proc.pid": 30,
        "evt.failed": False,
        "proc.aname[1]": "bash",
        "k8s.pod.name": None,
        "proc.name": "cat",
        "container.name": "web",
        "container.id": "c0ffee000001",
        "container.image": "nginx:1.27",
        "evt.arg.fd": "<f>/etc/passwd",
    }


def test_bytes_that_are_not_utf8_become_replacement_characters() -> None:
    event = make_event(name=b"/tmp/\xff".decode("utf-8", "surrogateescape"))
    message, values = rule_of("proc.name = cat", "'%fd.name'").output.render(event)
    assert message == values["fd.name"] == "/tmp/\ufffd"


def test_control_characters_are_left_to_whoever_prints_them() -> None:
    message, _ = rule_of("proc.name = cat", "'%fd.name'").output.render(make_event(name="/a\x1b[2Jb"))
    assert message == "/a\x1b[2Jb"


def test_an_output_that_is_appended_is_joined_with_a_blank() -> None:
    base = "- rule: r\n  desc: d\n  condition: proc.name = cat\n  output: '%proc.name'\n  priority: INFO\n"
    rules = load_text(base, "- rule: r\n  output: 'pid %proc.pid'\n  override: {output: append}\n")
    assert rules.rules[0].output.render(make_event())[0] == "cat pid 30"


@pytest.mark.parametrize(
    ("output", "column", "sentence"),
    [
        ("'%proc.nme x'", 7, "There is no field 'proc.nme' (did you mean proc.name?)."),
        ("'ab %toupper(proc.nme)'", 18, "There is no field 'proc.nme'"),
        ("'ab %toupper(proc.pid)'", 10, "toupper() works on text"),
        ("'ab %evt.type.is'", 10, "needs an argument"),
        ("'100%'", 9, "A '%' begins a field"),
        ("'%99999proc.name'", 6, "A width of 99999"),
        ("'%evt.arg.nosuch'", 7, "No event has a parameter"),
    ],
)
def test_an_error_in_an_output_has_its_place(output: str, column: int, sentence: str) -> None:
    text = f"- rule: r\n  desc: d\n  condition: proc.name = cat\n  output:\n    {output}\n  priority: INFO\n"
    with pytest.raises(RulesError) as caught:
        load_text(text)
    assert str(caught.value).startswith(f"a.yaml:5:{column}: ")
    assert sentence in str(caught.value)


def simple(output: OutputFormat, event: ValueEvent) -> tuple[str, dict[str, object]]:
    """Render an output part by part, without code of its own for it."""
    message = ""
    for part in output.parts:
        if isinstance(part, str):
            message += part
        else:
            text = value_text(part.term, event.values.get(part.term.name))
            message += text[: part.width].ljust(part.width) if part.width else text
    terms = [token.term for token in output.fields]
    return clean(message).strip(), {term.name: field_value(term, event.values.get(term.name), event) for term in terms}


NAMES = sorted(name for name, entry in catalogue().items() if entry.argument == "none")
HOSTILE = st.text(st.sampled_from("a' \"\\{}\n\t\0\x1b\u202eé\udcc3\udca9$()"), max_size=8)
VALUES: st.SearchStrategy[Any] = (
    st.none() | HOSTILE | st.booleans() | st.integers() | st.floats() | st.binary(max_size=8)
    | st.lists(HOSTILE).map(tuple)
)  # fmt: skip


def value_event(values: dict[str, Any]) -> ValueEvent:
    event = ValueEvent(number=1, time=7, type=BY_NAME["openat"], params={}, process=None, container=HOST)
    event.values = values
    return event


def parsed(text: str) -> OutputFormat:
    return parse_output(SourceText(Scalar(text, Source("a.yaml", ""), 0)), from_values)


@given(st.lists(st.tuples(HOSTILE, st.sampled_from(["", "3", "20"]), st.sampled_from(NAMES)), max_size=6), st.data())
def test_any_output_renders_any_values_as_its_parts_one_by_one(
    tokens: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    output = parsed("".join(f"{text}%{width}{name} " for text, width, name in tokens))
    event = value_event({name: data.draw(VALUES) for _, _, name in tokens})
    assert output.render(event) == simple(output, event)


def test_code_in_an_output_stays_text() -> None:
    text = "');raise SystemExit(' {v0!r} \\' \" \n __import__('os')"
    assert parsed(f"x {text} %proc.name").render(value_event({"proc.name": text}))[0] == f"x {text} {text}"


def test_a_field_that_is_named_twice_is_computed_once() -> None:
    asked: list[str] = []

    def answer(_: Event) -> str:
        asked.append("asked")
        return "cat"

    def lookup(*_: object) -> Any:
        return answer

    output = parse_output(SourceText(Scalar("%proc.name %5proc.name", Source("a.yaml", ""), 0)), lookup)
    assert output.render(make_event()) == ("cat cat", {"proc.name": "cat"})
    assert asked == ["asked"]
