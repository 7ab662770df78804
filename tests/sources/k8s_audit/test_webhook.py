"""The webhook over real TLS: who may send, what is answered to what is wrong, and that no valid batch is lost."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import resource
import select
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hullwatch.config.kubernetes_settings import AuditSettings
from hullwatch.errors import UsageError
from hullwatch.sources.k8s_audit.http_head import RefusedError, parse_head
from hullwatch.sources.k8s_audit.http_server import HttpServer, Limits
from hullwatch.sources.k8s_audit.pipeline import Pipeline, Taken
from hullwatch.sources.k8s_audit.webhook import Webhook
from hullwatch.sources.k8s_audit.webhook_files import context_of, read_files, read_token
from tests.sources.k8s_audit import wrapped
from tests.sources.k8s_audit.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

TOKEN = "9d5a1f0c7b3e4d2a8c6f"
LIMITS = Limits(body=1 << 20, bodies=3 << 20, head=1.0, body_time=1.0, slowest=1 << 20)


class Taking:
    """Judges by doing nothing, and says that it is kept or not as the test wants."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.problem = ""
        self.keeps = True
        self.waits = asyncio.Event()
        self.waits.set()
        self.pipeline: Pipeline[str] = Pipeline(self.judge, self.hand_over)

    def judge(self, event: dict[str, object]) -> list[str]:
        self.events.append(str(event["auditID"]))
        return []

    def hand_over(self, _: Sequence[str], __: dict[str, object]) -> int:
        return len(self.events)

    def full(self) -> str:
        return self.problem

    async def take(self, documents: list[bytes]) -> Taken:
        await self.waits.wait()
        return await self.pipeline.take(documents)

    async def take_logs(self, body: bytes) -> Taken:
        self.events.append(body.decode())
        return Taken(0, 0, "not JSON" if body == b"junk" else "", 0)

    async def kept(self, ticket: int) -> bool:
        assert ticket <= len(self.events)
        return self.keeps


class Serving:
    """A server in a thread of its own."""

    def __init__(self, context: ssl.SSLContext | None, token: str, limits: Limits, *, certificates: bool) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1100)
        self.port = int(self.listener.getsockname()[1])
        self._args = context, token, limits, certificates
        self._ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.thread.start()
        self._ready.wait()

    async def _serve(self) -> None:
        context, token, limits, certificates = self._args
        self.loop = asyncio.get_running_loop()
        self.taking = Taking()
        webhook = Webhook(self.taking, [token] if token else [], certificates=certificates, largest=limits.body)
        self.server = HttpServer(self.listener, context, webhook, limits)
        self.webhook = webhook
        self.task = asyncio.ensure_future(self.server.serve())
        self._ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self.server.close(0.1)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join()
        self.listener.close()


class Files:
    def __init__(self, folder: Path) -> None:
        self.ca, self.other = Authority(folder), Authority(folder, "other")
        self.server = self.ca.issue("localhost", server=True)
        self.client, self.stranger = self.ca.issue("apiserver"), self.other.issue("stranger")

    def context(self, client: tuple[str, str] | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca.path))
        if client:
            context.load_cert_chain(*client)
        return context


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("certificates"))


def agreed(certificate: str, key: str, client_ca: str = "", *, token: bool = True) -> ssl.SSLContext | None:
    """Return what a server with these files agrees on."""
    audit = AuditSettings(tls_cert=certificate, tls_key=key, client_ca=client_ca)
    files = read_files(audit)
    return context_of(files, msgspec.structs.replace(audit, token_file="token" if token else ""))


@contextlib.contextmanager
def serving(files: Files, *, token: str = TOKEN, ca: bool = True, limits: Limits = LIMITS) -> Generator[Serving]:
    context = agreed(*files.server, str(files.ca.path) if ca else "", token=bool(token))
    started = Serving(context, token, limits, certificates=ca)
    try:
        yield started
    finally:
        started.close()


@pytest.fixture
def plain() -> Iterator[Serving]:
    started = Serving(None, TOKEN, LIMITS, certificates=False)
    yield started
    started.close()


def batch(first: int = 0, number: int = 3) -> bytes:
    return json.dumps(wrapped.event_list([wrapped.event(one) for one in range(first, first + number)])).encode()


