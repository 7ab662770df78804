"""A run as a service has it: readiness, sign of life, reload and end, told to a socket in the place of systemd."""

from __future__ import annotations

import json
import signal
import socket
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.watch import Watch

pytestmark = pytest.mark.kernel


class Manager:
    """Keeps the messages that come to a notify socket, and waits for those that a test wants."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(30)
        self.heard: list[str] = []

    def wait(self, beginning: str) -> str:
        """Return the next message that begins with something."""
        while True:
            message = self.socket.recv(4096).decode()
            self.heard.append(message)
            if message.startswith(beginning):
                return message


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    for folder in (tmp_path, *tmp_path.parents[:2]):  # who serves metrics is an ordinary user, who has to get there
        folder.chmod(0o711)
    path = tmp_path / "notify.sock"
    one = Manager(path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    yield one
    one.socket.close()


def test_a_service_tells_how_it_goes_takes_settings_and_serves_metrics(
    watch: Callable[..., Watch], manager: Manager, tmp_path: Path
) -> None:
    config, metrics = tmp_path / "config.toml", tmp_path / "metrics.sock"
    fixed = f'[metrics]\nlisten = "unix://{metrics}"\n[log]\nformat = "json"\n'
    config.write_text(fixed)
    running = watch("--config", str(config))
    assert manager.wait("READY=1").startswith("READY=1\nSTATUS=Watching with ")
    assert "they have seen" in manager.wait("WATCHDOG=1")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(metrics))
        client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        served = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    assert 'hullwatch_process_resident_memory_bytes{process="engine"}' in served
    assert 'hullwatch_stage_events_total{stage="judged"}' in served

    config.write_text(fixed + '[output]\ncluster = "north"\n[drift]\nenabled = false\n')
    running.process.send_signal(signal.SIGHUP)
    manager.wait("RELOADING=1")
    assert "read again" in manager.wait("READY=1")
    alert = running.alert(["Settings reloaded"])
    assert alert["labels"]["cluster"] == "north"
    assert "restart: drift.enabled." in alert["output"]

    config.write_text(fixed + '[output]\nclustr = "south"\n')
    running.process.send_signal(signal.SIGHUP)
    assert "have a mistake" in manager.wait("READY=1")
    assert f"{config}:6: " in running.alert(["Rules not reloaded"])["output"]

    ending = threading.Thread(target=manager.wait, args=("STOPPING=1",))
    ending.start()
    assert running.end(signal.SIGTERM) == 0
    ending.join(30)
    entries = [json.loads(line) for line in running.said]
    assert {entry["process"] for entry in entries} >= {"engine"}
    assert entries[-1]["message"].startswith("Watched for ")
    assert not metrics.exists()
