"""The sensor as a process: what it may, what it counts, in which order it speaks, and how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events import codec
from hullwatch.events.table import BY_NAME, EVENTS, FLAGS
from hullwatch.sources.interest import Interest
from hullwatch.sources.kernel import KernelSource
from tests.kernel.i386 import write_opener
from tests.kernel.observation import SENSOR_USER, TIMEOUT, Reader, Records, Sensor, end_of, program, start

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.observation import Record

    Child = Callable[..., dict[str, Any]]

REASONS = {value: name for name, value in FLAGS["drop_reasons"].items()}
NUMBERS = {event.number: event.name for event in EVENTS} | {0: "*"}
CANNOT = 3


def drops_of(record: Record) -> dict[tuple[str, str], int]:
    entries = struct.iter_unpack("<HHIQ", record.bytes("counts"))
    return {(NUMBERS[number], REASONS[reason]): count for number, reason, _, count in entries}


def has_drop(name: str, reason: str, least: int = 1) -> Callable[[Record], bool]:
    return lambda record: record.name == "drops" and drops_of(record).get((name, reason), 0) >= least


# ---- the clock


def test_the_clock_relates_the_time_of_records_to_the_wall_clock(sensor: Sensor) -> None:
    position = sensor.wait_for(lambda record: record.name == "clock")
    record = sensor._records[position - 1]
    offset = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert abs(record.number("realtime") - record.header.time - offset) < 50_000_000


def test_the_time_of_a_record_is_that_of_the_call(sensor: Sensor) -> None:
    times: list[int] = []

    def act() -> None:
        times.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        Path("/no/such/file").exists()
        with pytest.raises(FileNotFoundError):
            Path("/no/such/file").read_bytes()
        times.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    record = sensor.during(act).one("openat", pid=os.getpid(), name="/no/such/file")
    assert times[0] < record.header.time < times[1]


# ---- what is left out


def test_calls_of_hullwatch_and_of_copies_of_the_supervisor_are_left_out_and_counted_by_type() -> None:
    with Sensor(f"--own={os.getpid()}") as sensor:
        for _ in range(50):
            with pytest.raises(FileNotFoundError):
                Path("/sensor/own").read_bytes()
        subprocess.run(["true"], check=True)
        sensor.wait_for(has_drop("openat", "OWN_PROCESS", 50))
        assert not [r for r in sensor._records if r.header.pid == os.getpid() and r.name != "process"]
        copy = _copy_that_looks_for("/sensor/copy")
        other = _copy_that_looks_for("/sensor/program", sys.executable, "-ISc", "open('/sensor/program')")
        sensor.wait_for(lambda record: record.name == "procexit" and record.header.pid == other)
        assert not [r for r in sensor._records if r.header.pid == copy]
        assert sensor._records.of("execve", pid=other)
        assert len(sensor._records.of("openat", pid=other).where(name="/sensor/program")) == 1


def _copy_that_looks_for(path: str, *program: str) -> int:
    """Fork a copy of this process that looks for a file and then ends, or runs a program; return its id."""
    pid = os.fork()
    if pid == 0:
        try:
            threading.Thread(target=os.path.exists, args=(path,)).start()
            with contextlib.suppress(OSError):
                os.close(os.open(path, os.O_RDONLY))
            if program:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                os.execv(program[0], program)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_programs_that_start_are_not_taken_for_32_bit_ones_and_an_x32_call_is(call: Callable[..., int]) -> None:
    with Sensor(f"--own={os.getpid()}") as sensor:
        for _ in range(20):
            subprocess.run(["true"], check=True)
        with pytest.raises(FileNotFoundError):
            Path("/sensor/own").read_bytes()
        sensor.wait_for(has_drop("openat", "OWN_PROCESS"))
        assert ("*", "COMPAT_SYSCALL") not in drops_of(sensor._records.of("drops")[-1])
        call(0x40000000 | 39)  # getpid of the x32 interface, whether this kernel has it or not
        sensor.wait_for(has_drop("*", "COMPAT_SYSCALL"))


def test_calls_of_a_32_bit_program_are_counted_and_not_misread(sensor: Sensor, tmp_path: Path) -> None:
    path = tmp_path / "i386"
    write_opener(path, b"/etc/hostname", 7)
    pids: list[int] = []

    def act() -> None:
        with subprocess.Popen([path]) as process:
            pids.append(process.pid)

    try:
        seen = sensor.during(act)
    except OSError:
        pytest.skip("this kernel runs no 32-bit programs")
    sensor.wait_for(has_drop("*", "COMPAT_SYSCALL"))
    assert seen.one("procexit", pid=pids[0]).number("ret") == 7
    assert seen.one("execve", pid=pids[0]).text("trusted_exepath") == str(path)
    after = [r for r in seen if r.header.pid == pids[0] and r.name in {"open", "openat", "creat", "connect", "accept"}]
    assert not [r for r in after if r.header.time > seen.one("execve", pid=pids[0]).header.time]


OPEN_LOOP = """
for _ in range(int(sys.argv[1])):
    try:
        os.open("/sensor/loop", 0)
    except OSError:
        pass
