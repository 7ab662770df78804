"""Hiding secrets in what a capture holds: in programs' arguments and variables, and in what engines say of containers.

The patterns are those of alerts (``alerts/mask.py``). Records become longer or shorter by that.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from hullwatch.alerts.argument_mask import ArgumentMask, differences
from hullwatch.captures.chunk import RECORDS, make_chunk, make_head
from hullwatch.enrich import container as containers
from hullwatch.enrich import saved_state
from hullwatch.enrich.saved_state import program_values, with_program_values
from hullwatch.events.codec import MAXIMUM_VARIABLE, BrokenStreamError, Header, check_record, decode, encode
from hullwatch.events.table import BY_NAME, BY_NUMBER, EVENTS, FLAGS, HEADER, LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.alerts.mask import Masker
    from hullwatch.captures.reader import CaptureReader

_LAYOUT = LAYOUTS["program"]
_PROGRAMS = frozenset(kind.number for kind in EVENTS if kind.layout.name == "program")
_CONTAINER = BY_NAME["container"].number
LOOKED_AT = _PROGRAMS | {_CONTAINER}
"""The numbers of the records that can have secrets."""

_VALUES = HEADER.size + _LAYOUT.fixed.size  # where the variable-size values begin
_LENGTHS = struct.Struct(f"<{len(_LAYOUT.variables)}H")
_LENGTHS_BEGIN = HEADER.size + struct.calcsize(_LAYOUT.fixed.format.partition("H")[0])
_ARGV, _ENV, _COMM = (_LAYOUT.variables.index(name) for name in ("argv", "env", "comm"))
_ARGUMENTS = ("entrypoint", "command", "healthcheck", "liveness_probe", "readiness_probe")
_LABELS = ("labels", "pod_labels", "namespace_labels")
_TRUNCATED = FLAGS["record_flags"]["TRUNCATED"]
_ENTRY = 200  # bytes that an entry takes beside its texts
_KEPT = 4 << 20  # bytes of texts that were looked at
_LONGEST_KEPT = 1 << 14  # bytes of one; a program is looked for in each directory with all its arguments


class _Hidden(NamedTuple):
    """Arguments and variables as bytes, and how many values of them were hidden."""

    argv: bytes
    env: bytes
    number: int


class RecordMask:
    """Hides secrets in records, and in saved states."""

    def __init__(self, masker: Masker) -> None:
        """Take the patterns of a masker."""
        self._mask = ArgumentMask(masker)
        self._known: dict[tuple[bytes, bytes, bytes], _Hidden | None] = {}
        self._size = 0  # of what is known, bytes

    def record(self, batch: bytes, offset: int) -> tuple[bytes, int] | None:
        """Return a record without its secrets and how many values were hidden; None when it has none.

        Args:
            batch: of records.
            offset: of one of ``LOOKED_AT`` that lies within it.
        """
        try:
            if HEADER.unpack_from(batch, offset)[1] == _CONTAINER:
                return self._container_record(batch, offset)
            return self._program_record(batch, offset)
        except BrokenStreamError:  # nobody can read it, and so nobody its secrets
            return None

    def records(self, data: bytes, places: Sequence[int] | None = None) -> tuple[bytes, int]:
        """Return records without their secrets, and how many values were hidden.

        Args:
            data: whole records.
            places: offsets of those of ``LOOKED_AT``; None to look for them.
        """
        pieces: list[bytes] = []
        begin = number = 0
        for offset in _places(data) if places is None else places:
            hidden = self.record(data, offset)
            if hidden is not None:
                pieces += (data[begin:offset], hidden[0])
                number += hidden[1]
                begin = offset + int.from_bytes(data[offset : offset + 4], "little")
        return (b"".join((*pieces, data[begin:])), number) if pieces else (data, 0)

    def state(self, data: bytes) -> bytes:
        """Return a saved state without the secrets in it.

        Raises:
            ValueError: when it is none.
        """
        state = saved_state.decode(data)
        programs = tuple(self._program(values) for values in state.programs)
        known = tuple(self._container(text)[0] for text in state.gate.containers)
        gate = msgspec.structs.replace(state.gate, containers=known)
        return msgspec.structs.replace(state, programs=programs, gate=gate).encode()

    def _program_record(self, batch: bytes, offset: int) -> tuple[bytes, int] | None:
        begin, end = offset + _VALUES, offset + int.from_bytes(batch[offset : offset + 4], "little")
        if begin > end:
            raise BrokenStreamError("it is shorter than its fixed part")
        lengths = _LENGTHS.unpack_from(batch, offset + _LENGTHS_BEGIN)
        argv, env, comm = (_value(batch, begin, lengths, place) for place in (_ARGV, _ENV, _COMM))
        hidden = self._texts(argv, env, comm)
        if hidden is None:
            return None
        header = Header._make(HEADER.unpack_from(batch, offset))
        kind = BY_NUMBER[header.type]
        values = decode(kind, batch, offset)
        about = header._asdict()
        if max(len(hidden.argv), len(hidden.env)) > MAXIMUM_VARIABLE:
            about["flags"] |= _TRUNCATED
        values |= {"argv": hidden.argv[:MAXIMUM_VARIABLE], "env": hidden.env[:MAXIMUM_VARIABLE]}
        return encode(kind, about, **values), hidden.number

    def _texts(self, argv: bytes, env: bytes, comm: bytes) -> _Hidden | None:
        """Return what is left of a program's texts; None when they have no secret. Programs come again and again."""
        key = argv, env, comm
        try:
            return self._known[key]
        except KeyError:
            pass
        arguments, variables = _split(argv), _split(env)
        shown = self._mask.arguments(arguments, _text(comm)), self._mask.variables(variables)
        number = differences(arguments, shown[0]) + differences(variables, shown[1])
        found = _Hidden(_join(shown[0], argv), _join(shown[1], env), number) if number else None
        size = len(argv) + len(env) + _ENTRY
        if size <= _LONGEST_KEPT:
            if self._size + size > _KEPT:
                self._known.clear()
                self._size = 0
            self._known[key] = found
            self._size += size
        return found

    def _container_record(self, batch: bytes, offset: int) -> tuple[bytes, int] | None:
        header = Header._make(HEADER.unpack_from(batch, offset))
        kind = BY_NUMBER[header.type]
        text = decode(kind, batch, offset)["json"]
        assert isinstance(text, str)
        hidden, number = self._container(text)
        return (encode(kind, header._asdict(), json=hidden), number) if number else None

    def _container(self, text: str) -> tuple[str, int]:
        """Return a container's metadata without its secrets, and how many values were hidden."""
        try:
            container = containers.decode(text)
        except containers.InvalidContainerError:  # whoever judges it will not take it either
            return text, 0
        shown, number = self.container(container)
        return (containers.encode(shown), number) if number else (text, 0)

    def container(self, container: containers.Container) -> tuple[containers.Container, int]:
        """Return a container without the secrets in its arguments and labels, and how many values were hidden."""
        changed: dict[str, Any] = {}
        number = 0
        for name in _ARGUMENTS:
            before = getattr(container, name)
            after = tuple(self._mask.arguments(before))
            changed[name] = after
            number += differences(before, after)
        for name in _LABELS:
            labels = getattr(container, name)
            changed[name] = self._mask.values(labels)
            number += differences([*labels.values()], [*changed[name].values()])
        return (msgspec.structs.replace(container, **changed) if number else container), number

    def _program(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the saved values of a program without its secrets."""
        program = program_values(values, "exe", "args", "env", "comm")
        before = [program["exe"], *program["args"]]
        after = self._mask.arguments(before, program["comm"])
        variables = self._mask.variables(program["env"])
        if before == after and list(program["env"]) == variables:
            return values
        return with_program_values(values, exe=after[0], args=tuple(after[1:]), env=tuple(variables))


def mask_capture(
    reader: CaptureReader, mask: RecordMask, write: Callable[[bytes], object], progress: Callable[[int], None]
) -> int:
    """Write a capture without its secrets; return how many values were hidden.

    Args:
        reader: of the capture, which is written as far as it is whole.
        mask: hides them.
        write: takes the bytes of the new file.
        progress: called with the number of records so far.

    Raises:
        ValueError: when a chunk that is whole contradicts itself.
        BrokenStreamError: the same.
    """
    write(make_head(msgspec.structs.replace(reader.description, is_masked=True)))
    hidden = records = 0
    for head, data in reader.chunks():
        about, masked = head.summary, data
        if head.kind == RECORDS:
            masked, number = mask.records(data)
            hidden += number
            about = msgspec.structs.replace(about, masked=about.masked + number)
        else:
            masked = mask.state(data)
        write(make_chunk(head.kind, masked, head.first, head.last, about, anew=head.anew))
        records += head.events
        progress(records)
    return hidden


def _places(data: bytes) -> list[int]:
    places: list[int] = []
    offset = 0
    while offset < len(data):
        length, number = check_record(data, offset)
        if number in LOOKED_AT:
            places.append(offset)
        offset += length
    return places


def _value(batch: bytes, begin: int, lengths: tuple[int, ...], place: int) -> bytes:
    begin += sum(lengths[:place])
    return batch[begin : begin + lengths[place]]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _split(data: bytes) -> list[str]:
    """Return texts, each of which a zero byte ends; the last may lack it, when it was cut."""
    texts = _text(data).split("\0")
    if not texts[-1]:
        texts.pop()
    return texts


def _join(texts: list[str], before: bytes) -> bytes:
    joined = "\0".join(texts).encode("utf-8", "surrogateescape")
    return joined + b"\0" if before.endswith(b"\0") else joined
