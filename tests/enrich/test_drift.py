"""Which files are to be compared with the image, and what comes of the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.drift.question import Question
from hullwatch.enrich import drift
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.events.codec import encode
from hullwatch.events.table import FLAGS
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from hullwatch.drift.asking import Asked

ONE = "1" * 64
FLAG = FLAGS["execve_flags"]
UPPER, LOWER, MEMFD = (FLAG[name] for name in ("EXE_UPPER_LAYER", "EXE_LOWER_LAYER", "EXE_FROM_MEMFD"))
RULES = """
- rule: drifted
  desc: d
  condition: evt.type = drift and drift.verdict = drift
  output: "%drift.kind %drift.path %drift.place %drift.sha256 %drift.size %proc.cmdline %container.name %evt.num"
  priority: NOTICE
- {rule: others, desc: d, condition: drift.verdict = drift and evt.type != drift, output: x, priority: NOTICE}
"""
FACTS = {"exe_ino": 7, "exe_ino_ctime": 8, "exe_ino_mtime": 9}


def header(time: int = 1000, pid: int = 10, **more: int) -> dict[str, int]:
    return {"pid": pid, "tid": pid, "process_start": pid * 10, "time": time, "cgroup_id": 1, "uid": 5} | more


def runs(path: str, flags: int, *args: str, name: str = "execve", home: str = f"/docker/{ONE}", **more: Any) -> bytes:
    argv = b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in (path, *args))
    values = {"trusted_exepath": path, "comm": path.rpartition("/")[2], "argv": argv, "filename": path, "cwd": "/srv"}
    fields = header(more.pop("time", 1000))
    return encode(name, fields, flags=flags, cgroup_v2=home, vpid=1, **(FACTS | values | more))


def answers(happened: int, kind: str = "program", verdict: str = "drift", **more: Any) -> bytes:
    values = {"path": "/tmp/x", "place": "upper_layer", "sha256": "ab" * 32, "size": 12} | more
    return encode("drift", header(5000), happened=happened, kind=kind, verdict=verdict, **values)


def known(name: str = "web") -> bytes:
    container = Container(id=ONE[:12], full_id=ONE, name=name, running=True, complete=True)
    return encode("container", {"time": 1}, json=encode_container(container))


class Watched:
    """A stream, what it asked and what it counted."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.counters = Counters(events={}, drift={}, drift_unknown={})
        self.stream = Stream(load_text(RULES), self.counters, lambda _: None, 100, ask_drift=self.asked.append)

    def feed(self, *records: bytes) -> list[str]:
        return [match.rule.output.render(match.event)[0] for match in self.stream.feed(b"".join(records))]

    @property
    def questions(self) -> list[Question]:
        return [asked.question for asked in self.asked]


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize("flags", [UPPER, 0])
def test_a_program_of_the_upper_layer_or_of_no_overlay_is_asked_about(watched: Watched, flags: int) -> None:
    watched.feed(encode("clock", {"time": 0}, realtime=77), runs("/tmp/\udcffx", flags))
    (question,) = watched.questions
    assert question == Question(
        1000, "program", ONE, 10, 100, b"/tmp/\xffx", upper=flags == UPPER, ino=7, ctime=8, mtime=9, moment=1077
    )
    assert watched.asked[0].header == {
        "process_start": 100, "cgroup_id": 1, "cgroup_hierarchy": 0, "uid": 5, "pid": 10, "tid": 10, "cpu": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    "record",
    [
        runs("/bin/ls", LOWER),
        runs("/memfd:x", MEMFD),
        runs("/tmp/x", 0, home="/system.slice/ssh.service"),
        runs("/tmp/x", UPPER, res=-2),
        runs("/tmp/x", UPPER, name="process"),
    ],
    ids=["of the image", "in memory", "on the host", "failed", "ran before"],
)
def test_others_are_not(watched: Watched, record: bytes) -> None:
    watched.feed(record)
    assert [question for question in watched.questions if question.kind != "container"] == []


