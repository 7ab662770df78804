"""The hot loop in C (``native/classifier``), where it was built; the same results as ``python_classifier.py``."""

from __future__ import annotations

import ctypes
import functools
import os
import struct
from array import array
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from hullwatch.detect.automaton import make_automaton
from hullwatch.detect.classifier import NO_LINEAGE, Classifier, Survivor
from hullwatch.detect.contacts import TYPES
from hullwatch.detect.kept_events import spared
from hullwatch.detect.recipe import (
    fingerprint_offset,
    is_told,
    peer_place,
    recipe,
    result_offset,
    start_places,
    state_of,
)
from hullwatch.events.codec import check_record
from hullwatch.events.table import EVENTS, HEADER

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hullwatch.detect.automaton import Automaton
    from hullwatch.detect.plan import Kind, Plan
    from hullwatch.events.table import EventType

LIBRARY = "libhullwatch-classifier.so"
MAXIMUM_KINDS = 255

# As in native/classifier/classifier.h; tests/native/test_classifier.py compares them.
TYPE = struct.Struct("<IIIIIiiIII")
PEER = struct.Struct("<III")  # the end of a type
KIND = struct.Struct("<IIII12II6II")
CALL = struct.Struct("<QQQQII")
STARTS = struct.Struct("<11I24I")
_ASKED = struct.Struct("<QQQ")
_ANSWERED = struct.Struct("<16xQQII")
SURVIVOR = struct.Struct("<QQiIIIII")
_COUNT = struct.Struct("<QQ")
SURVIVORS = 256
TOLD = 4096
_NONE = -1
_PACKED = 4096
_LAST_NUMBER = (1 << 31) - 1