def ask(serving: Serving, body: bytes | None, context: ssl.SSLContext | None = None, **headers: str) -> tuple[int, str]:
    """Send a body with the token, unless another Authorization is given; return status and answer."""
    given = {"Authorization": f"Bearer {TOKEN}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if context:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection("127.0.0.1", serving.port, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", serving.port)
    with contextlib.closing(connection):
        connection.request("POST", "/", body, given)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def raw(serving: Serving, data: bytes, *, ends: bool = True) -> bytes:
    """Send bytes as they are; return all that is answered."""
    with socket.create_connection(("127.0.0.1", serving.port), timeout=20) as connection:
        connection.sendall(data)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


def request(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", f"Authorization: Bearer {TOKEN}", *lines, "", ""]).encode() + body


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def test_a_batch_is_taken_from_who_has_the_token_or_a_certificate(files: Files) -> None:
    with serving(files) as started:
        assert ask(started, batch(0), files.context(None)) == (200, "")
        assert ask(started, batch(3), files.context(files.client), Authorization="none") == (200, "")
        assert len(started.taking.events) == 6


def test_who_has_neither_is_refused_before_the_body_is_read(files: Files) -> None:
    with serving(files) as started:
        for wrong in ("Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ", f"Bearer {TOKEN[:-1]}"):
            assert ask(started, batch(), files.context(None), Authorization=wrong)[0] == 401
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(started, batch(), files.context(files.stranger))
        assert started.taking.events == []


def test_a_certificate_of_an_authority_as_plain_openssl_makes_it_is_taken(files: Files, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "plain", plain=True)
    context = agreed(*files.server, str(authority.path), token=False)
    started = Serving(context, "", LIMITS, certificates=True)
    try:
        assert ask(started, batch(), files.context(authority.issue("apiserver")))[0] == 200
    finally:
        started.close()


def test_where_only_certificates_count_a_token_does_not(files: Files) -> None:
    with serving(files, token="") as started:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(started, batch(), files.context(None))
        assert ask(started, batch(), files.context(files.client))[0] == 200
    with pytest.raises(UsageError, match="cannot be used"):
        agreed(files.server[0], files.client[1])


def test_another_certificate_and_token_are_in_force_for_the_next_and_nobody_is_cut_off(files: Files) -> None:
    with serving(files, ca=False) as started:
        before = http.client.HTTPSConnection("localhost", started.port, context=files.context(None), timeout=20)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        before.request("POST", "/", batch(), headers)
        answer = before.getresponse()
        assert (answer.status, answer.will_close) == (200, False)
        answer.read()
        other, both = agreed(*files.other.issue("elsewhere", server=True)), ["a-newer-token-of-senders", TOKEN]
        changed = threading.Event()

        def change() -> None:
            started.server.use(other)
            started.webhook.use(both)
            changed.set()

        started.loop.call_soon_threadsafe(change)
        assert changed.wait(20)
        before.request("POST", "/", batch(10), headers)
        answer = before.getresponse()
        assert (answer.status, answer.will_close) == (200, True)  # answered, and it comes again by what is in force
        answer.read()
        before.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(started, batch(), files.context(None))
        trusting = ssl.create_default_context(cafile=str(files.other.path))
        for token in both:
            assert ask(started, batch(), trusting, Authorization=f"Bearer {token}")[0] == 200
        started.loop.call_soon_threadsafe(lambda: started.webhook.use(both[:1]))
        while ask(started, batch(), trusting)[0] != 401:
            pass


def test_old_tls_and_plain_http_are_refused(files: Files) -> None:
    with serving(files) as started:
        assert not raw(started, request("Content-Length: 2", body=b"{}"))
        old = files.context(files.client)
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(started, batch(), old)
        assert ask(started, batch(), files.context(files.client))[0] == 200


def test_what_comes_again_is_answered_and_not_judged_again(plain: Serving) -> None:
    assert [ask(plain, batch())[0] for _ in range(3)] == [200, 200, 200]
    assert len(plain.taking.events) == 3
    assert plain.taking.pipeline.counts.left_out == {"came twice": 6}


WRONG: dict[str, tuple[bytes, int]] = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "half a head": (b"POST / HTTP/1.1\r\nHost: a", 400),
    "two lengths": (request("Content-Length: 2", "Content-Length: 3", body=b"{}"), 400),
    "length and chunks": (request("Content-Length: 2", "Transfer-Encoding: chunked", body=b"{}"), 400),
    "another coding": (request("Transfer-Encoding: gzip, chunked"), 501),
    "a negative length": (request("Content-Length: -2"), 400),
    "a folded header": (request("X: a", " b", "Content-Length: 2", body=b"{}"), 400),
    "a long head": (request("X: " + "a" * 20_000), 431),
    "a body that ends": (request("Content-Length: 20", body=b"{}"), 400),
    "a chunk without size": (request("Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"), 400),
    "a chunk that is too long": (request("Transfer-Encoding: chunked", body=b"fffffff\r\n{}\r\n0\r\n\r\n"), 413),
    "no JSON": (request("Content-Length: 5", body=b"hello"), 400),
    "half of JSON": (request("Content-Length: 50", body=batch()[:50]), 400),
    "another object": (request("Content-Length: 14", body=b'{"kind":"Pod"}'), 400),
    "a deep body": (request("Content-Length: 9000", body=b"[" * 9000), 400),
    "no body": (request("Content-Length: 0"), 400),
    "no length": (request(), 411),
    "an encoding": (request("Content-Encoding: br", "Content-Length: 2", body=b"{}"), 415),
    "no gzip": (request("Content-Encoding: gzip", "Content-Length: 2", body=b"{}"), 400),
    "GET": (request("Content-Length: 0").replace(b"POST", b"GET", 1), 405),
    "health": (b"GET /healthz HTTP/1.1\r\n\r\n", 200),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_answered_with_its_status_and_a_sentence(plain: Serving, name: str) -> None:
    data, expected = WRONG[name]
    answer = raw(plain, data)
    assert status(answer) == expected, answer
    assert answer.partition(b"\r\n\r\n")[2].strip()
    assert ask(plain, batch())[0] == 200


def test_chunks_and_gzip_are_taken(plain: Serving) -> None:
    body = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (batch()[:100], batch()[100:]))
    answer = raw(plain, request("Transfer-Encoding: chunked", body=body + b"0\r\nX: trailer\r\n\r\n"))
    assert status(answer) == 200
    assert ask(plain, gzip.compress(batch(3)), Content_Encoding="gzip")[0] == 200
    assert len(plain.taking.events) == 6


