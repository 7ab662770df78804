from __future__ import annotations

import json
import queue
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.enrich.bounded import nanoseconds
from hullwatch.enrich.capabilities import ALL, USUAL
from hullwatch.enrich.container import ONLY_NAMED, Container, Mount, Port
from hullwatch.enrich.docker_metadata import container_from, container_made
from hullwatch.enrich.metadata import ContainerMetadata, docker_source
from hullwatch.sources.engine import Inspection
from tests import lab
from tests.fake_engine import IMAGE, IMAGE_ID, inspected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab import Engine

A, B = "a" * 64, "b" * 64
SOON = 10  # seconds


def told(kind: str = "docker", image: object = IMAGE, **changes: Any) -> Container:
    """The container that an engine tells about when top-level keys of its answer are changed."""
    answer = json.dumps(inspected(A, **changes)).encode()
    return container_from(Inspection(full_id=A, kind=kind, container=answer, image=json.dumps(image).encode()))


def config(**values: Any) -> dict[str, Any]:
    return {"Image": "shop/web:2", **values}


def test_every_part_of_an_answer_is_in_the_container() -> None:
    container = told(
        Config=config(
            User="web",
            Hostname="h",
            Labels={"b": "2", "a": "1"},
            Entrypoint=["/entry"],
            Cmd=["serve", "-v"],
            Healthcheck={"Test": ["CMD", "curl", "localhost"]},
        ),
        HostConfig={"Privileged": True, "NetworkMode": "host", "PidMode": "host", "IpcMode": "host"},
        Mounts=[{"Source": "/proc", "Destination": "/host/proc", "Mode": "ro", "RW": False, "Propagation": "rslave"}],
        NetworkSettings={"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "53/udp": None}},
    )
    assert container == Container(
        id=A[:12],
        full_id=A,
        name="name-of-aaaa",
        type="docker",
        image="shop/web:2",
        image_id=IMAGE_ID,
        image_repository="shop/web",
        image_tag="2",
        image_digest="sha256:" + "2" * 64,
        labels={"a": "1", "b": "2"},
        privileged=True,
        mounts=(Mount("/proc", "/host/proc", "ro", rw=False, propagation="rslave"),),
        ports=(Port("0.0.0.0", 8080, 80),),
        user="web",
        hostname="h",
        entrypoint=("/entry",),
        command=("serve", "-v"),
        healthcheck=("curl", "localhost"),
        pid=4711,
        created=1_795_305_039_117_573_603,
        started=1_795_305_040_000_000_000,
        running=True,
        host_network=True,
        host_pid=True,
        host_ipc=True,
        capabilities=tuple(sorted(ALL)),
    )


def test_what_is_null_or_absent_is_empty() -> None:
    container = told(
        Created=None,
        Image=None,
        State={"Running": None, "Pid": None, "StartedAt": "0001-01-01T00:00:00Z"},
        Config={"Labels": None, "Cmd": None, "Entrypoint": None, "User": None, "Healthcheck": None},
        HostConfig={"Binds": None, "Privileged": None},
    )
    usual = tuple(sorted(USUAL))
    assert container == Container(id=A[:12], full_id=A, name="name-of-aaaa", type="docker", capabilities=usual)


@pytest.mark.parametrize(
    ("asked", "has", "lacks"),
    [
        ({}, {"CAP_CHOWN"}, {"CAP_SYS_ADMIN"}),
        ({"CapAdd": ["NET_ADMIN", "CAP_SYS_TIME", "x" * 9999]}, {"CAP_NET_ADMIN", "CAP_SYS_TIME"}, {"CAP_SYS_ADMIN"}),
        ({"CapDrop": ["chown"]}, {"CAP_KILL"}, {"CAP_CHOWN"}),
        ({"CapAdd": ["ALL"], "CapDrop": ["SYS_ADMIN"]}, {"CAP_BPF"}, {"CAP_SYS_ADMIN"}),
        ({"CapAdd": ["KILL"], "CapDrop": ["ALL"]}, {"CAP_KILL"}, {"CAP_CHOWN"}),
        ({"Privileged": True, "CapDrop": ["KILL"]}, ALL, {"CAP_X"}),
    ],
)
def test_docker_s_capabilities_follow_from_what_was_asked_for(
    asked: dict[str, Any], has: set[str], lacks: set[str]
) -> None:
    found = set(told(HostConfig=asked).capabilities)
    assert has <= found <= ALL
    assert not lacks & found


def test_binds_are_taken_where_the_mounts_do_not_have_them() -> None:
    mounts = told(
        HostConfig={"Binds": ["/etc:/e:ro,z", "/proc:/p", "odd"]},
        Mounts=[{"Source": "/etc", "Destination": "/e", "Mode": "ro,z", "RW": False}],
    ).mounts
    assert mounts == (
        Mount("/etc", "/e", "ro,z", rw=False),
        Mount("/proc", "/p"),
        Mount("odd", ""),
    )


PORTS: list[tuple[dict[str, Any], tuple[Port, ...]]] = [
    ({"80/tcp": [{"HostIp": "", "HostPort": ""}]}, (Port("", 0, 80),)),
    ({"53/udp": [{"HostIp": "::", "HostPort": "53"}]}, (Port("::", 53, 53, "udp"),)),
    ({"x/tcp": [{}], "80/tcp": [{"HostPort": "-1"}], "999999/tcp": [{}], "": [{}]}, ()),
    ({"80/tcp": [{"HostPort": "१"}]}, ()),
    ({"80/tcp": [{"HostPort": "9" * 5000}]}, ()),
]


@pytest.mark.parametrize(("ports", "expected"), PORTS)
def test_ports_before_the_start_come_from_the_bindings_and_odd_ones_are_left_out(
    ports: dict[str, Any], expected: tuple[Port, ...]
) -> None:
    assert told(HostConfig={"PortBindings": ports}, NetworkSettings={"Ports": {}}).ports == expected


# ---- the image


@pytest.mark.parametrize(
    ("written", "image", "expected"),
    [
        ("shop/web", IMAGE, ("shop/web", "shop/web", "latest", "sha256:" + "2" * 64)),
        ("docker.io/shop/web:3", IMAGE, ("docker.io/shop/web:3", "docker.io/shop/web", "3", "sha256:" + "2" * 64)),
        ("other:1", IMAGE, ("other:1", "other", "1", "")),
        ("shop/web@sha256:" + "3" * 64, IMAGE, ("shop/web@sha256:" + "3" * 64, "shop/web", "", "sha256:" + "3" * 64)),
        (IMAGE_ID, IMAGE, ("shop/web:2", "shop/web", "2", "sha256:" + "2" * 64)),
        ("1" * 12, {"RepoTags": None}, ("1" * 12, "1" * 12, "latest", "")),
        (IMAGE_ID, {"RepoTags": [], "RepoDigests": []}, (IMAGE_ID, "", "", "")),
        ("UPPER CASE", IMAGE, ("UPPER CASE", "", "", "")),
        ("shop/web:2", {"RepoDigests": 7}, ("shop/web:2", "shop/web", "2", "")),
        ("shop/web:2", [], ("shop/web:2", "shop/web", "2", "")),
    ],
)
def test_the_image_s_name_is_as_it_was_written_and_its_digest_that_of_the_repository(
    written: str, image: object, expected: tuple[str, ...]
) -> None:
    container = told(image=image, Config=config(Image=written))
    assert container.complete
    got = (container.image, container.image_repository, container.image_tag, container.image_digest)
    assert got == expected


# ---- the health check


@pytest.mark.parametrize(
    ("kind", "test", "shell", "expected"),
    [
        ("docker", None, None, ()),
        ("docker", [], None, ()),
        ("docker", ["NONE"], None, ()),
        ("docker", ["NONE", "x"], None, ()),
        ("docker", ["CMD"], None, ()),
        ("docker", ["CMD", "a", "b c"], None, ("a", "b c")),
        ("docker", ["CMD-SHELL", "a && b"], None, ("/bin/sh", "-c", "a && b")),
        ("docker", ["CMD-SHELL", "a"], ["/bin/bash", "-ec"], ("/bin/bash", "-ec", "a")),
        ("docker", ["odd", "a"], None, ()),
        ("podman", ["CMD-SHELL", "a", "b"], None, ("/bin/sh", "-c", "a b")),
        ("podman", ["odd", "a"], None, ("odd", "a")),
    ],
)
def test_the_health_check_is_what_the_engine_runs(
    kind: str, test: list[str] | None, shell: list[str] | None, expected: tuple[str, ...]
) -> None:
    assert told(kind, Config=config(Healthcheck={"Test": test}, Shell=shell)).healthcheck == expected


# ---- hostile answers


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"Id": B}, "another container"),
        ({"Id": 7}, "$.Id"),
        ({"Name": None}, "$.Name"),
        ({"State": None}, "$.State"),
        ({"State": {"Pid": "1"}}, "$.State.Pid"),
        ({"State": {"Pid": 1e300}}, "$.State.Pid"),
        ({"Config": []}, "$.Config"),
        ({"Config": {"Labels": {"a": 1}}}, "$.Config.Labels"),
        ({"Config": {"Labels": ["a=1"]}}, "$.Config.Labels"),
        ({"HostConfig": {"Privileged": "false"}}, "$.HostConfig.Privileged"),
        ({"Mounts": {}}, "$.Mounts"),
        ({"Mounts": [{"Source": 7}]}, "$.Mounts"),
        ({"NetworkSettings": {"Ports": []}}, "$.NetworkSettings.Ports"),
    ],
)
def test_an_answer_of_the_wrong_type_is_an_incomplete_container_that_says_where(
    changes: dict[str, Any], where: str
) -> None:
    container = told(**changes)
    assert (container.full_id, container.complete, container.name) == (A, False, "")
    assert where in container.reason


