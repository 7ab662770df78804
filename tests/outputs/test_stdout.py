import errno
import json
import os
import threading
from collections.abc import Iterator

import msgspec
import pytest

from hullwatch.alerts.alert import Alert
from hullwatch.config.settings import OutputSettings, Settings
from hullwatch.counters import Counters
from hullwatch.outputs import stdout as stdout_module
from hullwatch.outputs.stdout import StandardOutput, has_colours, stdout


def alert(message: str = "m") -> Alert:
    return Alert(time=0, rule="r", priority="Warning", message=message, output_fields={}, container_id="c")


def write(output: StandardOutput, *messages: str) -> None:
    """Deliver alerts as a batch."""
    for message in messages or ("m",):
        output.send(alert(message))
    output.flush()


def read_lines(descriptor: int, number: int) -> list[str]:
    """Read so many lines: a terminal gives one at a time."""
    found = b""
    while found.count(b"\n") < number:
        found += os.read(descriptor, 10_000)
    return found.decode().splitlines()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test closed it


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ends = os.openpty()
    yield ends
    for end in ends:
        os.close(end)


def test_each_alert_is_a_line_at_once_in_a_pipe(pipe: tuple[int, int]) -> None:
    output = StandardOutput(OutputSettings(), Counters(), pipe[1])
    write(output, "one")
    assert os.read(pipe[0], 1000).decode().endswith("Warning r | c | one\n")
    write(output, "one")
    assert os.read(pipe[0], 1000).decode().endswith("Warning r | c | one\n")


def test_json_is_one_object_a_line_for_each_alert_also_on_a_terminal(terminal: tuple[int, int]) -> None:
    output = StandardOutput(OutputSettings(format="json"), Counters(), terminal[1])
    write(output, "one")
    output.send(alert("two"))
    output.close()
    lines = read_lines(terminal[0], 2)
    assert [json.loads(line)["output"].rpartition(" ")[2] for line in lines] == ["one", "two"]


def test_on_a_terminal_repeats_are_counted(terminal: tuple[int, int]) -> None:
    clock = Clock()
    output = StandardOutput(OutputSettings(), Counters(), terminal[1], clock)
    for number in range(5):
        output.send(alert(f"pid {number}"))
    clock.now = 10.0
    output.tick()
    first, second = read_lines(terminal[0], 2)
    assert "\x1b[33mWarning" in first
    assert "pid 0" in first
    assert "4 more times in 10s, the last: pid 4" in second


def test_a_count_that_was_not_told_is_told_at_the_end(terminal: tuple[int, int]) -> None:
    output = StandardOutput(OutputSettings(), Counters(), terminal[1], Clock())
    write(output)
    write(output)
    output.close()
    assert "once more" in read_lines(terminal[0], 2)[1]


