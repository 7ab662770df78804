"""A real exec session in a container of a real containerd is named after the person in the audit log.

The audit events are made up, in the shape that a real API server writes them (there is none here): they say who asked
for what was really run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from hullwatch.store.opening import open_to_read
from hullwatch.store.reading import AlertReader, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hullwatch.alerts.alert import Alert
    from tests.e2e.watch import Watch
    from tests.lab_containerd import Containerd

pytestmark = [pytest.mark.kernel, pytest.mark.engine, pytest.mark.timeout(180)]
PATIENCE = 15  # seconds


def audit_event(user: str, pod: str, at: float, command: tuple[str, ...] = (), kind: str = "exec") -> dict[str, Any]:
    """Return the event of a ``kubectl exec``, or of ``attach`` or ``port-forward``, as an API server writes it."""
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e6):06d}Z"
    words = [*(("command", word) for word in command), ("container", "server"), ("stdout", "true")]
    query = urlencode(words) if kind != "portforward" else ""
    return {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": f"made-up-{user}",
        "stage": "ResponseStarted", "requestURI": f"/api/v1/namespaces/shop/pods/{pod}/{kind}?{query}", "verb": "get",
        "user": {"username": user, "groups": ["developers", "system:authenticated"]}, "sourceIPs": ["198.51.100.7"],
        "userAgent": "kubectl/v1.32.4 (linux/amd64)", "responseStatus": {"metadata": {}, "code": 101},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": pod, "apiVersion": "v1", "subresource": kind},
        "requestReceivedTimestamp": when, "stageTimestamp": when,
    }  # fmt: skip


def hullwatch(watching: Watch, *arguments: str) -> str:
    command = [sys.executable, "-m", "hullwatch", *arguments, "--state-directory", str(watching.state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kept(watching: Watch) -> list[Alert]:
    database = open_to_read("", watching.state)
    try:
        return [one.alert for one in AlertReader(database).newest_first(Wanted(rules=("Read in a pod",)))]
    finally:
        database.close()


def users(watching: Watch) -> dict[str, str]:
    """Return the person that each kept alert of the two sessions names."""
    fields = [alert.output_fields for alert in kept(watching)]
    return {str(one["fd.name"]): str(one.get("k8s.session.user", "")) for one in fields}


def wait_for(watching: Watch, wanted: dict[str, str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while users(watching) != wanted:
        assert time.monotonic() < deadline, kept(watching)
        time.sleep(0.02)


def until_asked(watching: Watch, user: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while user not in hullwatch(watching, "k8s", "sessions"):
        assert time.monotonic() < deadline


class Pod:
    """A pod with a container that reads a file when somebody touches another one, and the log of its API server."""

    def __init__(self, containerd: Containerd, watching: Watch, log: Path) -> None:
        self.watching, self._containerd, self._log = watching, containerd, log
        self.pod = containerd.run_pod("web-5d9c7b8f6-x2k4z", {"app": "web", "pod-template-hash": "5d9c7b8f6"})
        own = "until busybox test -e /tmp/go; do busybox sleep 0.1; done; busybox cat /proc/meminfo; busybox sleep 3600"
        self._full_id = containerd.run_in_pod(self.pod, "server", *shell(own))

    def learn(self, user: str, at: float, command: tuple[str, ...] = (), kind: str = "exec") -> None:
        """Let the API server write an event to its log, which the run follows."""
        with self._log.open("a") as stream:
            stream.write(json.dumps(audit_event(user, self.pod.name, at, command, kind)) + "\n")

    def exec(self, *command: str) -> None:
        assert self._containerd.exec(self._full_id, *command) == 0

    def fields(self, file: str) -> dict[str, Any]:
        return next(one.output_fields for one in kept(self.watching) if one.output_fields["fd.name"] == file)


def shell(commands: str) -> tuple[str, ...]:
    return ("busybox", "sh", "-c", commands)


def test_alerts_of_a_session_name_the_person_when_the_made_up_audit_event_comes_before_and_when_it_comes_after_them(
    containerd: Containerd, watch: Callable[..., Watch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLWATCH_CONTAINERS_ENGINES", f"containerd://{containerd.socket}")
    rules = tmp_path / "read.yaml"
    rules.write_text(
        "- rule: Read in a pod\n  desc: a file of the test is read\n"
        "  condition: >\n    evt.type in (open, openat) and container.name = server\n"
        "    and fd.name in (/proc/version, /etc/shadow, /proc/uptime, /proc/loadavg, /proc/stat, /proc/meminfo)\n"
        "  output: Read (file=%fd.name pod=%k8s.pod.name command=%proc.cmdline)\n  priority: WARNING\n"
    )
    log = tmp_path / "audit.log"
    log.touch()
    monkeypatch.setenv("HULLWATCH_KUBERNETES_AUDIT_FILES", str(log))
    watching = watch("-r", str(rules))
    pod = Pod(containerd, watching, log)

    script = shell("busybox cat /etc/shadow; true")
    asked = time.time()
    pod.exec(*script)
    watching.alert({"Read in a pod"}, "server")
    wait_for(watching, {"/etc/shadow": ""})  # kept without a name: nothing has told of the person
    pod.learn("alice", asked, script)
    watching.alert({"Exec session named"}, timeout=PATIENCE)
    assert users(watching) == {"/etc/shadow": "alice"}

    script = shell("busybox cat /proc/version; true")
    pod.learn("bob", time.time() + 1, script)  # the clock of the API may be ahead
    until_asked(watching, "bob")
    pod.exec(*script)
    wait_for(watching, {"/etc/shadow": "alice", "/proc/version": "bob"})
    assert watching.count("Exec session named") == 1  # the second one was named at once

    fields = pod.fields("/etc/shadow")
    assert fields["k8s.session.groups"] == ["developers", "system:authenticated"]
    assert (fields["k8s.session.sourceip"], fields["k8s.session.auditid"]) == ("198.51.100.7", "made-up-alice")
    (incident,) = {one.incident for one in AlertReader(open_to_read("", watching.state)).newest_first(Wanted())} - {""}
    told = " ".join(hullwatch(watching, "incidents", "show", incident).split())
    assert "alice entered the container from outside as root" in told
    assert "bob entered the container from outside as root" in told
    assert "through the API of Kubernetes from 198.51.100.7 (audit id made-up-bob)" in told
    two_people_at_once_are_told_apart_and_what_one_leaves_behind_is_theirs(pod)
    who_is_attached_or_forwards_a_port_stands_beside_what_the_container_does_itself(pod)
    containerd.remove_pod(pod.pod)


def two_people_at_once_are_told_apart_and_what_one_leaves_behind_is_theirs(pod: Pod) -> None:
    """A part of the test, in the run and the pod that stand already."""
    carols = shell("busybox cat /proc/uptime; true")
    later = "(busybox sleep 0.5; busybox cat /proc/stat; true) >/dev/null 2>&1 &"
    daves = shell(f"{later} busybox cat /proc/loadavg; true")
    asked, before = time.time(), users(pod.watching)
    with ThreadPoolExecutor() as together:
        for running in [together.submit(pod.exec, *words) for words in (carols, daves)]:
            running.result()
    wait_for(pod.watching, before | {"/proc/uptime": "", "/proc/loadavg": "", "/proc/stat": ""})
    pod.learn("carol", asked, carols)
    pod.learn("dave", asked, daves)
    wait_for(pod.watching, before | {"/proc/uptime": "carol", "/proc/loadavg": "dave", "/proc/stat": "dave"})


def who_is_attached_or_forwards_a_port_stands_beside_what_the_container_does_itself(pod: Pod) -> None:
    """A part of the test, in the run and the pod that stand already."""
    before = users(pod.watching)
    pod.learn("erin", time.time(), kind="attach")
    pod.learn("frank", time.time(), kind="portforward")
    until_asked(pod.watching, "frank")
    pod.exec("busybox", "touch", "/tmp/go")
    wait_for(pod.watching, before | {"/proc/meminfo": ""})
    fields = pod.fields("/proc/meminfo")
    assert fields["k8s.session.attached"] == ["erin (made-up-erin)"]
    assert fields["k8s.session.forwarding"] == ["frank (made-up-frank)"]
