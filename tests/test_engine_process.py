"""The engine's process before it gives up its power: what it needs later has to be there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.fake_engine import FakeEngine, inspected

if TYPE_CHECKING:
    from pathlib import Path

_FULL_ID = "ab" * 32
# A process of its own, for this one has imported everything long ago.
_ASKS = """
import sys
from hullwatch.engine_process import preload
from hullwatch.sources.docker_connection import EngineConnection, EngineError

preload()
before = set(sys.modules)
connection = EngineConnection("unix://" + sys.argv[1])
connection.negotiate()
connection.get(f"/containers/{sys.argv[2]}/json")
try:
    EngineConnection("tcp://127.0.0.1:1").negotiate()
except EngineError as error:
    print("refused:", error)
print("later:", *sorted(set(sys.modules) - before))
print("for nothing:", *sorted({"docker", "requests"} & set(sys.modules)))
"""


def test_all_that_asking_docker_needs_is_imported_while_it_can_be_read_and_nothing_that_it_does_not(
    tmp_path: Path,
) -> None:
    engine = FakeEngine(tmp_path / "engine.sock")
    engine.containers[_FULL_ID] = inspected(_FULL_ID)
    engine.start()
    try:
        told = subprocess.run(
            [sys.executable, "-c", _ASKS, str(engine.path), _FULL_ID], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.splitlines()
    finally:
        engine.stop()
    assert told[0].startswith("refused: ")
    assert told[1:] == ["later:", "for nothing:"]
