"""Every format, with everything that somebody in a container could write into an alert."""

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.incident import Placement
from hullwatch.alerts.origin import Ancestor, Origin
from hullwatch.formats.registry import FORMATS
from hullwatch.formats.sample import sample_alert, sample_placement

NAMES = FORMATS.names()
DOCUMENTS = [name for name in NAMES if "json" in FORMATS.get(name).content_type]
NASTY = (
    *(
        "\x1b]0;x\x07\x1b[2J",
        "a\nb\r\nc",
        "\0",
        "\x7f\x9b",
        "\u202e\u2066",
        "a\udcff\ud800b",
        "<script>alert(1)</script>",
    ),
    *('","x":"', "=1+2|cmd", "|a|b|", "a=b \\| \\= \\", "\t\tsev=0", "k=v cs1=x", "{{7*7}}%s%n${x}", "]}]}", "](x)"),
)
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=40), st.text(alphabet="\\|=\n\r\t\"'<>\0 a", max_size=20))
FIELDS = (
    "proc.pid",
    "fd.name",
    "fd.cip",
    "fd.sport",
    "proc.cmdline",
    "container.image.tag",
    "drift.sha256",
    "x\x1b.\ny",
)
values = st.one_of(texts, st.integers(), st.booleans(), st.none(), st.lists(texts, max_size=3))


processes = st.builds(Ancestor, st.integers(0, 1 << 22), st.integers(0, 1 << 62), texts, texts)
hostile_origins = st.builds(
    Origin,
    workload=texts,
    container=texts,
    pod=texts,
    namespace=texts,
    user=texts,
    session_name=texts,
    processes=st.lists(processes, max_size=3).map(tuple),
    mounts=st.lists(texts, max_size=2).map(tuple),
    sha256=texts,
)


@st.composite
def hostile_alerts(draw: st.DrawFn) -> Alert:
    container = draw(st.sampled_from(["host", "3f2a9c81d0b4"]) | texts)
    return Alert(
        time=draw(st.integers(0, 4_000_000_000_000_000_000)),
        rule=draw(texts),
        priority=draw(st.sampled_from(["Emergency", "Debug"]) | texts),
        message=draw(texts),
        output_fields=draw(st.dictionaries(st.sampled_from(FIELDS) | texts, values, max_size=5)),
        source=draw(texts),
        tags=tuple(draw(st.lists(st.sampled_from(["T1059.004", "mitre_execution"]) | texts, max_size=3))),
        hostname=draw(texts),
        container_id=container,
        container_name=draw(texts),
        container_image=draw(texts),
        process=draw(texts),
        labels=draw(st.dictionaries(texts, texts, max_size=2)),
        evidence=tuple({"evt.time": 5, "proc.name": text} for text in draw(st.lists(texts, max_size=2))),
        capture=draw(texts),
        id=draw(st.sampled_from(["", "r7k2-41"])),
        origin=draw(st.none() | hostile_origins),
    )


@st.composite
def hostile_placements(draw: st.DrawFn) -> Placement:
    placement = sample_placement()
    issue = replace(placement.issue, title=draw(texts), workload=draw(texts), assignee=draw(texts))
    assert placement.incident is not None
    incident = replace(placement.incident, title=draw(texts)) if draw(st.booleans()) else None
    return replace(placement, issue=issue, incident=incident, why=draw(texts))


def unsafe(line: str) -> str:
    """Return the characters that move a cursor, turn text or end a line; a tab stands between LEEF's attributes."""
    return "".join(one for one in line if one != "\t" and unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"})


def test_the_formats_are_these() -> None:
    assert NAMES == ["cef", "cloudevents", "ecs", "falco", "json", "leef", "ocsf", "otlp", "sarif", "text"]
    for name in NAMES:
        about = FORMATS.get(name)
        assert about.about.endswith(".")
        assert about.source
        assert re.fullmatch(r"[a-z]+/[a-z+]+(; charset=utf-8)?", about.content_type)


@given(hostile_alerts(), st.none() | hostile_placements())
def test_every_line_is_one_line_that_a_terminal_obeys_nothing_of(alert: Alert, placement: Placement | None) -> None:
    for name in NAMES:
        line = FORMATS.get(name)(alert, placement)
        text = line.decode()
        assert unsafe(text) == "", name
        assert "\t" not in text or name == "leef"
        assert len(text.splitlines()) == 1, name
        if name in DOCUMENTS:
            assert isinstance(json.loads(text), dict), name


@pytest.mark.parametrize("name", NAMES)
def test_a_text_of_a_megabyte_is_cut_or_escaped_and_no_more(name: str) -> None:
    huge = "\x1b|=\n" * (1 << 18)
    fields: dict[str, object] = {"proc.cmdline": huge, "proc.pid": huge, "fd.name": "/" + huge, "user.name": [huge] * 3}
    alert = replace(
        sample_alert(),
        **dict.fromkeys(("rule", "message", "hostname", "container_name", "container_image", "process"), huge),
        output_fields=fields,
        tags=(huge,),
        labels={huge: huge},
        capture=huge,
    )
    line = FORMATS.get(name)(alert, sample_placement())
    assert line.count(b"\n") == 0
    limit = 64 << 20 if name in {"falco", "json", "cloudevents"} else 1 << 20  # Falco's keys have the whole text
    assert len(line) < limit


def texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_of(item)]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]  # pyright: ignore[reportUnknownVariableType]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("nasty", NASTY)
def test_a_json_format_gives_back_what_went_in(name: str, nasty: str) -> None:
    found = texts_of(json.loads(FORMATS.get(name)(replace(sample_alert(), message=nasty))))
    expected = re.sub("[\ud800-\udfff]", "\ufffd", nasty)
    if name == "sarif" and "](" in nasty:
        expected = nasty.replace("]", "\\]")
    assert any(text.endswith(expected) for text in found)
