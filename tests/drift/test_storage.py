"""Storage that is no overlay of the kernel's: where the image's files are, as each engine lays them out."""

from __future__ import annotations

import json
import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from hullwatch.drift import question as words
from hullwatch.drift import storage
from hullwatch.drift.comparer import Comparer
from hullwatch.drift.containers import host_mounts
from hullwatch.drift.mounts import Layers, Mount
from hullwatch.drift.question import Limits
from hullwatch.drift.storage import find_layers, is_hidden
from tests.bolt_file import BoltFile
from tests.drift.box import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMITS = Limits(largest_file=64 << 20, seconds=30.0)
OWN, IMAGE = "a1" * 32, "b2" * 32


def podman(base: Path, storage: str = "vfs", place: str = "vfs/dir") -> tuple[Path, Path]:
    """Lay out podman's vfs; return the container's directory and the image's."""
    layers = base / f"{storage}-layers"
    layers.mkdir(parents=True)
    listed = [{"id": IMAGE, "diff-size": 1}, {"id": OWN, "parent": IMAGE, "created": "2026-01-01T00:00:00Z"}]
    (layers / "layers.json").write_text(json.dumps(listed))
    return base / place / OWN, base / place / IMAGE


def podman_btrfs(base: Path) -> tuple[Path, Path]:
    return podman(base, "btrfs", "btrfs/subvolumes")


def docker(base: Path) -> tuple[Path, Path]:
    return base / "vfs/dir" / OWN, base / "vfs/dir" / f"{OWN}-init"


def docker_btrfs(base: Path) -> tuple[Path, Path]:
    return base / "btrfs/subvolumes" / OWN, base / "btrfs/subvolumes" / f"{OWN}-init"


def containerd_btrfs(base: Path) -> tuple[Path, Path]:
    _, image = containerd(base)
    return base / "active/130", image


def containerd(base: Path) -> tuple[Path, Path]:
    """Lay out containerd's native snapshotter; a number is written seven bits at a time."""
    base.mkdir(parents=True)
    snapshots = {
        b"default/1/sha256:x": {b"id": b"\x81\x01", b"kind": b"\x03"},
        b"default/2/web": {b"id": b"\x82\x01", b"kind": b"\x02", b"parent": b"default/1/sha256:x"},
    }
    (base / "metadata.db").write_bytes(BoltFile().write({b"v1": {b"snapshots": snapshots, b"parents": {}}}))
    return base / "snapshots/130", base / "snapshots/129"


@pytest.fixture(params=[podman, podman_btrfs, docker, docker_btrfs, containerd, containerd_btrfs])
def copied(request: pytest.FixtureRequest, tmp_path: Path, program: bytes) -> Iterator[Box]:
    """A process whose root is a copy of an image, as each engine lays it out."""
    layout: Callable[[Path], tuple[Path, Path]] = request.param
    own, image = layout(tmp_path / "storage")
    for folder in (own, image):
        for name in ("bin", "etc", "opt", "lib", "old", "memory", "volume"):
            (folder / name).mkdir(parents=True)
        (folder / "bin/waiter").write_bytes(program)
        (folder / "bin/waiter").chmod(0o755)
        (folder / "etc/start.sh").write_text("#!/bin/sh\necho image\n")
    made = Box(tmp_path / "box", program, str(own))
    yield made
    made.close()


def test_what_a_copied_root_runs_is_compared_with_the_image_it_is_a_copy_of(copied: Box) -> None:
    comparer = Comparer(LIMITS)
    copied.do("shutil.copy('/bin/waiter', '/opt/same'); shutil.copy('/bin/waiter', '/opt/new')")
    copied.do("open('/opt/new', 'ab').write(b'more'); shutil.copy('/bin/waiter', '/volume/copy')")
    expected = {
        "/bin/waiter": ("image", "upper_layer"), "/opt/same": ("image", "upper_layer"),
        "/opt/new": ("drift", "upper_layer"), "/volume/copy": ("drift", "volume"),
    }  # fmt: skip
    for path, found in expected.items():
        question = copied.run(path)
        answer = comparer.answer(question)
        assert ((answer.verdict, answer.place), answer.reason) == (found, ""), path
        copied.end(question)
    for path, verdict in (("/etc/start.sh", "image"), ("/opt/new.sh", "drift")):
        copied.do("open('/opt/new.sh', 'w').write('echo new')")
        question = copied.question("script", path, upper=False, moment=1 << 62)
        assert comparer.answer(question).verdict == verdict


