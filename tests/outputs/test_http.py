import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hullwatch.errors import UsageError
from hullwatch.outputs.http import Http, HttpOptions
from hullwatch.outputs.output import Context, Message, RefusedError, UnreachableError
from tests.receivers import HOSTILE, WebReceiver, alert, hostile_alert, placement, uncounted


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    made = WebReceiver()
    yield made
    made.close()


def message(number: int = 1, of: Any = None) -> Message:
    made = of or alert(number)
    body = b'{"number":%d}' % number
    return Message(id=f"run-{number}", kind="alert", key="i", alert=made, placement=placement(made), body=body)


_made: list[Http] = []


def output(url: str, **options: Any) -> Http:
    made = msgspec.convert({"type": "http", "url": url, "timeout": 1.0, **options}, HttpOptions)
    _made.append(Http(made, Context("hook", Path("/"), uncounted)))
    return _made[-1]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _made:
        _made.pop().close()


def test_the_alert_is_the_body_and_the_type_is_the_formats(web: WebReceiver) -> None:
    made = output(web.url + "in?a=1")
    made.send([message(1), message(2)])
    assert [request.body for request in web.requests] == [b'{"number":1}', b'{"number":2}']
    first = web.requests[0]
    assert (first.path, first.headers["content-type"], first.headers["x-hullwatch-id"]) == (
        *("/in?a=1", "application/json", "run-1"),
    )
    assert made.answer == "200 OK: thanks"
    output(web.url, format="cef", method="PUT").send([message()])
    assert web.requests[-1].headers["content-type"] == "text/plain; charset=utf-8"


def test_body_and_headers_are_templates(web: WebReceiver) -> None:
    body = '{"text": "{{priority|upper}}: {{message}}", "who": {{fields.proc.name|json}}, "of": "{{labels.cluster}}"}'
    made = output(web.url, body=body, headers={"X-Rule": "{{rule}}!", "Authorization": "Bearer t"})
    made.send([message(7)])
    request = web.requests[0]
    assert request.json == {"text": "WARNING: it happened for the time 7", "who": "cat", "of": "prod"}
    assert request.headers["x-rule"] == "Rule 0!"
    assert request.headers["authorization"] == "Bearer t"


def test_hostile_texts_break_neither_body_nor_headers(web: WebReceiver) -> None:
    made = output(web.url, body='{"text": "{{message}}"}', headers={"X-Rule": "{{rule}}", "X-Host": "{{hostname}}"})
    made.send([message(1, hostile_alert(1))])
    request = web.requests[0]
    assert request.json == {"text": f"message {HOSTILE}"}
    assert request.body.decode().isprintable()
    assert request.headers["x-rule"].isascii()
    assert request.headers["x-rule"].isprintable()
    assert "\\x1b[2J" in request.headers["x-rule"]


@pytest.mark.parametrize(
    ("together", "body"), [("lines", b'{"number":1}\n{"number":2}\n'), ("array", b'[{"number":1},{"number":2}]')]
)
def test_several_alerts_can_go_together(web: WebReceiver, together: str, body: bytes) -> None:
    output(web.url, together=together).send([message(1), message(2)])
    assert [request.body for request in web.requests] == [body]


def test_a_request_can_be_signed(web: WebReceiver) -> None:
    output(web.url, signature_secret="key").send([message()])
    headers = web.requests[0].headers
    signed = headers["x-hullwatch-timestamp"].encode() + b"." + web.requests[0].body
    assert headers["x-hullwatch-signature"] == "sha256=" + hmac.new(b"key", signed, hashlib.sha256).hexdigest()


