"""The lines of JSON that come out, against simple code that does each step for each alert anew."""

import functools
import os
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.alerts.mask import Masker
from hullwatch.config.settings import MaskSettings, OutputSettings, Settings
from hullwatch.counters import Counters
from hullwatch.detect.engine import Match
from hullwatch.enrich.container import HOST, Container, unknown
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.events.event import Event
from hullwatch.formats.escape import escape_json
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.stdout import StandardOutput
from hullwatch.rules.document import Scalar, Source
from hullwatch.rules.output import clean, field_value, parse_output, value_text
from hullwatch.rules.syntax import SourceText
from hullwatch.rules.terms import Constants, Term
from tests.rules.conftest import make_event, rule_of

OUTPUTS = (
    "Opened %fd.name by %proc.cmdline (exe=%proc.exepath parent=%proc.pname user=%user.name %container.info)",
    "%evt.time %evt.arg.flags %proc.pid %evt.rawarg.fd %proc.aname %fd.name",
    "%20proc.name|%5fd.name|%container.privileged %container.image.tag 'quoted' \\ {braces} 100",
    "%tolower(fd.name) %len(fd.name) %basename(proc.exepath) %proc.args %evt.args %container.start_ts",
    "  nothing but text  ",
)
CONTAINERS = (
    HOST,
    Container(id="0123456789ab", full_id="0123456789ab" * 5, name="web", image="r.example/web:1", image_tag="1"),
    Container(id="0123456789ab", full_id="0123456789ab" * 5, name="web", image="r.example/web:2", image_tag="2"),
    Container(id="ab0123456789", name="\u202eweb\x9b", image="x --password=hunter2", privileged=True),
    unknown("c" * 64, "no engine"),
)
HOSTILE = (
    *("", "a", "cat", "mysql", "/etc/shadow", "é日", "-phunter2", "--token", "--password=hunter2", "\nPASSWORD=x\n"),
    *('"\\/', "\x1b[2J\x07", "\x9b\x7f", "\u202e\u2066", "\U000e0041", "\udcff", "bad\udc80name", "x" * 5000),
    *("y" * 70_000, "mysql -psecret", "curl -u a:b", "<NA>", "{0} %s", "k" * 30 + "\u2028"),
)
RULES = [rule_of("evt.type = openat", f"|\n    {text}") for text in OUTPUTS]
LABELS = {"team": "a\u202eb"}
PATTERNS = ("hidden[0-9]+",)
MASKER = Masker(PATTERNS)