def test_with_all_a_terminal_shows_every_repeat(terminal: tuple[int, int]) -> None:
    output = StandardOutput(OutputSettings(all=True), Counters(), terminal[1])
    output.send(alert("x"))
    output.send(alert("x"))
    output.close()
    assert [line.count("| x") for line in read_lines(terminal[0], 2)] == [1, 1]


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours_gets_none(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert not has_colours(terminal[1])


def test_hostile_values_do_not_reach_the_terminal(terminal: tuple[int, int]) -> None:
    output = StandardOutput(OutputSettings(), Counters(), terminal[1])
    write(output, "\x1b[2J\x1b]0;gone\x07\r\n\u202e")
    written = os.read(terminal[0], 10_000).decode()
    assert "\\x1b[2J\\x1b]0;gone\\x07\\r\\n\\u202e" in written
    assert "\x1b[2J" not in written


def test_a_reader_that_ends_ends_the_output_and_lost_alerts_are_counted(pipe: tuple[int, int]) -> None:
    counters = Counters()
    output = StandardOutput(OutputSettings(), counters, pipe[1])
    os.close(pipe[0])
    write(output)
    write(output)
    output.close()
    assert output.gone
    assert counters.alerts_lost == {"standard output: its reader has gone": 2}


def test_a_full_disk_is_counted_and_does_not_end_the_output() -> None:
    counters = Counters()
    full = os.open("/dev/full", os.O_WRONLY)
    output = StandardOutput(OutputSettings(), counters, full)
    write(output)
    os.close(full)
    assert not output.gone
    assert counters.alerts_lost == {"standard output: No space left on device": 1}


def test_a_write_that_waited_for_its_reader_is_counted(pipe: tuple[int, int]) -> None:
    counters = Counters()
    times = iter([0.0, 0.05, 1.0, 1.2])
    output = StandardOutput(OutputSettings(), counters, pipe[1], lambda: next(times))
    write(output)
    write(output)
    assert counters.slow_writes == 1


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_that_does_not_keep_up_is_waited_for(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, *, blocking: bool
) -> None:
    counters = Counters()
    os.set_blocking(pipe[1], blocking)
    waits = threading.Event()
    select = stdout_module.select.select

    def tell_and_select(read: list[int], write: list[int], failed: list[int]) -> object:
        waits.set()
        return select(read, write, failed)

    monkeypatch.setattr(stdout_module.select, "select", tell_and_select)
    read = bytearray()

    def read_all() -> None:
        if not blocking:
            waits.wait()  # only a write that found the pipe full asks select
        while chunk := os.read(pipe[0], 4096):
            read.extend(chunk)

    output = StandardOutput(OutputSettings(), counters, pipe[1])
    write(output, "x" * 60_000)
    reader = threading.Thread(target=read_all)
    reader.start()
    write(output, "y" * 60_000)
    os.close(pipe[1])
    reader.join()
    assert read.count(b"\n") == 2
    assert read.count(b"y") == 60_000
    assert counters.alerts_lost == {}


def test_the_lines_of_a_batch_are_one_write(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    output = StandardOutput(OutputSettings(), Counters(), pipe[1])
    writes: list[int] = []
    system_write = os.write

    def count_and_write(descriptor: int, data: bytes) -> int:
        writes.append(descriptor)
        return system_write(descriptor, data)

    monkeypatch.setattr(stdout_module.os, "write", count_and_write)
    write(output, "one", "two", "three")
    output.flush()
    assert writes == [pipe[1]]
    assert [line.rpartition(" ")[2] for line in read_lines(pipe[0], 3)] == ["one", "two", "three"]


def test_a_large_batch_is_not_gathered_in_memory(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdout_module, "MOST_TAKEN", 100)
    os.set_blocking(pipe[0], False)
    output = StandardOutput(OutputSettings(), Counters(), pipe[1])
    output.send(alert("x" * 101))
    assert read_lines(pipe[0], 1)[0].endswith("x" * 101)
    output.send(alert("one"))
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 1)


def test_what_waits_at_the_end_is_written(pipe: tuple[int, int]) -> None:
    output = StandardOutput(OutputSettings(), Counters(), pipe[1])
    output.send(alert("one"))
    output.tick()
    output.send(alert("two"))
    output.close()
    assert [line.rpartition(" ")[2] for line in read_lines(pipe[0], 2)] == ["one", "two"]


def test_of_a_batch_that_is_written_in_part_only_the_rest_is_lost(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = Counters()
    output = StandardOutput(OutputSettings(), counters, pipe[1])
    lines = 0

    def write_a_line_and_a_half(_: int, data: memoryview) -> int:
        nonlocal lines
        lines += 1
        if lines == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return bytes(data).index(b"\n") + 10

    monkeypatch.setattr(stdout_module.os, "write", write_a_line_and_a_half)
    write(output, "one", "two", "three")
    assert counters.alerts_lost == {"standard output: No space left on device": 2}


BEFORE = {"evt.time": 0, "evt.type": "openat", "container.id": "c"}


def test_earlier_events_stand_below_the_alert_on_a_terminal(terminal: tuple[int, int]) -> None:
    output = StandardOutput(OutputSettings(), Counters(), terminal[1])
    output.send(msgspec.structs.replace(alert("one"), evidence=(BEFORE,)))
    output.close()
    first, second = read_lines(terminal[0], 2)
    assert first.endswith("one")
    assert "    \x1b[2m0s earlier: openat" in second


def test_an_alert_with_earlier_events_is_one_line_in_a_pipe(pipe: tuple[int, int]) -> None:
    output = StandardOutput(OutputSettings(), Counters(), pipe[1])
    output.send(msgspec.structs.replace(alert("one"), evidence=(BEFORE,)))
    output.close()
    assert [line.partition("| c | ")[2] for line in read_lines(pipe[0], 1)] == ["one [before: 0s earlier: openat]"]


def test_an_alert_of_several_lines_that_is_not_written_is_one_lost_alert(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int, __: memoryview) -> int:
        raise OSError(errno.EIO, "Input/output error")

    counters = Counters()
    output = StandardOutput(OutputSettings(), counters, terminal[1])
    output.send(msgspec.structs.replace(alert("one"), evidence=(BEFORE, BEFORE)))
    monkeypatch.setattr(stdout_module.os, "write", fail)
    output.close()
    assert counters.alerts_lost == {"standard output: its reader has gone": 1}


def test_it_is_made_of_the_settings() -> None:
    made = stdout(Settings(), Counters())
    assert isinstance(made, StandardOutput)


def test_processes_that_share_a_pipe_never_mix_their_lines() -> None:
    read, write = os.pipe()
    pids: list[int] = []
    for letter in "ab":
        pid = os.fork()
        if not pid:
            output = StandardOutput(OutputSettings(format="json"), Counters(), write, shared=True)
            for _ in range(40):
                output._take(letter.encode() * 30_000)
                output._take(letter.encode() * 30_000)
                output.flush()
            os._exit(0)
        pids.append(pid)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        lines = stream.read().splitlines()
    for pid in pids:
        os.waitpid(pid, 0)
    assert len(lines) == 160
    assert {(len(line), len(set(line))) for line in lines} == {(30_000, 1)}
