"""Real containers do real things: what alerts, with which name, how soon, and what stays quiet."""

from __future__ import annotations

import contextlib
import gc
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.watch import Watch, seconds_late, watches
from tools.attacks import ATTACKS, PRIVILEGED_RULES, Attack, start_privileged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab import Engine
    from tests.lab_engine import LabContainer

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

SOON = 1.0  # seconds from the event to the alert

EVERY_PROGRAM = """
- rule: Program in container
  desc: every program that runs in a container
  condition: evt.type = execve and container.id != host
  output: Program %proc.cmdline (name=%container.name image=%container.image.repository tag=%container.image.tag)
  priority: INFO
"""


@pytest.fixture(params=["docker", "podman"], scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine that there is."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@pytest.fixture(scope="module")
def before(engine: Engine) -> Iterator[LabContainer]:
    """A container that runs before anybody watches."""
    container = engine.run(name="before")
    yield container
    engine.remove(container)


@pytest.fixture(scope="module")
def watching(engine: Engine, before: LabContainer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """Hullwatch with its own rules and an engine; tests share it, each has containers of its own."""
    with watches(tmp_path_factory.mktemp("watching")) as start:
        yield start(docker_host=engine.url)


def assert_named(alert: dict[str, Any], name: str, engine: Engine) -> None:
    fields = alert["output_fields"]
    repository, _, tag = engine.image.rpartition(":")
    assert fields["container.name"] == name
    assert fields["container.image.repository"] == repository
    assert fields.get("container.image.tag", tag) == tag


def soon_alert(attempt: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return an alert that came soon after its event, in three attempts: a busy machine is no defect."""
    late: list[float] = []
    for _ in range(3):
        alert = attempt()
        late.append(seconds_late(alert))
        if late[-1] < SOON:
            return alert
    raise AssertionError(f"the alerts came {late} seconds after the events")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.title.replace(" ", "-"))
def test_an_attack_in_a_container_alerts_within_a_second_with_its_name_and_image(
    watching: Watch, engine: Engine, attack: Attack
) -> None:
    def attempt() -> dict[str, Any]:
        victim = engine.run(name=f"victim-{time.monotonic_ns()}")
        attack.run(engine.client.containers.get(victim.id))
        alert = watching.alert(attack.rules, victim.name)
        assert_named(alert, victim.name, engine)
        engine.remove(victim)
        return alert

    soon_alert(attempt)


def test_a_privileged_container_alerts_within_a_second(watching: Watch, engine: Engine) -> None:
    def attempt() -> dict[str, Any]:
        name = f"privileged-{time.monotonic_ns()}"
        container = start_privileged(engine.client, engine.image, name)
        try:
            alert = watching.alert(PRIVILEGED_RULES, name)
            assert_named(alert, name, engine)
        finally:
            container.remove(force=True)
        return alert

    soon_alert(attempt)


def test_a_container_that_mounts_the_hosts_proc_alerts_within_a_second(watching: Watch, engine: Engine) -> None:
    def attempt() -> dict[str, Any]:
        mounter = engine.run("sleep", "60", name=f"mounter-{time.monotonic_ns()}", volumes=["/proc:/host/proc:ro"])
        alert = watching.alert({"Sensitive host path in a container"}, mounter.name)
        assert_named(alert, mounter.name, engine)
        engine.remove(mounter)
        return alert

    soon_alert(attempt)


# The Docker library leaves the sockets of its streams to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ordinary_work_of_a_container_raises_nothing(watching: Watch, engine: Engine) -> None:
    network = engine.create_network(f"net{time.monotonic_ns()}")
    server = engine.run("busybox", "httpd", "-f", "-p", "8080", "-h", "/etc", name="files", network=network)
    attributes = engine.client.containers.get(server.id).attrs
    address = attributes["NetworkSettings"]["Networks"][network]["IPAddress"]
    work = (
        "cat /etc/passwd > /tmp/users; ls -l /proc > /dev/null; date >> /tmp/log; mkdir -p /var/data; "
        f"wget -q -O /tmp/got http://{address}:8080/os-release; cat /tmp/got; while true; do sleep 1; done"
    )
    ordinary = engine.run(
        "sh",
        "-c",
        work,
        name="ordinary",
        network=network,
        healthcheck={"test": ["CMD-SHELL", "test -s /tmp/got"], "interval": 200_000_000, "retries": 50},
    )
    handle = engine.client.containers.get(ordinary.id)
    with contextlib.closing(handle.logs(stream=True, follow=True)) as lines:
        assert any(b"NAME=BusyBox" in line for line in lines)
    if engine.kind == "docker":  # podman's service runs health checks by systemd's timers only
        with contextlib.closing(engine.client.events(decode=True, since=0, filters={"container": ordinary.id})) as news:
            for _ in news:
                handle.reload()
                if handle.attrs["State"]["Health"]["Status"] == "healthy":
                    break
    sentinel = engine.run(name="sentinel")
    ATTACKS[0].run(engine.client.containers.get(sentinel.id))
    watching.alert(ATTACKS[0].rules, "sentinel")
    assert watching.of_container("ordinary") == []
    assert watching.of_container("files") == []
    for container in (server, ordinary, sentinel):
        engine.remove(container)
    gc.collect()  # the library's sockets, here and not in the next test


def test_a_container_that_lives_50_milliseconds_is_named(
    watch: Callable[..., Watch], engine: Engine, tmp_path: Path
) -> None:
    rules = tmp_path / "every.yaml"
    rules.write_text(EVERY_PROGRAM)
    watching = watch("-r", str(rules), docker_host=engine.url)
    names = [f"short-{number}" for number in range(5)]
    for name in names:
        engine.run("busybox", "usleep", "50000", name=name, detach=False)
    for name in names:
        alert = watching.alert({"Program in container"}, name)
        assert_named(alert, name, engine)
        assert "hullwatch.metadata" not in alert["output_fields"] or (
            alert["output_fields"]["hullwatch.metadata"] == "late"
        )
        assert seconds_late(alert) < SOON


def test_a_container_that_ran_before_is_named(watching: Watch, engine: Engine, before: LabContainer) -> None:
    ATTACKS[0].run(engine.client.containers.get(before.id))
    assert_named(watching.alert(ATTACKS[0].rules, "before"), "before", engine)


def test_without_an_engine_containers_are_known_by_their_id_and_nothing_waits(
    watch: Callable[..., Watch], engine: Engine
) -> None:
    watching = watch()  # its DOCKER_HOST leads nowhere
    victim = engine.run(name="nameless")
    ATTACKS[2].run(engine.client.containers.get(victim.id))
    alert = watching.alert(ATTACKS[2].rules)
    assert alert["output_fields"]["container.id"] == victim.id[:12]
    assert alert["output_fields"]["hullwatch.metadata"] == "missing"
    assert seconds_late(alert) < SOON
    engine.remove(victim)


def test_the_founding_rule_runs_verbatim(watch: Callable[..., Watch], engine: Engine) -> None:
    watching = watch("-r", "examples/rules/bash-in-container.yaml", docker_host=engine.url)
    victim = engine.run(name="founding")
    ATTACKS[0].run(engine.client.containers.get(victim.id))
    alert = watching.alert({"Detect bash in a container"}, timeout=10)
    assert watching.wait(
        lambda: any("bash -c id; true" in one["output"] and "founding" in one["output"] for one in watching.alerts), 5
    ), watching.describe()
    assert alert["priority"] == "Informational"
    assert victim.id[:12] in json.dumps(alert)
    engine.remove(victim)
