"""Variables of the environment, as the sensor reads them when a program starts and from those that run."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from hullwatch.detect.interest import MOST_VARIABLES
from hullwatch.events.codec import encode
from tests.kernel.observation import end_of, start
from tests.kernel.test_process import TRUE, exec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kernel.observation import Sensor

LONGEST = "N" * 63
CUT = 1022  # bytes of a variable that is longer, without its end mark
TOGETHER = 4095  # bytes of all variables of a record


@pytest.fixture
def asked(sensor: Sensor) -> Iterator[Callable[..., None]]:
    """Name the variables that are asked for; none are afterwards."""

    def ask(*names: str) -> None:
        sensor.name_variables(*names)

    yield ask
    sensor.name_variables()


def test_only_the_variables_that_are_asked_for_are_told_in_their_order(
    sensor: Sensor, asked: Callable[..., None]
) -> None:
    asked("LD_PRELOAD", "A", LONGEST)
    env = {
        "LD_PRELOAD_": "x",
        "LD": "x",
        LONGEST: "long",
        "A": "",
        "SECRET": "s",
        "LD_PRELOAD": "/tmp/a=b\n.so",
        "B": "A=x",
    }
    record = exec_of(sensor, [TRUE], env=env)
    assert record.bytes("env") == f"{LONGEST}=long\0A=\0LD_PRELOAD=/tmp/a=b\n.so\0".encode()
    assert not record.has_flag("TRUNCATED")


def test_nothing_of_the_environment_is_told_when_nobody_asks(sensor: Sensor) -> None:
    assert exec_of(sensor, [TRUE], env={"LD_PRELOAD": "/x.so"}).bytes("env") == b""


def test_bytes_that_are_no_text_and_empty_environments_come_as_they_are(
    sensor: Sensor, asked: Callable[..., None]
) -> None:
    asked("A")
    assert exec_of(sensor, [TRUE], env={b"A": b"\xff\x1b[31m"}).bytes("env") == b"A=\xff\x1b[31m\0"
    assert exec_of(sensor, [TRUE], env={}).bytes("env") == b""


def test_a_long_value_is_cut_and_what_is_inside_of_one_is_not_taken_for_a_variable(
    sensor: Sensor, asked: Callable[..., None]
) -> None:
    asked("A", "B")
    around = "x" * 4090  # so that the next piece of the value begins with what looks like a variable
    record = exec_of(sensor, [TRUE], env={"C": "".join(f"{around[:-i]}A=no" for i in range(4)), "B": "y" * 3000})
    assert record.bytes("env") == b"B=" + b"y" * (CUT - 2) + b"\0"
    assert record.has_flag("TRUNCATED")


def test_more_than_fits_into_a_record_is_left_out_whole(sensor: Sensor, asked: Callable[..., None]) -> None:
    names = [f"V{number}" for number in range(MOST_VARIABLES)]
    asked(*names)
    record = exec_of(sensor, [TRUE], env=dict.fromkeys(names, "v" * 500))
    found = record.bytes("env").split(b"\0")[:-1]
    assert found == [f"{name}={'v' * 500}".encode() for name in names[: len(found)]]
    assert TOGETHER - 510 < len(record.bytes("env")) <= TOGETHER
    assert record.has_flag("TRUNCATED")


def test_an_environment_of_very_many_variables_is_marked_when_not_all_is_looked_at(
    sensor: Sensor, asked: Callable[..., None]
) -> None:
    asked("LAST")
    many = {f"V{number}": "" for number in range(4000)}
    assert exec_of(sensor, [TRUE], env=many | {"LAST": "1"}).bytes("env") == b"LAST=1\0"
    hidden = exec_of(sensor, [TRUE], env=many | {f"W{number}": "" for number in range(100)} | {"LAST": "1"})
    assert (hidden.bytes("env"), hidden.has_flag("TRUNCATED")) == (b"", True)


def test_a_process_that_runs_already_is_told_of_with_its_variables(sensor: Sensor, asked: Callable[..., None]) -> None:
    env = {"FILL": "x" * 6000, "A": "1", "B": "2"}
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, env=env) as process:
        seen = sensor.name_variables("A")
        assert process.stdin is not None
        process.stdin.close()
    asked()
    assert seen.one("process", pid=process.pid).bytes("env") == b"A=1\0"
    assert seen.one("process", pid=2).bytes("env") == b""  # of the kernel's own


@pytest.mark.parametrize("names", [b"A", b"A\0\0", b"N" * 64 + b"\0", b"A\0" * (MOST_VARIABLES + 1)])
def test_names_that_cannot_be_looked_for_end_the_sensor_with_a_sentence(names: bytes) -> None:
    process, connection = start()
    with connection:
        connection.sendall(encode("control_environment", names=names))
        code, said = end_of(process)
    assert (code, said.count("\n")) == (3, 1)
    assert "the engine names variables of the environment that can not be looked for" in said
