"""Containers of an ordinary user's podman: known by its files or its socket, compared with their image."""

from __future__ import annotations

import contextlib
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests import lab, lab_rootless
from tests.lab_rootless import DRIVERS, IMAGE, Rootless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.watch import Watch

pytestmark = [pytest.mark.kernel, pytest.mark.engine, pytest.mark.timeout(180)]

RULES = """
- rule: Marked program
  desc: a program of the test in a container
  condition: evt.type = execve and container.id != host and proc.args contains mark-
  output: >
    Marked (args=%proc.args id=%container.full_id name=%container.name type=%container.type image=%container.image
    digest=%container.image.digest labels=%container.labels mounts=%container.mounts caps=%container.capabilities
    start=%container.start_ts restarts=%container.restart_count code=%container.exit_code exec=%proc.is_container_exec
    tty=%proc.tty privileged=%container.privileged)
  priority: INFO
- rule: Compared
  desc: what was found out about a file
  condition: evt.type = drift
  output: Compared (file=%drift.path kind=%drift.kind verdict=%drift.verdict place=%drift.place reason=%drift.reason
    id=%container.full_id)
  priority: INFO
"""
# A shell of the container does it: the same content is the image's, whatever its name and times; another is not.
ACTS = r"""
cp /bin/busybox /opt/same && /opt/same; cp /bin/busybox /opt/other && echo >> /opt/other && /opt/other
touch /bin/bash && /bin/bash -c true; echo true > /opt/new.sh && sh /opt/new.sh
cp /bin/busybox /dev/shm/copy && /dev/shm/copy; true
"""
FOUND = {
    ("program", "/opt/same", "image", "upper_layer"),
    ("program", "/opt/other", "drift", "upper_layer"),
    ("program", "/bin/bash", "image", "upper_layer"),
    ("script", "/opt/new.sh", "drift", "upper_layer"),
}


@pytest.fixture(scope="module")
def users() -> Iterator[dict[str, Rootless]]:
    """A user for each storage driver, with a container ``box`` that runs."""
    try:
        lab_rootless.require_rootless()
    except lab.UnavailableError as reason:
        pytest.skip(f"no rootless podman: {reason}")

    def make(driver: str) -> Rootless:
        user = ended.enter_context(lab_rootless.rootless(driver))
        user.run("--name", "box", "--label", "team=shop", "--volume", "/etc:/host:ro", IMAGE, "sleep", "600")
        return user

    with contextlib.ExitStack() as ended:
        with ThreadPoolExecutor(1) as pool:  # useradd locks its files
            made = dict(zip(DRIVERS, pool.map(make, DRIVERS), strict=True))
        yield made


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rootless.yaml"
    path.write_text(RULES)
    return str(path)


def marked(watching: Watch, mark: str) -> dict[str, Any]:
    """Return the fields of the alert of a marked program."""

    def found() -> list[dict[str, Any]]:
        fields = (alert["output_fields"] for alert in watching.alerts if alert["rule"] == "Marked program")
        return [one for one in fields if str(one["proc.args"]).split()[-1] == mark]

    assert watching.wait(lambda: bool(found()), 15), f"no program with {mark}: {watching.describe()}"
    return found()[0]


def compared(watching: Watch, full_id: str) -> set[tuple[str, str, str, str]]:
    names = ("drift.kind", "drift.path", "drift.verdict", "drift.place")
    fields = [alert["output_fields"] for alert in watching.alerts if alert["rule"] == "Compared"]
    return {tuple(str(one[name]) for name in names) for one in fields if one["container.full_id"] == full_id}  # type: ignore[misc]


def test_what_rootless_containers_run_is_compared_with_their_image_in_each_storage(
    users: dict[str, Rootless], watch: Callable[..., Watch], rules: str
) -> None:
    watching = watch("-r", rules, "--match", "all")
    for driver, user in users.items():
        full_id = user.podman("inspect", "--format", "{{.Id}}", "box")
        user.podman("exec", "box", "mkdir", "-p", "/opt")
        user.podman("exec", "box", "sh", "-c", ACTS)
        assert watching.wait(lambda: compared(watching, full_id) >= FOUND, 15), (  # noqa: B023 - asked at once
            driver, FOUND - compared(watching, full_id), compared(watching, full_id),
        )  # fmt: skip
        others = {one for one in compared(watching, full_id) - FOUND if one[2] != "image"}
        assert others <= {("program", "/dev/shm/copy", "drift", "memory")}, driver


def test_without_any_service_rootless_containers_are_known_by_podman_s_files_from_their_first_program_on(
    users: dict[str, Rootless], watch: Callable[..., Watch], rules: str
) -> None:
    watching = watch("-r", rules, "--match", "all")
    for driver, user in users.items():
        user.podman("exec", "box", "busybox", "echo", f"mark-{driver}-direct")
        box = marked(watching, f"mark-{driver}-direct")
        check_box(box)
        options = ("--name", "brief", "--label", "a=b", "--cap-add", "NET_ADMIN", "--restart", "on-failure:1")
        full_id = user.run(*options, IMAGE, "busybox", "sh", "-c", f"busybox echo mark-{driver}-first; exit 7")
        first = marked(watching, f"mark-{driver}-first")
        assert (first["container.full_id"], first["container.name"]) == (full_id, "brief")
        assert first["container.labels"] == "a:b"
        assert "CAP_NET_ADMIN" in first["container.capabilities"].split(",")
        assert first["proc.is_container_exec"] is False


def check_box(fields: dict[str, Any]) -> None:
    """What an alert in the container that ran before says."""
    assert (fields["container.name"], fields["container.type"]) == ("box", "podman")
    assert fields["container.image"] == IMAGE
    assert str(fields["container.image.digest"]).startswith("sha256:")
    assert fields["container.labels"] == "team:shop"
    assert "/etc:/host:" in fields["container.mounts"]
    assert "CAP_CHOWN" in fields["container.capabilities"].split(",")
    assert "CAP_SYS_ADMIN" not in fields["container.capabilities"].split(",")
    assert abs(time.time_ns() - fields["container.start_ts"]) < 300_000_000_000
    assert (fields["container.restart_count"], fields["container.privileged"]) == (0, False)
    assert fields["proc.is_container_exec"] is True


def test_the_socket_of_a_rootless_podman_is_found_and_asked(
    users: dict[str, Rootless], watch: Callable[..., Watch], rules: str
) -> None:
    user = users["overlay"]
    path = user.runtime / "podman/podman.sock"
    user.podman("exec", "box", "true")  # who waits for podman's first process would wait for the service
    service = subprocess.Popen(
        user.command("system", "service", "--time", "0", f"unix://{path}"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while not path.is_socket():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        watching = watch("-r", rules, "--match", "all")
        fields: dict[str, Any] = {}
        for attempt in range(10):  # on a busy machine podman takes seconds for its first answer
            user.podman("exec", "--tty", "box", "busybox", "echo", f"mark-socket-{attempt}")
            fields = marked(watching, f"mark-socket-{attempt}")
            if fields["container.name"]:
                break
        check_box(fields)
        assert fields["proc.tty"] != 0
    finally:
        service.terminate()
        service.wait(10)
