"""Against a real nats-server with JetStream, from Debian."""

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from msgspec.structs import replace

from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.errors import CannotError, UsageError
from hullwatch.outputs import deliverer
from hullwatch.outputs.nats import Nats, NatsOptions
from hullwatch.outputs.output import RefusedError, UnreachableError
from hullwatch.outputs.router import Router
from tests.outputs.messages import context, message, messages
from tests.receivers import alert, free_port, placement, wait_until

PROGRAM = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
needs_server = pytest.mark.skipif(PROGRAM is None, reason="needs nats-server (Debian: nats-server)")


class Server:
    """A server that can be stopped and started again at the same port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._command = [str(PROGRAM), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(folder)]
        self._command += ["--user", "hullwatch", "--pass", "hunter22"]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://hullwatch:hunter22@127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    assert connection.recv(4) == b"INFO"
                    return
            except OSError:
                assert time.monotonic() < end, "nats-server did not start"
                time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("jetstream"))
    running.start()
    asyncio.run(add_stream(running.url, "ALERTS", "hullwatch.>"))
    yield running
    running.stop()


async def connect(url: str) -> Any:
    library: Any = nats  # its types are not whole
    return await library.connect(url)


async def add_stream(url: str, name: str, subject: str) -> None:
    client = await connect(url)
    await client.jetstream().add_stream(name=name, subjects=[subject])
    await client.close()


async def stored(url: str, subject: str, number: int) -> list[Any]:
    client = await connect(url)
    subscription = await client.jetstream().pull_subscribe(subject, stream="ALERTS")
    found = await subscription.fetch(number, timeout=5)
    await client.close()
    return found


@needs_server
def test_the_stream_has_every_alert_once_and_in_order_also_when_it_is_sent_twice(
    server: Server, tmp_path: Path
) -> None:
    output = Nats(NatsOptions(url=server.url, subject="hullwatch.twice"), context(tmp_path))
    sent = messages(20)
    output.send(sent)
    output.send(sent[10:])
    output.send([message(20)])
    assert output.answer.startswith("stored in ALERTS as ")
    found = asyncio.run(stored(server.url, "hullwatch.twice", 30))
    assert [one.headers["Nats-Msg-Id"] for one in found] == [f"r7k2-{number}" for number in range(21)]
    assert [one.data for one in found[:20]] == [one.body for one in sent]
    output.close()


@needs_server
def test_the_subject_may_name_the_priority(server: Server, tmp_path: Path) -> None:
    output = Nats(NatsOptions(url=server.url, subject="hullwatch.by.{priority}"), context(tmp_path))
    output.send([replace(message(0), id="other-0")])
    assert len(asyncio.run(stored(server.url, "hullwatch.by.error", 1))) == 1
    output.close()


@needs_server
def test_a_server_that_is_gone_for_a_while_has_each_alert_once_and_in_order_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer, "FIRST_WAIT", 0.02)
    server = Server(tmp_path / "stream")
    server.start()
    asyncio.run(add_stream(server.url, "ALERTS", "hullwatch.>"))
    table = {"type": "nats", "url": server.url, "timeout": 0.3, "retry_longest": 0.1}
    router = Router(Settings(outputs={"bus": table}), Counters(), tmp_path / "outputs")
    for begin in range(0, 30, 10):
        if begin == 10:
            wait_until(lambda: router.status()[0].delivered == 10)
            server.stop()
        alerts = [alert(number) for number in range(begin, begin + 10)]
        router.take(alerts, [placement(one) for one in alerts])
        if begin == 10:
            wait_until(lambda: router.status()[0].last_error)
            assert "hunter22" not in router.status()[0].last_error
            server.start()
    wait_until(lambda: router.status()[0].depth == 0)
    found = asyncio.run(stored(server.url, "hullwatch.alerts", 40))
    assert [one.headers["Nats-Msg-Id"] for one in found] == [f"run-{number}" for number in range(30)]
    router.close()
    server.stop()


@needs_server
def test_what_nobody_stores_is_told_with_what_to_do(server: Server, tmp_path: Path) -> None:
    output = Nats(NatsOptions(url=server.url, subject="elsewhere"), context(tmp_path))
    with pytest.raises(UnreachableError, match="has the subject elsewhere; make one: nats stream add"):
        output.send([message(0)])
    output.close()


@needs_server
def test_a_message_that_is_too_large_is_refused_and_the_one_before_is_delivered(server: Server, tmp_path: Path) -> None:
    output = Nats(NatsOptions(url=server.url, subject="hullwatch.large"), context(tmp_path))
    huge = replace(message(1), body=b"x" * (2 << 20))
    with pytest.raises(RefusedError, match="payload") as caught:
        output.send([replace(message(0), id="large-0"), huge])
    assert caught.value.delivered == 1
    output.close()


@needs_server
def test_a_wrong_password_is_told_without_it(server: Server, tmp_path: Path) -> None:
    url = f"nats://127.0.0.1:{server.port}"
    output = Nats(NatsOptions(url=url, user="hullwatch", password="wr0ngwr0ng", timeout=2), context(tmp_path))
    with pytest.raises(UnreachableError, match=r"(?i)authorization") as caught:
        output.send([message(0)])
    assert "wr0ngwr0ng" not in str(caught.value)
    output.close()


@needs_server
def test_without_jetstream_whoever_listens_hears_it(server: Server, tmp_path: Path) -> None:
    output = Nats(NatsOptions(url=server.url, subject="plain", jetstream=False), context(tmp_path))

    async def hear() -> bytes:
        client = await connect(server.url)
        subscription = await client.subscribe("plain")
        await client.flush()
        await asyncio.to_thread(output.send, [message(0)])
        heard = await subscription.next_msg(timeout=5)
        await client.close()
        return heard.data

    assert asyncio.run(hear()) == message(0).body
    output.close()


def test_a_wrong_url_and_a_missing_library_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("http://x", "nats://", "nats://x:port"):
        with pytest.raises(UsageError, match=r"outputs\.siem: url: "):
            Nats(NatsOptions(url=url), context(tmp_path))
    monkeypatch.setitem(sys.modules, "nats", None)
    with pytest.raises(CannotError, match=r"install .*\[nats\]"):
        Nats(NatsOptions(url="nats://x"), context(tmp_path))
