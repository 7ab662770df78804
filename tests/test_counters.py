import msgspec

from hullwatch.counters import Counters


def test_drops_are_counted_by_type_and_reason() -> None:
    counters = Counters()
    counters.drop("open", "ring full", 2)
    counters.drop("open", "ring full")
    counters.drop("open", "too long")
    assert counters.dropped == {("open", "ring full"): 3, ("open", "too long"): 1}
    assert counters.dropped_total == 4


def test_two_runs_do_not_share_their_numbers() -> None:
    Counters().drop("open", "ring full")
    assert Counters().dropped == {}


def test_the_status_is_json_with_drops_below_their_type() -> None:
    counters = Counters(started=5, events={"open": 3}, dropped={("open", "ring full"): 3, ("*", "x"): 1})
    counters.alert("Shell", "Warning")
    status = msgspec.json.decode(msgspec.json.encode(counters.to_status(pid=7, now=9)))
    assert status["dropped"] == {"*": {"x": 1}, "open": {"ring full": 3}}
    assert (status["pid"], status["started"], status["updated"], status["events"]) == (7, 5, 9, 3)
    assert (status["alerts"], status["alerts_by_rule"]) == (1, {"Shell": 1})
