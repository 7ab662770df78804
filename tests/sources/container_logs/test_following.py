"""Log files of containers are found, followed through rotation and restarts, and let go of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hullwatch.errors import CannotError
from hullwatch.sources.container_logs.following import LogFollower
from hullwatch.sources.container_logs.found_logs import DOCKER, LogFinder, number_of
from hullwatch.sources.container_logs.line import Whose
from hullwatch.sources.k8s_audit.counts import IntakeCounts
from hullwatch.sources.k8s_audit.log_place import Places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hullwatch.sources.container_logs.found_logs import FoundLog
    from hullwatch.sources.container_logs.line import LogLine
    from hullwatch.sources.k8s_audit.log_file import Open

TIME = "2026-11-28T10:00:00.1Z"


class Host:
    """A folder as Docker's, and what follows the logs in it."""

    def __init__(self, folder: Path, most: int = 100) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir()
        self.finder = LogFinder([f"{folder}/containers/*/*-json.log", f"{folder}/links/*.log"], most)
        self.texts: list[str] = []
        self.of: list[Whose] = []
        self.kept = True
        self.counts = IntakeCounts()
        self.start()

    def start(self, *, from_end: bool = False) -> None:
        """Begin anew, as after a crash."""
        places = Places(self.state, "places.json")
        self.follower = LogFollower(self.finder.look, self._opener, self, places, self.counts, from_end=from_end)

    def _opener(self, found: FoundLog) -> Open:
        return lambda rotated: self.finder.open(number_of(found.number, rotated))

    def begun(self, found: FoundLog, of: Whose) -> None:
        self.of.append(of)

    def ended(self, of: Whose) -> None:
        self.of.remove(of)

    def take(self, lines: Iterator[LogLine]) -> int:
        self.texts += [line.text for line in lines]
        return 1

    def stored(self) -> int:
        return 1 if self.kept else 0

    def look(self, times: int = 1) -> list[str]:
        """Return the lines that so many looks give."""
        self.texts = []
        for _ in range(times):
            while self.follower.step():
                pass
            self.follower.settle()
        return self.texts

    def log(self, container: str) -> Path:
        name = container * 64
        path = self.folder / "containers" / name / f"{name}-json.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, container: str, *texts: str) -> None:
        with self.log(container).open("a") as stream:
            stream.writelines(json.dumps({"log": one, "stream": "stdout", "time": TIME}) + "\n" for one in texts)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_new_containers_are_found_and_only_files_that_change_are_read(host: Host) -> None:
    host.write("a", "one\n")
    assert host.look() == ["one"]
    assert host.look() == []
    host.write("a", "two\n")
    host.write("b", "first\n")
    assert sorted(host.look()) == ["first", "two"]
    assert {of.container_id for of in host.of} == {"a" * 64, "b" * 64}


def test_what_was_there_at_the_very_first_start_is_left_out_where_that_is_set_and_later_files_are_whole(
    host: Host,
) -> None:
    host.start(from_end=True)
    host.write("a", "old\n")
    assert host.look() == []
    host.write("a", "new\n")
    host.write("b", "all\n")
    assert sorted(host.look()) == ["all", "new"]
    host.start(from_end=True)
    host.write("c", "while we were away\n")
    assert host.look() == ["while we were away"]


def test_a_log_is_followed_through_rotation_whatever_was_renamed_meanwhile(host: Host) -> None:
    host.write("a", "1\n")
    found = host.look()
    for number in range(2, 6):
        log = host.log("a")
        for old in range(8, 0, -1):
            older = log.with_name(f"{log.name}.{old}")
            if older.exists():
                older.rename(log.with_name(f"{log.name}.{old + 1}"))
        log.rename(log.with_name(f"{log.name}.1"))
        host.write("a", f"{number}\n")
    assert found + host.look(5) == ["1", "2", "3", "4", "5"]


def test_a_file_that_was_rotated_before_it_was_first_seen_is_read_from_its_beginning(host: Host) -> None:
    host.write("a", "1\n")
    host.log("a").rename(host.log("a").with_name(f"{host.log('a').name}.1"))
    host.write("a", "2\n")
    assert host.look() == ["1", "2"]


def test_what_was_not_kept_comes_again_and_what_was_kept_does_not(host: Host) -> None:
    host.write("a", "one\n")
    host.look()
    host.kept = False
    host.write("a", "two\n")
    assert host.look() == ["two"]
    host.start()
    assert host.look() == ["two"]


def test_the_beginning_of_a_line_is_read_again_after_a_restart(host: Host) -> None:
    host.write("a", "whole\n", "half ")
    assert host.look() == ["whole"]
    host.start()
    host.write("a", "and half\n")
    assert host.look() == ["whole", "half and half"]


def test_the_rest_of_a_log_is_read_when_its_container_is_gone(host: Host) -> None:
    host.write("a", "one\n")
    host.look()
    host.write("a", "last\n")
    host.log("a").unlink()
    assert host.look() == ["last"]
    assert (len(host.follower), host.of) == (0, [])


def test_of_too_many_files_those_that_were_written_to_last_are_followed_and_the_others_counted(tmp_path: Path) -> None:
    host = Host(tmp_path, most=2)
    for container in "abc":
        host.write(container, f"{container}\n")
    assert len(host.look()) == 2
    assert (len(host.follower), host.follower.left_out) == (2, 1)


def test_a_link_to_what_is_no_log_is_refused_and_one_to_a_log_is_that_log(host: Host) -> None:
    secret = host.folder / "shadow"
    secret.write_text(f"{TIME} stdout F root:x\n")
    links = host.folder / "links"
    links.mkdir()
    (links / f"evil_shop_web-{'e' * 64}.log").symlink_to(secret)
    pod = host.folder / "pods" / "shop_web-1_0f0e" / "web"
    pod.mkdir(parents=True)
    (pod / "0.log").write_text(f"{TIME} stdout F hello\n")
    (links / f"web-1_shop_web-{'d' * 64}.log").symlink_to(pod / "0.log")
    assert host.look() == ["hello"]
    assert host.follower.refused == 1
    assert host.of == [Whose("d" * 64, "web", pod="web-1", namespace="shop", pod_uid="0f0e")]


def test_only_files_of_the_list_are_opened(host: Host) -> None:
    host.write("a", "one\n")
    host.log("a").with_name("config.v2.json").write_text("{}")
    (found,) = host.finder.look().files
    for what in (0, DOCKER):
        with open(host.finder.open(number_of(found.number, what)), "rb") as stream:  # noqa: PTH123 - a descriptor
            assert stream.read()
    for number in (number_of(found.number, 1), number_of(found.number + 1, 0), -1):
        with pytest.raises(CannotError):
            host.finder.open(number)
