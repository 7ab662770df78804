"""The requests of the engine: only those of the list, only from the engine, and with descriptors as answers."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch import channel
from hullwatch.channel import (
    MAXIMUM_MESSAGE,
    REQUESTS,
    Answer,
    Request,
    RequestName,
    RulesUnreadableError,
    Supervisor,
    connect_unix,
    make_channel,
    receive_request,
    sealed_rules,
    send_answer,
)
from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = make_channel()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def answering(ends: tuple[socket.socket, socket.socket]) -> Iterator[Callable[[Callable[[Request], None]], Supervisor]]:
    """The engine's side, with a thread that handles one request on the other."""
    threads: list[threading.Thread] = []

    def start(handle: Callable[[Request], None]) -> Supervisor:
        thread = threading.Thread(target=lambda: handle(receive_request(ends[0], os.getpid())))
        thread.start()
        threads.append(thread)
        return Supervisor(ends[1])

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_of_the_list_arrives(ends: tuple[socket.socket, socket.socket], name: RequestName) -> None:
    ends[1].send(msgspec.json.encode(Request(name)))
    assert receive_request(ends[0], os.getpid()) == Request(name)


@pytest.mark.parametrize(
    "message",
    [
        b'{"name":"open_file"}',
        b'{"name":"start_sensor /bin/sh"}',
        b"{}",
        b"[]",
        b"\xff\xfe",
        b'{"name":' + b"[" * 2000,
        b'{"name":"start_sensor"}' + b" " * MAXIMUM_MESSAGE + b"x",
    ],
)
def test_what_is_not_on_the_list_is_refused_with_a_sentence(
    ends: tuple[socket.socket, socket.socket], message: bytes
) -> None:
    ends[1].send(message)
    if len(message) > MAXIMUM_MESSAGE:  # what is cut off can not hurt: the rest is white space
        assert receive_request(ends[0], os.getpid()) == Request("start_sensor")
        return
    with pytest.raises(CannotError, match="The engine sent a request that is not on the list"):
        receive_request(ends[0], os.getpid())


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_any_message_is_a_request_or_refused(message: bytes) -> None:
    ours, theirs = make_channel()
    with ours, theirs:
        theirs.send(message)
        name = ""
        with contextlib.suppress(CannotError):
            name = receive_request(ours, os.getpid()).name
        assert name in {"", *REQUESTS}


def test_a_request_carries_nothing_but_its_name(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].send(b'{"name":"open_container_engine","path":"/etc/shadow"}')
    request = receive_request(ends[0], os.getpid())
    assert msgspec.to_builtins(request) == {"name": "open_container_engine", "number": 0, "about": ""}


