"""Lines that come in parts of records are put together before they are judged."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any

from hullwatch.sources.container_logs import joining
from hullwatch.sources.container_logs.joining import CUT, MOST_PARTS, PATIENCE, TOO_MANY, UNENDED, Joiner
from hullwatch.sources.container_logs.line import LONGEST, LogLine, Piece, Whose
from hullwatch.sources.container_logs.reading import log_lines
from hullwatch.sources.container_logs.records import is_record, line_of


def part(text: str, *, of: str = "a", end: bool = False, time: str = "") -> LogLine:
    """A part of CRI's kind."""
    return LogLine(time, "stdout", text, Whose(of), piece=None if end else Piece())


def numbered(text: str, ordinal: int, *, last: bool = False, id_: str = "x") -> LogLine:
    return LogLine("", "stdout", text, Whose("a"), piece=Piece(id_, ordinal, last))


def fluentd(text: str, ordinal: int = 0, *, last: bool = False) -> dict[str, Any]:
    record = {"container_id": "c" * 64, "container_name": "/web", "source": "stderr", "log": text, "date": 1795860000.5}
    said = {"partial_message": "true", "partial_id": "p", "partial_ordinal": str(ordinal)}
    return record | (said | {"partial_last": str(last).lower()} if ordinal else {})


def fluent_bit(text: str, tag: str = "", key: str = "log", **more: Any) -> dict[str, Any]:
    about = {"pod_name": "web-1", "namespace_name": "shop", "docker_id": "a"}
    return {key: text, "stream": "stdout", "kubernetes": about} | ({"logtag": tag} if tag else {}) | more


def replayed(*records: dict[str, Any]) -> tuple[list[tuple[str, int, bool]], Counter[str]]:
    left_out = Counter[str]()
    stream = io.BytesIO(b"\n".join(json.dumps(one).encode() for one in records))
    return [(one.text, one.parts, one.cut) for one in log_lines(stream, lambda why: left_out.update((why,)))], left_out


def texts(joiner: Joiner, *lines: LogLine) -> list[str]:
    return [one.text for one in joiner.join(lines)]


def test_the_parts_of_cri_go_on_in_the_next_record_of_the_same_container_and_stream() -> None:
    joiner = Joiner()
    found = texts(joiner, part("a1"), part("b1", of="b"), part("a2"), part("c", of="c", end=True), part("a3", end=True))
    assert found == ["c", "a1a2a3"]
    assert texts(joiner, part("b2", of="b", end=True), part("a", end=True)) == ["b1b2", "a"]
    assert len(joiner) == 0


def test_parts_that_say_which_they_are_may_come_in_any_order_and_twice() -> None:
    joiner = Joiner()
    found = texts(
        joiner, numbered("2", 2), numbered("y", 1, last=True, id_="y"), numbered("3", 3, last=True), numbered("2", 2),
        part("other", end=True), numbered("1", 1),
    )  # fmt: skip
    assert found == ["y", "other", "123"]


def test_a_part_that_is_sent_again_counts_once() -> None:
    joiner = Joiner()
    assert texts(joiner, part("a", time="1"), part("a", time="1"), part("a", time="2"), part("b", end=True)) == ["aab"]


def test_what_comes_to_no_end_is_judged_after_a_time_and_counted() -> None:
    now = [0.0]
    joiner = Joiner(lambda: now[0])
    assert texts(joiner, part("stratum+tcp://"), numbered("2", 2, last=True)) == []
    now[0] = PATIENCE / 2
    assert texts(joiner, part("pool")) == []
    now[0] = PATIENCE
    assert texts(joiner) == ["2"]
    now[0] = 2 * PATIENCE
    (line,) = joiner.join(())
    assert (line.text, line.parts, line.cut, line.piece) == ("stratum+tcp://pool", 2, True, None)
    assert joiner.left_out == {UNENDED: 2}


