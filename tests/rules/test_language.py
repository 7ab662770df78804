"""What conditions mean: precedence, quoting, every operator, absent values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.enrich.container import Container, Mount
from hullwatch.fields.address import write_tuple
from hullwatch.rules.problem import RulesError
from tests.rules.conftest import RULE, load_text, make_event, make_process, rule_of

if TYPE_CHECKING:
    from collections.abc import Callable

TRUE, FALSE = "proc.name = cat", "proc.name = dog"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f"{TRUE} or {TRUE} and {FALSE}", True),
        (f"({TRUE} or {TRUE}) and {FALSE}", False),
        (f"not {TRUE} and {FALSE}", False),
        (f"not ({TRUE} and {FALSE})", True),
        (f"not not {TRUE}", True),
        (f"{TRUE} and not({FALSE})or({FALSE})", True),
        (f"({TRUE})and({TRUE})", True),
        (f"{TRUE}\n  and\t{TRUE}", True),
    ],
)
def test_not_binds_before_and_and_before_or(matches: Callable[..., bool], condition: str, *, expected: bool) -> None:
    assert matches(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("proc.name = cat", True),
        ("proc.name == cat", True),
        ("proc.name=cat", True),
        ("proc.name != cat", False),
        ("proc.name != dog", True),
        ("proc.pid = 30", True),
        ('proc.pid = "30"', True),
        ("proc.pid = +30", True),
        ("proc.pid < 31", True),
        ("proc.pid<30", False),
        ("proc.pid <= 30", True),
        ("proc.pid > 29", True),
        ("proc.pid >= 31", False),
        ("fd.name contains etc", True),
        ('fd.name contains ""', True),
        ("fd.name contains ETC", False),
        ("fd.name icontains ETC", True),
        ("fd.name startswith /etc", True),
        ("fd.name endswith wd", True),
        ("fd.name glob /etc/*", True),
        ("fd.name glob /*wd", True),
        ("fd.name glob /etc/pass?d", True),
        ("fd.name glob /etc/[a-p]asswd", True),
        ("fd.name glob /etc/[!p]asswd", False),
        ("fd.name glob /ETC/*", False),
        ("fd.name iglob /ETC/*", True),
        ("fd.name glob /etc", False),
        ("fd.name regex '/etc/[a-z]+'", True),
        ("fd.name regex etc", False),
        ("proc.name regex 'c|cat'", True),
        ("fd.name pmatch (/etc)", True),
        ("fd.name pmatch (/et)", False),
        ("fd.name pmatch (etc/)", True),
        ("fd.name pmatch (/)", True),
        ("fd.name pmatch (/var, /e*c)", True),
        ("fd.name pmatch (/etc/passwd/x)", False),
        ("proc.name in (cat, dog)", True),
        ("proc.name in (cow, dog)", False),
        ("proc.name in ()", False),
        ("not proc.name in ()", True),
        ("proc.name in (\"a b\", 'cat')", True),
        ("proc.name in(cat)", True),
        ("proc.name in cat", True),
        ("proc.pid in (1, 30)", True),
        ("proc.name intersects (cat)", True),
        ("proc.name exists", True),
        ("evt.failed = false", True),
        ("evt.is_open_read = true", True),
        ("evt.is_open_write in (true)", False),
        ("proc.name startswith anyof (d, c)", True),
        ("proc.name = anyof (dog, cat)", True),
        ("proc.name = oneof (cat, dog)", True),
        ("proc.name = oneof (cat, cat)", False),
        ("proc.name != allof (dog, cow)", True),
        ("proc.name != allof (dog, cat)", False),
        ("proc.name != anyof (dog, cat)", True),
        ("proc.name contains allof (a, t)", True),
        ("proc.name = oneof", False),
        ("proc.name = val(proc.name)", True),
        ("proc.name = val(proc.pname)", False),
        ("proc.name > val(proc.pname)", True),
        ("fd.name contains val(fd.filename)", True),
        ("proc.pid > val(proc.ppid)", True),
        ("proc.name = tolower(proc.name)", True),
    ],
)
def test_every_operator(matches: Callable[..., bool], condition: str, *, expected: bool) -> None:
    assert matches(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("fd.sip = 10.0.0.1", True),
        ("fd.cip = 10.0.0.1", False),
        ("fd.sip != ::1", True),
        ("fd.ip = 10.0.0.2", True),
        ("fd.ip != 10.0.0.2", False),
        ("fd.ip != 10.0.0.9", True),
        ("fd.ip in (10.0.0.9, 10.0.0.1)", True),
        ("fd.port = 80", True),
        ("fd.port != 4000", False),
        ("fd.port < 81", True),
        ("fd.port < 80", False),
        ("fd.sport = 80", True),
        ("fd.lport = 4000", True),
        ("fd.rport in (53, 80)", True),
        ('fd.snet = "10.0.0.0/8"', True),
        ("fd.snet = 10.0.0.0/31", True),
        ("fd.snet in (192.168.0.0/16, 172.16.0.0/12)", False),
        ("fd.snet = 0.0.0.0/0", True),
        ("fd.snet = ::1/128", False),
        ("fd.snet != ::1/128", True),
        ("fd.net = 10.0.0.2/32", True),
        ("fd.net != 10.0.0.2/32", False),
        ("fd.l4proto = tcp", True),
        ("fd.typechar = 4", True),
        ("fd.is_server = false", True),
    ],
)
def test_addresses_networks_and_ports(matches: Callable[..., bool], condition: str, *, expected: bool) -> None:
    assert matches(condition, make_event("connect")) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("fd.name = x", False),
        ("fd.name != x", False),
        ("not fd.name = x", True),
        ("fd.name exists", False),
        ("not fd.name exists", True),
        ("fd.name in (x)", False),
        ("fd.name contains ''", False),
        ("fd.name glob *", False),
        ("fd.num > 0", False),
        ("fd.sip != 1.2.3.4", False),
        ("fd.ip != 1.2.3.4", False),
        ("fd.snet != 1.2.3.0/24", False),
        ("proc.aname[20] != x", False),
        ("proc.name = val(fd.name)", False),
        ("tolower(fd.name) != x", False),
        ("len(fd.name) < 1", False),
        ("fd.types intersects (file)", False),
        ("thread.cpu exists", False),
        ("k8s.ns.name != x", False),
        ("evt.rawres exists", False),
        ("evt.is_open_read = false", True),
        ("proc.args[9] = ''", True),
        ("container.image = ''", True),
        ("container.mount[/x] = none", True),
    ],
)
def test_a_check_of_an_absent_value_is_false_whatever_the_operator(
    matches: Callable[..., bool], condition: str, *, expected: bool
) -> None:
    assert matches(condition, make_event("procexit")) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("proc.aname = sshd", True),
        ("proc.aname = cat", False),
        ("proc.aname != bash", True),
        ("proc.aname exists", True),
        ("proc.apid exists", True),
        ("not proc.acmdline exists", False),
        ("proc.aname[0] = cat", True),
        ("proc.aname[1] = bash", True),
        ("proc.aname[2] = bash", False),
        ("proc.aname in (init, x)", True),
        ("proc.apid in (10)", True),
        ("proc.apid[1] in (20)", True),
        ("proc.acmdline startswith ssh", True),
        ("proc.aexepath endswith /sshd", True),
        ("proc.args[0] = -v", True),
        ("proc.args = '-v /etc/passwd'", True),
        ("proc.cmdline = 'cat -v /etc/passwd'", True),
        ("evt.arg.flags = 'O_RDONLY|O_CLOEXEC'", True),
        ("evt.arg.fd = '<f>/etc/passwd'", True),
        ("evt.arg[0] = '<f>/etc/passwd'", True),
        ("evt.rawarg.flags = 4097", True),
        ("evt.rawarg.name = /etc/passwd", True),
        ("evt.type.is.openat = 1", True),
        ("evt.type.is.open exists", False),
    ],
)
def test_fields_with_arguments(matches: Callable[..., bool], condition: str, *, expected: bool) -> None:
    assert matches(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("toupper(proc.name) = CAT", True),
        ("tolower(toupper(proc.name)) = cat", True),
        ("basename(fd.name) = passwd", True),
        ("len(proc.name) = 3", True),
        ("concat(proc.name, '-', proc.pname) = cat-bash", True),
        ("join('.', (a, 'b')) = a.b", True),
        ("b64(proc.args[5]) = ''", True),
        ("getopt((-a, x, -b), 'a:b')[a] = x", True),
        ("getopt((-ax, -b), 'a:b')[b] exists", True),
        ("getopt((-ax), 'a:b')[b] exists", False),
    ],
)
def test_transformers(matches: Callable[..., bool], condition: str, *, expected: bool) -> None:
    assert matches(condition) is expected


def test_base64_that_is_none_is_absent_and_other_is_decoded(matches: Callable[..., bool]) -> None:
    assert matches("b64(fd.name) = hi", make_event(name="aGk="))
    assert not matches("b64(fd.name) exists", make_event(name="%%"))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r'"a\"b"', 'a"b'),
        (r"'a\'b'", "a'b"),
        (r'"a\\b\/c\n"', "a\\b/c\n"),
        (r'"\b\f\r\t"', "\b\f\r\t"),
        (r'"a\ b"', "a\\b"),
        ("'\"'", '"'),
        ('"it\'s"', "it's"),
        ("<NA>", "<NA>"),
        ("*", "*"),
        ("[x]", "[x]"),
        (r"a\b", r"a\b"),
        ('"(a, b) = c"', "(a, b) = c"),
    ],
)
def test_quotes_and_escapes(matches: Callable[..., bool], written: str, value: str) -> None:
    assert matches(f"fd.name = {written}", make_event(name=value))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40))
def test_any_text_in_quotes_is_compared_as_it_is(text: str) -> None:
    from hullwatch.rules.compile import compile_condition
    from hullwatch.rules.document import Scalar, Source
    from hullwatch.rules.grammar import parse_condition
    from hullwatch.rules.syntax import SourceText

    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    tree = parse_condition(SourceText(Scalar(f"fd.name = {quoted}", Source("f", ""), 0)))
    assert compile_condition(tree, "f").matches(make_event(name=text))


def test_names_that_are_not_utf8_are_compared_as_bytes(matches: Callable[..., bool]) -> None:
    event = make_event(name=b"/tmp/\xff\xfe.sh".decode("utf-8", "surrogateescape"))
    assert matches("fd.name startswith /tmp/ and fd.name endswith .sh", event)
    assert matches("fd.name glob '/tmp/??.sh'", event)
    assert not matches("fd.name regex '/tmp/[a-z]+'", event)
    assert matches("fd.name pmatch (/tmp)", event)
    assert matches("fd.name != val(fd.directory)", event)


def test_the_founding_rule_matches_bash_in_a_container_and_nothing_on_the_host() -> None:
    from pathlib import Path

    from hullwatch.rules.loader import RulesFile, load

    path = Path(__file__).parents[2] / "examples" / "rules" / "bash-in-container.yaml"
    rules = load([RulesFile("bash.yaml", path.read_bytes())])
    (rule,) = rules.rules
    process = make_event().process
    assert process is not None
    bash = process.parent
    container = Container(id="c0ffee000001", name="web", image="nginx:1.27")
    event = make_event("openat", container=container, process=bash)
    assert rules.for_type("openat") == [rule]
    assert rule.matches(event)
    assert not rule.matches(make_event("openat", process=bash))
    message, values = rule.output.render(event)
    assert message == "Bash ran inside a container (user=root command=bash web (id=c0ffee000001, image=nginx:1.27))"
    assert values["container.image"] == "nginx:1.27"


def test_mounts_are_found_by_patterns_of_their_source_and_by_number(matches: Callable[..., bool]) -> None:
    mount = Mount(source="/proc/1", destination="/host", mode="ro", rw=False, propagation="rprivate")
    event = make_event("container", container=Container(id="c", mounts=(mount,), labels={"a.b/c": "d"}), json="{}")
    assert matches("container.mount[/proc*] = /proc/1:/host:ro:false:rprivate", event)
    assert matches("container.mount.dest[/proc/*] = /host and container.mount.source[/host] = /proc/1", event)
    assert matches("container.mount.rdwr[0] = false and container.mount[1] = none", event)
    assert matches("container.label[a.b/c] = d and not container.label[x] exists", event)


@pytest.mark.parametrize(
    ("condition", "types"),
    [
        ("evt.type = open", {"open"}),
        ("evt.type in (open, openat) and proc.name = x", {"open", "openat"}),
        ("evt.type = open or evt.type = connect", {"open", "connect"}),
        ("evt.type = open or proc.name = x", None),
        ("evt.type != open", None),
        ("not evt.type = open", None),
        ("not evt.type != open", {"open"}),
        ("not (evt.type != open or proc.name = x)", {"open"}),
        ("evt.type in (open, openat) and not evt.type = open", {"openat"}),
        ("evt.type = open and evt.type = openat", frozenset[str]()),
        ("proc.name = x", None),
    ],
)
def test_the_event_types_of_a_condition_follow_from_and_or_and_not(
    condition: str, types: frozenset[str] | set[str] | None
) -> None:
    assert rule_of(condition).event_types == (None if types is None else frozenset(types))


def test_a_connection_in_mapped_form_is_that_of_ipv4(matches: Callable[..., bool]) -> None:
    address = write_tuple(("::ffff:10.0.0.2", 1), ("::ffff:10.0.0.1", 2))
    assert matches(
        "fd.typechar = 4 and fd.sip = 10.0.0.1 and fd.sip = ::ffff:10.0.0.1", make_event("connect", tuple=address)
    )


def test_well_known_services_have_their_ports_without_a_file_of_services(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, protocol: str) -> int:
        raise OSError("service/proto not found")

    monkeypatch.setattr("socket.getservbyname", missing)
    rule_of("fd.port = http")
    with pytest.raises(RulesError, match="neither"):
        rule_of("fd.port = no-such-service")


def test_an_accepted_connection_has_us_as_its_server(matches: Callable[..., bool]) -> None:
    event = make_event("accept4")
    assert matches("fd.cip = 10.0.0.2 and fd.rip = 10.0.0.2 and fd.lport = 80 and fd.is_server = true", event)


@pytest.mark.parametrize("condition", ["proc.name = x", "evt.type = open and not fd.name exists"])
def test_generated_code_cannot_reach_builtins(condition: str) -> None:
    rule = rule_of(condition)
    rule.matches(make_event())  # from now on the generated function itself
    namespace = rule.matches.__globals__
    assert set(namespace["__builtins__"]) == {"any", "all", "sum"}


def test_a_condition_cannot_smuggle_code(matches: Callable[..., bool]) -> None:
    assert not matches("proc.name = \"' or __import__('os')\"")
    assert not matches('proc.name in ("\')]", "{}")')
    with pytest.raises(RulesError):
        matches("proc.aname[__import__] = x")


@pytest.mark.parametrize(
    ("condition", "event", "expected"),
    [
        ("b64(fd.name) = a", {"name": "YQ=="}, True),
        ("b64(fd.name) = a", {"name": "YQ"}, True),
        ("b64(fd.name) exists", {"name": "YR"}, False),  # bits that stand for nothing are not 0
        ("b64(fd.name) exists", {"name": "YWFhY"}, False),
        ("b64(fd.name) exists", {"name": "YQ==="}, False),
        ("b64(fd.name) exists", {"name": "Y Q="}, False),
        ("fd.name icontains k", {"name": "\u212a"}, False),  # the Kelvin sign is no k
        ("fd.name icontains \u00c9K", {"name": "/\u00c9k"}, True),
        ("toupper(fd.name) = SS", {"name": "\u00df"}, False),
        ("toupper(fd.name) = \u00e9A", {"name": "\u00e9a"}, True),
        ("tolower(fd.name) = \u00c9a", {"name": "\u00c9A"}, True),
    ],
)
def test_letters_are_folded_and_base64_is_decoded_as_falco_does(
    matches: Callable[..., bool], condition: str, event: dict[str, Any], *, expected: bool
) -> None:
    assert matches(condition, make_event(**event)) is expected


@pytest.mark.parametrize("operator", ["startswith", "contains", "endswith", "icontains"])
def test_text_beside_text_is_compared_as_bytes(matches: Callable[..., bool], operator: str) -> None:
    process = make_process()
    half = b"\xa9" if operator == "endswith" else b"\xc3"  # of the two bytes of an e with an acute accent
    process.program.comm = half.decode("utf-8", "surrogateescape")
    event = make_event(name="\u00e9", process=process)
    assert matches(f"fd.name {operator} val(proc.name)", event)


def test_a_list_within_a_transformer_is_replaced_by_its_values() -> None:
    text = "- list: l\n  items: [a, b]\n" + RULE.format(condition="join('.', (l)) = a.b", output="x")
    loaded = load_text(text)
    assert loaded.rules[0].matches(make_event())
    assert [warning.sentence for warning in loaded.warnings if "not used" in warning.sentence] == []
    other = "- list: l\n  items: [a, b]\n" + RULE.format(condition="proc.name = join('', (l, c))", output="x")
    assert load_text(other).rules[0].matches(make_event()) is False
