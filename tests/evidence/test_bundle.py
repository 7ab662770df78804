"""Bundles: what a capture tells of an alert, without secrets, hostile names written out, the same every time."""

from __future__ import annotations

import hashlib
import io
import json
import re
import socket
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from hullwatch.captures.chunk import RECORDS
from hullwatch.captures.reader import CaptureReader
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.events.codec import encode
from hullwatch.evidence import hashes
from tests.captures.capture_files import CONTAINER, OFFSET, Recorded, clock, forks
from tests.cli.in_process import Command, command

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]

HOSTILE = "\x1b[31m</text><script>&'\"\u202e"
FIRST = 3_000_000_000
NAMES = [
    "README.txt", "SHA256SUMS", "alert.json", "capture.hwcap", "containers.json", "files.json",
    "process-tree.svg", "process-tree.txt", "timeline.txt",
]  # fmt: skip


def runs(pid: int, time: int, *arguments: str, comm: str = "", inside: bool = True, exe: str = "/bin/app") -> bytes:
    group = {"cgroup_id": 7 if inside else 1}
    return encode(
        "execve", {"time": time, "pid": pid, "tid": pid, "process_start": pid, **group}, comm=comm or arguments[0],
        argv="\0".join((*arguments, "")).encode(), ptid=1, vpid=pid, trusted_exepath=exe, filename=exe,
        cgroup_v2=f"/docker/{CONTAINER}" if inside else "/",
    )  # fmt: skip


def history(written: str = "/tmp/dropped") -> list[bytes]:
    """Return what happened: a shell in a container that starts two programs, and a process of the host."""
    inside = {"pid": 20, "tid": 20, "process_start": 20, "cgroup_id": 7}
    fork = {"time": FIRST + 100, **inside}
    known = Container(
        id=CONTAINER[:12], full_id=CONTAINER, name=f"web{HOSTILE}", image="web:1", image_id="sha256:77",
        command=("serve", "--password", "hunter2"), labels={"token": "l4bel"},
    )  # fmt: skip
    return [
        clock() + encode("container", {"time": FIRST}, json=encode_container(known)),
        runs(10, FIRST, "dockerd", inside=False) + forks(10, 20, FIRST + 1) + runs(20, FIRST + 2, "sh", "-c", "x"),
        encode("clone", fork, res=21, child_start=21, vpid=21, comm=""),
        runs(21, FIRST + 200, f"./{HOSTILE}", "--token=sesame"),
        encode("openat", {"time": FIRST + 300, "pid": 21, "tid": 21, "process_start": 21, "cgroup_id": 7},
               fd=3, name=written, flags=4 | 2, inode_mode=0o100644),
        encode("drift", {"time": FIRST + 350, "pid": 21, "tid": 21, "process_start": 21, "cgroup_id": 7},
               happened=FIRST + 200, kind="program", verdict="drift", path="/bin/app", sha256="ab" * 32, size=77),
        encode("openat", {"time": FIRST + 400, "pid": 21, "tid": 21, "process_start": 21, "cgroup_id": 7},
               fd=3, name="/etc/shadow", flags=1, inode_mode=0o100600),
        encode("procexit", {"time": FIRST + 500, "pid": 21, "tid": 21, "process_start": 21, "cgroup_id": 7}, ret=3),
        runs(30, FIRST + 600, "unrelated", inside=False, exe="/bin/unrelated"),
    ]  # fmt: skip


def alert(time: int, container: str = CONTAINER[:12], **fields: Any) -> dict[str, Any]:
    return {
        "rule": f"Secret read{HOSTILE}", "priority": "Warning", "output": f"12:00 {HOSTILE} --password=hunter2",
        "output_fields": {"evt.time": OFFSET + time, "container.id": container, "proc.env[API_KEY]": "k3y", **fields},
    }  # fmt: skip


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """Return a folder with a capture and an alert."""
    recorded = Recorded(tmp_path)
    recorded.feed(history())
    recorded.writer.close()
    (tmp_path / "alert.json").write_text(json.dumps(alert(FIRST + 400)))
    return tmp_path


def bundle(command: Command, case: Path, out: str = "out", *more: str) -> Path:
    code, lines, said = command(
        "capture", "bundle", str(case / "alert.json"), str(case / "0.hwcap"), "-w", str(case / out), *more
    )
    assert (code, said) == (0, ""), said
    assert lines[0].startswith(str(case / out))
    return case / out