@pytest.mark.parametrize("answer", [b"{", b"[]", b"null", b"\xff", b'{"Id":"\\ud800"}', b"[" * 100_000, b"{}"])
def test_an_answer_that_is_no_container_is_an_incomplete_one(answer: bytes) -> None:
    container = container_from(Inspection(full_id=A, kind="docker", container=answer))
    assert not container.complete
    assert container.reason.startswith("the engine's answer about it cannot be used: ")


def test_too_many_and_too_long_values_are_bounded_and_counted() -> None:
    container = told(
        Name="/" + "n" * 10_000,
        Config=config(Labels={f"{i:04}": "v" * 10_000 for i in range(300)}, Cmd=["x"] * 1000),
        Mounts=[{"Source": "/s", "Destination": f"/{i}"} for i in range(300)],
    )
    assert len(container.name) == 4096
    assert (len(container.labels), len(container.mounts), len(container.command)) == (256, 256, 256)
    assert set(map(len, container.labels.values())) == {4096}
    assert container.reason == (
        "44 of 300 labels are left out; 44 of 300 mounts are left out; "
        "744 of 1000 arguments of the command are left out"
    )
    assert container.complete


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from(["Name", "State", "Image", "Config", "HostConfig", "Mounts", "NetworkSettings", "Created"])


