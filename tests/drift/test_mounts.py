"""Mounts as the kernel writes them, and which directories an overlay is made of."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.drift.mounts import Layers, Mount, by_number, layers_of, parse, root_of

TEXT = b"""\
72 48 0:39 / / rw,relatime master:2 - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w
73 72 0:42 / /proc rw - proc proc rw
88 74 0:47 / /dev/with\\040blank rw shared:1 master:2 - tmpfs shm rw,size=65536k
half a line
89 72 254:0 /data/hosts /etc/hosts rw - ext4 /dev/vda rw
"""


def overlay(options: str, device: bytes = b"0:39") -> Mount:
    return Mount(1, device, b"/", b"/", b"overlay", options.encode())


@pytest.fixture
def layers(tmp_path: Path) -> bytes:
    for name in ("one", "two", "three", "a,b", "c:d", "back\\slash"):
        (tmp_path / name).mkdir()
    (tmp_path / "box" / "diff").mkdir(parents=True)
    return os.fsencode(tmp_path)


def test_mounts_are_read_with_their_places_and_what_is_strange_is_left_out() -> None:
    mounts = parse(TEXT)
    assert [mount.number for mount in mounts] == [72, 73, 88, 89]
    assert mounts[2].point == b"/dev/with blank"
    assert (mounts[2].is_memory, mounts[2].is_overlay) == (True, False)
    assert mounts[3][1:5] == (b"254:0", b"/data/hosts", b"/etc/hosts", b"ext4")
    assert by_number(mounts, 89) is mounts[3]
    assert by_number(mounts, 90) is None


def test_the_root_is_what_was_mounted_there_last() -> None:
    assert root_of(parse(TEXT + b"90 72 0:50 / / rw - tmpfs tmpfs rw\n")) == (90, b"0:50", b"/", b"/", b"tmpfs", b"rw")
    assert root_of([]) is None


def test_our_own_mounts_can_be_read() -> None:
    text = Path("/proc/self/mountinfo").read_bytes()
    assert len(parse(text)) == len(text.splitlines())


@given(st.binary(max_size=200))
def test_any_bytes_are_mounts_or_none(text: bytes) -> None:
    for mount in parse(text):
        layers_of(mount._replace(kind=b"overlay"), [])


@pytest.mark.parametrize(
    ("options", "upper", "lowers"),
    [
        ("rw,lowerdir={0}/one:{0}/two,upperdir={0}/three,workdir=/w", "three", ["one", "two"]),
        ("rw,lowerdir+={0}/one,lowerdir+={0}/two,datadir+={0}/box,upperdir={0}/three", "three", ["one", "two", "box"]),
        ("rw,lowerdir={0}/one::{0}/two,upperdir={0}/three", "three", ["one", "two"]),
        (r"rw,lowerdir={0}/a\134,b:{0}/c\134:d,upperdir={0}/back\134\134slash", "back\\slash", ["a,b", "c:d"]),
        ("rw,lowerdir=one:two,upperdir={0}/box/diff,workdir=box/work", "box/diff", ["one", "two"]),
    ],
)
def test_layers_are_found(layers: bytes, options: str, upper: str, lowers: list[str]) -> None:
    base = os.fsdecode(layers)
    expected = Layers(os.fsencode(f"{base}/{upper}"), tuple(os.fsencode(f"{base}/{name}") for name in lowers))
    assert layers_of(overlay(options.format(base)), []) == expected


def test_layers_that_are_all_relative_are_found_by_where_the_host_has_the_overlay(layers: bytes) -> None:
    mount = overlay("rw,lowerdir=one:two,upperdir=box/diff,workdir=box/work")
    on_host = overlay("")._replace(point=layers + b"/box/merged")
    assert layers_of(mount, [on_host._replace(device=b"0:1", point=b"/elsewhere/x/y")]) is None
    found = layers_of(mount, [on_host])
    assert found == Layers(layers + b"/box/diff", (layers + b"/one", layers + b"/two"))


@pytest.mark.parametrize(
    "options",
    [
        "rw,lowerdir=/none/a:/none/b,upperdir=/none/c",
        "rw,lowerdir=a:b,upperdir=c",
        "rw,lowerdir=/",
        "rw,upperdir=/",
        "rw,user_id=0,group_id=0",
        "rw,lowerdir=" + ":".join(["/"] * 600) + ",upperdir=/",
    ],
)
def test_layers_that_cannot_be_found_are_none(options: str) -> None:
    assert layers_of(overlay(options), parse(re.sub(rb"72 48 0:39 / /", b"72 48 0:39 / /none/merged", TEXT))) is None
