import json
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from hullwatch.config.settings import OutputSettings, RunSettings, Settings
from hullwatch.counters import Counters
from hullwatch.detect.engine import Match
from hullwatch.events.event import Event
from hullwatch.outputs.delivery import Delivery
from tests.rules.conftest import make_event, rule_of


def match(name: str = "/etc/passwd") -> Match:
    return Match(rule_of("proc.name = cat", "'%fd.name'"), make_event(name=name))


def alerts(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what has been written by now."""
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


def delivery(counters: Counters, **run: Any) -> Delivery:
    return Delivery(Settings(output=OutputSettings(format="json"), run=RunSettings(**run)), counters)


def test_a_match_is_delivered_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    delivery(Counters()).match(match())
    assert [alert["output_fields"]["fd.name"] for alert in alerts(capfd)] == ["/etc/passwd"]


def test_all_matches_of_a_batch_are_delivered_when_it_is_judged(capfd: pytest.CaptureFixture[str]) -> None:
    counters = Counters()
    delivery(counters).matches([match("/a"), match("/b")])
    assert [alert["output_fields"]["fd.name"] for alert in alerts(capfd)] == ["/a", "/b"]
    assert counters.alerts == {"tested": 2}
    assert counters.priorities == {"Notice": 2}


@pytest.mark.parametrize("form", ["json", "text"])
def test_every_alert_says_which_host_of_which_cluster_it_comes_from(
    form: Any, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_NAME", "worker-7")
    settings = Settings(output=OutputSettings(format=form, cluster="north", labels={"team": "x"}))
    delivered = Delivery(settings, Counters())
    delivered.match(match())
    delivered.internal("Sensor lost", "Critical", "of Hullwatch itself")
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    for line in lines:
        if form == "json":
            assert json.loads(line)["labels"] == {"cluster": "north", "node": "worker-7", "team": "x"}
        else:
            assert "[cluster=north] [node=worker-7] [team=x]" in line


def test_matches_before_a_failure_are_delivered(capfd: pytest.CaptureFixture[str]) -> None:
    def broken() -> Iterator[Match]:
        yield match("/a")
        raise ValueError("the rest of the batch cannot be read")

    with pytest.raises(ValueError, match="the rest"):
        delivery(Counters()).matches(broken())
    assert [alert["output_fields"]["fd.name"] for alert in alerts(capfd)] == ["/a"]


def test_a_match_whose_output_cannot_be_made_is_delivered_with_its_rule_and_the_next_one_too(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fails(_: Event) -> NoReturn:
        raise ValueError("a value that nobody thought of")

    broken = match("/a")
    broken.rule.output.values = fails
    delivery(Counters()).matches([broken, match("/b")])
    first, second = alerts(capfd)
    assert first["rule"] == "tested"
    assert "could not be made" in first["output"]
    assert "ValueError" in first["output"]
    assert second["output_fields"]["fd.name"] == "/b"


def test_an_alert_about_hullwatch_itself_is_delivered_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    delivery(Counters()).internal("Sensor lost", "Critical", "It is lost.", reason="x")
    assert [(alert["rule"], alert["source"]) for alert in alerts(capfd)] == [("Sensor lost", "internal")]


def test_an_alert_that_is_severe_enough_makes_the_run_fail(capfd: pytest.CaptureFixture[str]) -> None:
    strict, mild = delivery(Counters(), fail_on="Notice"), delivery(Counters(), fail_on="Error")
    for one in (strict, mild):
        one.match(match())
    assert (strict.failed, mild.failed) == (True, False)
    assert len(alerts(capfd)) == 2


def test_secrets_are_hidden(capfd: pytest.CaptureFixture[str]) -> None:
    delivery(Counters()).match(match("/a --password=hunter2"))
    assert alerts(capfd)[0]["output_fields"]["fd.name"] == "/a --password=***"


def test_the_evidence_of_a_match_is_delivered_with_its_secrets_hidden(capfd: pytest.CaptureFixture[str]) -> None:
    shown = match("/a")._replace(evidence=(make_event(name="/b --password=hunter2"),))
    delivery(Counters()).match(shown)
    assert [one["fd.name"] for one in alerts(capfd)[0]["evidence"]] == ["/b --password=***"]


def test_other_labels_leave_it_as_it_is_whether_alerts_say_where_they_come_from(
    capfd: pytest.CaptureFixture[str],
) -> None:
    delivered = delivery(Counters())
    delivered.keep(delivered._outputs[0])
    before = delivered._maker
    delivered.take_settings(Settings(output=OutputSettings(cluster="north", node="n")))
    assert delivered._maker is not before
    assert delivered._maker._origins is not None
    delivered.match(match())
    assert alerts(capfd)[0]["labels"] == {"cluster": "north", "node": "n"}
