import datetime as dt
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hullwatch.formats.escape import escape
from hullwatch.outputs.alertmanager import Alertmanager, AlertmanagerOptions
from hullwatch.outputs.output import Context, Message, RefusedError
from tests.receivers import WebReceiver, alert, free_port, hostile_alert, placement, uncounted, wait_until

PROGRAM = shutil.which("prometheus-alertmanager")
needs_alertmanager = pytest.mark.skipif(PROGRAM is None, reason="the Debian package prometheus-alertmanager is needed")


def message(number: int = 1, of: Any = None, issue: int = 0) -> Message:
    made = of or alert(number)
    return Message(id=f"run-{number}", kind="alert", key="i", alert=made, placement=placement(made, issue))


def output(url: str, **options: Any) -> Alertmanager:
    made = msgspec.convert({"type": "alertmanager", "url": url, "timeout": 5.0, **options}, AlertmanagerOptions)
    return Alertmanager(made, Context("am", Path("/"), uncounted))


class Server:
    """An Alertmanager of one's own."""

    def __init__(self, directory: Path) -> None:
        assert PROGRAM is not None
        (directory / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [PROGRAM, f"--config.file={directory}/am.yml", f"--storage.path={directory}/data"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        self._log = (directory / "log").open("wb")
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        wait_until(self._is_ready)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        except OSError:
            return False

    def alerts(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts") as answer:
            return json.load(answer)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self._log.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("alertmanager"))
    yield made
    made.close()


@needs_alertmanager
def test_a_real_alertmanager_has_the_alert_once_however_often_it_came(server: Server) -> None:
    made = output(server.url)
    made.send([message(1), message(2)])
    made.send([message(3)])
    made.close()
    assert made.answer.startswith("200 OK")
    [found] = [one for one in server.alerts() if one["labels"]["alertname"] == "Rule 0"]
    assert found["labels"] == {
        "alertname": "Rule 0",
        "cluster": "prod",
        "hostname": "node1",
        "image": "shop/web:1.27",
        "issue": "i0",
        "priority": "Warning",
        "severity": "warning",
        "source": "syscall",
        "workload": "shop/web",
    }
    assert found["annotations"]["summary"] == "it happened for the time 3"
    assert found["annotations"]["hullwatch_id"] == "run-3"
    assert found["status"]["state"] == "active"
    left = dt.datetime.fromisoformat(found["endsAt"]) - dt.datetime.now(dt.UTC)
    assert 3000 < left.total_seconds() <= 3600


@needs_alertmanager
def test_a_real_alertmanager_takes_hostile_texts(server: Server) -> None:
    made = output(server.url, fields=("fd.name", "evt.type"))
    made.send([message(1, hostile_alert(1), issue=7)])
    made.close()
    [found] = [one for one in server.alerts() if one["labels"]["issue"] == "i7"]
    for text in (*found["labels"].values(), *found["annotations"].values()):
        assert escape(text) == text
    assert "\\x1b[2J" in found["annotations"]["summary"]
    assert "fd_name" in found["labels"]


@needs_alertmanager
def test_a_real_alertmanager_says_what_is_wrong(server: Server) -> None:
    made = output(server.url)
    made.preview = lambda message: b'{"labels": {}}'
    with pytest.raises(RefusedError, match="400"):
        made.send([message()])
    made.close()


def test_labels_have_names_that_prometheus_takes() -> None:
    made = output("http://x/prefix/", fields=("fd.name", "k8s.ns.name", "missing"))
    of = alert(1, labels={"team-a/b": "x", "9": "y", "é": "z"})
    document = json.loads(made.preview(message(1, of)))
    assert {"team_a_b": "x", "_9": "y", "_": "z", "fd_name": "/etc/1"}.items() <= document["labels"].items()
    assert "missing" not in document["labels"]


def test_an_issue_is_an_alert_of_its_own_and_texts_are_cut() -> None:
    made = output("http://x/")
    first, second = (json.loads(made.preview(message(1, issue=number)))["labels"] for number in (1, 2))
    assert first != second
    long = json.loads(made.preview(message(1, alert(1, message="x" * 1_000_000, rule="r" * 1_000_000))))
    assert len(long["annotations"]["summary"]) == 4096
    assert len(long["labels"]["alertname"]) == 256


@pytest.mark.parametrize(
    ("url", "path"), [("", "/api/v2/alerts"), ("prefix/", "/prefix/api/v2/alerts"), ("api/v2/alerts", "/api/v2/alerts")]
)
def test_the_path_of_the_api_is_added(url: str, path: str) -> None:
    web = WebReceiver()
    made = output(web.url + url)
    made.send([message(1), message(2)])
    assert [request.path for request in web.requests] == [path]
    assert len(web.requests[0].json) == 2
    made.close()
    web.close()