def test_a_bundle_tells_who_did_what_and_its_sums_are_right(command: Command, case: Path) -> None:
    out = bundle(command, case)
    assert sorted(path.name for path in out.iterdir()) == NAMES
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=out, check=True, capture_output=True, text=True)
    assert checked.stdout.count(": OK") == len(NAMES) - 1
    report = (out / "README.txt").read_text()
    assert "/etc/shadow in web" in report
    assert "named by the alert" in report
    assert "compared with the image: drift" in report
    assert "Image          web:1" in report
    tree = (out / "process-tree.txt").read_text()
    assert re.search(r"^dockerd \(pid 10.*\n.*\n└─ sh \(pid 20, uid 0\) in web", tree, re.MULTILINE)
    assert re.search(r"└─ .*\(pid 21, uid 0\) in web.*exit code 3 at .*<== the alert", tree)
    assert "unrelated" not in tree
    assert (out / "timeline.txt").read_text().count("<== the alert") == 1


def test_the_files_have_hashes_that_say_where_they_are_from(command: Command, case: Path) -> None:
    files = {one["path"]: one for one in json.loads((bundle(command, case) / "files.json").read_text())}
    assert files["/bin/app"]["sha256"] == "ab" * 32
    assert files["/bin/app"]["size"] == 77
    assert (files["/bin/app"]["why"], files["/bin/app"]["verdict"]) == (["run", "compared with the image"], "drift")
    assert files["/bin/app"]["source"].startswith("capture: read when it was run")
    assert (files["/tmp/dropped"]["why"], files["/tmp/dropped"]["processes"]) == (["changed"], [21])
    assert files["/tmp/dropped"]["source"].startswith("not known: it was not read")
    assert files["/etc/shadow"]["source"].startswith("not known: it was only read")
    assert "/bin/unrelated" not in files


def test_nothing_in_a_bundle_has_a_secret_and_what_is_hidden_is_counted(command: Command, case: Path) -> None:
    out = bundle(command, case)
    read = CaptureReader(io.BytesIO((out / "capture.hwcap").read_bytes()), "x")
    unpacked = b"".join(chunk.data for chunk in read.chunks())
    whole = unpacked + b"".join(path.read_bytes() for path in out.iterdir())
    for secret in (b"hunter2", b"sesame", b"l4bel", b"k3y"):
        assert secret not in whole
    assert b"--token=***" in unpacked
    assert "3 values" in (out / "README.txt").read_text()
    assert json.loads((out / "alert.json").read_text())["output_fields"]["proc.env[API_KEY]"] == "***"


def test_hostile_names_are_written_out_in_every_file(command: Command, case: Path) -> None:
    out = bundle(command, case)
    for name in NAMES:
        data = (out / name).read_bytes()
        if name != "capture.hwcap":
            text = data.decode()
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text), name
    drawing = ET.fromstring((out / "process-tree.svg").read_text())
    tags = {element.tag.rpartition("}")[2] for element in drawing.iter()}
    assert tags == {"svg", "style", "rect", "text", "path"}
    texts = [element.text or "" for element in drawing.iter() if element.tag.endswith("text")]
    assert any("\\x1b[31m</text><script>&'\"\\u202e" in text for text in texts)
    assert "the alert" in texts


def test_the_part_of_the_capture_is_that_of_the_container_and_can_be_judged(command: Command, case: Path) -> None:
    out = bundle(command, case)
    code, lines, _ = command("events", str(out / "capture.hwcap"), "-p", "%proc.name %evt.type")
    assert code == 0
    assert not any("unrelated" in line for line in lines)
    assert sum(line.endswith("openat") for line in lines) == 2
    reader = CaptureReader(io.BytesIO((out / "capture.hwcap").read_bytes()), "x")
    assert reader.description.is_masked
    assert any(head.kind == RECORDS for head in reader.heads())


