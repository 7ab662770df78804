"""Lines of logs in test cases: what they mean, and what is said of wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.detect.case_judge import judging
from hullwatch.fields.catalogue import catalogue
from hullwatch.fields.log_event import LogEvent
from hullwatch.rules.cases import read_cases, run_case
from hullwatch.rules.log_lookup import from_log
from hullwatch.rules.problem import RulesError

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.events.event import Event
    from hullwatch.rules.cases import Case

RULES = """
- {rule: Bad, desc: d, source: container_log, output: o, priority: INFO,
   condition: 'log.value[/a/0] = bad and log.stream = stderr'}
"""


def cases(folder: Path, text: str) -> list[Case]:
    (folder / "own.rules").write_text(RULES)
    path = folder / "cases.yaml"
    path.write_text(f"rules: own.rules\ncases:\n  - it: works\n{text}")
    return read_cases(path)


def test_a_line_is_text_or_a_map(tmp_path: Path) -> None:
    (case,) = cases(tmp_path, """    log: {text: '{"a": ["bad"]}', stream: stderr}\n    alerts: [Bad]\n""")
    assert run_case(case, judging).passed
    (case,) = cases(tmp_path, """    log: '{"a": ["bad"]}'\n    alerts: []\n""")
    assert run_case(case, judging).passed


WRONG = [
    ("    log: {stream: stderr}\n    alerts: []\n", "'log' is a line as text"),
    ("    log: {text: x, colour: red}\n    alerts: []\n", "colour"),
    ("    log: [x]\n    alerts: []\n", "'log' is a line as text"),
    ("    log: x\n    events: []\n    alerts: []\n", "only one of them"),
    ("    events: [{log: x, times: 5000}]\n    alerts: []\n", "'times' is how many"),
    ("    events: [{log: x, after: soon}]\n    alerts: []\n", "soon"),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG)
def test_a_wrong_line_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(RulesError, match=sentence):
        cases(tmp_path, text)


def test_every_field_of_a_line_has_the_type_that_it_says(tmp_path: Path) -> None:
    said = "{text: '{\"a\": \"192.0.2.7:80 [2001:db8::1] 999.1.1.1 1.2.3\"}', image: 'a/b:1', pod: p, "
    said += "namespace: n, node: k}"
    (case,) = cases(tmp_path, f"    log: {said}\n    alerts: []\n")
    (event,) = case.events
    assert isinstance(event, LogEvent)
    values = {name: value_of(event, name) for name in catalogue() if name.startswith("log.")}
    assert values == {
        "log.text": event.line.text, "log.value": "192.0.2.7:80 [2001:db8::1] 999.1.1.1 1.2.3", "log.is_json": True,
        "log.stream": "stdout", "log.time": "2023-11-14T22:13:20.000000000Z", "log.wrapper": "docker",
        "log.length": len(event.line.text), "log.parts": 1, "log.is_cut": False, "log.address": "192.0.2.7",
        "log.addresses": ("192.0.2.7", "2001:db8::1"), "log.origin": "c" * 64, "log.container.id": "c" * 12,
        "log.container.name": "web", "log.image": "a/b:1", "log.pod": "p", "log.namespace": "n", "log.node": "k",
        "log.cluster": None,
    }  # fmt: skip


def value_of(event: Event, name: str) -> object:
    field = catalogue()[name]
    function = from_log(field, None)
    assert function is not None
    return function(event) if field.argument == "none" else function(event, "/a")


def test_fields_of_calls_are_absent() -> None:
    absent = {name for name in catalogue() if from_log(catalogue()[name], None) is None}
    assert {"proc.name", "fd.name", "ka.verb", "jevt.value", "user.name"} <= absent
    assert from_log(catalogue()["container.image.repository"], None) is not None
