"""Calls that a process was ruled out for are not sent, until anything of the process changes; nor are failed ones."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.observation import Sensor
from tests.kernel.test_sensor import has_drop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kernel.observation import Records

ASKED_AFTER = 32
ATTEMPTS = 5
WANTED = ("kill", "close", "sendto", "dns", "truncate", "chdir")


@pytest.fixture(scope="module", params=["full", "basic"])
def started(request: pytest.FixtureRequest) -> Iterator[Sensor]:
    """A sensor of each tier, for a program stands before the handlers: where it could not be loaded nothing came."""
    with Sensor(f"--tier={request.param}", interest=WANTED) as running:
        yield running


@pytest.fixture
def asking(started: Sensor) -> Sensor:
    """A sensor that asks about processes, and knows none."""
    started.set_interest(WANTED, narrowed=("kill", "close", "sendto", "dns"), succeeded=("truncate",))
    started.forget_ruled_out()
    return started


def kill(times: int = ASKED_AFTER) -> None:
    for _ in range(times):
        os.kill(os.getpid(), 0)


def of_ours(seen: Records, *names: str) -> Records:
    return seen.of(*names, pid=os.getpid())


def question(sensor: Sensor) -> int:
    """Make as many calls as it takes to be asked about; return the fingerprint of this process."""
    seen = of_ours(sensor.during(kill), "kill", "process_question")
    assert len(seen.of("kill")) == ASKED_AFTER
    return seen.one("process_question").number("fingerprint")


def rule_out(sensor: Sensor, *names: str, then: Callable[[], object] = kill, unsent: str = "kill") -> None:
    """Have this process ruled out for some calls; from then on those of an act are not sent.

    A parent anywhere on this host that runs another program makes all of it void: then it is done again.
    """
    for _ in range(ATTEMPTS):
        sensor.forget_ruled_out()
        sensor.answer(question(sensor), *names)
        if not of_ours(sensor.during(then), unsent, "process_question"):
            return
    raise AssertionError(f"{unsent} is still sent")


def test_calls_that_a_process_is_ruled_out_for_are_not_sent_but_counted(asking: Sensor) -> None:
    rule_out(asking, "kill", then=lambda: kill(1000))
    asking.wait_for(has_drop("kill", "RULED_OUT"))


def test_other_calls_of_that_process_are_sent(asking: Sensor, here: Path) -> None:
    rule_out(asking, "kill")
    seen = of_ours(asking.during(lambda: os.truncate(here / "file", 0)), "truncate")
    assert len(seen) == 1


def test_a_process_that_is_ruled_out_for_nothing_is_not_asked_about_again(asking: Sensor) -> None:
    rule_out(asking, then=lambda: kill(100), unsent="process_question")
    assert len(of_ours(asking.during(lambda: kill(100)), "kill")) == 100


def test_without_an_answer_it_asks_again_less_and_less_often(asking: Sensor) -> None:
    seen = of_ours(asking.during(lambda: kill(1000)), "kill", "process_question")
    assert len(seen.of("kill")) == 1000
    assert len(seen.of("process_question")) == len([32, 64, 128, 256, 512])


def test_calls_that_are_looked_at_when_they_begin_are_left_out_too(asking: Sensor, here: Path) -> None:
    def write() -> None:
        (here / "file").write_text("x")

    assert len(of_ours(asking.during(write), "close")) == 1
    rule_out(asking, "close", then=write, unsent="close")


def test_a_call_that_can_be_two_events_is_left_out_when_none_of_them_is_needed(asking: Sensor) -> None:
    def send() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.sendto(b"x", ("127.0.0.1", 9))

    asking.answer(question(asking), "sendto")
    assert len(of_ours(asking.during(send), "sendto")) == 1
    rule_out(asking, "sendto", "dns", then=send, unsent="sendto")


def test_all_threads_of_a_process_are_ruled_out(asking: Sensor) -> None:
    def act() -> None:
        thread = threading.Thread(target=kill)
        thread.start()
        thread.join()

    rule_out(asking, "kill", then=act)


def test_a_process_in_another_directory_is_not_the_one_that_was_ruled_out(
    asking: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_out(asking, "kill")
    monkeypatch.chdir("/usr")
    assert len(of_ours(asking.during(lambda: kill(3)), "kill")) == 3


def test_what_was_ruled_out_is_sent_again_when_it_is_forgotten(asking: Sensor) -> None:
    rule_out(asking, "kill")
    asking.forget_ruled_out()
    assert len(of_ours(asking.during(lambda: kill(3)), "kill")) == 3


def test_a_type_that_is_no_longer_narrowed_is_sent(asking: Sensor) -> None:
    rule_out(asking, "kill")
    asking.set_interest(WANTED, narrowed=("close",))
    assert len(of_ours(asking.during(lambda: kill(3)), "kill")) == 3


ONE_OTHER = (2, True)


def others_of(sensor: Sensor, child: Callable[..., dict[str, Any]], statements: str) -> tuple[int, bool]:
    """Return how many processes a child was asked about as, and whether it ended as another than it began as.

    Where a parent elsewhere on this host runs another program meanwhile, it is one more.
    """
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(statements)))
    found = [one.number("fingerprint") for one in seen.of("process_question", pid=said[0]["pid"])]
    return len(set(found)), found[0] != found[-1]


CHANGES = {
    "its user": "os.seteuid(65534)",
    "its group": "os.setegid(65534)",
    "its directory": "os.chdir('/')",
    "its session": "os.setsid()",
    "its group of processes": "os.setpgid(0, 0)",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_process_that_has_changed_itself_is_another_one(
    asking: Sensor, child: Callable[..., dict[str, Any]], change: str
) -> None:
    statements = f"""
