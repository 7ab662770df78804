"""Who enters a container by exec is told apart from what the container does itself, and from its health check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.watch import Watch
    from tests.lab import Engine
    from tests.lab_containerd import Containerd

pytestmark = [pytest.mark.kernel, pytest.mark.engine, pytest.mark.timeout(180)]

EVERY_MARKED = """
- rule: Marked program
  desc: a program of the test in a container
  condition: >
    evt.type = execve and container.id != host and proc.args contains mark-
  output: Marked (exec=%proc.is_container_exec tty=%proc.tty pod=%k8s.pod.name owner=%k8s.owner.name
    name=%container.name type=%container.type args=%proc.args)
  priority: INFO
- rule: Session at a terminal
  desc: somebody who sits at a terminal, or what runs for them
  condition: evt.type = execve and proc.is_container_exec = true and proc.tty != 0 and proc.args contains mark-tty
  output: Terminal (args=%proc.args)
  priority: WARNING
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "marked.yaml"
    path.write_text(EVERY_MARKED)
    return str(path)


def marked(watching: Watch, mark: str) -> dict[str, object]:
    """Return what the alert of a marked program printed."""

    def found() -> list[dict[str, object]]:
        fields = (alert["output_fields"] for alert in watching.alerts if alert["rule"] == "Marked program")
        return [one for one in fields if str(one["proc.args"]).split()[-1] == mark]

    assert watching.wait(lambda: bool(found()), 15), f"no program with {mark}: {watching.describe()}"
    return found()[0]


@pytest.mark.parametrize("kind", ["docker", "podman"])
def test_a_session_of_exec_and_what_it_starts_is_marked_and_the_container_s_own_work_is_not(
    kind: str, watch: Callable[..., Watch], request: pytest.FixtureRequest, rules: str
) -> None:
    engine: Engine = request.getfixturevalue(f"{kind}_engine")
    watching = watch("-r", rules, "--match", "all", docker_host=engine.url)
    probe = {"test": ["CMD", "busybox", "echo", "mark-probe"], "interval": 300_000_000, "retries": 50}
    script = "busybox echo mark-own; while true; do busybox sleep 1; done"
    container = engine.run("busybox", "sh", "-c", script, healthcheck=probe)
    engine.exec(container, ["busybox", "echo", "mark-direct"])
    engine.exec(container, ["busybox", "sh", "-c", "(busybox sh -c 'busybox echo mark-grandchild; true'); true"])
    engine.exec(container, ["busybox", "sh", "-c", "busybox echo mark-tty; true"], tty=True)
    assert marked(watching, "mark-own")["proc.is_container_exec"] is False
    assert marked(watching, "mark-direct")["proc.is_container_exec"] is True
    assert marked(watching, "mark-grandchild")["proc.is_container_exec"] is True
    at_terminal = marked(watching, "mark-tty")
    assert at_terminal["proc.is_container_exec"] is True
    assert at_terminal["proc.tty"] != 0
    assert marked(watching, "mark-direct")["proc.tty"] == 0
    watching.alert({"Session at a terminal"})
    if kind == "docker":  # podman's service runs health checks by systemd's timers only
        assert marked(watching, "mark-probe")["proc.is_container_exec"] is False
    engine.remove(container)


def test_a_session_in_a_pod_is_marked_and_has_the_pod_s_names(
    containerd: Containerd, watch: Callable[..., Watch], rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLWATCH_CONTAINERS_ENGINES", f"containerd://{containerd.socket}")
    watching = watch("-r", rules)
    pod = containerd.run_pod("web-5d9c7b8f6-x2k4z", {"app": "web", "pod-template-hash": "5d9c7b8f6"})
    script = "busybox echo mark-own; while true; do busybox sleep 1; done"
    full_id = containerd.run_in_pod(pod, "server", "busybox", "sh", "-c", script)
    assert containerd.exec(full_id, "busybox", "echo", "mark-exec") == 0
    for mark, is_exec in (("mark-own", False), ("mark-exec", True)):
        fields = marked(watching, mark)
        assert fields["proc.is_container_exec"] is is_exec
        assert (fields["container.name"], fields["container.type"]) == ("server", "containerd")
        assert (fields["k8s.pod.name"], fields["k8s.owner.name"]) == (pod.name, "web")
    containerd.remove_pod(pod)