say()
"""


def test_what_a_reader_that_does_not_read_loses_is_counted_by_type_and_shows_as_a_gap(child: Child) -> None:
    """The sensor waits for its reader, the rings fill, and the numbers add up to what was done."""
    process, connection = start("--ring-bytes=4096")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    source = KernelSource(connection)
    source.set_interest(Interest(["openat"]))
    source.request_snapshot()
    seen, reader = Records(), Reader(source)
    seen += reader.until("snapshot_end")
    pid = child(OPEN_LOOP, "30000")["pid"]  # some 3 MB, far above what the socket holds
    while not [record for record in seen if has_drop("openat", "RING_FULL")(record)]:
        seen += reader.until("drops")
    lost = came = 0
    for _ in range(10):  # the counts are told once a second
        lost = drops_of(seen.of("drops")[-1]).get(("openat", "RING_FULL"), 0)
        came = len(seen.of("openat", pid=pid).where(name="/sensor/loop"))
        if gaps_of(seen) <= ring_full(seen) and came + lost >= 30_000:
            break
        seen += reader.until("clock")
    else:
        pytest.fail(f"{came} came and {lost} were counted as lost; {gaps_of(seen)} numbers are missing")
    assert came < 30_000
    assert gaps_of(seen) > 0
    source.close()
    assert end_of(process) == (0, "")


def gaps_of(seen: Records) -> int:
    """Return how many numbers are missing between records of the same processor."""
    gaps = 0
    numbers: dict[int, int] = {}
    for record in seen:
        if record.name in {"process", "snapshot_end", "clock", "drops"}:  # the sensor's own have none
            continue
        before = numbers.get(record.header.cpu, record.header.sequence - 1)
        gaps += record.header.sequence - before - 1
        numbers[record.header.cpu] = record.header.sequence
    return gaps


def ring_full(seen: Records) -> int:
    """Return how many events the last count says were lost for want of room."""
    return sum(count for (_, reason), count in drops_of(seen.of("drops")[-1]).items() if reason == "RING_FULL")


# ---- what is asked for


def test_an_event_that_nobody_asked_for_is_not_sent_until_it_is() -> None:
    def act() -> None:
        with pytest.raises(FileNotFoundError):
            Path("/sensor/interest").read_bytes()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", 53))

    with Sensor(interest=["connect"]) as sensor:
        seen = sensor.during(act)
        assert not seen.of("open", "openat", "openat2", "creat")
        assert seen.of("connect", pid=os.getpid())
        sensor.set_interest(["openat"])
        seen = sensor.during(act)
        assert seen.one("openat", pid=os.getpid(), name="/sensor/interest")
        assert not seen.of("connect")
        sensor.set_interest([])
        seen = sensor.during(act)
        assert not seen.of("openat", "connect")
        assert seen.of("execve")  # state is always sent
        assert seen.of("procexit")


def test_nothing_is_sent_before_the_engine_has_said_what_it_wants() -> None:
    process, connection = start()
    with connection:
        first = connection.recv(24, socket.MSG_WAITALL)
        _, length, count, _, _ = struct.unpack("<IIIIQ", first)
        batch = connection.recv(length, socket.MSG_WAITALL)
        assert [header.type for _, header in codec.walk(batch)] == [BY_NAME["clock"].number]
        assert count == 1
    assert end_of(process) == (0, "")


# ---- order

# Records that the sensor makes itself have no number.
OWN = {"clock", "drops", "pulse", "tampered"}


def test_times_do_not_go_back_while_two_processors_are_busy(sensor: Sensor, child: Child) -> None:
    script = """
pid = os.fork()
cpus = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, {cpus[0 if pid else -1]})
for _ in range(3000):
    try:
        os.open("/sensor/order", 0)
    except OSError:
        pass
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
say(other=pid)
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script)))
    times = [record.header.time for record in seen]
    assert times == sorted(times)
    calls = seen.of("openat").where(name="/sensor/order")
    assert len(calls) == 6000
    assert {record.header.pid for record in calls} == {said[0]["pid"], said[0]["other"]}
    assert len({record.header.cpu for record in calls}) == min(2, len(os.sched_getaffinity(0)))
    for cpu in {record.header.cpu for record in seen}:
        numbers = [r.header.sequence for r in seen if r.header.cpu == cpu and r.name not in OWN]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))  # none is missing


# ---- what may come from the engine


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (b"garbage that is no order at all, but is long enough for a header........", "the stream is broken"),
        (struct.pack("<I", 64) + bytes(60), "is no order that can be obeyed now"),
        (struct.pack("<I", 65) + bytes(100), "an order of 65 bytes"),
        (struct.pack("<I", 8) + bytes(100), "an order of 8 bytes"),
        (struct.pack("<I", 0xFFFFFFF8) + bytes(100), "an order of 4294967288 bytes"),
        (codec.encode("control_snapshot"), "is no order that can be obeyed now"),  # nothing is attached yet
        (codec.encode("procexit"), "is no order that can be obeyed now"),
        (codec.encode("control_interest", types=b"\x01" * 8)[:-8].replace(b"\x48\0\0\0", b"\x40\0\0\0", 1), "no order"),
    ],
)
def test_what_is_no_order_ends_the_sensor_with_a_sentence(order: bytes, sentence: str) -> None:
    process, connection = start()
    with connection:
        connection.sendall(order)
        code, said = end_of(process)
    assert code == CANNOT
    assert said.startswith("hullwatch-sensor: ")
    assert said.count("\n") == 1
    assert sentence in said