def test_a_bomb_and_a_body_that_is_too_long_are_refused_and_cost_no_memory(plain: Serving) -> None:
    bomb = gzip.compress(b"\0" * (200 << 20), 9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert ask(plain, bomb, Content_Encoding="gzip")[0] == 413

    def send(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for _ in range(1600):
                connection.sendall(b"x" * 65536)

    with socket.create_connection(("127.0.0.1", plain.port), timeout=20) as connection:
        connection.sendall(request(f"Content-Length: {100 << 20}"))
        sender = threading.Thread(target=send, args=[connection])
        sender.start()
        assert status(connection.recv(65536)) == 413
        sender.join()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10
    assert ask(plain, batch())[0] == 200


def slowly(serving: Serving) -> list[socket.socket]:
    """Return connections of which half do not end their head, and half not their body."""
    slow = [socket.create_connection(("127.0.0.1", serving.port), timeout=20) for _ in range(20)]
    for number, connection in enumerate(slow):
        connection.sendall(b"POST / HT" if number % 2 else request("Content-Length: 9", body=b"{"))
    return slow


def test_one_that_sends_slowly_is_ended(plain: Serving) -> None:
    for connection in slowly(plain):
        with connection:
            assert status(connection.recv(65536)) == 408
    assert ask(plain, batch())[0] == 200


def test_those_that_send_slowly_keep_nobody_waiting() -> None:
    patient = Serving(None, TOKEN, Limits(head=60.0, body_time=60.0), certificates=False)
    slow = slowly(patient)
    try:
        assert ask(patient, batch())[0] == 200
        assert not select.select(slow, [], [], 0)[0]  # none of them has ended
    finally:
        for connection in slow:
            connection.close()
        patient.close()


def test_batches_for_which_there_is_no_room_are_sent_again_and_none_is_lost(plain: Serving) -> None:
    plain.loop.call_soon_threadsafe(plain.taking.waits.clear)
    padding = b" " * (900 << 10)
    answers: list[int] = []

    def send(number: int) -> None:
        while True:
            answers.append(ask(plain, batch(3 * number) + padding)[0])
            if answers[-1] == 200:
                return
            time.sleep(0.05)

    threads = [threading.Thread(target=send, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    while answers.count(429) < 3:
        time.sleep(0.01)
    plain.loop.call_soon_threadsafe(plain.taking.waits.set)
    for thread in threads:
        thread.join()
    assert set(answers) == {200, 429}
    assert sorted(plain.taking.events) == [wrapped.event(number)["auditID"] for number in range(18)]


def test_while_nothing_can_be_kept_senders_are_told_to_come_again(plain: Serving) -> None:
    plain.taking.problem = "The store is full."
    answer = raw(plain, request(f"Content-Length: {len(batch())}", body=batch()))
    assert status(answer) == 429
    assert b"\r\nRetry-After: 2\r\n" in answer
    assert status(raw(plain, b"GET /readyz HTTP/1.1\r\n\r\n")) == 503
    plain.taking.problem, plain.taking.keeps = "", False
    assert ask(plain, batch())[0] == 503
    plain.taking.keeps = True
    assert ask(plain, batch())[0] == 200
    assert len(plain.taking.events) == 3


@pytest.mark.alone
def test_a_thousand_connections_at_once_over_tls_all_get_their_answer(files: Files) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    context = files.context(files.client)

    async def one(number: int, opened: asyncio.Semaphore) -> int:
        async with opened:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", started.port, ssl=context, ssl_handshake_timeout=60
            )
        await together.wait()
        body = batch(number, 1)
        writer.write(request(f"Content-Length: {len(body)}", "Connection: close", body=body))
        answer = await reader.read()
        writer.close()
        with contextlib.suppress(OSError):  # ssl.SSLError is one: the other side may have gone first
            await writer.wait_closed()
        return status(answer)

    async def everybody() -> list[int]:
        opened = asyncio.Semaphore(50)
        tasks = [asyncio.ensure_future(one(number, opened)) for number in range(1000)]
        while started.server.open < 1000:  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.05)
        together.set()
        return await asyncio.gather(*tasks)

    try:
        with serving(files, token="", limits=Limits(head=60.0)) as started:
            together = asyncio.Event()
            assert asyncio.run(everybody()) == [200] * 1000
            assert len(set(started.taking.events)) == 1000
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_several_requests_of_one_connection_are_answered_in_order(plain: Serving) -> None:
    body = batch()
    one = request(f"Content-Length: {len(body)}", body=body)
    answer = raw(plain, one + one + request("Content-Length: 1", "Connection: close", body=b"x"))
    assert [status(part) for part in answer.split(b"HTTP/1.1 ")[1:] for part in [b"HTTP " + part]] == [200, 200, 400]


def test_what_is_sent_to_the_place_of_logs_is_taken_there_with_the_same_right(plain: Serving) -> None:
    def sent(body: bytes, token: str = TOKEN) -> tuple[int, bytes]:
        head = ["POST /logs HTTP/1.1", f"Authorization: Bearer {token}", f"Content-Length: {len(body)}", "", ""]
        answer = raw(plain, "\r\n".join(head).encode() + body)
        return status(answer), answer.rpartition(b"\r\n")[2]

    assert sent(b"a line") == (200, b"")
    assert sent(b"a line", "x") == (401, b"Events need a right to be sent: a token or a client certificate.\n")
    assert sent(b"junk") == (400, b"There is no line of a container's log in the body: not JSON.\n")
    assert plain.taking.events == ["a line", "junk"]


def test_firehose_gets_the_answer_that_it_asks_for(plain: Serving) -> None:
    body = wrapped.text(wrapped.firehose([wrapped.event()])).encode()
    key, request_id = TOKEN, "r-1"
    answered, text = ask(
        plain, body, Authorization="", X_Amz_Firehose_Access_Key=key, X_Amz_Firehose_Request_Id=request_id
    )
    assert (answered, json.loads(text)["requestId"]) == (200, "r-1")


def test_a_file_with_tokens_has_lines_that_are_long_enough_and_the_first_is_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    assert read_token(path) == TOKEN
    path.write_text(f"newer-{TOKEN}\n\n{TOKEN}\n")
    assert read_token(path) == f"newer-{TOKEN}"
    for wrong in ("", "short", f"{TOKEN}\nshort", f"{TOKEN}\n" * 9, f"{TOKEN} x", "ü" * 20):
        path.write_text(wrong)
        with pytest.raises(UsageError, match="token_file"):
            read_token(path)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_token(tmp_path / "absent")


def test_a_head_says_what_it_says() -> None:
    head = parse_head(b"POST /a?token=x%20y&token=z HTTP/1.0\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n")
    assert head[:3] == ("POST", "/a", {"token": "x y"})
    assert (head.length, head.keeps) == (7, True)
    values: list[Any] = [
        b"POST / HTTP/1.1\r\nA\0: b\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.2\r\n\r\n",
    ]
    for wrong in values:
        with pytest.raises(RefusedError):
            parse_head(wrong)
