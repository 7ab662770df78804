"""Two sets of rules over one capture: what is the same is matched, what only one side raises is told with examples."""

from __future__ import annotations

import io

import pytest

from hullwatch.alerts.mask import Masker
from hullwatch.captures import writer
from hullwatch.captures.backtest import Backtest
from hullwatch.captures.judged import JudgedCapture
from hullwatch.captures.reader import CaptureReader
from tests.captures.capture_files import OFFSET, RULES, Recorded
from tests.captures.test_writer import history
from tests.rules.conftest import load_text

WIDER = """
- {rule: Secret, desc: d, condition: evt.type = openat and fd.name startswith /etc, priority: WARNING,
   output: "%proc.name --password=%fd.name"}
"""


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small capture of several chunks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_SIZE", 1)
        recorded = Recorded(tmp_path_factory.mktemp("captures"))
        recorded.feed(history())
        recorded.writer.close()
    return recorded.path().read_bytes()


def compare(capture: bytes, before: str, after: str, examples: int = 3) -> Backtest:
    comparison = Backtest(examples, Masker())
    reader = CaptureReader(io.BytesIO(capture), "x.hwcap")
    comparison.run(JudgedCapture(reader, [load_text(before), load_text(after)], 100), lambda _: None)
    return comparison


def test_the_same_rules_raise_the_same_and_nothing_differs(capture: bytes) -> None:
    found = compare(capture, RULES, RULES)
    assert {name: (one.before, one.after) for name, one in found.rules.items()} == {"Secret": (3, 3), "Run": (2, 2)}
    assert not found.total.differ
    assert found.captures[0].events == 10


def test_what_only_one_side_raises_is_counted_by_rule_and_capture_with_masked_examples(capture: bytes) -> None:
    found = compare(capture, RULES, WIDER)
    secret, run = found.rules["Secret"], found.rules["Run"]
    assert (secret.before, secret.after, secret.only_before, secret.only_after) == (3, 4, 0, 1)
    assert (run.before, run.after, run.only_before, run.only_after) == (2, 0, 2, 0)
    assert (secret.captures["x.hwcap"].only_after, run.captures["x.hwcap"].only_before) == (1, 2)
    (example,) = secret.examples_after
    assert (example.time, example.container, example.capture) == (OFFSET + 5001, "host", "x.hwcap")
    assert example.output == "Warning cat --password=***"
    assert [one.output for one in run.examples_before] == ["Notice cat", "Notice dd"]
    assert (found.total.before, found.total.after, found.total.only_before, found.total.only_after) == (5, 4, 2, 1)


def test_not_more_examples_are_shown_than_asked_for(capture: bytes) -> None:
    run = compare(capture, RULES, WIDER, examples=1).rules["Run"]
    assert (run.only_before, len(run.examples_before)) == (2, 1)


def test_the_examples_tell_the_container(capture: bytes) -> None:
    other = RULES.replace("fd.name = /etc/secret", "fd.name = /etc/secret and container.id = host")
    (example,) = compare(capture, other, RULES).rules["Secret"].examples_after
    assert "abababababab" in example.container


def test_what_is_only_on_one_side_does_not_pile_up(capture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.captures.backtest.WAITING_KEPT", 0)
    found = compare(capture, RULES, WIDER).total
    assert (found.only_before, found.only_after) == (2, 1)