def test_a_request_of_another_process_is_refused_even_through_the_engines_own_socket(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    script = 'import socket, sys; socket.socket(fileno=int(sys.argv[1])).send(b\'{"name":"start_sensor"}\')'
    command = [sys.executable, "-I", "-S", "-c", script, str(ends[1].fileno())]
    with subprocess.Popen(command, pass_fds=[ends[1].fileno()]) as other:
        pid = other.pid
    with pytest.raises(CannotError, match=rf"Process {pid} sent a request that only the engine \({os.getpid()}\) may"):
        receive_request(ends[0], os.getpid())


def test_an_ordinary_user_can_not_name_another_sender(ends: tuple[socket.socket, socket.socket]) -> None:
    script = """
import os, socket, struct, sys
if os.geteuid() == 0:
    os.setresuid(65534, 65534, 65534)
forged = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iII", int(sys.argv[2]), 0, 0))]
try:
    socket.socket(fileno=int(sys.argv[1])).sendmsg([b'{"name":"start_sensor"}'], forged)
except PermissionError:
    print("refused")
"""
    command = [sys.executable, "-I", "-S", "-c", script, str(ends[1].fileno()), str(os.getpid())]
    done = subprocess.run(command, pass_fds=[ends[1].fileno()], capture_output=True, text=True, check=True, timeout=10)
    assert done.stdout == "refused\n"


def test_descriptors_that_come_with_a_request_are_not_taken(ends: tuple[socket.socket, socket.socket]) -> None:
    read, write = os.pipe()
    socket.send_fds(ends[1], [msgspec.json.encode(Request("sensor_end"))], [write])
    os.close(write)
    assert receive_request(ends[0], os.getpid()) == Request("sensor_end")
    assert os.read(read, 1) == b""  # nobody holds the other end
    os.close(read)


def test_the_end_of_the_engine_is_told(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].close()
    with pytest.raises(EOFError):
        receive_request(ends[0], os.getpid())


def test_a_granted_socket_arrives_and_works(
    ends: tuple[socket.socket, socket.socket], answering: Callable[[Callable[[Request], None]], Supervisor]
) -> None:
    left, right = socket.socketpair()

    def grant(request: Request) -> None:
        assert request.name == "start_sensor"
        send_answer(ends[0], Answer(granted=True), right.fileno())

    with left, right, answering(grant).start_sensor() as received:
        received.sendall(b"stream")
        assert left.recv(16) == b"stream"
        assert not os.get_inheritable(received.fileno())


def test_a_refusal_is_raised_with_its_reason(
    ends: tuple[socket.socket, socket.socket], answering: Callable[[Callable[[Request], None]], Supervisor]
) -> None:
    supervisor = answering(lambda _: send_answer(ends[0], Answer(granted=False, text="there is no sensor")))
    with pytest.raises(CannotError, match=r"^there is no sensor$"):
        supervisor.start_sensor()


def test_a_refused_connection_to_the_container_engine_is_an_error_as_connect_has_it(
    ends: tuple[socket.socket, socket.socket], answering: Callable[[Callable[[Request], None]], Supervisor]
) -> None:
    supervisor = answering(lambda _: send_answer(ends[0], Answer(granted=False, text="no such socket")))
    with pytest.raises(ConnectionRefusedError, match="no such socket"):
        supervisor.open_container_engine()


def test_the_end_of_the_sensor_is_told_with_its_exit_code(
    ends: tuple[socket.socket, socket.socket], answering: Callable[[Callable[[Request], None]], Supervisor]
) -> None:
    answer = Answer(granted=True, text="it was ended by SIGKILL", exit_code=-9)
    assert answering(lambda _: send_answer(ends[0], answer)).sensor_end() == answer


def test_a_supervisor_that_is_gone_is_told(ends: tuple[socket.socket, socket.socket]) -> None:
    supervisor = Supervisor(ends[1])
    ends[0].close()
    with pytest.raises(CannotError, match="supervisor"):
        supervisor.sensor_end()


def test_an_answer_to_an_engine_that_is_gone_is_no_error(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].close()
    send_answer(ends[0], Answer(granted=True))
    assert ends[0].recv(1) == b""


def test_a_supervisor_that_does_not_answer_is_not_waited_for_for_ever(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "ANSWER_TIMEOUT", 0.05)
    with pytest.raises(CannotError, match="did not answer the request sensor_end"):
        Supervisor(ends[1]).sensor_end()


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_requests(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    supervisor = Supervisor(ends[1])
    ends[1].settimeout(0.05)
    with pytest.raises(CannotError, match="did not answer the request start_sensor"):
        supervisor.start_sensor()
    read, write = os.pipe()
    send_answer(ends[0], Answer(granted=True, text="too late"), write)
    os.close(write)
    send_answer(ends[0], Answer(granted=True, text="it runs"))
    assert supervisor.sensor_end().text == "it runs"
    assert os.read(read, 1) == b""  # what came with the late answer was closed
    os.close(read)
    send_answer(ends[0], Answer(granted=True, text="still"))
    assert supervisor.sensor_end().text == "still"


def test_a_unix_socket_is_connected_or_the_reason_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect_unix(str(tmp_path / "nothing"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        with connect_unix(str(tmp_path / "socket")) as client, server.accept()[0] as accepted:
            client.sendall(b"x")
            assert accepted.recv(1) == b"x"


def test_changed_rules_arrive_whole_and_nobody_can_change_them(
    ends: tuple[socket.socket, socket.socket], answering: Callable[[Callable[[Request], None]], Supervisor]
) -> None:
    files = [("/etc/a.yaml", b"x" * (1 << 20)), ("/etc/b\xff.yaml", b"\xff")]
    with sealed_rules(files) as stream:

        def grant(request: Request) -> None:
            assert request.name == "changed_rules"
            send_answer(ends[0], Answer(granted=True), stream.fileno())

        assert answering(grant).changed_rules() == files
        with pytest.raises(PermissionError):
            os.pwrite(stream.fileno(), b"y", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(stream.fileno(), 0)


def test_rules_that_have_not_changed_are_nothing(
    ends: tuple[socket.socket, socket.socket], answering: Callable[[Callable[[Request], None]], Supervisor]
) -> None:
    assert answering(lambda _: send_answer(ends[0], Answer(granted=True))).changed_rules() is None


def test_rules_that_cannot_be_read_are_told_with_the_reason(
    ends: tuple[socket.socket, socket.socket], answering: Callable[[Callable[[Request], None]], Supervisor]
) -> None:
    supervisor = answering(lambda _: send_answer(ends[0], Answer(granted=False, text="a.yaml is gone.")))
    with pytest.raises(RulesUnreadableError, match=r"^a.yaml is gone\.$"):
        supervisor.changed_rules()