TEXTS = st.sampled_from(HOSTILE) | st.text(
    st.sampled_from("ab hidden1-p=\n\x1b\x7f\x9b\u202eé日\udcff\U000e0041"), max_size=20
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    parent = Process(ProcessKey(1, 1), None, Program(draw(TEXTS)))
    program = Program(draw(TEXTS), "exe", tuple(draw(st.lists(TEXTS, max_size=2))), draw(TEXTS))
    process = Process(ProcessKey(draw(st.integers(2, 3)), 2), parent, program)
    name, fd, flags = draw(TEXTS), draw(st.sampled_from((-2, 0, 1, 3))), draw(st.sampled_from((0, 1, 3, 4097, 1 << 30)))
    event = make_event(
        container=draw(st.sampled_from(CONTAINERS)), process=process, name=name, fd=fd, flags=flags, res=fd
    )
    event.time = draw(st.sampled_from((0, 1_700_000_000_123_456_789, 1_700_000_000_000_000_001, 4 * 10**18)))
    event.flags = draw(st.sampled_from((0, 0, 1, 6)))
    event.held, event.uid = draw(st.booleans()), draw(st.sampled_from((0, 4711)))
    return event


class Lines:
    """What a run writes; one for all examples, so that nothing that it remembers may change a line."""

    def __init__(self) -> None:
        """Write to a file in memory."""
        config = Settings(output=OutputSettings(format="json", labels=LABELS), mask=MaskSettings(patterns=PATTERNS))
        self._file = os.memfd_create("alerts")
        self._delivery = Delivery(config, Counters())
        self._delivery.__dict__["_outputs"] = [StandardOutput(config.output, Counters(), self._file)]

    def of(self, matches: list[Match]) -> list[bytes]:
        """Return the lines of a batch of matches."""
        begin = os.lseek(self._file, 0, os.SEEK_CUR)
        self._delivery.matches(matches)
        return os.pread(self._file, 1 << 30, begin).splitlines()


LINES = Lines()


def simple(match: Match) -> bytes:
    """Return the line of an alert as the words of the docstrings have it, without regard to speed."""
    rule, event, _ = match
    message, fields = rendered(OUTPUTS[RULES.index(rule)], event)
    box, program = event.container, event.program
    assert program is not None
    values: dict[str, object] = {"container.id": box.id, "container.name": box.name or None}
    if box is not HOST:
        values |= {"container.image.repository": box.image_repository or None}
        values |= {"container.image.tag": box.image_tag or None}
    if box is HOST:
        values["container.name"] = box.name
    values = {name: MASKER.value(value, program.comm) for name, value in (values | fields).items()}
    values["evt.time"] = event.time
    if not box.complete or event.held:
        values["hullwatch.metadata"] = "late" if box.complete else "missing"
    if event.flags:
        values["evt.notes"] = {1: "truncated", 6: "unreachable,user_memory"}[event.flags]
    seconds, rest = divmod(event.time, 10**9)
    local, universal = time.localtime(seconds), time.gmtime(seconds)
    document: dict[str, object] = {
        "hostname": os.uname().nodename,
        "labels": LABELS,
        "output": f"{time.strftime('%H:%M:%S', local)}.{rest:09d}: Notice {MASKER.text(message, program.comm)}",
        "output_fields": values,
        "priority": "Notice",
        "rule": rule.name,
        "source": "syscall",
        "tags": sorted(rule.tags),
        "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', universal)}.{rest:09d}Z",
    }
    return escape_json(msgspec.json.encode(document, order="sorted").decode()).encode()


@functools.cache
def _parsed(text: str) -> tuple[tuple[Any, ...], tuple[Any, ...], dict[str, Any]]:
    """Return an output's parts, its fields, and what their code refers to."""
    constants = Constants()
    output = parse_output(SourceText(Scalar(text + "\n", Source("x", text), 0)), constants=constants)
    return output.parts, output.fields, constants.namespace


def rendered(text: str, event: Event) -> tuple[str, dict[str, object]]:
    """Render an output from its parts, each value computed where it stands."""
    parts, fields, namespace = _parsed(text)

    def value(term: Term) -> Any:
        return eval(term.code, namespace, {"e": event})

    pieces: list[str] = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(part)
            continue
        piece = value_text(part.term, value(part.term))
        pieces.append(piece[: part.width].ljust(part.width) if part.width else piece)
    found = {one.term.name: field_value(one.term, value(one.term), event) for one in fields}
    return clean("".join(pieces)).strip(), found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(range(len(RULES))), events()), min_size=1, max_size=6))
def test_the_lines_of_a_batch_are_what_simple_code_makes_of_each_match(found: list[tuple[int, Event]]) -> None:
    matches = [Match(RULES[rule], event) for rule, event in found for _ in range(4)]  # each comes again
    assert LINES.of(matches) == [simple(match) for match in matches]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("rule", range(len(OUTPUTS)))
def test_a_hostile_text_makes_the_same_line_wherever_it_stands(text: str, rule: int) -> None:
    program = Program(text, text, (text, "--token", text), text)
    process = Process(ProcessKey(7, 2), Process(ProcessKey(1, 1), None, Program(text)), program)
    match = Match(RULES[rule], make_event(container=CONTAINERS[3], process=process, name=text))
    assert LINES.of([match] * 4) == [simple(match)] * 4
