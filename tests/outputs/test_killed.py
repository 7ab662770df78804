"""A process that delivers is killed again and again: what it had taken arrives, in order, at most a batch twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.receivers import WebReceiver, wait_until

if TYPE_CHECKING:
    from pathlib import Path

DELIVER = """
import sys
from pathlib import Path
from hullwatch.config.settings import Settings
from hullwatch.counters import Counters
from hullwatch.outputs.router import Router
from tests.receivers import alert, placement
first, directory, url = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
hook = {"type": "http", "url": url, "timeout": 5.0, "batch": 10}
down = {"type": "http", "url": "http://127.0.0.1:9/", "timeout": 5.0}
router = Router(Settings(outputs={"down": down, "hook": hook}), Counters(), directory)
for number in range(first, first + 100_000, 5):
    alerts = [alert(one, issue=one % 4) for one in range(number, number + 5)]
    router.take(alerts, [placement(one, int(one.rule[5:])) for one in alerts])
    print(number + 5, flush=True)
    if sys.stdin.readline() == "end\\n":
        break
router.close()
"""
CRASHES = 2


def test_kill_9_while_it_delivers_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    web = WebReceiver()
    turns = iter(range(1 << 30))
    web.behave = lambda _: (500, "") if next(turns) % 41 == 4 else (200, "")
    first = 0
    for crash in range(CRASHES + 1):
        command = [sys.executable, "-c", DELIVER, str(first), str(tmp_path / "outputs"), web.url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            had = len(web.accepted)
            for _ in range(12):
                first = int(process.stdout.readline())
                process.stdin.write("on\n")
                process.stdin.flush()
            if crash < CRASHES:
                wait_until(lambda had=had: len(web.accepted) > had + 8)
                process.send_signal(signal.SIGKILL)
                continue
            first = int(process.stdout.readline())
            wait_until(lambda most=first: len({request.json["id"] for request in web.accepted}) >= most)
            process.stdin.write("end\n")
            process.stdin.flush()
    found = [int(request.json["id"].removeprefix("run-")) for request in web.accepted]
    assert set(found) >= set(range(first))
    assert len(found) - len(set(found)) <= 15 * CRASHES  # the batch under way, and what was taken and not told of
    for issue in range(4):
        mine = list(dict.fromkeys(number for number in found if number % 4 == issue))
        assert mine == sorted(mine)
    web.close()
