import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.errors import CannotError, UsageError
from hullwatch.outputs import deliverer
from hullwatch.outputs.dead_letters import NAME, send_again
from hullwatch.outputs.output import OUTPUTS
from hullwatch.outputs.router import Router, preload, read_secrets
from hullwatch.outputs.state import OutputStatus, read_status
from tests.receivers import HOSTILE, WebReceiver, alert, free_port, hostile_alert, placement, wait_until

Start = Callable[..., Router]


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    made = WebReceiver()
    yield made
    made.close()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start routers with outputs, given by their names as tables."""
    monkeypatch.setattr(deliverer, "FIRST_WAIT", 0.02)
    monkeypatch.setattr("hullwatch.outputs.router.SYNC_INTERVAL", 0.05)
    monkeypatch.setattr("hullwatch.outputs.router.LAST_PATIENCE", 0.5)
    running: list[Router] = []

    def make(**outputs: dict[str, Any]) -> Router:
        router = Router(Settings(outputs=outputs), Counters(), tmp_path / "outputs")
        running.append(router)
        return router

    yield make
    for router in running:
        router.close()


def http(web: WebReceiver, **options: object) -> dict[str, object]:
    return {"type": "http", "url": web.url, "timeout": 0.5, "retry_longest": 0.1, **options}


def tell(router: Router, numbers: range, issues: int = 1, **changes: Any) -> None:
    alerts = [alert(number, issue=number % issues, **changes) for number in numbers]
    router.take(alerts, [placement(one, number % issues) for number, one in zip(numbers, alerts, strict=True)])


def status(router: Router, name: str = "hook") -> OutputStatus:
    return next(one for one in router.status() if one.name == name)


def ids(web: WebReceiver) -> list[str]:
    return [request.headers["x-hullwatch-id"] for request in web.accepted]


def test_every_alert_arrives_in_order_with_its_id(start: Start, web: WebReceiver) -> None:
    router = start(hook=http(web))
    tell(router, range(50))
    wait_until(lambda: len(web.accepted) == 50)
    assert ids(web) == [f"run-{number}" for number in range(50)]
    assert web.accepted[7].json["output_fields"]["fd.name"] == "/etc/7"
    wait_until(lambda: status(router).depth == 0)
    assert status(router).delivered == status(router).put == 50


def test_a_receiver_that_fails_stalls_breaks_and_comes_back_loses_nothing_and_keeps_the_order(
    start: Start, web: WebReceiver
) -> None:
    turns = 0

    def behave(_: bytes) -> tuple[int, str]:
        nonlocal turns
        turns += 1
        if turns % 7 == 3:
            return 500, "I am down"
        if turns % 11 == 5:
            raise ConnectionResetError
        if turns == 20:
            time.sleep(1)  # longer than the output waits
        return 200, ""

    web.behave = behave
    router = start(hook=http(web))
    for begin in range(0, 60, 10):
        tell(router, range(begin, begin + 10), issues=3)
    wait_until(lambda: len(set(ids(web))) == 60)
    for issue in range(3):
        mine = [int(one.removeprefix("run-")) for one in ids(web)]
        of_issue = list(dict.fromkeys(number for number in mine if number % 3 == issue))
        assert of_issue == list(range(issue, 60, 3))
    assert len(ids(web)) - 60 <= 2  # what it had when it stalled
    assert status(router).dropped == {}


def test_an_output_that_is_down_blocks_no_other(start: Start, web: WebReceiver, tmp_path: Path) -> None:
    down = {"type": "http", "url": f"http://127.0.0.1:{free_port()}/", "timeout": 0.2}
    router = start(down=down, hook=http(web), log={"type": "file", "path": str(tmp_path / "log")})
    tell(router, range(20))
    wait_until(lambda: len(web.accepted) == 20)
    wait_until(lambda: status(router, "log").delivered == 20)
    wait_until(lambda: status(router, "down").state == "failing")
    assert status(router, "down").depth == 20
    assert "Connection refused" in status(router, "down").last_error


def test_what_was_not_delivered_is_delivered_by_the_next_run(start: Start, web: WebReceiver) -> None:
    web.behave = lambda _: (503, "later")
    first = start(hook=http(web))
    tell(first, range(5))
    wait_until(lambda: status(first).state == "failing")
    first.close()
    web.behave = lambda _: (200, "")
    start(hook=http(web))
    wait_until(lambda: len(web.accepted) == 5)
    assert ids(web) == [f"run-{number}" for number in range(5)]


def test_what_is_refused_goes_to_the_dead_letters_and_the_rest_goes_on(
    start: Start, web: WebReceiver, tmp_path: Path
) -> None:
    web.behave = lambda body: (422, "I do not like it") if b"/etc/3" in body else (200, "")
    router = start(hook=http(web))
    tell(router, range(6))
    wait_until(lambda: len(web.accepted) == 5)
    wait_until(lambda: status(router).dead_letters == 1)
    letter = json.loads((tmp_path / "outputs" / "hook" / NAME).read_text())
    assert letter["message"]["alert"]["id"] == "run-3"
    assert "422" in letter["reason"]
    assert "I do not like it" in letter["reason"]
    assert status(router).refused == 1


def test_a_batch_that_is_refused_is_sent_one_by_one(start: Start, web: WebReceiver) -> None:
    web.behave = lambda body: (400, "bad") if b"/etc/3" in body else (200, "")
    router = start(hook=http(web, together="array"))
    tell(router, range(6))
    wait_until(lambda: status(router).delivered == 5)
    found = [one["id"] for request in web.accepted for one in request.json]
    assert found == ["run-0", "run-1", "run-2", "run-4", "run-5"]
    assert status(router).refused == 1


def test_dead_letters_are_sent_again_when_a_person_asks(start: Start, web: WebReceiver, tmp_path: Path) -> None:
    web.behave = lambda _: (404, "")
    router = start(hook=http(web))
    tell(router, range(3))
    wait_until(lambda: status(router).dead_letters == 3)
    web.behave = lambda _: (200, "")
    assert send_again(tmp_path / "outputs" / "hook") == 3
    wait_until(lambda: len(web.accepted) == 3)
    assert sorted(ids(web)) == ["run-0", "run-1", "run-2"]
    assert status(router).dead_letters == 0


def test_a_wrong_token_is_no_reason_to_give_up(start: Start, web: WebReceiver) -> None:
    web.behave = lambda _: (401, "who are you")
    router = start(hook=http(web))
    tell(router, range(1))
    wait_until(lambda: "401" in status(router).last_error)
    web.behave = lambda _: (200, "")
    wait_until(lambda: len(web.accepted) == 1)


def test_a_receiver_is_left_alone_for_as_long_as_it_says(start: Start, web: WebReceiver) -> None:
    at: list[float] = []

    def behave(_: bytes) -> tuple[int, str]:
        at.append(time.monotonic())
        return (429, "") if len(at) == 1 else (200, "")

    web.behave = behave
    web.headers = {"Retry-After": "1"}
    router = start(hook=http(web))
    tell(router, range(1))
    wait_until(lambda: len(web.accepted) == 1)
    assert at[1] - at[0] >= 0.95


def test_what_is_too_old_is_left_out_and_counted(start: Start, web: WebReceiver) -> None:
    web.behave = lambda _: (503, "")
    router = start(hook=http(web, give_up_after=0.2))
    tell(router, range(4))
    wait_until(lambda: status(router).depth == 0)
    assert status(router).dropped == {"not delivered within 200ms": 4}
    assert not web.accepted


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, ["a", "b", "c", "d"]),
        ({"priority": "Error"}, ["b"]),
        ({"condition": "proc.name = sh"}, ["c"]),
        ({"condition": "container.id != host and not proc.name = sh"}, ["a", "b", "d"]),
        ({"when": "issue"}, ["i1.a", "i3.c"]),
        ({"when": "incident"}, ["n1.b", "n1.c"]),
        ({"muted": True}, ["a", "b", "c", "d", "m"]),
    ],
)
def test_an_output_is_told_what_it_asked_for(
    start: Start, web: WebReceiver, options: dict[str, object], wanted: list[str]
) -> None:
    alerts = {name: alert(0, id=name) for name in "abcdm"}
    alerts["b"] = alert(0, id="b", priority="Critical")
    alerts["c"] = alert(0, id="c", output_fields={"proc.name": "sh"})
    places = {name: placement(one, number) for number, (name, one) in enumerate(alerts.items(), 1)}
    places["a"] = msgspec.structs.replace(places["a"], is_new=True, incident=None)
    places["b"] = msgspec.structs.replace(places["b"], opened=True)
    incident = places["c"].incident
    assert incident is not None
    grown = msgspec.structs.replace(incident.steps[0], alert="c")
    incident.steps.append(grown)
    places["c"] = msgspec.structs.replace(places["c"], regressed=True)
    places["m"] = msgspec.structs.replace(places["m"], muted=7)
    router = start(hook=http(web, **options))
    router.take(list(alerts.values()), list(places.values()))
    wait_until(lambda: len(web.accepted) == len(wanted))
    wait_until(lambda: status(router).depth == 0)
    assert ids(web) == wanted


def test_an_alert_whose_place_nobody_knows_is_told(start: Start, web: WebReceiver) -> None:
    router = start(hook=http(web, when="issue"))
    router.take([alert(1)], [])
    wait_until(lambda: len(web.accepted) == 1)


def test_places_are_told_by_their_order_or_by_their_ids(start: Start, web: WebReceiver) -> None:
    router = start(hook=http(web, body="{{issue.id}}"))
    alerts = [alert(number) for number in range(3)]
    router.take(alerts, [placement(alerts[0], 4), None, placement(alerts[2], 6)])
    router.take(alerts, [placement(alerts[2], 9)])
    wait_until(lambda: len(web.accepted) == 6)
    assert [request.body for request in web.accepted] == [b"i4", b"", b"i6", b"", b"", b"i9"]


def test_what_is_needed_later_can_be_loaded_before(web: WebReceiver) -> None:
    preload(Settings(outputs={"hook": http(web, condition="proc.name = x")}))
    assert "syslog" in OUTPUTS.names()


def test_an_alert_without_an_id_gets_the_same_one_each_time(start: Start, web: WebReceiver) -> None:
    router = start(hook=http(web))
    router.take([alert(1, id=""), alert(1, id=""), alert(2, id="")], [])
    wait_until(lambda: len(web.accepted) == 3)
    first, second, third = ids(web)
    assert first == second != third


def test_a_long_alert_is_cut_and_counted(start: Start, web: WebReceiver) -> None:
    router = start(hook=http(web, largest_message=4096))
    huge: dict[str, object] = {f"proc.name{number}": "x" * (1 << 20) for number in range(5)}
    router.take([alert(1, output_fields=huge, message="y" * (1 << 20))], [])
    wait_until(lambda: len(web.accepted) == 1)
    assert len(web.accepted[0].body) < 6000
    assert "...(cut)" in web.accepted[0].json["output"]
    assert status(router).cut == {"larger than largest_message": 1}


def test_an_alert_of_countless_fields_is_told_without_them(start: Start, web: WebReceiver) -> None:
    router = start(hook=http(web, largest_message=4096))
    router.take([alert(1, output_fields={f"f{number}": "x" for number in range(20_000)})], [])
    wait_until(lambda: len(web.accepted) == 1)
    assert web.accepted[0].json["rule"] == "Rule 0"


def test_hostile_texts_come_out_as_one_line_without_control_characters(start: Start, web: WebReceiver) -> None:
    router = start(hook=http(web))
    router.take([hostile_alert(1)], [placement(hostile_alert(1))])
    wait_until(lambda: len(web.accepted) == 1)
    body = web.accepted[0].body.decode()
    assert body.isprintable()
    assert json.loads(body)["output_fields"]["fd.name"] == HOSTILE


def test_half_a_surrogate_pair_and_a_huge_number_can_be_kept(start: Start, web: WebReceiver) -> None:
    router = start(hook=http(web))
    router.take([alert(1, output_fields={"fd.name": "\udcff", "fd.num": 2**70})], [])
    wait_until(lambda: len(web.accepted) == 1)
    assert web.accepted[0].json["output_fields"]["fd.name"] == "\ufffd"


def test_secrets_are_in_no_status_and_no_dead_letter(
    start: Start, web: WebReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2hunter2")
    (tmp_path / "key").write_text("sesame-open-99\n")
    web.behave = lambda _: (422, "hunter2hunter2 and sesame-open-99 and /hook/T0SECRETPATH are wrong, pass99word too")
    options = {"headers": {"Authorization": "Bearer ${TOKEN}"}, "signature_secret_file": str(tmp_path / "key")}
    url = web.url.replace("http://", "http://me:pass99word@") + "hook/T0SECRETPATH"
    router = start(hook=http(web, **options, url=url))
    tell(router, range(1))
    wait_until(lambda: status(router).dead_letters == 1)
    assert web.requests[0].headers["authorization"] == "Bearer hunter2hunter2"
    router.close()
    written = b"".join(path.read_bytes() for path in (tmp_path / "outputs").rglob("*") if path.is_file())
    for secret in (b"hunter2", b"sesame", b"T0SECRETPATH", b"pass99word"):
        assert secret not in written
    assert b"***" in written


def test_a_variable_or_a_file_that_is_not_there_is_a_sentence(web: WebReceiver) -> None:
    with pytest.raises(UsageError, match=r"outputs\.hook\.headers: there is no variable NOT_THERE"):
        read_secrets(Settings(outputs={"hook": http(web, headers={"A": "${NOT_THERE}"})}))
    with pytest.raises(CannotError, match=r"outputs\.hook\.signature_secret_file: the file /not/there cannot be read"):
        read_secrets(Settings(outputs={"hook": http(web, signature_secret_file="/not/there")}))


def test_secrets_that_were_read_before_are_used(
    web: WebReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    settings = Settings(outputs={"hook": http(web, headers={"A": "${TOKEN}"})})
    secrets = read_secrets(settings)
    monkeypatch.delenv("TOKEN")
    router = Router(settings, Counters(), tmp_path / "outputs", secrets)
    tell(router, range(1))
    wait_until(lambda: len(web.accepted) == 1)
    router.close()
    assert web.accepted[0].headers["a"] == "hunter2"


def test_an_output_whose_secret_comes_later_keeps_what_it_is_told(
    start: Start, web: WebReceiver, tmp_path: Path
) -> None:
    router = start(hook=http(web, signature_secret_file=str(tmp_path / "key")), other=http(web))
    tell(router, range(1))
    wait_until(lambda: "key cannot be read: No such file" in status(router).last_error)
    wait_until(lambda: len(web.accepted) == 1)
    (tmp_path / "key").write_text("x")
    wait_until(lambda: len(web.accepted) == 2)


def test_an_output_that_cannot_be_made_is_tried_again_and_says_why(start: Start, web: WebReceiver) -> None:
    bad = {"type": "http", "url": "https://127.0.0.1/", "ca_file": "/not/there", "retry_longest": 0.1}
    router = start(bad=bad, hook=http(web))
    tell(router, range(2))
    wait_until(lambda: len(web.accepted) == 2)
    wait_until(lambda: "ca_file: /not/there cannot be used" in status(router, "bad").last_error)
    assert status(router, "bad").depth == 2


def test_a_mistake_in_an_output_ends_in_the_dead_letters_and_not_in_a_standstill(
    start: Start, web: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = start(hook=http(web))
    real = web.behave

    def post(self: object, batch: object) -> None:
        raise KeyError("a mistake")

    with monkeypatch.context() as patch:
        patch.setattr("hullwatch.outputs.http.Http._post", post)
        tell(router, range(1))
        wait_until(lambda: status(router).refused == 1)
    assert "KeyError" in status(router).last_error
    assert web.behave is real
    tell(router, range(1, 2))
    wait_until(lambda: len(web.accepted) == 1)


def test_a_format_that_fails_ends_in_the_dead_letters(
    start: Start, web: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object) -> None:
        raise ValueError("this format is broken")

    monkeypatch.setattr(deliverer, "decode", decode)
    router = start(hook=http(web))
    tell(router, range(2))
    wait_until(lambda: status(router).dead_letters == 2)
    assert "this format is broken" in status(router).last_error
    assert status(router).depth == 0


def test_an_output_that_is_not_enabled_is_told_nothing(start: Start, web: WebReceiver) -> None:
    router = start(off=http(web, enabled=False), hook=http(web))
    tell(router, range(3))
    wait_until(lambda: len(web.accepted) == 3)
    assert status(router, "off").state == "off"
    assert status(router, "off").put == 0


def test_the_status_is_written_for_others(start: Start, web: WebReceiver, tmp_path: Path) -> None:
    router = start(hook=http(web))
    tell(router, range(3))
    wait_until(lambda: len(web.accepted) == 3)
    router.close()
    written = read_status(tmp_path / "outputs")
    assert written is not None
    assert written.pid == os.getpid()
    assert [(one.name, one.type, one.delivered) for one in written.outputs] == [("hook", "http", 3)]


def test_ending_does_not_wait_for_a_receiver_that_stalls(start: Start, web: WebReceiver) -> None:
    blocked = threading.Event()
    web.behave = lambda _: (blocked.wait(20), (200, ""))[1]
    router = start(hook=http(web, timeout=10.0))
    tell(router, range(1))
    wait_until(lambda: status(router).depth == 1)
    begin = time.monotonic()
    router.close()
    assert time.monotonic() - begin < 3
    blocked.set()


def test_what_is_left_at_the_end_is_delivered(start: Start, web: WebReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.outputs.router.LAST_PATIENCE", 60.0)  # a busy machine needs more than a moment
    router = start(hook=http(web))
    tell(router, range(200))
    router.close()
    assert len(web.accepted) == 200


def test_take_returns_while_nobody_delivers(start: Start, web: WebReceiver) -> None:
    blocked = threading.Event()
    web.behave = lambda _: (blocked.wait(20), (200, ""))[1]
    router = start(hook=http(web, timeout=30.0))
    router.take([alert(number) for number in range(2000)], [])
    wait_until(lambda: status(router).depth == 2000, 2)
    blocked.set()