def test_a_user_and_password_of_the_url_are_sent_as_such(web: WebReceiver) -> None:
    output(web.url.replace("://", "://me:p%40ss@")).send([message()])
    assert web.requests[0].headers["authorization"] == "Basic bWU6cEBzcw=="
    assert "@" not in web.requests[0].headers["host"]


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422])
def test_an_answer_that_will_not_change_refuses(web: WebReceiver, status: int) -> None:
    web.behave = lambda _: (status, "no")
    with pytest.raises(RefusedError, match=f"127.0.0.1 answers {status} .*: no") as raised:
        output(web.url).send([message()])
    assert raised.value.delivered == 0


@pytest.mark.parametrize("status", [301, 401, 408, 429, 500, 502, 503])
def test_an_answer_that_may_change_is_unreachable(web: WebReceiver, status: int) -> None:
    web.behave = lambda body: (200, "") if b"1" in body else (status, "no")
    with pytest.raises(UnreachableError, match=str(status)) as raised:
        output(web.url).send([message(1), message(2), message(3)])
    assert raised.value.delivered == 1


def test_what_a_server_answers_is_limited(web: WebReceiver) -> None:
    web.behave = lambda _: (500, "x" * 1_000_000)
    with pytest.raises(UnreachableError) as raised:
        output(web.url).send([message()])
    assert len(str(raised.value)) < 400


def test_a_connection_is_kept_and_one_that_the_server_closed_is_made_again(web: WebReceiver) -> None:
    made = output(web.url)
    made.send([message(1)])
    turns = iter((True, False))

    def behave(_: bytes) -> tuple[int, str]:
        if next(turns):
            raise ConnectionResetError
        return 200, ""

    web.behave = behave
    made.send([message(2)])
    assert [request.body for request in web.accepted] == [b'{"number":1}', b'{"number":2}']


@pytest.mark.parametrize("slow", ["reads nothing", "sends its answer byte by byte"])
def test_a_slow_server_takes_no_longer_than_the_timeout(slow: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve() -> None:
            accepted, _ = server.accept()
            with accepted:
                if slow == "reads nothing":
                    ended.wait(10)
                    return
                accepted.recv(1 << 20)
                try:
                    for _ in range(100):
                        accepted.sendall(b"H")
                        ended.wait(0.1)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        made = output(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout=0.4)
        begin = time.monotonic()
        with pytest.raises(UnreachableError, match=r"does not answer within 0\.4 s"):
            made.send([msgspec.structs.replace(message(), body=b"x" * 20_000_000)])
        assert time.monotonic() - begin < 3
        ended.set()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"url": "ftp://x"}, "url: the URL must begin with http"),
        ({"url": "http://x/ y"}, "url: the URL must be printable ASCII"),
        ({"url": "http://x:99999/"}, "url: the URL is wrong"),
        ({"body": "{{mesage}}"}, r'body: there is no value "mesage" \(did you mean message\?\)'),
        ({"body": "{{message|shout}}"}, 'body: there is no filter "shout"'),
        ({"body": "{{message|json|upper}}"}, "nothing can follow the filter json"),
        ({"body": "{{message"}, "has no }}"),
        ({"body": "{{1+1}}"}, "is not"),
        ({"headers": {"Host": "x"}}, '"Host" cannot be set'),
        ({"headers": {"A\nB": "x"}}, "cannot be set"),
        ({"headers": {"A": "x\r\nB: y"}}, "must be printable ASCII"),
    ],
)
def test_what_is_wrong_is_a_sentence_without_the_url(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=rf"outputs\.hook: (?s:.*){sentence}") as raised:
        output(**{"url": "http://secret-host/secret-path", **options})
    assert "secret" not in str(raised.value)


def test_a_preview_shows_no_secret() -> None:
    made = output(
        "http://me:hunter2@host/T0KEN?key=sesame", headers={"Authorization": "Bearer abc"}, signature_secret="signed"
    )
    shown = made.preview(message()).decode()
    assert shown.startswith("POST http://***@host/***\n")
    assert json.loads(shown.rpartition("\n")[2]) == {"number": 1}
    for secret in ("hunter2", "T0KEN", "sesame", "abc", "signed"):
        assert secret not in shown
