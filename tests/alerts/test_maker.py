from hullwatch.alerts.alert import Alert
from hullwatch.alerts.maker import MOST_TOGETHER, AlertMaker
from hullwatch.alerts.mask import Masker
from hullwatch.detect.engine import Match
from tests.rules.conftest import make_event, rule_of

RULE = rule_of("evt.type = openat", "'%fd.name %proc.pid'")


def maker() -> AlertMaker:
    return AlertMaker(Masker(), "node1", {})


def made(by: AlertMaker, *names: str, time: int = 5) -> list[Alert]:
    for name in names:
        event = make_event(name=name)
        event.time = time
        by.take(Match(RULE, event))
    return by.made()


def test_what_comes_again_differs_in_its_time_only() -> None:
    by = maker()
    alerts = [made(by, "/a", time=time)[0] for time in (1, 2, 3, 4)]
    assert [alert.time for alert in alerts] == [1, 2, 3, 4]
    assert {alert.message for alert in alerts} == {"/a 30"}
    assert alerts[3].reused is alerts[2].reused is not None


def test_a_secret_is_hidden_among_alerts_that_have_none() -> None:
    messages = [alert.message for alert in made(maker(), "/a", "/b --password=hunter2", "/c")]
    assert messages == ["/a 30", "/b --password=*** 30", "/c 30"]


def test_what_was_forgotten_is_made_anew() -> None:
    by = maker()
    known = made(by, "/a", "/a", "/a")[-1].reused
    by.forget()
    again = made(by, "/a", "/a", "/a")[-1].reused
    assert known is not None
    assert again is not known


def test_a_batch_is_due_before_it_is_long() -> None:
    by = maker()
    due = [by.take(Match(RULE, make_event(name=f"/{number}"))) for number in range(MOST_TOGETHER)]
    assert due.index(True) == MOST_TOGETHER - 1
    assert len(by.made()) == MOST_TOGETHER
    assert by.made() == []
