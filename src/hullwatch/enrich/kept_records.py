"""Records of processes that are kept as they are, for nobody may ever ask what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.enrich.program_record import FIXED_END
from hullwatch.events.codec import decode
from hullwatch.events.table import BY_NAME, BY_NUMBER, HEADER, LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hullwatch.enrich.contexts import Contexts
    from hullwatch.enrich.process import Process
    from hullwatch.enrich.tree import ProcessTree

_CHILD = LAYOUTS["new_process"].fixed
_CHILD_PID, _CHILD_START = (LAYOUTS["new_process"].scalars.index(name) for name in ("res", "child_start"))
_END = BY_NAME["procexit"].number
_FORKS = frozenset(kind.number for kind in BY_NUMBER.values() if kind.layout.name == "new_process")


def read_child(record: bytes) -> Mapping[str, Any]:
    """Return what a record of a child tells."""
    return decode(BY_NUMBER[HEADER.unpack_from(record)[1]], record)


class KeptRecords:
    """Takes the records that a classifier has ruled out.

    Args:
        tree: that keeps them.
        contexts: are told of a process that is another one than the classifier took it for.
        group: gives the container of a control group, by hierarchy and number; None when the group is not known.
    """

    def __init__(self, tree: ProcessTree, contexts: Contexts, group: Callable[[int, int], str | None]) -> None:
        """Keep nothing yet."""
        self._tree = tree
        self._contexts = contexts
        self._group = group

    def take(self, batch: bytes, offset: int, *, known: bool) -> bool:
        """Take a record of a child, a program or an end that no condition can hold for, if it can be kept as it is.

        Args:
            batch: of records.
            offset: where the record begins.
            known: whether all is known that there is to know of the process that begins.

        Returns:
            Whether nothing is left to be done; the assembler takes it otherwise.
        """
        length, number, _, _, start, group, hierarchy, _, pid, _, _, _, _ = HEADER.unpack_from(batch, offset)
        if number == _END:
            return self._tree.keep_end((pid, start))
        if not known:
            return False
        if number not in _FORKS:
            texts = offset + min(length, FIXED_END)
            return self._tree.keep_program((pid, start), batch[offset:texts], batch[texts : offset + length])
        record = batch[offset : offset + length]
        key = _key(batch, offset)
        parent = self._tree.find(pid, start)
        if parent is not None:
            full_id = self._group(hierarchy, group)
            if self._tree.keep_child(parent, key, parent.container_id if full_id is None else full_id, record):
                return True
        self._contexts.forget_key(*key)
        return False

    def child(self, batch: bytes, offset: int) -> Process | None:
        """Return the process that a record of a child told of, once it was taken; None for other records."""
        if HEADER.unpack_from(batch, offset)[1] not in _FORKS:
            return None
        return self._tree.find(*_key(batch, offset))


def _key(batch: bytes, offset: int) -> tuple[int, int]:
    numbers = _CHILD.unpack_from(batch, offset + HEADER.size)
    return numbers[_CHILD_PID], numbers[_CHILD_START]
