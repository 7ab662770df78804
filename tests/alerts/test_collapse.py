import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.alerts import collapse
from hullwatch.alerts.alert import Alert
from hullwatch.alerts.collapse import Collapser


def alert(rule: str = "r", container: str = "c", process: str = "p", message: str = "m") -> Alert:
    return Alert(
        time=0,
        rule=rule,
        priority="Warning",
        message=message,
        output_fields={},
        container_id=container,
        process=process,
    )


def test_the_first_alert_is_shown_and_its_repeats_are_not() -> None:
    collapser = Collapser()
    assert collapser.add(alert(message="pid 1"), 0.0)[1] is not None
    assert collapser.add(alert(message="pid 2"), 1.0) == ([], None)


def test_another_rule_container_or_process_is_another_alert() -> None:
    collapser = Collapser()
    collapser.add(alert(), 0.0)
    for other in (alert(rule="x"), alert(container="x"), alert(process="x")):
        assert collapser.add(other, 0.0)[1] is other


def test_after_the_period_the_count_is_told_with_the_last_alert() -> None:
    collapser = Collapser(period=10)
    collapser.add(alert(), 0.0)
    for second in range(1, 4):
        collapser.add(alert(message=f"pid {second}"), float(second))
    assert collapser.due(9.9) == []
    (line,) = collapser.due(10.0)
    assert (line.count, line.seconds, line.last.message) == (3, 10.0, "pid 3")


def test_after_a_count_further_repeats_are_counted_again() -> None:
    collapser = Collapser(period=10)
    collapser.add(alert(), 0.0)
    collapser.add(alert(), 1.0)
    collapser.due(10.0)
    assert collapser.add(alert(), 11.0)[1] is None
    assert [line.count for line in collapser.due(20.0)] == [1]


def test_after_a_quiet_period_an_alert_is_shown_again() -> None:
    collapser = Collapser(period=10)
    collapser.add(alert(), 0.0)
    assert collapser.due(10.0) == []
    assert collapser.add(alert(), 10.1)[1] is not None


def test_closing_tells_the_counts_that_were_not_told() -> None:
    collapser = Collapser()
    collapser.add(alert(), 0.0)
    collapser.add(alert(), 1.0)
    assert [line.count for line in collapser.close(2.0)] == [1]
    assert collapser.close(3.0) == []


def test_the_next_time_to_ask_is_known() -> None:
    collapser = Collapser(period=10)
    assert collapser.next_due() is None
    collapser.add(alert(), 5.0)
    assert collapser.next_due() == 15.0


def test_with_too_many_different_alerts_the_oldest_count_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collapse, "MOST_KEYS", 2)
    collapser = Collapser()
    collapser.add(alert("a"), 0.0)
    collapser.add(alert("a"), 0.0)
    collapser.add(alert("b"), 0.0)
    due, shown = collapser.add(alert("c"), 1.0)
    assert [(line.last.rule, line.count) for line in due] == [("a", 1)]
    assert shown is not None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(min_value=0, max_value=30, allow_nan=False)), max_size=60))
def test_every_alert_is_shown_or_counted_once(steps: list[tuple[str, float]]) -> None:
    collapser = Collapser(period=10)
    now, seen = 0.0, 0
    for rule, pause in steps:
        now += pause
        due, shown = collapser.add(alert(rule), now)
        seen += sum(line.count for line in due) + (shown is not None)
    seen += sum(line.count for line in collapser.close(now))
    assert seen == len(steps)