def test_a_program_of_a_copied_root_that_has_ended_is_found_in_the_host_s_directory(copied: Box) -> None:
    comparer = Comparer(LIMITS)
    comparer.answer(copied.question("container", ""))
    copied.do("shutil.copy('/bin/waiter', '/opt/new'); open('/opt/new', 'ab').write(b'more')")
    question = copied.run("/opt/new")
    copied.end(question)
    answer = comparer.answer(question)
    assert (answer.verdict, answer.place) == ("drift", "upper_layer")


def test_a_root_that_is_a_copy_of_nothing_known_is_not_guessed_about(tmp_path: Path, program: bytes) -> None:
    own = tmp_path / "somewhere/root"
    for name in ("bin", "old", "memory", "volume"):
        (own / name).mkdir(parents=True)
    shutil.copy("/bin/true", own / "bin/true")
    (own / "bin/waiter").write_bytes(program)
    (own / "bin/waiter").chmod(0o755)
    box = Box(tmp_path / "box", program, str(own))
    try:
        question = box.run("/bin/waiter")
        answer = Comparer(LIMITS).answer(question)
        assert (answer.verdict, answer.place, answer.reason) == ("unknown", "", words.NO_COPY)
    finally:
        box.close()


@pytest.mark.parametrize(
    ("kind", "reason"), [(b"btrfs", words.NO_STORAGE), (b"zfs", words.NO_STORAGE), (b"ext4", words.NO_COPY)]
)
def test_of_storage_that_is_not_looked_into_that_is_said(kind: bytes, reason: str) -> None:
    directory = os.open("/proc/self", os.O_RDONLY)
    try:
        root = Mount(1, b"0:999", b"/btrfs/subvolumes/x", b"/", kind, b"rw")
        assert find_layers(root, directory, host_mounts()) == (None, reason)
    finally:
        os.close(directory)


def test_the_layers_of_a_root_that_a_program_puts_together_lie_beside_its_mount(tmp_path: Path) -> None:
    layer, base = tmp_path / "overlay" / OWN, tmp_path / "overlay"
    for folder in (layer / "diff", base / "l/ONE", base / "l/TWO"):
        folder.mkdir(parents=True)
    (layer / "lower").write_text("l/ONE:l/TWO")
    point = os.fsencode(layer / "merged")
    # Of devices that nothing is mounted from: this host's own mounts are looked through as well.
    root = Mount(1, b"4095:77", b"/", b"/", b"fuse.fuse-overlayfs", b"rw,user_id=0")
    directory = os.open("/proc/self", os.O_RDONLY)
    try:
        found, _ = find_layers(root, directory, [root._replace(point=point)])
        lowers = (os.fsencode(base / "l/ONE"), os.fsencode(base / "l/TWO"))
        assert found == Layers(os.fsencode(layer / "diff"), lowers, "fuse")
        assert find_layers(root, directory, [root._replace(point=point, device=b"4095:78")])[0] is None
        (layer / "lower").write_text("l/ONE:l/GONE")
        assert find_layers(root, directory, [root._replace(point=point)]) == (None, words.NO_LAYERS)
    finally:
        os.close(directory)


def test_a_layer_hides_what_it_removed_and_directories_that_were_made_anew(tmp_path: Path) -> None:
    upper = os.fsencode(tmp_path)
    for name in ("plain", "opaque", "attribute"):
        (tmp_path / name).mkdir()
    (tmp_path / "plain/.wh.gone").touch()
    (tmp_path / "opaque/.wh..wh..opq").touch()
    if os.geteuid() == 0:
        os.mknod(tmp_path / "plain/device", stat.S_IFCHR | 0o600, os.makedev(0, 0))
        assert is_hidden(upper, b"/plain/device")
        os.setxattr(tmp_path / "attribute", storage._OPAQUE[-1], b"y")
        assert is_hidden(upper, b"/attribute/file")
    assert is_hidden(upper, b"/plain/gone")
    assert is_hidden(upper, b"/plain/gone/below")
    assert is_hidden(upper, b"/opaque/file")
    assert not is_hidden(upper, b"/plain/other")
    assert not is_hidden(upper, b"/not/there")
