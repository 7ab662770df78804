"""Where an alert comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hullwatch.alerts.maker import AlertMaker
from hullwatch.alerts.mask import CUT, Masker
from hullwatch.alerts.origin import LONGEST_COMMAND, MOST_PROCESSES, Origin, OriginMaker, workload_of
from hullwatch.detect.engine import Match
from hullwatch.enrich.container import HOST, Container, Mount, Port
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.fields.user import USERS
from hullwatch.formats.falco import falco
from tests.rules.conftest import make_event, rule_of

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.alerts.alert import Alert

FULL = "0123456789ab" + "c" * 52
WEB = Container(id=FULL[:12], full_id=FULL, name="web", image_repository="nginx", pid=30)


def chain(*programs: str, container_from: int | None = None, loginuid: int = 0xFFFFFFFF, first: int = 10) -> Process:
    """Return the last of some processes, each started by the one before; inside the container from one of them on."""
    process: Process | None = None
    for place, path in enumerate(programs):
        pid = 1 if place == 0 and path.endswith("/systemd") else first + place * 10
        name = path.rpartition("/")[2]
        program = Program(name, name, ("-x",), path, loginuid=loginuid)
        inside = container_from is not None and place >= container_from
        process = Process(ProcessKey(pid, pid * 100), process, program, FULL if inside else "")
        if inside:
            process.vpid = place - (container_from or 0) + 1
    assert process is not None
    return process


def origin(process: Process, container: Container = HOST) -> Origin:
    return OriginMaker(Masker()).make(make_event(process=process, container=container))


def names(found: Origin) -> list[str]:
    return [one.name for one in found.processes]


def test_in_a_container_the_tree_begins_with_its_first_process() -> None:
    found = origin(chain("/usr/bin/containerd-shim", "/sbin/nginx", "/bin/sh", "/bin/cat", container_from=1), WEB)
    assert names(found) == ["cat", "sh", "nginx"]
    assert found.tree == "20.2000"
    assert (found.container, found.session, found.user, found.login) == (FULL, "", "root", "")


def test_who_entered_a_container_later_is_a_session() -> None:
    entered = chain("/usr/bin/containerd-shim", "/bin/bash", "/bin/cat", container_from=1, first=70)
    for one in (entered, entered.parent):
        assert one is not None
        one.vpid = one.pid
    found = origin(entered, WEB)
    assert (found.session, found.session_name, found.tree) == ("80.8000", "bash", "80.8000")
    assert names(found) == ["cat", "bash"]


@pytest.mark.parametrize(
    ("programs", "tree", "shown"),
    [
        (
            ["/usr/lib/systemd/systemd", "/usr/sbin/sshd", "/usr/sbin/sshd", "/bin/bash", "/bin/cat"],
            "bash",
            ["cat", "bash"],
        ),
        (["/usr/lib/systemd/systemd", "/usr/sbin/cron", "/bin/sh", "/bin/backup"], "sh", ["backup", "sh"]),
        (["/usr/lib/systemd/systemd", "/usr/sbin/nginx", "/bin/sh"], "nginx", ["sh", "nginx"]),
        (
            ["/usr/lib/systemd/systemd", "/usr/bin/apt-get", "/usr/bin/dpkg", "/bin/sh"],
            "apt-get",
            ["sh", "dpkg", "apt-get"],
        ),
        (["/usr/lib/systemd/systemd", "/tmp/sshd", "/bin/sh"], "sshd", ["sh", "sshd"]),  # a name alone is cheap
    ],
)
def test_on_the_host_the_tree_begins_below_what_starts_work_for_others(
    programs: list[str], tree: str, shown: list[str]
) -> None:
    found = origin(chain(*programs))
    assert names(found) == shown
    assert names(found)[-1] == tree
    assert (found.container, found.session, found.workload) == ("", "", "host")


def test_of_a_long_line_the_beginning_of_the_tree_is_told() -> None:
    found = origin(chain("/usr/lib/systemd/systemd", *[f"/bin/p{number}" for number in range(30)]))
    assert len(found.processes) == MOST_PROCESSES
    assert names(found)[-2:] == ["p15", "p0"]
    assert found.tree == f"{found.processes[-1].pid}.{found.processes[-1].start}"


def test_on_the_host_it_is_who_logged_in_but_for_the_jobs_of_timers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = tmp_path / "passwd"
    accounts.write_text("root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n")
    monkeypatch.setattr(USERS, "path", accounts)
    monkeypatch.setattr(USERS, "_stamp", None)
    shell = origin(chain("/usr/lib/systemd/systemd", "/usr/sbin/sshd", "/bin/bash", "/usr/bin/sudo", loginuid=1000))
    assert (shell.user, shell.login) == ("alice", "alice")
    job = origin(chain("/usr/lib/systemd/systemd", "/usr/sbin/cron", "/bin/sh", loginuid=1000))
    assert (job.user, job.login) == ("alice", "")
    service = origin(chain("/usr/lib/systemd/systemd", "/usr/sbin/nginx"))
    assert (service.user, service.login) == ("root", "")
    monkeypatch.setattr(USERS, "_stamp", None)


@pytest.mark.parametrize(
    ("known", "workload"),
    [
        ({"owner_kind": "Deployment", "owner_name": "web", "pod_namespace": "shop"}, "shop/Deployment/web"),
        ({"labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}}, "compose:shop/web"),
        ({"labels": {"io.podman.compose.project": "shop", "io.podman.compose.service": "web"}}, "compose:shop/web"),
        ({"image_repository": "docker.io/nginx", "name": "web-1"}, "docker.io/nginx"),
        ({"name": "web-1"}, "web-1"),
        ({"pod_namespace": "shop", "image_repository": "nginx"}, "shop/nginx"),
        ({}, "unknown"),
    ],
)
def test_a_workload_is_what_a_container_is_an_instance_of(known: dict[str, Any], workload: str) -> None:
    assert workload_of(Container(id=FULL[:12], full_id=FULL, **known)) == workload


@pytest.mark.parametrize(
    ("mount", "is_sensitive"),
    [
        (Mount("/", "/host"), True),
        (Mount("/etc/", "/x"), True),
        (Mount("/etc/kubernetes/pki", "/x"), True),
        (Mount("/var/run/docker.sock", "/x"), True),
        (Mount("/root/.ssh", "/x"), True),
        (Mount("/srv/data", "/data"), False),
        (Mount("/var/lib/docker/volumes/v/_data", "/data"), False),
        (Mount("/var/lib/docker/containers/c/hostname", "/etc/hostname"), False),
        (Mount("", "/tmpfs"), False),
    ],
)
def test_a_mount_of_what_belongs_to_the_host_is_told(mount: Mount, *, is_sensitive: bool) -> None:
    container = msgspec.structs.replace(WEB, mounts=(mount,))
    assert bool(origin(chain("/bin/x", container_from=0), container).mounts) == is_sensitive


def test_what_surrounds_an_alert_is_told() -> None:
    container = msgspec.structs.replace(
        WEB,
        privileged=True,
        host_network=True,
        ports=(Port("0.0.0.0", 8080, 80), Port("", 0, 81)),
        mounts=(Mount("/srv/x", "/run/secrets/db"),),
        pod_uid="u1",
        pod_namespace="prod",
    )
    found = origin(chain("/bin/x", container_from=0), container)
    assert (found.privileged, found.host_network, found.ports, found.secrets) == (True, True, ("8080->80/tcp",), True)
    assert (found.pod, found.namespace) == ("u1", "prod")


def test_secrets_in_command_lines_are_hidden_and_long_ones_cut() -> None:
    process = chain("/bin/x", "/bin/y")
    process.program.args = ("--password=hunter2", "z" * 5000)
    assert process.parent is not None
    process.parent.program.args = ("--token", "hunter3")
    found = origin(process)
    assert "hunter" not in repr(found)
    assert len(found.processes[0].command) == LONGEST_COMMAND + len(CUT)


def test_a_process_that_runs_another_program_has_another_origin() -> None:
    by, process = OriginMaker(Masker()), chain("/bin/x", "/bin/y")
    first = by.make(make_event(process=process))
    assert by.make(make_event(process=process)) is first
    process.program = Program("z", "z", (), "/bin/z")
    again = by.make(make_event(process=process))
    assert (names(first), names(again)) == (["y", "x"], ["z", "x"])


def test_alerts_have_an_origin_only_for_who_keeps_them_and_standard_output_does_not_show_it() -> None:
    rule = rule_of("evt.type = openat", "'%fd.name'")
    made: dict[bool, list[Alert]] = {}
    for kept in (False, True):
        by = AlertMaker(Masker(), "node1", {}, with_origin=kept)
        for _ in range(4):  # what comes again is remembered, and has its own origin all the same
            for process in (chain("/bin/x"), chain("/bin/x", first=500)):
                by.take(Match(rule, make_event(process=process)))
        made[kept] = by.made()
    assert {one.origin for one in made[False]} == {None}
    assert [one.origin.processes[0].pid for one in made[True] if one.origin is not None] == [10, 500] * 4
    assert list(map(falco, made[True])) == list(map(falco, made[False]))
    packed = msgspec.msgpack.encode(made[True][0].origin)
    assert msgspec.msgpack.decode(packed, type=Origin) == made[True][0].origin
