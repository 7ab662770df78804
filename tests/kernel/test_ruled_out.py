"""Calls that were ruled out are not sent again, and any call that differs in something is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.observation import Sensor
from tests.kernel.test_sensor import has_drop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kernel.observation import Records


@pytest.fixture(scope="module", params=["full", "basic"])
def remembering(request: pytest.FixtureRequest, remembering: Sensor) -> Iterator[Sensor]:
    """A sensor of each tier: the basic one makes fingerprints by a helper, as kernels before 6.2 do."""
    if request.param == "full":
        yield remembering
        return
    with Sensor("--tier=basic", interest=["openat"]) as running:
        running.forget_ruled_out()
        yield running


def open_it(path: Path | str, flags: int = os.O_RDONLY) -> None:
    os.close(os.open(path, flags))


def opens_of(seen: Records, path: Path | str, pid: int | None = None) -> int:
    return len(seen.of("openat", pid=pid or os.getpid()).where(name=str(path)))


OF_FILE = 1 << 62
NOT_FOR_ALL = 1 << 63


def fingerprint_of(sensor: Sensor, path: Path | str, flags: int = os.O_RDONLY) -> int:
    """Return the fingerprint of an open of a file by this process."""
    record = sensor.during(lambda: open_it(path, flags)).one("openat", pid=os.getpid(), name=str(path))
    return record.number("fingerprint")


def look_at_processes(sensor: Sensor, path: Path | str, flags: int = os.O_RDONLY) -> None:
    """Have a file looked at by who opens it."""
    sensor.rule_out(fingerprint_of(sensor, path, flags) | NOT_FOR_ALL)


def rule_out(sensor: Sensor, path: Path, flags: int = os.O_RDONLY) -> None:
    """Open a file and have that ruled out for this process."""
    look_at_processes(sensor, path, flags)
    fingerprint = fingerprint_of(sensor, path, flags)
    assert 0 < fingerprint < OF_FILE
    sensor.rule_out(fingerprint)
    assert opens_of(sensor.during(lambda: open_it(path, flags)), path) == 0


def rule_out_for_all(sensor: Sensor, path: Path, flags: int = os.O_RDONLY) -> None:
    """Open a file and have that ruled out, whoever does it."""
    fingerprint = fingerprint_of(sensor, path, flags)
    assert OF_FILE < fingerprint < NOT_FOR_ALL
    sensor.rule_out(fingerprint)
    assert opens_of(sensor.during(lambda: open_it(path, flags)), path) == 0


def test_a_call_that_was_ruled_out_is_not_sent_but_counted(remembering: Sensor, here: Path) -> None:
    rule_out(remembering, here / "file")
    seen = remembering.during(lambda: [open_it(here / "file") for _ in range(100)])
    assert opens_of(seen, here / "file") == 0
    remembering.wait_for(has_drop("openat", "RULED_OUT"))


def _in_a_renamed_directory(here: Path) -> Path:
    (here / "inner").rename(here / "other")
    return here / "other" / "file"


def _below_a_renamed_directory(here: Path) -> Path:
    (here / "inner" / "deep").rename(here / "inner" / "deeper")
    return here / "inner" / "deeper" / "file"


def _renamed(here: Path) -> Path:
    (here / "inner" / "file").rename(here / "inner" / "passwd")
    return here / "inner" / "passwd"


def _linked(here: Path) -> Path:
    (here / "inner" / "hard").hardlink_to(here / "inner" / "file")
    return here / "inner" / "hard"


def _made_anew(here: Path) -> Path:
    (here / "inner" / "file").unlink()
    (here / "inner" / "file").write_text("again")
    return here / "inner" / "file"


def _with_other_permissions(here: Path) -> Path:
    (here / "inner" / "file").chmod(0o4755)
    return here / "inner" / "file"


@pytest.mark.parametrize("rule_out", [rule_out, rule_out_for_all])
@pytest.mark.parametrize(
    ("change", "of"),
    [
        (_in_a_renamed_directory, "inner/file"),
        (_below_a_renamed_directory, "inner/deep/file"),
        (_renamed, "inner/file"),
        (_linked, "inner/file"),
        (_made_anew, "inner/file"),
        (_with_other_permissions, "inner/file"),
    ],
)
def test_a_file_that_is_another_one_or_reached_by_another_path_is_sent(
    remembering: Sensor, here: Path, change: Callable[[Path], Path], of: str, rule_out: Callable[..., None]
) -> None:
    (here / "inner" / "deep").mkdir(parents=True)
    for file in ("inner/file", "inner/deep/file"):
        (here / file).write_text("x")
    rule_out(remembering, here / of)
    path = change(here)
    assert opens_of(remembering.during(lambda: open_it(path)), path) == 1


def test_another_mount_on_the_way_is_another_path(
    remembering: Sensor, child: Callable[..., dict[str, Any]], here: Path
) -> None:
    """A file system over the directory hides the file that was ruled out behind one of the same name."""
    (here / "inner").mkdir()
    (here / "inner" / "file").write_text("x")
    statements = """
