"""Recordings without secrets: in records and in states, with right checksums, counted, and judged as before."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.alerts.mask import Masker
from hullwatch.captures import writer
from hullwatch.captures.chunk import STATE
from hullwatch.captures.masking import RecordMask, mask_capture
from hullwatch.captures.reader import CaptureReader
from hullwatch.enrich import saved_state
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.events.codec import decode, encode, walk
from hullwatch.events.table import BY_NUMBER, FLAGS
from tests.captures.capture_files import CONTAINER, Recorded, clock, opens
from tests.captures.test_writer import history, judged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hullwatch.captures.reader import Chunk

SECRETS = [b"hunter2", b"two words", b"sesame", b"l4bel"]


def runs(pid: int, time: int, kind: str = "execve") -> bytes:
    """Return a record of a program with secrets in its arguments and variables."""
    return encode(
        kind, {"time": time, "pid": pid, "tid": pid, "process_start": pid, "cgroup_id": 1, "sequence": 9, "cpu": 1},
        argv=b"app\0--password=hunter2\0--token\0two words\0\xff\xfe\0", env=b"SECRET=sesame\0HOME=/\0", comm="app",
        ptid=1, vpid=pid, trusted_exepath="/bin/app", cgroup_v2="/", ancestors=b"\1" * 16, filename="/bin/app",
    )  # fmt: skip


def known(time: int) -> bytes:
    """Return a record of a container whose command and labels have secrets."""
    container = Container(
        id=CONTAINER[:12], full_id=CONTAINER, name="web", image="web:1", command=("serve", "--password", "hunter2"),
        labels={"api_key": "l4bel", "app": "web"},
    )  # fmt: skip
    return encode("container", {"time": time}, json=encode_container(container))


def batches() -> list[bytes]:
    return [clock() + runs(20, 1500, "process"), known(1600) + runs(20, 1700), *history()[1:], opens(20, 9500)]


@pytest.fixture(params=[1, 1 << 20], ids=["a chunk for each batch", "one chunk"])
def recorded(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.setattr(writer, "CHUNK_SIZE", request.param)
    monkeypatch.setattr(writer, "STATE_SIZE", request.param)

    def record(name: str, *, masked: bool) -> Path:
        (tmp_path / name).mkdir()
        recording = Recorded(tmp_path / name)
        if masked:
            around = recording.writer._around._replace(mask=RecordMask(Masker()))
            recording.writer.close()
            recording.path().unlink()
            recording.writer = writer.CaptureWriter(recording._open, recording.writer._description, around)
        recording.feed(batches())
        recording.writer.close()
        return recording.path()

    return record


def chunks(path: Path) -> tuple[list[Chunk], CaptureReader]:
    reader = CaptureReader(io.BytesIO(path.read_bytes()), path.name)
    read = list(reader.chunks())
    assert not reader.problem
    return read, reader


def holds(read: list[Chunk]) -> list[bytes]:
    data = b"".join(chunk.data for chunk in read)
    return [secret for secret in SECRETS if secret in data]


def test_a_masked_recording_has_no_secret_in_records_or_states_and_counts_them(recorded: Callable[..., Path]) -> None:
    read, reader = chunks(recorded("masked", masked=True))
    assert holds(read) == []
    assert reader.description.is_masked
    # of two records of a program three values each, of the container's a word of its command and a label
    assert sum(chunk.head.summary.masked for chunk in read) == 8


def test_without_the_mask_everything_is_kept(recorded: Callable[..., Path]) -> None:
    read, reader = chunks(recorded("whole", masked=False))
    assert holds(read) == SECRETS
    assert not reader.description.is_masked
    assert sum(chunk.head.summary.masked for chunk in read) == 0


def test_a_masked_recording_is_judged_as_the_other(recorded: Callable[..., Path]) -> None:
    masked, whole = chunks(recorded("masked", masked=True))[0], chunks(recorded("whole", masked=False))[0]
    assert judged(masked) == judged(whole) != []


def test_only_the_texts_change_and_the_header_and_other_values_stay() -> None:
    before = runs(20, 1500)
    found = RecordMask(Masker()).record(before, 0)
    assert found is not None
    after, number = found
    assert number == 3
    ((_, old),), ((_, new),) = walk(before), walk(after)
    assert new._replace(length=old.length) == old
    kind = BY_NUMBER[old.type]
    values, shown = decode(kind, before), decode(kind, after)
    assert shown["argv"] == b"app\0--password=***\0--token\0***\0\xff\xfe\0"
    assert shown["env"] == b"SECRET=***\0HOME=/\0"
    assert {**shown, "argv": 0, "env": 0} == {**values, "argv": 0, "env": 0}


def test_a_record_without_secrets_or_that_contradicts_itself_stays_as_it_is() -> None:
    mask = RecordMask(Masker())
    harmless = encode("execve", {"pid": 1}, argv=b"ls\0-l\0", comm="ls")
    assert mask.records(harmless + opens(1, 2)) == (harmless + opens(1, 2), 0)
    broken = encode("execve", {"pid": 1})[:60]
    broken = len(broken).to_bytes(4, "little") + broken[4:]
    assert mask.record(bytes(broken) + bytes(8), 0) is None
    assert mask.records(b"")[1] == 0


def test_a_text_that_becomes_too_long_is_cut_and_says_so() -> None:
    argv = b"".join(b"--token=%d\0" % (number % 10) for number in range(6500))
    (_, header), *_ = walk(found[0] if (found := RecordMask(Masker()).record(encode("execve", argv=argv), 0)) else b"")
    assert header.flags & FLAGS["record_flags"]["TRUNCATED"]


def test_what_engines_say_of_containers_is_masked_and_stays_readable() -> None:
    after, number = RecordMask(Masker()).records(known(1))
    assert number == 2
    told = json.loads(str(decode(BY_NUMBER[324], after)["json"]))
    assert told["command"] == ["serve", "--password", "***"]
    assert told["labels"] == {"api_key": "***", "app": "web"}
    odd = encode("container", json="{not a container, --password=x}")
    assert RecordMask(Masker()).records(odd) == (odd, 0)


def test_a_capture_that_is_there_can_be_masked_and_is_whole_afterwards(recorded: Callable[..., Path]) -> None:
    path = recorded("whole", masked=False)
    made = io.BytesIO()
    number = mask_capture(chunks(path)[1], RecordMask(Masker()), made.write, lambda _: None)
    reader = CaptureReader(io.BytesIO(made.getvalue()), "masked")
    read = list(reader.chunks())
    assert (number, reader.problem, reader.description.is_masked, holds(read)) == (8, "", True, [])
    assert [chunk.head.kind for chunk in read] == [chunk.head.kind for chunk in chunks(path)[0]]
    assert judged(read) == judged(chunks(path)[0])
    again = io.BytesIO()
    reader = CaptureReader(io.BytesIO(made.getvalue()), "masked")
    assert mask_capture(reader, RecordMask(Masker()), again.write, lambda _: None) == 0
    assert sum(head.summary.masked for head in CaptureReader(again, "again").heads()) == 8


def test_patterns_of_the_user_count_too() -> None:
    record = encode("execve", argv=b"app\0badge-12345\0", comm="app")
    found = RecordMask(Masker([r"badge-(?P<secret>[0-9]+)"])).record(record, 0)
    assert found is not None
    assert b"badge-***" in found[0]


def test_the_state_keeps_everything_but_the_secrets(recorded: Callable[..., Path]) -> None:
    state = next(
        chunk.data for chunk in reversed(chunks(recorded("whole", masked=False))[0]) if chunk.head.kind == STATE
    )
    masked = saved_state.decode(RecordMask(Masker()).state(state))
    before = saved_state.decode(state)
    assert msgspec.structs.replace(masked, programs=(), gate=before.gate) == msgspec.structs.replace(
        before, programs=()
    )
    assert [len(one) for one in masked.programs] == [len(one) for one in before.programs]
