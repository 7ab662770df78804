"""Calls of gRPC: what a server may answer, and what it may do instead."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from hullwatch.sources import grpc_connection
from hullwatch.sources.engine_errors import (
    EngineError,
    NotKnownError,
    NotSupportedError,
    SlowError,
    UnreachableError,
)
from hullwatch.sources.grpc_connection import GrpcConnection
from tests.fake_grpc import NOT_FOUND, FakeGrpc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METHOD = "/a.B/C"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeGrpc]:
    fake = FakeGrpc(tmp_path / "g.sock")
    yield fake
    fake.stop()


@pytest.fixture
def calls(server: FakeGrpc) -> Iterator[GrpcConnection]:
    connection = GrpcConnection(server.connect)
    yield connection
    connection.close()


def test_a_call_has_its_request_s_answer_and_the_connection_serves_the_next(
    server: FakeGrpc, calls: GrpcConnection
) -> None:
    server.answers[METHOD] = lambda request: request[::-1]
    assert [calls.call(METHOD, text) for text in (b"abc", b"", b"x" * 10_000)] == [b"cba", b"", b"x" * 10_000]
    assert len(server._clients) == 1


def test_a_stream_is_read_message_by_message(server: FakeGrpc, calls: GrpcConnection) -> None:
    server.answers[METHOD] = [b"one", b"", b"y" * 300_000]
    assert list(calls.stream(METHOD)) == [b"one", b"", b"y" * 300_000]


def test_more_than_the_windows_of_http_comes_whole(server: FakeGrpc, calls: GrpcConnection) -> None:
    server.answers[METHOD] = b"z" * (3 << 20)
    assert len(calls.call(METHOD)) == 3 << 20


@pytest.mark.parametrize(
    ("status", "error"), [(NOT_FOUND, NotKnownError), (12, NotSupportedError), (14, UnreachableError), (2, EngineError)]
)
def test_an_error_is_a_sentence_of_its_kind(
    server: FakeGrpc, calls: GrpcConnection, status: int, error: type[EngineError]
) -> None:
    server.answers[METHOD] = status
    with pytest.raises(error, match=f"the engine answered /a.B/C with the error {status}: as asked"):
        calls.call(METHOD)


def test_an_engine_that_says_nothing_is_waited_for_no_longer_than_asked(
    server: FakeGrpc, calls: GrpcConnection
) -> None:
    server.answers[METHOD] = None
    began = time.monotonic()
    with pytest.raises(SlowError, match=r"did not answer /a\.B/C in time"):
        calls.call(METHOD, timeout=0.2)
    assert time.monotonic() - began < 3


def test_an_answer_that_is_too_long_is_refused(server: FakeGrpc, calls: GrpcConnection) -> None:
    server.answers[METHOD] = b"z" * 2000
    with pytest.raises(EngineError, match="longer than 1000 bytes"):
        calls.call(METHOD, limit=1000)


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100, b"\0" * 50])
def test_what_is_no_grpc_is_a_sentence(server: FakeGrpc, calls: GrpcConnection, garbage: bytes) -> None:
    server.garbage = garbage
    with pytest.raises(EngineError):
        calls.call(METHOD, timeout=1)


def test_an_engine_that_closed_a_connection_that_rested_is_asked_over_another(
    server: FakeGrpc, calls: GrpcConnection
) -> None:
    server.answers[METHOD] = b"x"
    calls.call(METHOD)
    server.hang_up()
    assert calls.call(METHOD) == b"x"


def test_a_call_that_waits_is_ended_by_another_thread(
    server: FakeGrpc, calls: GrpcConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_connection, "ANSWER_TIMEOUT", 60.0)
    asked = threading.Event()

    def never(_: bytes) -> None:
        asked.set()

    server.answers[METHOD] = never
    ender = threading.Thread(target=lambda: (asked.wait(10), calls.abort()))
    ender.start()
    with pytest.raises(UnreachableError):
        calls.call(METHOD)
    ender.join()
