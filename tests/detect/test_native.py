"""The classifier in C beside the one in Python, on streams that were damaged."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hullwatch.detect import known_values
from hullwatch.detect.classifier import STATE, UNKNOWN
from hullwatch.detect.native import CALL, MAXIMUM_KINDS, SURVIVOR, SURVIVORS, NativeClassifier, describe, library
from hullwatch.detect.python_classifier import PythonClassifier
from hullwatch.detect.recipe import CONTEXT_BEGIN, CONTEXT_END
from hullwatch.events.codec import BrokenStreamError, encode
from hullwatch.events.table import BY_NAME, BY_NUMBER, EVENTS, HEADER
from tests.detect.classifier_plan import judge_programs, kinds_of_every_sort, make_plan
from tests.detect.generated_streams import PATHS, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hullwatch.detect.classifier import Classifier, Survivor

    Forget = Callable[[Classifier], None]

ROOT = Path(__file__).resolve().parents[2]
PLAN = make_plan()
examples = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
CONTEXTS_OF_A_PROCESS = 4  # the WAYS of native/classifier/contexts.c
LENGTHS = (0, 8, 48, 55, 56, 57, 64, 80, 1 << 18, 0xFFFFFFF8, 0xFFFFFFFF)


@pytest.fixture(scope="module", autouse=True)
def _programs_are_judged() -> Iterator[None]:
    """Let the made-up kind be judged, and long strings be remembered as the C does."""
    with pytest.MonkeyPatch.context() as patch:
        judge_programs(patch)
        patch.setattr(known_values, "LONGEST_KEPT", 1 << 20)
        yield


class Damage(NamedTuple):
    """What is done to a batch, in which of its records, and where."""

    what: str
    record: int
    place: int
    value: int


_damages = st.lists(
    st.builds(
        Damage,
        st.sampled_from(("byte", "word", "length", "type", "cut", "more")),
        st.integers(0, 60),
        st.integers(0, 120),
        st.sampled_from((0, 1, 2, 8, 47, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF)) | st.integers(0, 0xFFFF),
    ),
    max_size=4,
)


def program(pid: int, cwd: str, file: str, flags: int) -> bytes:
    """Return a record of the made-up kind."""
    return encode("execve", {"pid": pid, "process_start": 5}, cwd=cwd, filename=file, flags=flags)


_two_strings = st.builds(
    program, st.integers(0, 2), st.sampled_from(("/root", "/", "/x/ssh", "")), st.sampled_from(PATHS), st.integers(0, 1)
)
_streams = st.lists(records.map(b"".join) | st.lists(_two_strings, min_size=1, max_size=30).map(b"".join), max_size=3)


def damaged(batch: bytes, damages: list[Damage]) -> bytes:
    """Return a batch with some bytes changed."""
    made = bytearray(batch)
    for what, record, place, value in damages:
        starts = [0]
        while (length := int.from_bytes(made[starts[-1] : starts[-1] + 4], "little")) >= HEADER.size:
            starts.append(starts[-1] + length)
        start = starts[record % len(starts)]
        if what == "cut":
            del made[max(0, len(made) - place) :]
        elif what == "more":
            made += value.to_bytes(2, "little") * (place // 2)
        else:
            at, size = {"byte": (place, 1), "word": (place & ~1, 2), "length": (0, 4), "type": (4, 2)}[what]
            number = LENGTHS[value % len(LENGTHS)] if what == "length" else value
            if start + at + size <= len(made):
                made[start + at : start + at + size] = (number & (1 << 8 * size) - 1).to_bytes(size, "little")
    return bytes(made)


class Teacher:
    """Asks a classifier for whole batches, and teaches it the classes of what it does not know, always alike."""

    def __init__(self, asked: Classifier) -> None:
        """Start with nothing taught."""
        self.asked = asked
        self.taught = 0

    def ask(self, batch: bytes) -> list[object]:
        """Return the survivors, numbered through the batch, then where it ended or was broken, and the counts."""
        answers: list[object] = []
        offset = number = 0
        try:
            while offset < len(batch):
                offset, events, survivors = self.asked.classify(batch, offset)
                for one in survivors:
                    answers.append(one._replace(number=number + one.number))
                    self._teach(batch, one)
                number += events
        except BrokenStreamError as error:
            answers.append(str(error))
        return [*answers, offset, number, self.asked.take_counts()]

    def _class(self) -> int:
        self.taught += 1
        return 1 + self.taught % 3

    def _teach(self, batch: bytes, one: Survivor) -> None:
        context = batch[one.offset + CONTEXT_BEGIN : one.offset + CONTEXT_END]
        if one.kind < 0:
            if one.kind == STATE:
                self.asked.forget_process(*_key(context))
            return
        if one.process == UNKNOWN:
            self.asked.learn_process(context, 1, tuple([self._class() for _ in PLAN.all]), alone=self.taught % 4 == 0)
        if one.scalars == UNKNOWN:
            self.asked.learn_scalars(one.kind, batch, one.offset, self._class())
        for slot, known in enumerate((one.first, one.second)):
            if known == UNKNOWN:
                self.asked.learn_string(one.kind, slot, batch, one.offset, self._class())
        if one.is_known:
            self.taught += 1
            pair = (0, 0) if self.taught % 5 == 0 else (one.first, one.second)
            self.asked.learn_dead(one.kind, one.process, one.scalars, *pair)


def both() -> tuple[Teacher, Teacher]:
    """Return one of Python and one of C."""
    return Teacher(PythonClassifier(PLAN)), Teacher(NativeClassifier(PLAN))


def test_the_plan_has_kinds_of_every_sort() -> None:
    assert all(kinds_of_every_sort(PLAN.all).values())


def _contexts_of_a_process(batches: Iterable[bytes]) -> int:
    """Return how many contexts the process has that has the most."""
    found: defaultdict[tuple[int, int], set[bytes]] = defaultdict(set)
    for batch in batches:
        offset = 0
        while offset + HEADER.size <= len(batch):
            context = batch[offset + CONTEXT_BEGIN : offset + CONTEXT_END]
            found[_key(context)].add(context)
            length = int.from_bytes(batch[offset : offset + 4], "little")
            if length < HEADER.size:
                break
            offset += length
    return max(map(len, found.values()), default=0)


@examples
@given(_streams, _damages)
def test_damaged_streams_have_the_same_survivors_counts_and_end(streams: list[bytes], damages: list[Damage]) -> None:
    in_python, in_c = both()
    for stream in streams:
        batches = (stream, damaged(stream, damages), stream)
        assume(_contexts_of_a_process(batches) <= CONTEXTS_OF_A_PROCESS)  # C keeps no more, Python does
        for batch in batches:
            assert in_c.ask(batch) == in_python.ask(batch)
        in_python.asked.forget_processes()
        in_c.asked.forget_processes()


@pytest.mark.parametrize("most", [1, 7])
def test_what_python_keeps_ruled_out_is_bounded_and_forgetting_it_changes_nothing(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_values, "RULED_OUT_KEPT", most)
    paths = [f"/srv/file{number}" for number in range(40)]
    batch = b"".join(encode("openat", _HEADER, fd=3, name=path, flags=number % 3) for number, path in enumerate(paths))
    asked = PythonClassifier(PLAN)
    in_python, in_c = Teacher(asked), Teacher(NativeClassifier(PLAN))
    for _ in range(4):
        assert in_c.ask(batch) == in_python.ask(batch)
        kept = asked._contexts.ruled_out
        assert sum(len(strings) for kinds in kept.values() for one in kinds for strings in one.values()) <= most
    assert asked.classify(batch, 0)[2] == []


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=400), max_size=4))
def test_any_bytes_have_the_same_end(batches: list[bytes]) -> None:
    in_python, in_c = both()
    for batch in batches:
        assert in_c.ask(batch) == in_python.ask(batch)


_HEADER = {"pid": 1, "process_start": 5, "cgroup_id": 700, "cgroup_hierarchy": 3}
OPENED = encode("openat", _HEADER, fd=3, name="/etc/passwd", flags=2)


def _context(**changed: int) -> bytes:
    return encode("openat", {**_HEADER, **changed})[CONTEXT_BEGIN:CONTEXT_END]


def _key(context: bytes) -> tuple[int, int]:
    """Return when the process of a context started, and its id."""
    return int.from_bytes(context[:8], "little"), int.from_bytes(context[-4:], "little")


def _known(asked: Classifier, *, dead: bool) -> Classifier:
    """Let a classifier learn all that ``OPENED`` has."""
    kind = asked.classify(OPENED, 0)[2][0].kind
    asked.learn_process(OPENED[CONTEXT_BEGIN:CONTEXT_END], 9, (2,) * len(PLAN.all))
    asked.learn_scalars(kind, OPENED, 0, 3)
    asked.learn_string(kind, 0, OPENED, 0, 4)
    if dead:
        asked.learn_dead(kind, 2, 3, 4, 1)
    return asked


def _learn_again(asked: Classifier, *, alone: bool) -> None:
    asked.learn_process(_context(uid=8), 9, (2,) * len(PLAN.all), alone=alone)


def _end(asked: Classifier, pid: int) -> None:
    asked.classify(encode("procexit", {"pid": pid, "process_start": 5}), 0)


# How a process is forgotten, and what looks alike but is about another one.
FORGETTING: dict[str, tuple[Forget, list[Forget]]] = {
    "by its process": (
        lambda asked: asked.forget_process(5, 1),
        [lambda asked: asked.forget_process(5, 2), lambda asked: asked.forget_process(6, 1)],
    ),
    "by its container": (lambda asked: asked.forget_container(9), [lambda asked: asked.forget_container(8)]),
    "by its control group": (
        lambda asked: asked.forget_cgroup(700, 3),
        [lambda asked: asked.forget_cgroup(700, 0), lambda asked: asked.forget_cgroup(0, 3)],
    ),
    "with all": (lambda asked: asked.forget_processes(), []),
    "at its end": (lambda asked: _end(asked, 1), [lambda asked: _end(asked, 2)]),
    "by its next program": (
        lambda asked: _learn_again(asked, alone=True),
        [lambda asked: _learn_again(asked, alone=False)],
    ),
}


@pytest.mark.parametrize("make", [PythonClassifier, NativeClassifier])
@pytest.mark.parametrize("way", FORGETTING)
def test_what_was_learnt_rules_out_until_the_process_is_forgotten(make: type[Classifier], way: str) -> None:
    forget_it, others = FORGETTING[way]
    asked = _known(make(PLAN), dead=True)  # type: ignore[call-arg]
    asked.take_counts()
    assert asked.classify(OPENED * 500, 0) == (500 * len(OPENED), 500, [])
    assert asked.take_counts() == {BY_NAME["openat"].number: 500}
    for forget in others:
        forget(asked)
        assert asked.classify(OPENED, 0)[2] == []
    forget_it(asked)
    assert [one[3:7] for one in asked.classify(OPENED * 2, 0)[2]] == [(0, 3, 4, 1)]


@pytest.mark.parametrize("count", [255, 256, 257, 300, 513])
def test_hundreds_of_survivors_come_in_several_calls_and_none_is_lost(count: int) -> None:
    asked = _known(NativeClassifier(PLAN), dead=False)
    offset, found = 0, list[int]()
    while offset < count * len(OPENED):
        offset, events, survivors = asked.classify(OPENED * count, offset)
        assert events == len(survivors) <= SURVIVORS
        assert [one.number for one in survivors] == list(range(1, events + 1))
        assert {one[3:7] for one in survivors} == {(2, 3, 4, 1)}
        found += [one.offset for one in survivors]
    assert found == list(range(0, count * len(OPENED), len(OPENED)))


@pytest.mark.parametrize("make", [PythonClassifier, NativeClassifier])
def test_what_comes_before_a_broken_record_is_given_first(make: type[Classifier]) -> None:
    asked = _known(make(PLAN), dead=False)  # type: ignore[call-arg]
    batch = OPENED * 3 + OPENED[:-8]
    offset, events, survivors = asked.classify(batch, 0)
    assert (offset, events, len(survivors)) == (3 * len(OPENED), 3, 3)
    with pytest.raises(BrokenStreamError, match=f"a record at byte {offset} of a batch claims {len(OPENED)} bytes"):
        asked.classify(batch, offset)


@pytest.mark.parametrize("make", [PythonClassifier, NativeClassifier])
def test_processes_are_told_apart_by_every_byte_of_their_context(make: type[Classifier]) -> None:
    asked = _known(make(PLAN), dead=True)  # type: ignore[call-arg]
    for byte in range(CONTEXT_BEGIN, CONTEXT_END):
        other = bytearray(OPENED)
        other[byte] ^= 1
        assert [one.process for one in asked.classify(bytes(other), 0)[2]] == [UNKNOWN], byte


@pytest.mark.parametrize("make", [PythonClassifier, NativeClassifier])
def test_a_client_s_port_is_left_out_and_every_other_byte_of_a_peer_counts(make: type[Classifier]) -> None:
    asked = make(PLAN)  # type: ignore[call-arg]
    for family, length in ((2, 13), (10, 37), (1, 5), (1, 13), (2, 12), (2, 5)):
        ends = bytes([family, *range(1, length)])
        record = encode("connect", res=0, tuple=ends, l4proto=6)
        kind = asked.classify(record, 0)[2][0].kind
        asked.learn_string(kind, 0, record, 0, 7)
        address = {(2, 13): 4, (10, 37): 16}.get((family, length), 0)
        port = range(1 + address, 3 + address) if address else range(0)
        for byte in range(length):
            other = bytearray(ends)
            other[byte] ^= 0x40
            found = asked.classify(encode("connect", res=0, tuple=bytes(other), l4proto=6), 0)[2][0].first
            assert found == (7 if byte in port else UNKNOWN), (family, length, byte)
        assert asked.classify(encode("connect", res=0, tuple=ends, l4proto=17), 0)[2][0].first == UNKNOWN


@pytest.mark.parametrize("make", [PythonClassifier, NativeClassifier])
def test_one_dead_combination_of_classes_is_taken_for_no_other(make: type[Classifier]) -> None:
    record = program(1, "/root", "/x", 0)
    kind = next(place for place, one in enumerate(PLAN.all) if len(one.strings) == 2 and not one.failed)
    some = (1, 2, 3, 0x2000, 0x2001, 0x3FFF)  # of the highest bit, and beside it
    for dead in ((1, 1, 1, 1), (1, 1, 1, 0x2000), (1, 1, 2, 1), (2, 0x2000, 1, 3), (0x3FFF,) * 4):
        asked = make(PLAN)  # type: ignore[call-arg]
        asked.learn_dead(kind, *dead)
        for classes in itertools.product(some, repeat=4):
            asked.learn_process(record[CONTEXT_BEGIN:CONTEXT_END], 1, (classes[0],) * len(PLAN.all))
            asked.learn_scalars(kind, record, 0, classes[1])
            asked.learn_string(kind, 0, record, 0, classes[2])
            asked.learn_string(kind, 1, record, 0, classes[3])
            found = [one[3:7] for one in asked.classify(record, 0)[2]]
            assert found == ([] if classes == dead else [classes]), (dead, classes)


# Of combinations of classes there is room for 4,095: with more, all is forgotten each time that there are too many.
@pytest.mark.parametrize(("combinations", "least"), [(1000, 4000), (6000, 100)])
def test_more_process_contexts_than_have_room_take_the_place_of_others_but_never_a_wrong_class(
    combinations: int, least: int
) -> None:
    asked = NativeClassifier(PLAN)
    for number in range(40_000):
        context = number.to_bytes(CONTEXT_END - CONTEXT_BEGIN, "little")
        asked.learn_process(context, 1, (1 + number % combinations,) * len(PLAN.all))
    right = 0
    for number in range(0, 40_000, 7):
        context = number.to_bytes(CONTEXT_END - CONTEXT_BEGIN, "little")
        batch = OPENED[:CONTEXT_BEGIN] + context + OPENED[CONTEXT_END:]
        found = asked.classify(batch, 0)[2][0].process
        assert found in {UNKNOWN, 1 + number % combinations}
        right += found != UNKNOWN
    assert right > least  # of 5715; there is room for 32,768


def test_a_rule_set_without_rules_makes_a_classifier_that_counts() -> None:
    plan = make_plan()
    plan.kinds.clear()
    plan.all.clear()
    asked = NativeClassifier(plan)
    assert asked.classify(OPENED, 0) == (len(OPENED), 1, [])
    assert asked.take_counts() == {BY_NAME["openat"].number: 1}
    assert asked.take_counts() == {}


def test_the_shortest_record_of_every_type_is_read_alike() -> None:
    assert len(PLAN.all) <= MAXIMUM_KINDS
    for kind in EVENTS:
        for size in (HEADER.size, HEADER.size + 8, HEADER.size + kind.layout.fixed.size):
            record = (size.to_bytes(4, "little") + encode(kind)[4:] + bytes(8))[:size]
            in_python, in_c = both()
            assert in_c.ask(record * 3) == in_python.ask(record * 3), (kind.name, size)


# ---- nothing behind a batch is read


class Guarded:
    """Batches that end where a page begins that nobody may read."""

    def __init__(self, most: int) -> None:
        """Take pages for batches of up to ``most`` bytes."""
        self._room = -(-most // mmap.PAGESIZE) * mmap.PAGESIZE
        self._map = mmap.mmap(-1, self._room + mmap.PAGESIZE)
        self._begin = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        libc: Any = ctypes.CDLL(None, use_errno=True)
        if libc.mprotect(ctypes.c_void_p(self._begin + self._room), ctypes.c_size_t(mmap.PAGESIZE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")

    def put(self, batch: bytes) -> ctypes.c_char_p:
        """Return where a batch lies."""
        self._map[self._room - len(batch) : self._room] = batch
        return ctypes.cast(self._begin + self._room - len(batch), ctypes.c_char_p)


def read_guarded_batches() -> int:
    """Let the library look at batches that were cut, or claim other lengths; return how many. A fault ends it all."""
    types, kinds = describe(PLAN)
    hw = library()
    handle = hw.hw_new(b"".join(types), len(types), b"".join(kinds), len(kinds), bytes(16))
    call = ctypes.create_string_buffer(CALL.size + SURVIVORS * SURVIVOR.size)
    ends = b"\x0a" * 37
    whole = [
        OPENED,
        encode("connect", res=0, tuple=ends, l4proto=6),
        encode("execve", cwd="/root", filename="/x"),
        encode("accept", tuple=ends),
    ]
    count = 0
    guarded = Guarded(2 * max(map(len, whole)))
    for record in whole:
        fixed = HEADER.size + BY_NUMBER[int.from_bytes(record[4:6], "little")].layout.fixed.size
        batches = [(record + record)[:size] for size in range(2 * len(record) + 1)]
        batches += [
            record[:place] + length.to_bytes(2, "little") + record[place + 2 :]
            for place in range(HEADER.size, fixed - 1, 2)
            for length in (0xFFFF, 0x8000, len(record) - fixed, len(record) - fixed + 1)
        ]
        # Whole, but shorter than its values say.
        batches += [size.to_bytes(4, "little") + record[4:size] for size in range(HEADER.size, len(record), 8)]
        for batch in batches:
            at, size = guarded.put(batch), len(batch)
            call[: CALL.size] = CALL.pack(size, 0, 0, 0, 0, 0)
            hw.hw_classify(ctypes.c_void_p(handle), at, call)
            for offset in (0, len(record), size, size + 8, 1 << 40, (1 << 64) - 1):
                for kind in range(len(kinds)):
                    hw.hw_learn_scalars(handle, kind, at, size, offset, 1)
                    for slot in range(3):
                        hw.hw_learn_string(handle, kind, slot, at, size, offset, 1)
            call[: CALL.size] = CALL.pack(size, 0, 0, 0, 0, 0)
            hw.hw_classify(ctypes.c_void_p(handle), at, call)
            count += 1
    hw.hw_free(handle)
    return count


def test_nothing_behind_a_batch_is_read() -> None:
    program = f"from {__name__} import read_guarded_batches; print(read_guarded_batches())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 500