@given(st.dictionaries(KEYS, JSON, max_size=3), JSON)
def test_whatever_an_engine_sends_becomes_a_container(changes: dict[str, Any], image: object) -> None:
    container = told(image=image, **changes)
    assert container.full_id == A
    assert container.complete or container.reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("2026-11-21T23:50:39.117573603Z", 1_795_305_039_117_573_603),
        ("2026-11-22T01:50:39.117573603+02:00", 1_795_305_039_117_573_603),
        ("2026-11-21T23:50:39.1175736039999Z", 1_795_305_039_117_573_603),
        ("0001-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00+23:59", 0),
        ("2026-13-01T00:00:00Z", 0),
        ("2026-01-01T00:00:00+99:99", 0),
        ("2026-01-01 00:00:00Z", 0),
        ("", 0),
    ],
)
def test_a_time_is_read_to_the_nanosecond_and_nonsense_is_0(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


# ---- in order


def inspection(full_id: str = A, **changes: Any) -> Inspection:
    return Inspection(full_id=full_id, kind="docker", container=json.dumps(inspected(full_id, **changes)).encode())


def test_what_docker_tells_of_a_container_that_it_makes_is_its_name_image_and_labels() -> None:
    attributes = {"name": "web-1", "image": "registry.example/shop/web:2", "com.docker.compose.service": "web"}
    event = json.dumps({"Action": "create", "Actor": {"ID": A, "Attributes": attributes}}).encode()
    made = container_made(Inspection(full_id=A, kind="docker", form="docker_event", container=event))
    assert (made.id, made.full_id, made.complete, made.reason) == (A[:12], A, False, ONLY_NAMED)
    assert (made.name, made.image, made.type) == ("web-1", "registry.example/shop/web:2", "docker")
    assert (made.image_repository, made.image_tag) == ("registry.example/shop/web", "2")
    assert made.labels == {"com.docker.compose.service": "web"}


@pytest.mark.parametrize("event", [b"", b"[]", b'{"Actor":{"Attributes":{"name":1}}}', b"{" * 10_000])
def test_an_event_that_is_none_names_no_container(event: bytes) -> None:
    made = container_made(Inspection(full_id=A, kind="docker", form="docker_event", container=event))
    assert (made.name, made.complete, made.reason) == ("", False, ONLY_NAMED)


def test_what_is_known_already_is_emitted_again_only_on_request() -> None:
    emitted: list[Container] = []
    metadata = ContainerMetadata(emitted.append)
    for requested in (False, False, True):
        metadata.take(Inspection(full_id=A, container=inspection().container, requested=requested))
    metadata.take(inspection(Name="/renamed"))
    assert [container.name for container in emitted] == ["name-of-aaaa", "name-of-aaaa", "renamed"]


def test_a_container_that_the_engine_does_not_know_any_more_stays_known() -> None:
    emitted: list[Container] = []
    metadata = ContainerMetadata(emitted.append)
    metadata.take(inspection())
    metadata.take(Inspection(full_id=A, reason="the engine does not know it"))
    metadata.take(Inspection(full_id=A, reason="the engine does not know it", requested=True))
    metadata.take(Inspection(full_id=B, reason="the engine does not know it"))
    assert [(container.full_id, container.complete) for container in emitted] == [(A, True), (A, True), (B, False)]


def test_a_removed_container_does_not_run_any_more_and_is_forgotten() -> None:
    emitted: list[Container] = []
    metadata = ContainerMetadata(emitted.append)
    metadata.take(inspection())
    metadata.take(Inspection(full_id=A, removed=True))
    metadata.take(Inspection(full_id=A, removed=True))
    metadata.take(Inspection(full_id=A, reason="gone", requested=True))
    assert [(container.running, container.pid, container.complete) for container in emitted] == [
        (True, 4711, True),
        (False, 0, True),
        (False, 0, False),
    ]


# ---- real engines


class Emitted:
    """The containers of a real engine."""

    def __init__(self, engine: Engine) -> None:
        self.containers: queue.SimpleQueue[Container] = queue.SimpleQueue()
        self.source = docker_source(engine.url, self.containers.put)
        self.source.start()

    def running(self, full_id: str) -> Container:
        return self._next(full_id, lambda one: one.running)

    def ended(self, full_id: str, restarts: int) -> Container:
        return self._next(full_id, lambda one: one.exit_code is not None and one.restart_count == restarts)

    def _next(self, full_id: str, condition: Callable[[Container], bool]) -> Container:
        while True:
            container = self.containers.get(timeout=SOON)
            if container.full_id == full_id and condition(container):
                return container


@pytest.fixture(params=["docker", "podman"])
def real_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    yield engine
    engine.remove("known-by-all")


@pytest.mark.engine
def test_all_that_a_real_engine_was_told_is_in_the_container(real_engine: Engine) -> None:
    emitted = Emitted(real_engine)
    started = real_engine.run(
        "sleep",
        "60",
        name="known-by-all",
        privileged=True,
        volumes=["/proc:/host/proc:ro"],
        labels={"team": "<b>\x1b[31m\n"},
        user="nobody",
        hostname="shop",
        pid_mode="host",
        healthcheck={"test": ["CMD-SHELL", "true"], "interval": 3_600_000_000_000},
    )
    container = emitted.running(started.id)
    emitted.source.stop()
    assert (container.name, container.type, container.complete) == ("known-by-all", real_engine.kind, True)
    assert (container.image, container.image_repository) == (real_engine.image, "127.0.0.1:5000/bb")
    assert (container.image_tag, container.image_digest) == ("1", real_engine.digest)
    assert container.labels == {"app": "bb", "team": "<b>\x1b[31m\n"}
    assert (container.privileged, container.user, container.hostname) == (True, "nobody", "shop")
    assert [(m.source, m.destination, m.rw) for m in container.mounts] == [("/proc", "/host/proc", False)]
    assert (container.entrypoint, container.command) == ((), ("sleep", "60"))
    assert container.healthcheck == ("/bin/sh", "-c", "true")
    assert (container.host_pid, container.host_network, container.host_ipc) == (True, False, False)
    assert container.pid > 0
    assert 0 < container.created < container.started


@pytest.mark.engine
def test_of_a_real_engine_s_container_capabilities_restarts_and_the_exit_code_are_known(real_engine: Engine) -> None:
    emitted = Emitted(real_engine)
    again = {"Name": "on-failure", "MaximumRetryCount": 2}
    command = ("sh", "-c", "grep CapBnd /proc/self/status; exit 7")
    started = real_engine.run(*command, name="known-by-all", cap_add=["NET_ADMIN"], restart_policy=again)
    container = emitted.ended(started.id, restarts=2)
    emitted.source.stop()
    assert (container.exit_code, container.restart_count, container.running) == (7, 2, False)
    # Engines note the start when what they started may have ended already: some milliseconds later.
    assert 0 < container.started <= container.finished + 10**9
    logs: bytes = real_engine.client.api.logs(started.id)
    kernels = int(logs.split()[1], 16)
    # The engines of the lab cannot give CAP_SYS_RESOURCE, which these containers have not anyway.
    assert {f"CAP_{name}" for name in ("NET_ADMIN", "CHOWN", "KILL")} <= set(container.capabilities)
    assert kernels.bit_count() == len(container.capabilities)
    real_engine.remove(started)


@pytest.mark.engine
def test_a_shell_probe_of_a_real_engine_runs_with_the_arguments_that_the_metadata_has(real_engine: Engine) -> None:
    emitted = Emitted(real_engine)
    probe = "tr '\\0' '|' </proc/$$/cmdline >/told; sleep 0.1"
    started = real_engine.run(healthcheck={"test": ["CMD-SHELL", probe], "interval": 100_000_000})
    container = emitted.running(started.id)
    emitted.source.stop()
    if real_engine.kind == "podman":  # without systemd it does not run its probes by itself
        folder = real_engine.url.removeprefix("unix://").rpartition("/")[0]
        lab.run_script("podman.sh", "healthcheck", "run", started.id, environment={"LAB_PODMAN_DIR": folder})
    status, output = real_engine.exec(started, ["sh", "-c", "until [ -s /told ]; do usleep 20000; done; cat /told"])
    real_engine.remove(started)
    assert status == 0
    assert output.decode() == "|".join(container.healthcheck) + "|"