def test_a_container_is_announced_with_the_first_program_of_its_image(watched: Watched) -> None:
    watched.feed(runs("/runc", 0, name="process"), runs("/bin/sh", LOWER, name="process"), runs("/bin/ls", LOWER))
    assert watched.questions == [Question(1000, "container", ONE, 10, 100)]
    for time, forgotten in ((2000, "2" * 64), (3000, ONE), (4000, "")):
        watched.stream.assembler.drift.forget(forgotten)
        watched.feed(runs("/bin/ls", LOWER, time=time))
    assert [question.number for question in watched.questions[1:]] == [3000, 4000]


@pytest.mark.parametrize(
    ("script", "path"), [("x.sh", b"/srv/x.sh"), ("./././x.sh", b"/srv/x.sh"), ("../x", b"/srv/../x"), ("/x", b"/x")]
)
def test_a_script_is_asked_about_below_the_working_directory(watched: Watched, script: str, path: bytes) -> None:
    watched.feed(encode("clock", {"time": 0}, realtime=77), runs("/bin/dash", LOWER, "-e", script))
    assert watched.questions[1] == Question(1000, "script", ONE, 10, 100, path, moment=1077)


def test_a_library_is_asked_about(watched: Watched) -> None:
    values = {"addr": 1 << 20, "ino": 1, "ino_ctime": 2, "ino_mtime": 3, "name": "/lib/x.so"}
    upper = FLAGS["file_flags"]["FD_UPPER_LAYER"]
    watched.feed(runs("/bin/ls", LOWER), encode("mapped_library", header(1500), file_flags=upper, **values))
    assert watched.questions[1] == Question(
        1500, "library", ONE, 10, 100, b"/lib/x.so", upper=True, ino=1, ctime=2, mtime=3, address=1 << 20, moment=1500
    )


def test_a_library_of_the_host_is_not(watched: Watched) -> None:
    watched.feed(runs("/bin/ls", 0, home="/"), encode("mapped_library", header(1500), name="/lib/x.so"))
    assert watched.questions == []


def test_an_answer_is_an_event_of_the_program_that_ran_then(watched: Watched) -> None:
    watched.feed(known(), runs("/tmp/x", UPPER, "first"), runs("/bin/ls", LOWER, "second", time=2000))
    assert watched.feed(answers(1000)) == [f"program /tmp/x upper_layer {'ab' * 32} 12 x first web 4"]


def test_an_answer_about_a_process_that_has_ended_is_judged(watched: Watched) -> None:
    watched.feed(known(), runs("/tmp/x", UPPER), encode("procexit", header(2000)))
    assert len(watched.feed(answers(1000))) == 1


def test_an_answer_to_nothing_that_is_remembered_is_judged_by_what_is_known_now(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "PENDING_KEPT", 1)
    watched.feed(known(), runs("/tmp/x", UPPER, "first"), runs("/tmp/y", UPPER, "second", time=2000))
    (said,) = watched.feed(answers(1000))
    assert "y second web" in said


def test_a_program_that_nobody_is_asked_about_is_not_remembered() -> None:
    stream = Stream(load_text(RULES), Counters(), lambda _: None, 100, ask_drift=lambda _: False)
    list(stream.feed(known() + runs("/tmp/x", UPPER, "first")))
    assert not stream.assembler.drift._pending


def test_an_answer_waits_for_the_containers_name(watched: Watched) -> None:
    watched.feed(runs("/tmp/x", UPPER))
    assert watched.feed(answers(1000)) == []
    assert [said.split()[-2] for said in watched.feed(known())] == ["web"]


def test_answers_are_counted_by_verdict_and_what_is_not_known_by_reason(watched: Watched) -> None:
    watched.feed(answers(1), answers(2, verdict="image"), answers(3, verdict="unknown", reason="gone"))
    assert watched.counters.drift == {"drift": 1, "image": 1, "unknown": 1}
    assert watched.counters.drift_unknown == {"gone": 1}
    assert watched.counters.events["drift"] == 3


def test_the_same_records_give_the_same_alerts_without_anybody_to_ask() -> None:
    records = [known(), runs("/tmp/x", UPPER, "a"), answers(1000), runs("/bin/ls", LOWER), answers(1000, "script")]
    replayed = Stream(load_text(RULES), Counters(), lambda _: None, 100)
    found = [match.rule.output.render(match.event)[0] for match in replayed.feed(b"".join(records))]
    assert found == Watched().feed(*records)
    assert len(found) == 2