def test_lines_that_begin_without_end_are_limited_in_number_and_size() -> None:
    joiner = Joiner()
    many = texts(joiner, *(part("x", of=str(number)) for number in range(joining.MOST + 2)))
    assert (len(many), len(joiner)) == (2, joining.MOST)
    assert joiner.left_out == {TOO_MANY: 2}
    joiner = Joiner()
    large = "x" * (LONGEST // 2 + 1)
    (line,) = joiner.join([part(large, of="new"), part(large, of="new")])
    assert (len(line.text), line.cut) == (LONGEST, True)
    (line,) = joiner.join([numbered("", ordinal) for ordinal in range(2, MOST_PARTS + 2)])
    assert line.parts == MOST_PARTS
    assert joiner.left_out == {CUT: 2}
    for number in range(40):
        list(joiner.join([part("x" * (LONGEST - 1), of=f"large {number}")]))
    assert len(joiner) <= joining.MOST_CHARACTERS // LONGEST + 1


def test_records_of_docker_s_driver_fluentd_are_lines_and_their_parts_are_put_together() -> None:
    records = [fluentd("one"), fluentd("b", 2), fluentd("a", 1), fluentd("two"), fluentd("c", 3, last=True)]
    assert replayed(*records) == ([("one", 1, False), ("two", 1, False), ("abc", 3, False)], {})
    line = line_of(fluentd("x"))
    assert (line.of.container_id, line.of.container_name, line.stream) == ("c" * 64, "web", "stderr")
    assert line.time.startswith("2026-")
    wrongs: tuple[dict[str, Any], ...] = (
        {"partial_ordinal": "x"}, {"partial_id": 5}, {"partial_ordinal": "0"}, {"partial_message": "no"},
    )  # fmt: skip
    for wrong in wrongs:
        assert line_of({**fluentd("x", 1), **wrong}).piece is None


def test_records_of_fluent_bit_are_put_together_by_the_tag_and_by_the_size_of_docker_s_parts() -> None:
    assert replayed(fluent_bit("a", "P"), fluent_bit("b", "P"), fluent_bit("c", "F")) == ([("abc", 3, False)], {})
    assert replayed(fluent_bit("a", _p="P"), fluent_bit("b", _p="F")) == ([("ab", 2, False)], {})
    assert replayed(fluent_bit("a", "P:x", "message"), fluent_bit("b", "F", "message"))[0] == [("ab", 2, False)]
    sixteen = "ä" * (8 << 10)
    assert replayed(fluent_bit(sixteen), fluent_bit("end\n"))[0] == [(sixteen + "end", 2, False)]
    assert [one[1] for one in replayed(fluent_bit(sixteen + "ä"), fluent_bit("end\n"))[0]] == [1, 1]
    assert [one[1] for one in replayed(fluent_bit(sixteen[:-1] + "x\n"), fluent_bit("end\n"))[0]] == [1, 1]


def test_entries_that_cloud_logging_has_split_are_put_together() -> None:
    def entry(text: str, **split: Any) -> dict[str, Any]:
        labels = {"namespace_name": "shop", "pod_name": "web-1", "container_name": "web"}
        resource = {"type": "k8s_container", "labels": labels}
        named = {"logName": "projects/p/logs/stdout", "resource": resource, "insertId": text}
        return named | {"textPayload": text, "timestamp": "2026-11-28T10:00:00Z"} | ({"split": split} if split else {})

    records = [entry("b", uid="u", index=1, totalSplits=2), entry("a", uid="u", totalSplits=2), entry("other")]
    assert replayed(*records) == ([("ab", 2, False), ("other", 1, False)], {})
    for wrong in ({"uid": "u", "index": "x", "totalSplits": 2}, {"uid": "u", "index": 9, "totalSplits": 2}, {"uid": 5}):
        assert line_of(entry("x", **wrong)).piece is None


def test_a_file_that_ends_in_the_middle_of_a_line_is_judged_to_its_end_and_that_is_counted() -> None:
    assert replayed(fluent_bit("a", "P")) == ([("a", 1, True)], {UNENDED: 1})
    left_out = Counter[str]()
    stream = io.BytesIO(b"2026-11-28T10:00:00.123456789Z stdout P begun\n")
    assert [one.text for one in log_lines(stream, lambda why: left_out.update((why,)))] == ["begun"]
    assert left_out == {UNENDED: 1}


def test_an_object_that_only_looks_like_a_record_is_none() -> None:
    assert not is_record({"container_id": "c", "container_name": "web", "source": "stdout", "log": 5})
    assert not is_record({"log": "x", "source": "stdout"})