call(272, 0x20000)  # unshare, CLONE_NEWNS
path = sys.argv[1].encode()
def open_it():
    os.close(os.open(path, os.O_RDONLY))
libc.mount(b"none", b"/", None, 1 << 14 | 1 << 18, None)
open_it()
libc.mount(b"none", os.path.dirname(path), b"tmpfs", 0, None)
os.close(os.open(path, os.O_RDONLY | os.O_CREAT))
open_it()
say()
"""
    said: list[dict[str, Any]] = []
    seen = remembering.during(lambda: said.append(child(statements, str(here / "inner" / "file"))))
    found = seen.of("openat", pid=said[0]["pid"]).where(name=str(here / "inner" / "file"))
    read = [record.number("fingerprint") for record in found if not record.number("mode")]
    assert len(set(read)) == len(read) == 2


@pytest.mark.parametrize("rule_out", [rule_out, rule_out_for_all])
def test_another_way_to_open_it_is_sent(remembering: Sensor, here: Path, rule_out: Callable[..., None]) -> None:
    rule_out(remembering, here / "file")
    for flags in (os.O_RDWR, os.O_RDONLY | os.O_NONBLOCK):
        assert opens_of(remembering.during(lambda flags=flags: open_it(here / "file", flags)), here / "file") == 1


def test_another_process_that_opens_it_is_sent(
    remembering: Sensor, child: Callable[..., dict[str, Any]], here: Path
) -> None:
    rule_out(remembering, here / "file")
    said: list[dict[str, Any]] = []
    statements = "os.open(sys.argv[1], os.O_RDONLY); say()"
    seen = remembering.during(lambda: said.append(child(statements, str(here / "file"))))
    assert opens_of(seen, here / "file", said[0]["pid"]) == 1


def test_another_process_that_opens_what_is_ruled_out_for_all_is_not_sent(
    remembering: Sensor, child: Callable[..., dict[str, Any]], here: Path
) -> None:
    rule_out_for_all(remembering, here / "file")
    said: list[dict[str, Any]] = []
    statements = "os.open(sys.argv[1], os.O_RDONLY); os.open(sys.argv[1], os.O_RDWR); say()"
    seen = remembering.during(lambda: said.append(child(statements, str(here / "file"))))
    assert [
        one.number("flags") & 3 for one in seen.of("openat", pid=said[0]["pid"]).where(name=str(here / "file"))
    ] == [3]


def test_a_file_of_the_same_path_in_another_root_is_another_one(
    remembering: Sensor, child: Callable[..., dict[str, Any]], here: Path
) -> None:
    for root in ("one", "two"):
        (here / root / "etc").mkdir(parents=True)
        (here / root / "etc" / "passwd").write_text(root)
    statements = "os.chroot(sys.argv[1]); os.open('/etc/passwd', os.O_RDONLY); say()"
    said: list[dict[str, Any]] = []
    roots = ("one", "one", "two")
    seen = remembering.during(lambda: said.extend(child(statements, str(here / root)) for root in roots))
    found = [seen.one("openat", pid=one["pid"], name="/etc/passwd").number("fingerprint") for one in said]
    assert found[0] == found[1] != found[2]


CHANGES = {
    "its user": "os.seteuid(65534)",
    "its group": "os.setegid(65534)",
    "its directory": "os.chdir('/')",
    "its session": "os.setsid()",
    "its group of processes": "os.setpgid(0, 0)",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_process_that_has_changed_itself_is_sent_again(
    remembering: Sensor, child: Callable[..., dict[str, Any]], here: Path, change: str
) -> None:
    here.chmod(0o755)
    statements = f"""
