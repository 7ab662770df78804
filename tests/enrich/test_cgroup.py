from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.enrich.cgroup import CgroupContainer, container_id, find_container

if TYPE_CHECKING:
    from tests.lab import Engine

A, B = "0123456789abcdef" * 4, "f" * 64


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"/docker/{A}", "docker"),
        (f"/system.slice/docker-{A}.scope", "docker"),
        (f"/libpod_parent/libpod-{A}", "podman"),
        (f"/machine.slice/libpod-{A}.scope", "podman"),
        (f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope", "podman"),
        (f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope", "docker"),
        (f"/machine.slice/libpod-{A}.scope/container", "podman"),
        (f"/system.slice/web.service/libpod-payload-{A}", "podman"),
        (f"/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/libpod-payload-{A}/child", "podman"),
        (f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope/container", "podman"),
        (f"/system.slice/docker-{A}.scope/docker/{B}", "docker"),
        (f"/docker/{A}/kubelet.slice/kubelet-kubepods-pod1.slice/cri-containerd-{B}.scope", "docker"),
        (f"/default/{A}", ""),
        (f"/kubepods/burstable/pod1/crio-{A}", "cri-o"),
        (f"/kubepods.slice/kubepods-pod1.slice/crio-{A}.scope", "cri-o"),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{A}.scope", "containerd"),
        (f"/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:{A}", "containerd"),
        (f"/my/own/parent/{A}", ""),
        (f"/docker/{A}/init.scope/a/b", "docker"),
        (f"/../docker/{A}", "docker"),
        (f"docker/{A}", "docker"),
        (A, ""),
    ],
)  # fmt: skip
def test_the_cgroup_of_every_engine_names_its_container(path: str, kind: str) -> None:
    assert find_container(path) == CgroupContainer(A, kind)
    assert container_id(path) == A


UID = "0a1b2c3d-0000-1111-2222-333344445555"
UNDERSCORED = UID.replace("-", "_")


@pytest.mark.parametrize(
    ("path", "kind", "pod"),
    [
        (f"/kubepods/besteffort/pod{UID}/{A}", "", UID),
        (f"/kubepods/pod{UID}/crio-{A}", "cri-o", UID),
        (f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UNDERSCORED}.slice/cri-containerd-{A}.scope",
         "containerd", UID),
        (f"/kubepods.slice/kubepods-pod{UNDERSCORED}.slice/crio-{A}.scope/container", "cri-o", UID),
        (f"/system.slice/containerd.service/kubepods-besteffort-pod{UNDERSCORED}.slice:cri-containerd:{A}",
         "containerd", UID),
        (f"/kubepods/burstable/pod{'c' * 32}/{A}", "", "c" * 32),
        (f"/docker/{A}/kubepods/besteffort/pod{UID}/{B}", "docker", ""),
        (f"/kubepods/besteffort/pod{UID}x/{A}", "", ""),
        (f"/kubepods/besteffort/podium/{A}", "", ""),
        (f"/kubepods-besteffort-pod0a1b2c3d_0000-1111_2222-333344445555.slice/{A}", "", ""),
    ],
)  # fmt: skip
def test_the_cgroup_of_a_pod_s_container_names_the_pod(path: str, kind: str, pod: str) -> None:
    assert find_container(path) == CgroupContainer(A, kind, pod)


@pytest.mark.parametrize(
    "path",
    [
        f"/libpod_parent/{B}/libpod-{A}",
        f"/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope/container",
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_{B}.slice/libpod-{A}.scope",
    ],
)
def test_a_pod_of_podman_is_no_container_and_what_is_in_it_is(path: str) -> None:
    assert find_container(path) == CgroupContainer(A, "podman")
    assert container_id(f"/libpod_parent/{B}") is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/user.slice/user-0.slice/session-1.scope",
        f"/machine.slice/libpod-conmon-{A}.scope",
        f"/libpod_parent/conmon/libpod-conmon-{A}",
        f"/kubepods.slice/crio-conmon-{A}.scope",
        f"/docker/{A[:63]}",
        f"/docker/{A}0",
        f"/docker/{A.upper()}",
        f"/docker/{A}.slice",
        f"/docker/x{A}",
        f"/docker/{A}x",
        f"/docker/{A}\n",
        f"/docker-{A}-x.scope",
        f"/docker/buildkit/{A[:25]}",
        f"/docker/{A[:63]}é",
        f"/docker/{A[:63]}\uff11",
    ],
)
def test_a_cgroup_of_the_host_or_one_that_only_looks_like_a_container_s_is_none(path: str) -> None:
    assert find_container(path) is None


def test_a_container_cannot_pass_for_another_with_groups_that_it_makes_inside() -> None:
    assert container_id(f"/docker/{A}/docker/{B}") == A
    assert container_id(f"/docker/{A}/system.slice/docker-{B}.scope") == A


def test_behind_the_longest_path_nothing_is_looked_at() -> None:
    filler = "/" + "x" * 99
    assert container_id(filler * 40 + f"/{A}") == A
    assert container_id(filler * 41 + f"/{A}") is None
    assert container_id("/" + "x" * 4030 + f"/{A}") == A
    assert container_id("/" + "x" * 4031 + f"/{A}{'0' * 9}") is None


@pytest.mark.parametrize("piece", ["/", ":", "a", "/:", f"/{A[:63]}", "docker-", f":docker:{A[:63]}", f"/{A}x"])
def test_the_longest_hostile_paths_take_no_time(piece: str) -> None:
    path = piece * (100_000 // len(piece))
    began = time.perf_counter()
    assert find_container(path) is None
    assert time.perf_counter() - began < 0.1


@given(st.text(alphabet="/:-.0aF\udcffédockerlibpcntaiu", max_size=300))
def test_any_path_gives_an_id_or_none(path: str) -> None:
    found = find_container(path)
    assert found is None or (found.id in path and len(found.id) == 64)


@given(
    st.lists(st.text(alphabet="abxyz.-:@_", max_size=20), max_size=5),
    st.sampled_from(["", "docker-", "libpod-", "crio-", "cri-containerd-", "kubepods.slice:cri-containerd:"]),
    st.text(alphabet="0123456789abcdef", min_size=64, max_size=64),
    st.sampled_from(["", ".scope"]),
    st.lists(st.text(alphabet="abxyz.", max_size=20), max_size=5),
)
def test_an_id_is_found_wherever_it_is(above: list[str], form: str, full_id: str, end: str, below: list[str]) -> None:
    assert container_id("/".join(["", *above, f"{form}{full_id}{end}", *below])) == full_id


@pytest.mark.engine
@pytest.mark.parametrize("kind", ["docker", "podman"])
def test_a_real_container_is_found_by_the_cgroups_of_its_process(kind: str, request: pytest.FixtureRequest) -> None:
    engine: Engine = request.getfixturevalue(f"{kind}_engine")
    container = engine.run()
    pid = engine.client.containers.get(container.id).attrs["State"]["Pid"]
    paths = [line.split(":", 2)[2] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    engine.remove(container)
    assert {find_container(path) for path in paths} == {CgroupContainer(container.id, kind)}