def test_an_order_that_comes_byte_by_byte_is_obeyed() -> None:
    process, connection = start()
    with connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for byte in codec.encode("control_interest") + codec.encode("control_snapshot"):
            connection.send(bytes([byte]))
        assert Reader(KernelSource(connection)).until("snapshot_end")
    assert end_of(process) == (0, "")


# ---- power


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_running_sensor_has_two_capabilities_and_no_way_to_more(sensor: Sensor) -> None:
    status = status_of(sensor.process.pid)
    two = 1 << 38 | 1 << 39  # PERFMON, BPF
    assert int(status["CapEff"], 16) == two
    assert int(status["CapPrm"], 16) == two
    assert [int(status[name], 16) for name in ("CapInh", "CapAmb", "CapBnd")] == [0, 0, 0]
    assert status["NoNewPrivs"] == "1"
    assert status["Uid"].split() == [str(SENSOR_USER)] * 4
    assert status["Gid"].split() == [str(SENSOR_USER)] * 4
    assert status["Groups"] == ""


def test_the_sensor_keeps_no_descriptor_but_its_own(sensor: Sensor) -> None:
    folder = Path(f"/proc/{sensor.process.pid}/fd")
    kinds = {int(entry.name): str(entry.readlink()) for entry in folder.iterdir()}
    assert kinds[0] == "/dev/null"
    others = [kind for number, kind in kinds.items() if number > 2]
    assert len([kind for kind in others if kind.startswith("socket:")]) == 1
    assert not [kind for kind in others if not re.match(r"socket:|anon_inode:", kind)]


def test_an_ordinary_user_is_told_what_is_missing(tmp_path: Path) -> None:
    copy = tmp_path / "hullwatch-sensor"  # the checkout may lie where nobody else may look
    copy.write_bytes(program().read_bytes())
    copy.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [copy, f"--socket={theirs.fileno()}"],
            pass_fds=[theirs.fileno()],
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
    assert done.returncode == CANNOT
    assert "the capabilities BPF and PERFMON are missing (Operation not permitted)" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], CANNOT, "it is started by 'hullwatch run'"),
        (["--socket=0", "--user=somebody"], CANNOT, "--user takes UID:GID, not 'somebody'"),
        (["--socket=0", "--ring-bytes=1000"], CANNOT, "the ring buffer of CPU 0 (1000 bytes) can not be made"),
        (["--no-such-option"], 2, "no-such-option"),
    ],
)
def test_wrong_use_is_answered_with_a_sentence(arguments: list[str], code: int, sentence: str) -> None:
    done = subprocess.run(
        [program(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
    assert (done.returncode, sentence in done.stderr) == (code, True)
    assert done.stderr.count("\n") == 1


def test_the_version_names_the_event_table() -> None:
    done = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True, timeout=TIMEOUT)
    assert re.fullmatch(r"hullwatch-sensor \S+, event table \d+, libbpf v\S+\n", done.stdout)


# ---- its end


def test_the_sensor_ends_when_the_engine_is_killed() -> None:
    """The engine is another process here: the kernel closes its end of the socket."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [program(), f"--socket={theirs.fileno()}", f"--user={SENSOR_USER}:{SENSOR_USER}"],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    theirs.close()
    script = "import socket, sys\nsocket.socket(fileno=int(sys.argv[1])).recv(1)\nprint('read', flush=True)\ninput()"
    engine = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", script, str(ours.fileno())],
        pass_fds=[ours.fileno()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    ours.close()
    with engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"read\n"
        engine.kill()
    assert end_of(process) == (0, "")


def test_a_stopped_sensor_sends_what_it_has_and_ends_with_0() -> None:
    process, connection = start()
    source = KernelSource(connection)
    source.set_interest(Interest(None))
    source.request_snapshot()
    reader = Reader(source)
    reader.until("snapshot_end")
    with pytest.raises(FileNotFoundError):
        Path("/sensor/last words").read_bytes()
    process.send_signal(signal.SIGTERM)
    assert reader.rest().one("openat", pid=os.getpid(), name="/sensor/last words")
    source.close()
    assert end_of(process) == (0, "")


def test_ctrl_c_does_not_end_the_sensor_before_its_supervisor_does() -> None:
    process, connection = start()
    source = KernelSource(connection)
    reader = Reader(source)
    reader.until("clock")  # it is ready
    process.send_signal(signal.SIGINT)
    source.set_interest(Interest([]))
    source.request_snapshot()
    assert reader.until("snapshot_end")
    source.close()
    assert end_of(process) == (0, "")