path = sys.argv[1]
os.close(os.open(path, os.O_RDONLY))
os.close(os.open(path, os.O_RDONLY))
{change}
os.close(os.open(path, os.O_RDONLY))
say()
"""
    file = "/etc/hostname"  # readable for everybody, on every path to it
    look_at_processes(remembering, file)
    said: list[dict[str, Any]] = []
    seen = remembering.during(lambda: said.append(child(statements, file)))
    found = [one.number("fingerprint") for one in seen.of("openat", pid=said[0]["pid"]).where(name=file)]
    assert len(found) == 3
    assert found[0] == found[1] != found[2]
    assert 0 not in found


def test_another_program_of_the_same_process_is_sent(
    remembering: Sensor, child: Callable[..., dict[str, Any]], here: Path
) -> None:
    del here
    look_at_processes(remembering, "/etc/hostname")
    statements = """
opening = "import os; os.close(os.open('/etc/hostname', os.O_RDONLY)); "
exec(opening)
os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", opening + "print('{}')"])
"""
    seen = remembering.during(lambda: child(statements))
    found = [one for one in seen.of("openat").where(name="/etc/hostname") if one.number("fingerprint") < OF_FILE]
    assert len({one.header.pid for one in found}) == 1
    assert len({one.number("fingerprint") for one in found}) == len(found) == 2


@pytest.mark.parametrize("rule_out", [rule_out, rule_out_for_all])
def test_what_was_ruled_out_is_sent_again_when_it_is_forgotten(
    remembering: Sensor, here: Path, rule_out: Callable[..., None]
) -> None:
    rule_out(remembering, here / "file")
    remembering.forget_ruled_out()
    assert opens_of(remembering.during(lambda: open_it(here / "file")), here / "file") == 1


def test_what_is_ruled_out_for_all_stays_so_when_only_calls_are_forgotten(remembering: Sensor, here: Path) -> None:
    (here / "other").write_text("x")
    rule_out_for_all(remembering, here / "file")
    rule_out(remembering, here / "other")
    remembering.forget_ruled_out(calls_only=True)
    seen = remembering.during(lambda: [open_it(here / name) for name in ("file", "other")])
    assert [opens_of(seen, here / name) for name in ("file", "other")] == [0, 1]


def test_a_parent_that_runs_another_program_makes_all_that_was_ruled_out_void(
    remembering: Sensor, child: Callable[..., dict[str, Any]], here: Path
) -> None:
    """What a process's parent runs is in no fingerprint: an exec above others begins anew."""
    rule_out(remembering, here / "file")
    statements = """
child = os.fork()
if child == 0:
    os.execv("/bin/sleep", ["sleep", "30"])
os.execv("/bin/sh", ["sh", "-c", "kill $0; echo '{}'", str(child)])
"""
    remembering.during(lambda: child(statements))
    assert opens_of(remembering.during(lambda: open_it(here / "file")), here / "file") == 1


def test_a_failed_call_and_a_very_deep_file_have_no_fingerprint_and_are_always_sent(
    remembering: Sensor, here: Path
) -> None:
    deep = here.joinpath(*["d"] * 40)
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")

    def open_them() -> None:
        open_it(deep / "file")
        with pytest.raises(FileNotFoundError):
            open_it(here / "nothing")

    seen = remembering.during(open_them)
    for path in (deep / "file", here / "nothing"):
        assert seen.one("openat", pid=os.getpid(), name=str(path)).number("fingerprint") == 0


def test_without_being_asked_to_remember_no_call_has_a_fingerprint(here: Path) -> None:
    with Sensor(interest=["openat"]) as running:
        seen = running.during(lambda: open_it(here / "file"))
        assert seen.one("openat", pid=os.getpid(), name=str(here / "file")).number("fingerprint") == 0


def test_thousands_of_fingerprints_come_in_several_orders(remembering: Sensor, here: Path) -> None:
    for first in range(1, 20_000, 4000):
        remembering.rule_out(*range(first, first + 4000))
    rule_out(remembering, here / "file")
