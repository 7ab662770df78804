"""The process that serves: real sockets, a real fork, the loss of power."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
import time
from pathlib import Path

import msgspec
import pytest

from hullwatch.errors import CannotError
from hullwatch.metrics.serving import Serving

USER = (60_975, 60_975)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    status = {"pid": os.getpid(), "started": time.time_ns(), "updated": time.time_ns(), "events": 41}
    (folder / "status.json").write_bytes(msgspec.json.encode(status))
    if os.geteuid() == 0:
        for parent in (folder, folder / "status.json"):
            os.chown(parent, *USER)
        for parent in tmp_path.parents:
            if parent.stat().st_uid == 0 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
        tmp_path.chmod(0o755)
    return folder


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@needs_root
def test_metrics_are_served_by_a_process_without_power_that_is_started_again(state: Path) -> None:
    port = free_port()
    serving = Serving(f"127.0.0.1:{port}", state, USER)
    try:
        for _ in range(2):
            serving.keep()
            (pid,) = serving.pids()
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            client.request("GET", "/metrics")
            assert b'hullwatch_stage_events_total{stage="judged"} 41' in client.getresponse().read()
            client.close()
            said = Path(f"/proc/{pid}/status").read_text()
            assert "Uid:\t60975\t60975\t60975\t60975" in said
            assert "CapEff:\t0000000000000000" in said
            assert "CapPrm:\t0000000000000000" in said
            assert "NoNewPrivs:\t1" in said
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    finally:
        serving.stop()


@needs_root
def test_a_socket_in_the_file_system_is_for_root_and_the_engines_group_and_goes_in_the_end(
    state: Path, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    serving = Serving(f"unix://{path}", state, USER)
    try:
        serving.keep()
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o660, 0, USER[1])
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: anything\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.1 200 OK"
    finally:
        serving.stop()
    assert not path.exists()


def test_a_file_in_the_place_of_the_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("x")
    with pytest.raises(CannotError, match="is no socket"):
        Serving(f"unix://{path}", tmp_path, USER)
    assert path.read_text() == "x"


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotError, match=f"Metrics cannot be served at 127.0.0.1:{port}"):
            Serving(f"127.0.0.1:{port}", Path("/"), USER)


def test_without_a_place_nothing_is_started(tmp_path: Path) -> None:
    serving = Serving("", tmp_path, USER)
    serving.keep()
    assert serving.pids() == []
    serving.stop()
