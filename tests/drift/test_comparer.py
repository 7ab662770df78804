"""Files that run on a real overlay, compared with its lower layers."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.drift import question as words
from hullwatch.drift.comparer import Comparer
from hullwatch.drift.question import Answer, Limits, Question
from tests.drift.box import CONTAINER, Box, start_of

if TYPE_CHECKING:
    from hullwatch.drift.content import State

LIMITS = Limits(largest_file=64 << 20, seconds=30.0)
SAME = {
    "chmod": "os.chmod('/bin/waiter', 0o700)",
    "touch": "os.utime('/bin/waiter')",
    "another owner": "os.chown('/bin/waiter', 7, 7)",
    "hard link": "os.link('/bin/waiter', '/bin/other')",
    "copy": "shutil.copy('/bin/waiter', '/opt/other')",
    "rewrite": "shutil.copy('/bin/waiter', '/opt/x'); os.replace('/opt/x', '/bin/waiter')",
    "rewrite in place": "data = open('/bin/waiter', 'rb').read(); open('/bin/waiter', 'wb').write(data)",
}


@pytest.fixture
def comparer() -> Comparer:
    return Comparer(LIMITS)


def verdict(answer: Answer) -> tuple[str, str, str]:
    return answer.verdict, answer.place, answer.reason


def add_program(box: Box, path: str) -> bytes:
    """Make a program that the image has not; return its content."""
    box.do(f"shutil.copy('/bin/waiter', {path!r}); open({path!r}, 'ab').write(b'more')")
    return box.program + b"more"


def test_a_new_program_is_drift_and_has_the_hash_of_its_content(box: Box, comparer: Comparer) -> None:
    content = add_program(box, "/opt/new")
    question = box.run("/opt/new")
    digest = hashlib.sha256(content).hexdigest()
    assert comparer.answer(question) == Answer(1, "drift", "upper_layer", digest, len(content))
    box.end(question)


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_a_program_with_the_images_content_is_the_images(box: Box, comparer: Comparer, change: str) -> None:
    box.do(change)
    path = next(one for one in ("/bin/other", "/opt/other", "/bin/waiter") if f"'{one}'" in change)
    question = box.run(path)
    assert verdict(comparer.answer(question)) == ("image", "upper_layer", "")
    box.end(question)


def test_another_content_of_the_same_size_is_drift(box: Box, comparer: Comparer) -> None:
    box.do("f = open('/bin/waiter', 'r+b'); f.seek(-1, 2); f.write(b'!'); f.close()")
    question = box.run("/bin/waiter")
    assert verdict(comparer.answer(question)) == ("drift", "upper_layer", "")
    box.end(question)


@pytest.mark.parametrize(("folder", "place"), [("/memory", "memory"), ("/volume", "volume")])
def test_a_copy_outside_of_the_containers_own_layer_is_drift_although_the_image_has_the_content(
    box: Box, comparer: Comparer, folder: str, place: str
) -> None:
    box.do(f"shutil.copy('/bin/waiter', '{folder}/copy')")
    question = box.run(f"{folder}/copy")
    answer = comparer.answer(question)
    assert verdict(answer) == ("drift", place, "")
    assert answer.sha256 == hashlib.sha256(box.program).hexdigest()
    box.end(question)


def test_a_program_that_was_removed_while_it_runs_is_drift(box: Box, comparer: Comparer) -> None:
    add_program(box, "/opt/new")
    question = box.run("/opt/new")
    box.do("os.unlink('/opt/new')")
    assert verdict(comparer.answer(question)) == ("drift", "upper_layer", "")
    box.end(question)


def test_a_program_that_has_the_images_content_and_was_changed_since_is_not_known(box: Box, comparer: Comparer) -> None:
    box.do("shutil.copy('/bin/waiter', '/opt/copy')")
    question = box.run("/opt/copy")
    box.do("os.chmod('/opt/copy', 0o700)")
    assert verdict(comparer.answer(question)) == ("unknown", "upper_layer", words.CHANGED)
    box.end(question)


def test_a_program_that_has_ended_is_found_by_its_path(box: Box, comparer: Comparer) -> None:
    comparer.answer(box.question("container", ""))
    add_program(box, "/opt/new")
    question = box.run("/opt/new")
    box.end(question)
    assert verdict(comparer.answer(question)) == ("drift", "upper_layer", "")


def test_without_any_process_it_is_found_in_the_upper_layer(box: Box, comparer: Comparer) -> None:
    first = box.run("/bin/waiter")
    comparer.answer(Question(1, "container", CONTAINER, first.pid, first.start))
    add_program(box, "/opt/new")
    question = box.run("/opt/new")
    box.end(first)
    box.end(question)
    assert verdict(comparer.answer(question)) == ("drift", "upper_layer", "")


def test_a_program_that_was_removed_before_anybody_looked_is_not_known(box: Box, comparer: Comparer) -> None:
    comparer.answer(box.question("container", ""))
    add_program(box, "/opt/new")
    question = box.run("/opt/new")
    box.end(question)
    box.do("os.unlink('/opt/new')")
    assert verdict(comparer.answer(question)) == ("unknown", "upper_layer", words.REMOVED)


def test_a_program_of_a_container_that_is_gone_is_not_known(comparer: Comparer) -> None:
    question = Question(1, "program", CONTAINER, 1 << 22, 1, b"/opt/new", upper=True)
    assert verdict(comparer.answer(question)) == ("unknown", "upper_layer", words.GONE)


def test_another_file_at_the_path_is_not_taken_for_it(box: Box, comparer: Comparer) -> None:
    comparer.answer(box.question("container", ""))
    add_program(box, "/opt/new")
    question = box.run("/opt/new")
    box.end(question)
    box.do("shutil.copy('/bin/waiter', '/opt/x'); os.replace('/opt/x', '/opt/new')")
    assert verdict(comparer.answer(question)) == ("unknown", "upper_layer", words.CHANGED)


def test_a_content_that_was_changed_with_its_times_set_back_is_not_taken_for_it(box: Box, comparer: Comparer) -> None:
    comparer.answer(box.question("container", ""))
    add_program(box, "/opt/new")
    box.do("os.utime('/opt/new', ns=(5, 5))")
    question = box.run("/opt/new")
    box.end(question)
    box.do("data = open('/bin/waiter', 'rb').read(); open('/opt/new', 'wb').write(data)")
    box.do("os.utime('/opt/new', ns=(5, 5))")
    assert verdict(comparer.answer(question)) == ("unknown", "upper_layer", words.CHANGED)


def test_nor_is_such_a_library(box: Box, comparer: Comparer) -> None:
    box.do("open('/lib/new.so', 'w').write('evil'); os.utime('/lib/new.so', ns=(5, 5))")
    facts = box.stat("/lib/new.so")
    box.do("data = open('/lib/library.so', 'rb').read(); open('/lib/new.so', 'wb').write(data)")
    box.do("os.utime('/lib/new.so', ns=(5, 5))")
    answer = comparer.answer(box.question("library", "/lib/new.so", **facts))
    assert verdict(answer) == ("unknown", "upper_layer", words.CHANGED)


def test_what_a_process_runs_by_now_is_not_taken_for_what_it_ran_before(box: Box, comparer: Comparer) -> None:
    add_program(box, "/opt/new")
    box.do("shutil.copy('/bin/waiter', '/opt/copy')")
    box.do(
        "for name in ('new', 'copy'):\n    os.utime('/opt/' + name, ns=(5, 5))"
    )  # as in images that are reproducible
    later = box.run("/opt/copy")
    facts = box.stat("/opt/new")
    question = box.question("program", "/opt/new", pid=later.pid, start=later.start, **facts)
    assert verdict(comparer.answer(question)) == ("drift", "upper_layer", "")
    box.end(later)


def test_a_file_that_is_written_while_it_is_read_is_not_known(
    box: Box, comparer: Comparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.do("open('/lib/new.so', 'w').write('new')")
    question = box.question("library", "/lib/new.so", **box.stat("/lib/new.so"))
    read = comparer.hashes.of

    def read_and_change(descriptor: int, state: State, deadline: float) -> str:
        box.do("open('/lib/new.so', 'a').write('more')")
        return read(descriptor, state, deadline)

    monkeypatch.setattr(comparer.hashes, "of", read_and_change)
    assert verdict(comparer.answer(question)) == ("unknown", "upper_layer", words.CHANGED)


def test_a_file_in_memory_is_found_through_another_process(box: Box, comparer: Comparer) -> None:
    comparer.answer(box.question("container", ""))
    box.do("shutil.copy('/bin/waiter', '/memory/copy')")
    question = box.run("/memory/copy")
    box.end(question)
    assert verdict(comparer.answer(question)) == ("drift", "memory", "")


def test_a_program_that_was_only_touched_costs_no_walk_through_the_image(box: Box, comparer: Comparer) -> None:
    box.do("os.utime('/bin/waiter')")
    question = box.run("/bin/waiter")
    assert comparer.answer(question).verdict == "image"
    assert comparer.image.walks == 0
    box.end(question)


def test_a_library_is_compared_with_all_layers(box: Box, comparer: Comparer) -> None:
    box.do("os.utime('/lib/library.so'); open('/lib/new.so', 'w').write('new')")
    for path, expected in (("/lib/library.so", "image"), ("/lib/new.so", "drift")):
        question = box.question("library", path, **box.stat(path))
        assert verdict(comparer.answer(question)) == (expected, "upper_layer", "")


def test_a_library_that_was_removed_is_found_by_its_mapping(box: Box, comparer: Comparer) -> None:
    box.do("open('/lib/new.so', 'w').write('n' * 4096)")
    facts = box.stat("/lib/new.so")
    box.do("f = open('/lib/new.so', 'rb'); kept = mmap.mmap(f.fileno(), 4096, prot=5)")
    box.do("os.rename('/lib/new.so', '/lib/hidden.so')")
    maps = Path(f"/proc/{box.pid}/maps").read_text().splitlines()
    address = next(int(line.partition("-")[0], 16) for line in maps if "/lib/hidden.so" in line)
    facts["ctime"] = box.stat("/lib/hidden.so")["ctime"]
    assert verdict(comparer.answer(box.question("library", "/lib/new.so", address=address, **facts)))[0] == "drift"


@pytest.mark.parametrize(
    ("change", "path", "expected"),
    [
        ("pass", "/etc/start.sh", ("", "", "")),
        ("os.utime('/etc/start.sh')", "/etc/start.sh", ("image", "upper_layer", "")),
        ("shutil.copy('/etc/start.sh', '/opt/copy.sh')", "/opt/copy.sh", ("image", "upper_layer", "")),
        ("open('/opt/new.sh', 'w').write('echo new')", "/opt/new.sh", ("drift", "upper_layer", "")),
        ("open('/memory/new.sh', 'w').write('echo new')", "/memory/new.sh", ("drift", "memory", "")),
        ("os.symlink('/etc/start.sh', '/opt/link')", "/opt/link", ("", "", "")),
        ("pass", "/opt/../etc/./start.sh", ("", "", "")),
        ("pass", "/opt/none.sh", ("unknown", "", words.GONE)),
        ("os.mkfifo('/opt/pipe')", "/opt/pipe", ("unknown", "", words.NO_FILE)),
        ("pass", "/opt", ("unknown", "", words.NO_FILE)),
    ],
)
def test_scripts_are_looked_for_by_their_path(
    box: Box, comparer: Comparer, change: str, path: str, expected: tuple[str, str, str]
) -> None:
    box.do(change)
    question = box.question("script", path, upper=False, moment=time.time_ns())
    assert verdict(comparer.answer(question)) == expected


def test_a_script_that_was_changed_since_it_was_started_is_not_known(box: Box, comparer: Comparer) -> None:
    moment = time.time_ns() - 1_000_000_000
    box.do("open('/opt/new.sh', 'w').write('echo harmless')")
    question = box.question("script", "/opt/new.sh", upper=False, moment=moment)
    assert verdict(comparer.answer(question)) == ("unknown", "", words.CHANGED)


def test_a_link_out_of_the_root_leads_to_nothing_of_the_host(box: Box, comparer: Comparer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the host")
    box.do(f"os.symlink('{tmp_path}/secret', '/opt/link')")
    question = box.question("script", "/opt/link", upper=False, moment=time.time_ns())
    assert verdict(comparer.answer(question)) == ("unknown", "", words.GONE)


@pytest.mark.parametrize(("more", "expected"), [(b"", "unknown"), (b"more", "drift")])
def test_of_a_large_file_only_the_size_is_looked_at(box: Box, more: bytes, expected: str) -> None:
    box.do(f"shutil.copy('/bin/waiter', '/opt/large'); open('/opt/large', 'ab').write({more!r})")
    question = box.run("/opt/large")
    answer = Comparer(Limits(largest_file=100, seconds=30)).answer(question)
    assert (*verdict(answer), answer.sha256) == (expected, "upper_layer", words.TOO_LARGE, "")
    box.end(question)


def test_what_takes_too_long_is_not_known(box: Box) -> None:
    add_program(box, "/opt/new")
    question = box.run("/opt/new")
    assert verdict(Comparer(Limits(64 << 20, 0.0)).answer(question)) == ("unknown", "", words.TOO_LONG)
    box.end(question)


def test_a_file_is_read_once_and_a_layer_walked_through_once(box: Box, comparer: Comparer) -> None:
    add_program(box, "/opt/new")
    for _ in range(3):
        question = box.run("/opt/new")
        comparer.answer(question)
        box.end(question)
    assert (comparer.hashes.read, comparer.image.walks) == (1, 2)


def test_a_process_in_the_hosts_mounts_is_not_of_the_container(comparer: Comparer) -> None:
    pid = os.getpid()
    question = Question(1, "program", CONTAINER, pid, start_of(pid), b"/bin/true")
    assert verdict(comparer.answer(question)) == ("unknown", "", words.OUTSIDE)
    assert comparer.answer(Question(1, "container", CONTAINER, pid, start_of(pid))) == Answer(1, reason=words.OUTSIDE)


def test_of_a_container_that_it_was_told_of_in_vain_it_says_so(box: Box, comparer: Comparer) -> None:
    gone = Question(1, "container", CONTAINER, 1 << 22, 1)
    assert comparer.answer(gone) == Answer(1, reason=words.GONE)
    assert comparer.answer(box.question("container", "")) == Answer(1)
    assert comparer.answer(gone) == Answer(1)


def test_a_process_that_took_over_a_number_is_not_looked_at(box: Box, comparer: Comparer) -> None:
    add_program(box, "/opt/new")
    question = box.run("/opt/new")
    other = box.question("program", "/opt/new", pid=question.pid, start=question.start - 10**9)
    assert verdict(comparer.answer(other)) == ("unknown", "upper_layer", words.GONE)
    box.end(question)


def test_layers_with_relative_names_are_found_by_the_place_of_the_upper_one(tmp_path: Path, program: bytes) -> None:
    folder = tmp_path / "box"
    box = Box(folder, program, f"lowerdir=lower:base,upperdir={folder}/upper,workdir={folder}/work")
    try:
        box.do("shutil.copy('/bin/waiter', '/opt/copy')")
        question = box.run("/opt/copy")
        assert verdict(Comparer(LIMITS).answer(question)) == ("image", "upper_layer", "")
    finally:
        box.close()
