"""Processes that stay what they were for events that are judged later."""

from __future__ import annotations

from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.enrich.as_it_was import KEPT_ABOVE, as_it_is
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.events.codec import encode
from hullwatch.fields.proc import ancestors
from tests.rules.conftest import load_text

ONE = "1" * 64
RULE = """
- rule: told
  desc: d
  condition: evt.type in (openat, drift)
  output: "%evt.type %proc.cmdline below %proc.pcmdline, of all %proc.aname, %proc.ppid"
  priority: NOTICE
"""


def line(length: int) -> Process:
    """Return the last of some processes, each the child of the one before."""
    process = Process(ProcessKey(1, 1), None, Program("init"))
    for number in range(2, length + 1):
        process = Process(ProcessKey(number, number), process, Program(f"p{number}"))
    return process


def test_a_process_and_those_above_it_stay_what_they_were_and_nobody_has_to_forget_them() -> None:
    process = line(3)
    kept = as_it_is(process, {})
    parent = process.parent
    assert parent is not None
    parent.program = Program("later")
    process.hang_below(None)
    assert kept.key == process.key
    assert [one.program.comm for one in ancestors(kept)] == ["p2", "init"]
    assert parent.children == ()


def test_what_has_not_changed_is_kept_once() -> None:
    process = line(3)
    kept: dict[Process, Process] = {}
    first = as_it_is(process, kept)
    assert as_it_is(process, kept) is first
    assert process.parent is not None
    sibling = as_it_is(Process(ProcessKey(9, 9), process.parent, Program("s")), kept)
    assert sibling.parent is first.parent
    process.parent.program = Program("later")
    again = as_it_is(process, kept)
    assert [one.program.comm for one in ancestors(again)] == ["later", "init"]
    assert [one.program.comm for one in ancestors(first)] == ["p2", "init"]


def test_a_line_without_end_is_kept_in_part_and_seen_whole() -> None:
    process = line(KEPT_ABOVE + 50)
    kept: dict[Process, Process] = {}
    assert len(list(ancestors(as_it_is(process, kept)))) == KEPT_ABOVE + 49
    assert len(kept) == KEPT_ABOVE + 1


def records() -> tuple[bytes, bytes, bytes]:
    """Return what a shell in a container and its child do, that the shell runs something else, and the metadata."""

    def head(pid: int, time: int) -> dict[str, int]:
        return {"pid": pid, "tid": pid, "process_start": pid * 10, "time": time, "cgroup_id": 1}

    def runs(pid: int, time: int, *words: str, flags: int = 0) -> bytes:
        argv = b"".join(word.encode() + b"\0" for word in words)
        texts = {"comm": words[0], "argv": argv, "trusted_exepath": f"/tmp/{words[0]}", "cwd": "/"}
        return encode("execve", head(pid, time), cgroup_v2=f"/docker/{ONE}", vpid=pid, flags=flags, **texts)

    begin = runs(10, 1000, "bash", "-c", "a; b")
    begin += encode("clone", head(10, 1100), res=11, child_start=110, vpid=11, comm="bash")
    begin += runs(11, 1200, "cat", "x") + encode("openat", head(11, 1300), name="/x", fd=3)
    later = runs(10, 2000, "nc", "evil", "22")
    container = Container(id=ONE[:12], full_id=ONE, name="web", running=True, complete=True)
    return begin, later, encode("container", {"time": 3000}, json=encode_container(container))


def test_an_event_that_waited_for_its_container_is_told_with_the_parent_of_its_time() -> None:
    begin, later, metadata = records()
    stream = Stream(load_text(RULE), Counters(events={}, dropped={}), lambda _: None, 100)
    assert list(stream.feed(begin + later)) == []
    (told,) = [match.rule.output.render(match.event)[0] for match in stream.feed(metadata)]
    assert told == "openat cat x below bash -c a; b, of all bash, 10"


def test_an_answer_about_a_file_is_told_with_the_parent_that_had_started_it() -> None:
    begin, later, metadata = records()
    stream = Stream(
        load_text(RULE), Counters(events={}, drift={}, dropped={}), lambda _: None, 100, ask_drift=lambda _: True
    )
    list(stream.feed(metadata + begin + later))
    values = {"path": "/tmp/cat", "place": "upper_layer", "sha256": "ab" * 32, "size": 12}
    fields = {"pid": 11, "tid": 11, "process_start": 110, "time": 5000, "cgroup_id": 1}
    found = stream.feed(encode("drift", fields, happened=1200, kind="program", verdict="drift", **values))
    (told,) = [match.rule.output.render(match.event)[0] for match in found]
    assert told == "drift cat x below bash -c a; b, of all bash, 10"
