"""The record of a program's start, read for the process tree.

Programs start again and again with the same names and arguments, so their texts are taken apart once.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.enrich.cgroup import find_container
from hullwatch.enrich.namespaces import NAMESPACES, share
from hullwatch.enrich.process import Program
from hullwatch.enrich.sharing import Shared
from hullwatch.events.codec import BrokenStreamError, Value, decode
from hullwatch.events.table import HEADER, LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.enrich.cgroup import CgroupContainer
    from hullwatch.enrich.namespaces import Numbers
    from hullwatch.events.table import EventType

_LAYOUT = LAYOUTS["program"]
_UNPACK = _LAYOUT.fixed.unpack_from
FIXED_END = HEADER.size + _LAYOUT.fixed.size  # of a record: its texts begin there
_SCALARS = len(_LAYOUT.scalars)
_LENGTHS = HEADER.size + struct.calcsize(_LAYOUT.fixed.format.partition("H")[0])  # where the lengths begin
_PLACE = {name: place for place, name in enumerate((*_LAYOUT.scalars, *_LAYOUT.variables))}
_SIGN = HEADER.size + 8 * _PLACE["res"] + 7  # the highest byte of the result: values of 8 bytes come first
_NOT_NEGATIVE = 127
_TEXTS_KEPT = 1024
_LONGEST_KEPT = 2048  # bytes; so that hostile arguments cannot fill the memory


def has_failed(batch: bytes, offset: int) -> bool:
    """Tell whether a whole record, of the layout ``program``, is of a call that failed and so changed nothing."""
    return int.from_bytes(batch[offset : offset + 4], "little") >= FIXED_END and batch[offset + _SIGN] > _NOT_NEGATIVE


class ProgramTexts(NamedTuple):
    """What the variable part of a record says, but for the ancestors; ``container`` is None on the host.

    Texts that differ have different numbers.
    """

    number: int
    comm: str
    exe: str
    args: tuple[str, ...]
    exepath: str
    filename: str
    cwd: str
    env: tuple[str, ...]
    container: CgroupContainer | None

    @property
    def container_id(self) -> str:
        """The container's id; empty on the host."""
        return self.container.id if self.container is not None else ""


class ProgramRecords:
    """Reads records of the layout ``program``."""

    def __init__(self) -> None:
        """Start with no texts known."""
        self._known: dict[bytes, ProgramTexts] = {}
        self._shared = Shared()
        self._next = itertools.count(1).__next__

    def read(self, kind: EventType, batch: bytes, offset: int) -> ProgramRecord:
        """Return the record at an offset, which is whole.

        Raises:
            BrokenStreamError: when it contradicts itself.
        """
        end = offset + int.from_bytes(batch[offset : offset + 4], "little")
        begin = offset + FIXED_END
        if begin > end:
            raise BrokenStreamError(f"a record of type {kind.name} is shorter than its fixed part")
        numbers = _UNPACK(batch, offset + HEADER.size)
        ancestors = begin + sum(numbers[_SCALARS:-1])  # they come last
        if ancestors + numbers[-1] > end:
            raise BrokenStreamError(f"a record of type {kind.name} has values that end behind it")
        key = batch[offset + _LENGTHS : ancestors]
        texts = self._known.get(key)
        if texts is None:
            texts = _texts(self._next(), decode(kind, batch, offset), self._shared.text)
            if len(key) <= _LONGEST_KEPT:
                if len(self._known) >= _TEXTS_KEPT:
                    self._known.clear()
                self._known[key] = texts
        return ProgramRecord(numbers, texts, batch[ancestors : ancestors + numbers[-1]])


class ProgramRecord(NamedTuple):
    """A record that was read: the numbers in the order of the layout, the texts, the ancestors as bytes."""

    numbers: tuple[int, ...]
    texts: ProgramTexts
    ancestors: bytes

    @property
    def result(self) -> int:
        """The result of the exec."""
        return self.numbers[_PLACE["res"]]

    @property
    def vpid(self) -> int:
        """The process id in its own pid namespace."""
        return self.numbers[_PLACE["vpid"]]

    @property
    def namespaces(self) -> Numbers:
        """The numbers of the namespaces that the process lives in."""
        return share(self.numbers[_NAMESPACES : _NAMESPACES + len(NAMESPACES)])

    def program(self, uid: int, time: int, host_namespaces: Numbers = ()) -> Program:
        """Return the program.

        Args:
            uid: effective user.
            time: of the exec, 0 for a process that ran before.
            host_namespaces: of the host.
        """
        numbers = self.numbers
        number, comm, exe, args, exepath, filename, cwd, env, _ = self.texts
        program = Program(
            comm, exe, args, exepath, filename, cwd, numbers[_TTY], uid, numbers[_GID], numbers[_LOGINUID],
            numbers[_PGID], numbers[_SID], numbers[_FLAGS], numbers[_INO], numbers[_CTIME], numbers[_MTIME],
            numbers[_INHERITABLE], numbers[_PERMITTED], numbers[_EFFECTIVE], time, number,
            self.namespaces, host_namespaces,
        )  # fmt: skip
        program.env = env
        return program


_NAMESPACES = _PLACE[f"{NAMESPACES[0]}_ns"]  # they stand behind each other
_TTY, _GID, _LOGINUID, _PGID, _SID, _FLAGS, _INO, _CTIME, _MTIME, _INHERITABLE, _PERMITTED, _EFFECTIVE = (
    _PLACE[name]
    for name in (
        *("tty", "gid", "loginuid", "pgid", "sid", "flags", "exe_ino", "exe_ino_ctime", "exe_ino_mtime"),
        *("cap_inheritable", "cap_permitted", "cap_effective"),
    )
)


def _texts(number: int, values: Mapping[str, Value], share_text: Callable[[str], str]) -> ProgramTexts:
    def text(name: str) -> str:
        value = values[name]
        return share_text(value) if isinstance(value, str) else ""

    def texts(name: str) -> list[str]:
        value = values[name]
        found = value.decode("utf-8", "surrogateescape").split("\0") if isinstance(value, bytes) else []
        if found and not found[-1]:
            found.pop()  # behind the last end mark
        return [share_text(one) for one in found]

    arguments = texts("argv")
    return ProgramTexts(
        number=number,
        comm=text("comm"),
        exe=arguments[0] if arguments else text("comm"),
        args=tuple(arguments[1:]),
        exepath=text("trusted_exepath"),
        filename=text("filename"),
        cwd=text("cwd"),
        env=tuple(texts("env")),
        container=find_container(text("cgroup_v1")) or find_container(text("cgroup_v2")),
    )


class LazyParameters(Mapping[str, Value]):
    """The parameters of a record, decoded when one is asked for: of most programs that start, none is."""

    __slots__ = ("_kind", "_record", "_result", "_values")

    def __init__(self, kind: EventType, record: bytes, result: int) -> None:
        """Take a record that is known to be sound, and its result, which is always asked for."""
        self._kind = kind
        self._record = record
        self._result = result
        self._values: dict[str, Value] | None = None

    def _decoded(self) -> dict[str, Value]:
        if self._values is None:
            self._values = decode(self._kind, self._record)
        return self._values

    def __getitem__(self, name: str) -> Value:
        """Return a parameter."""
        return self._result if name == "res" else self._decoded()[name]

    def __iter__(self) -> Iterator[str]:
        """Give the names."""
        return iter(self._decoded())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._decoded())
