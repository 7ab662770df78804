"""What an output becomes: text, output_fields, absent values, lists, widths."""

from __future__ import annotations

import pytest

from hullwatch.enrich.container import Container
from hullwatch.rules.problem import RulesError
from tests.rules.conftest import load_text, make_event, rule_of

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