@functools.cache
def library() -> Any:
    """Return the library; None where it was not built."""
    try:
        loaded: Any = ctypes.PyDLL(str(Path(__file__).parent.parent / "bin" / LIBRARY))
    except OSError:
        return None
    text, number, size, pointer = ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
    # Those that are called most are not described: it takes longer than what they do. They are given pointers as
    # c_void_p or bytes, and numbers of 32 bits at most.
    for name in ("hw_classify", "hw_learn_process", "hw_learn_start"):
        getattr(loaded, name).restype = None
    signatures = {
        "hw_new": (pointer, [text, number, text, number, text]),
        "hw_free": (None, [pointer]),
        "hw_set_words": (ctypes.c_int, [pointer, number, number, text, number, pointer, number, pointer, pointer]),
        "hw_learn_scalars": (None, [pointer, number, text, size, size, number]),
        "hw_learn_string": (None, [pointer, number, number, text, size, size, number]),
        "hw_learn_dead": (None, [pointer, *[number] * 5]),
        "hw_learn_anyone": (None, [pointer, *[number] * 5]),
        "hw_forget_process": (None, [pointer, size, number]),
        "hw_set_starts": (None, [pointer, text]),
        "hw_set_argument_words": (ctypes.c_int, [pointer, text, number, pointer, number, pointer, pointer]),
        "hw_forget_starts": (None, [pointer]),
        "hw_forget_container": (None, [pointer, number]),
        "hw_forget_cgroup": (None, [pointer, size, number]),
        "hw_forget_processes": (None, [pointer]),
        "hw_forget_contacts": (None, [pointer]),
        "hw_take_ruled_out": (number, [pointer, pointer]),
        "hw_take_counts": (number, [pointer, pointer]),
        "hw_planes": (ctypes.c_int64, [text, size, pointer]),
        "hw_scap_new": (pointer, [text, number, text, pointer, text]),
        "hw_scap_free": (None, [pointer]),
        "hw_scap_skip": (size, [pointer, text, size, size]),
        "hw_scap_know": (None, [pointer, ctypes.c_int64, number]),
        "hw_scap_judge_by": (None, [pointer, ctypes.c_int64, size]),
        "hw_scap_learn": (None, [pointer, size, number]),
        "hw_scap_forget": (None, [pointer]),
        "hw_scap_forget_threads": (None, [pointer]),
        "hw_scap_no_numbers": (None, [pointer]),
        "hw_whole": (ctypes.c_int64, [text, size, pointer]),
        "hw_groups": (ctypes.c_int64, [text, size, pointer, pointer]),
        "hw_split": (None, [text, size, *[pointer] * 4]),
        "hw_merge": (ctypes.c_int64, [pointer, number, pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


class NativeClassifier(Classifier):
    """Judges records by what is known of their values; the tables are in the library.

    Args:
        plan: has at most ``MAXIMUM_KINDS`` kinds.
        kept: names of event types that are kept though no rule can match them (``kept_events.py``).
        contacts: whether somebody wants to see them (``contacts.py``).

    Raises:
        MemoryError: when there is none.
    """

    def __init__(self, plan: Plan, kept: Collection[str] = (), *, contacts: bool = False) -> None:
        """Describe the kinds to the library."""
        self.knows_starts = True
        self._library = library()
        types, kinds = describe(plan, kept, contacts=contacts)
        self._handle = self._library.hw_new(b"".join(types), len(types), b"".join(kinds), len(kinds), os.urandom(16))
        if not self._handle:
            raise MemoryError("there is no memory for the classifier's tables")
        self._pointer = ctypes.c_void_p(self._handle)
        self._call = ctypes.create_string_buffer(CALL.size + SURVIVORS * SURVIVOR.size)
        self._survivors = memoryview(self._call)[CALL.size :]
        self._numbers = {place: kind.number for place, kind in enumerate(EVENTS)}
        self._counts = ctypes.create_string_buffer(_COUNT.size * len(EVENTS))
        self._ruled_out = ctypes.create_string_buffer(8 * TOLD)
        self._classify = self._library.hw_classify
        self._learn_process = self._library.hw_learn_process
        self._learn_start = self._library.hw_learn_start
        self._library.hw_set_starts(self._handle, starts())
        self._set_argument_words(plan.arguments.marks)
        self._packed: dict[tuple[int, ...], bytes] = {}  # classes of processes
        for place, kind in enumerate(plan.all):
            self._set_words(place, kind)

    def __del__(self) -> None:
        """Give the tables back."""
        if getattr(self, "_handle", None):
            self._library.hw_free(self._handle)

    def _set_words(self, place: int, kind: Kind) -> None:
        for slot, string in enumerate(kind.strings):
            if string.signatures is None:
                continue
            made = make_automaton(string.signatures.words, string.signatures.undecided)
            if made is not None:
                self._library.hw_set_words(self._handle, place, slot, *_tables(made))

    def _set_argument_words(self, marks: Mapping[str, int]) -> None:
        made = make_automaton(list(marks), frozenset()) if marks else None
        if made is None:
            return
        columns = bytearray(made.columns)
        for letter in ascii_lowercase.encode():
            columns[letter - 32] = columns[letter]  # letters of both cases are one
        columns[0] = columns[ord(" ")]  # behind each argument stands a zero byte, and in a command line a blank
        by_position = list(marks.values())
        outputs = array("I", [by_position[output >> 1] for output in made.outputs])
        made = made._replace(columns=bytes(columns), outputs=outputs)
        self._library.hw_set_argument_words(self._handle, *_tables(made))

    def classify(self, batch: bytes, offset: int, counted: int = 0) -> tuple[int, int, list[Survivor]]:
        """Look at records from an offset on; see ``Classifier.classify``."""
        call = self._call
        _ASKED.pack_into(call, 0, len(batch), counted, offset)
        self._classify(self._pointer, batch, call)
        end, events, count, broken = _ANSWERED.unpack_from(call)
        if broken and not events:
            check_record(batch, end)  # says what is wrong
        if not count:
            return end, events, []
        if count == 1:
            return end, events, [Survivor._make(SURVIVOR.unpack_from(call, CALL.size))]
        return (
            end,
            events,
            [Survivor._make(one) for one in SURVIVOR.iter_unpack(self._survivors[: count * SURVIVOR.size])],
        )

    def take_counts(self) -> dict[int, int]:
        """Return how many events of each type number there were since the last call."""
        found = self._library.hw_take_counts(self._handle, self._counts)
        if not found:
            return {}
        counts = self._counts.raw[: found * _COUNT.size]
        return {self._numbers[place]: count for place, count in _COUNT.iter_unpack(counts)}

    def take_ruled_out(self) -> bytes:
        """Return fingerprints of calls that were ruled out since the last call, as u64 numbers behind each other."""
        count = self._library.hw_take_ruled_out(self._handle, self._ruled_out)
        return self._ruled_out.raw[: 8 * count] if count else b""

    def learn_process(
        self,
        context: bytes,
        container: int,
        classes: tuple[int, ...],
        lineage: tuple[int, int] = NO_LINEAGE,
        *,
        alone: bool = False,
    ) -> None:
        """Remember the classes of a process context; see ``Classifier.learn_process``."""
        packed = self._packed.get(classes)
        if packed is None:
            if len(self._packed) >= _PACKED:
                self._packed.clear()
            packed = self._packed[classes] = struct.pack(f"<{len(classes)}H", *classes)
        ancestry, above = lineage
        if ancestry > _LAST_NUMBER:  # of more processes than any host starts
            ancestry = above = 0
        self._learn_process(self._pointer, context, container, packed, alone, ancestry, above)

    def learn_scalars(self, kind: int, batch: bytes, offset: int, judged: int) -> None:
        """Remember the class of the small values of a record."""
        self._library.hw_learn_scalars(self._handle, kind, batch, len(batch), offset, judged)

    def learn_string(self, kind: int, slot: int, batch: bytes, offset: int, judged: int) -> None:
        """Remember the class of a string of a record, and of all strings with the same words."""
        self._library.hw_learn_string(self._handle, kind, slot, batch, len(batch), offset, judged)

    def learn_dead(self, kind: int, process: int, scalars: int, first: int, second: int) -> None:
        """Remember that no condition is left for a combination of classes; with 0 for the strings, for any strings."""
        self._library.hw_learn_dead(self._handle, kind, process, scalars, first, second)

    def learn_anyone(self, kind: int, scalars: int, first: int, second: int, *, dead: bool) -> None:
        """Remember whether a condition is left for some values with any process at all."""
        self._library.hw_learn_anyone(self._handle, kind, scalars, first, second, dead)

    def forget_process(self, start: int, pid: int) -> None:
        """Forget a process."""
        self._library.hw_forget_process(self._handle, start, pid)

    def forget_container(self, container: int) -> None:
        """Forget all processes of a container, by its number."""
        self._library.hw_forget_container(self._handle, container)

    def forget_cgroup(self, number: int, hierarchy: int) -> None:
        """Forget all processes of a control group."""
        self._library.hw_forget_cgroup(self._handle, number, hierarchy)

    def learn_start(self, batch: bytes, offset: int, marks: int = 0) -> None:
        """Remember that others begin as the process of a record does; see ``Classifier.learn_start``."""
        self._learn_start(self._pointer, batch, len(batch), offset, marks)

    def forget_starts(self) -> None:
        """Forget what ``learn_start`` was told."""
        self._library.hw_forget_starts(self._handle)

    def forget_processes(self) -> None:
        """Forget all process contexts."""
        self._library.hw_forget_processes(self._handle)

    def forget_contacts(self) -> None:
        """Forget which contacts have been seen."""
        self._library.hw_forget_contacts(self._handle)


def _tables(made: Automaton) -> tuple[bytes, int, int, int, int, int]:
    """Return an automaton as the library takes it; it is copied there."""
    following, ends, outputs = [table.buffer_info()[0] for table in (made.next, made.output_ends, made.outputs)]
    return made.columns, made.column_count, following, len(made.output_ends), ends, outputs


def describe(plan: Plan, kept: Collection[str] = (), *, contacts: bool = False) -> tuple[list[bytes], list[bytes]]:
    """Return the types and the kinds as the library takes them."""
    places = {id(kind): place for place, kind in enumerate(plan.all)}
    types = [_type(kind.name, plan, places, kept) + _peer(kind, wanted=contacts) for kind in EVENTS]
    return types, [_kind(kind) for kind in plan.all]


def _peer(kind: EventType, *, wanted: bool) -> bytes:
    """Return where a type of records has its peer, if the first call to each is to be seen."""
    return PEER.pack(*(peer_place(kind.layout) if wanted and kind.name in TYPES else (0, 0, 0)))


def _type(name: str, plan: Plan, places: dict[int, int], kept: Collection[str]) -> bytes:
    kind = next(one for one in EVENTS if one.name == name)
    both = plan.kinds.get(name, (None, None))
    is_sensor_event = kind.is_event and kind.origin == "sensor"
    result = result_offset(kind.layout)
    succeeded, failed = (_NONE if one is None else places[id(one)] for one in both)
    flags = spared(name, kept)
    return TYPE.pack(
        kind.number, is_sensor_event, state_of(kind, plan.heard), HEADER.size + kind.layout.fixed.size,
        result + 7 if result else 0, succeeded, failed, 0 if flags is None else fingerprint_offset(kind.layout),
        *(flags or (0, 0)),
    )  # fmt: skip


def _kind(kind: Kind) -> bytes:
    where = recipe(kind)
    scalars = [value for piece in where.scalars for value in piece]
    strings = [
        value
        for place, string in zip(where.strings, kind.strings, strict=True)
        for value in (place.variable, place.protocol, string.prefilter.decides)
    ]
    return KIND.pack(
        where.fixed_end, where.lengths, kind.scalars.decides, len(where.scalars),
        *scalars, *[0] * (12 - len(scalars)), len(where.strings), *strings, *[0] * (6 - len(strings)), is_told(kind),
    )  # fmt: skip


def starts() -> bytes:
    """Return where processes begin as the library takes it."""
    where = start_places()
    scalars = [value for piece in where.scalars for value in piece]
    return STARTS.pack(*where.child, *where.program, len(where.scalars), *scalars, *[0] * (24 - len(scalars)))