def kill():
    for _ in range({ASKED_AFTER}):
        os.kill(os.getpid(), 0)
kill()
{change}
kill()
say()
"""
    assert any(others_of(asking, child, statements) == ONE_OTHER for _ in range(ATTEMPTS))


def test_another_program_of_the_same_process_is_another_one(
    asking: Sensor, child: Callable[..., dict[str, Any]]
) -> None:
    statements = f"""
for _ in range({ASKED_AFTER}):
    os.kill(os.getpid(), 0)
os.execv("/bin/sh", ["sh", "-c", "i=0; while [ $i -lt {ASKED_AFTER} ]; do kill -0 $$; i=$((i + 1)); done; echo {{}}"])
"""
    assert any(others_of(asking, child, statements) == ONE_OTHER for _ in range(ATTEMPTS))


def test_a_thread_that_changes_what_others_are_judged_by_makes_all_void(
    asking: Sensor, child: Callable[..., dict[str, Any]]
) -> None:
    """A call of another thread may come before the record of the change, though it is made after it."""
    statements = """
import threading
end = threading.Event()
thread = threading.Thread(target=end.wait)
{start}
os.chdir("/")
end.set()
say()
"""
    rule_out(asking, "kill", then=lambda: [child(statements.format(start="")), kill(3)])
    asking.during(lambda: child(statements.format(start="thread.start()")))
    assert len(of_ours(asking.during(lambda: kill(3)), "kill")) == 3


def test_failed_calls_that_no_rule_can_match_are_not_sent_but_counted(asking: Sensor, here: Path) -> None:
    def fail() -> None:
        with contextlib.suppress(FileNotFoundError):
            os.truncate(here / "nothing", 0)

    seen = of_ours(asking.during(lambda: [fail(), os.truncate(here / "file", 0)]), "truncate")
    assert [one.number("res") for one in seen] == [0]
    asking.wait_for(has_drop("truncate", "RULED_OUT"))
    asking.set_interest(WANTED)
    assert len(of_ours(asking.during(fail), "truncate")) == 1