def test_the_same_alert_gives_the_same_bytes_and_an_archive_has_the_files_of_the_directory(
    command: Command, case: Path
) -> None:
    folder, first, again = bundle(command, case), bundle(command, case, "a.tar.gz"), bundle(command, case, "b.tgz")
    assert first.read_bytes() == again.read_bytes()
    with tarfile.open(first) as archive:
        members = archive.getmembers()
        name = members[0].name
        assert re.fullmatch(r"evidence-\d{8}T\d{6}Z", name)
        assert [member.name for member in members[1:]] == [f"{name}/{one}" for one in NAMES]
        assert {(member.uid, member.gid, member.mtime) for member in members} == {(0, 0, (OFFSET + FIRST) // 10**9)}
        for member in members[1:]:
            stream = archive.extractfile(member)
            assert stream is not None
            assert stream.read() == (folder / member.name.rpartition("/")[2]).read_bytes()


def test_an_alert_of_the_host_tells_its_own_family_alone(command: Command, case: Path) -> None:
    (case / "alert.json").write_text(json.dumps(alert(FIRST + 600, "host")))
    out = bundle(command, case)
    tree = (out / "process-tree.txt").read_text()
    assert "unrelated (pid 30, uid 0)" in tree
    assert "sh (pid 20" not in tree
    assert {one["path"] for one in json.loads((out / "files.json").read_text())} == {"/bin/unrelated"}


def test_an_alert_without_its_event_says_so(command: Command, case: Path) -> None:
    (case / "alert.json").write_text(json.dumps(alert(FIRST + 399)))
    code, lines, _ = command(
        "capture", "bundle", str(case / "alert.json"), str(case / "0.hwcap"), "-w", str(case / "o")
    )
    assert code == 0
    assert "The event of the alert is not in the capture" in lines[1]
    assert "is not in the capture" in (case / "o" / "README.txt").read_text()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (alert(FIRST + 10**12), "has nothing of the alert's time"),
        (alert(FIRST + 400, "cd" * 6), "has nothing of the alert's container"),
    ],
)
def test_a_capture_that_has_nothing_of_the_alert_is_refused(
    command: Command, case: Path, change: dict[str, Any], sentence: str
) -> None:
    (case / "alert.json").write_text(json.dumps(change))
    code, _, said = command("capture", "bundle", str(case / "alert.json"), str(case / "0.hwcap"), "-w", str(case / "o"))
    assert code == 2
    assert sentence in said
    assert not (case / "o").exists()


@pytest.mark.parametrize("out", ["there", "there.tar.gz", "no/where", "no/where.tar.gz"])
def test_what_is_there_is_not_replaced_and_a_missing_place_is_told(command: Command, case: Path, out: str) -> None:
    (case / "there").mkdir()
    (case / "there.tar.gz").write_text("mine")
    code, _, said = command("capture", "bundle", str(case / "alert.json"), str(case / "0.hwcap"), "-w", str(case / out))
    assert code == 2
    assert "is there already" in said or "There is no directory" in said
    assert (case / "there.tar.gz").read_text() == "mine"
    assert bundle(command, case, "there.tar.gz", "--force").read_bytes() != b"mine"


def test_of_a_damaged_capture_the_part_that_can_be_read_is_bundled(command: Command, case: Path) -> None:
    data = bytearray((case / "0.hwcap").read_bytes())
    (case / "0.hwcap").write_bytes(data + b"garbage" * 20)
    code, lines, said = command(
        "capture", "bundle", str(case / "alert.json"), str(case / "0.hwcap"), "-w", str(case / "o")
    )
    assert (code, len(lines)) == (2, 1)
    assert "can be read up to byte" in said
    assert "can be read up to byte" in (case / "o" / "README.txt").read_text()


def test_files_that_are_still_there_are_read_where_they_happened_unless_that_is_forbidden(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "LARGEST_FILE", 100)
    (tmp_path / "kept").write_text("content")
    (tmp_path / "large").write_bytes(bytes(101))
    (tmp_path / "folder").mkdir()
    (tmp_path / "pipe").symlink_to("/dev/zero")
    recorded = Recorded(tmp_path)
    recorded.writer._description = msgspec.structs.replace(
        recorded.writer._description, host=socket.gethostname(), kernel=hashes.os.uname().release
    )
    recorded.writer._begin_file(1)
    header = {"pid": 10, "tid": 10, "process_start": 10, "cgroup_id": 1}
    names = ["kept", "large", "folder", "pipe", "gone"]
    recorded.feed([
        clock() + runs(10, FIRST, "tool", inside=False, exe="/nowhere"),
        *(encode("openat", {"time": FIRST + 1 + place, **header}, fd=3, name=str(tmp_path / name), flags=4 | 2)
          for place, name in enumerate(names)),
    ])  # fmt: skip
    recorded.writer.close()
    (tmp_path / "alert.json").write_text(json.dumps(alert(FIRST, "host")))
    (tmp_path / "0.hwcap").write_bytes(recorded.path(1).read_bytes())
    read = {
        one["path"].rpartition("/")[2]: one
        for one in json.loads((bundle(command, tmp_path) / "files.json").read_text())
    }
    assert read["kept"]["sha256"] == hashlib.sha256(b"content").hexdigest()
    assert read["kept"]["source"].startswith("still there when this was made")
    assert [read[name]["sha256"] for name in names[1:]] == [""] * 4
    assert "too large" in read["large"]["source"]
    assert "no regular file" in read["folder"]["source"]
    assert "no regular file" in read["pipe"]["source"]
    assert "not there any more" in read["gone"]["source"]
    out = bundle(command, tmp_path, "unread", "--no-read-files")
    assert {one["sha256"] for one in json.loads((out / "files.json").read_text())} == {""}
