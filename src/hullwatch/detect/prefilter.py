"""Which rules can still match, judged by a part of the event alone: many rules at once, as bits of a number.

Each rule's condition is brought to a conjunction of parts; a part that is false rules out every rule
that needs it. Most parts ask for one field, and most values of a field come again and again: what a
value rules out is kept, so that hundreds of rules cost one look per field.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hullwatch.events.event import Event
from hullwatch.rules.graph import FALSE, TRUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.rules.graph import Graph
    from hullwatch.rules.node_code import FieldKey, NodeCompiler

_VALUES_KEPT = 2048  # of one field
_LONGEST_KEPT = 200  # characters, so that hostile values cannot fill the memory
_TRIAL = 256  # new values, after which a field has to show that its values do come again


class _Part(msgspec.Struct):
    """A part of conditions and the bits of those that need it; its function is made when it is first asked."""

    node: int
    bits: int
    function: Callable[[Event], bool] | None = None


class _FieldParts:
    """The parts that one field decides, with what is known of its values."""

    def __init__(self, read: Callable[[Event], Any], parts: list[_Part]) -> None:
        self.read = read
        self.parts = parts
        self.left: dict[Any, int] = {}  # what each known value leaves
        self.new = 0  # values that were not known


class Prefilter:
    """Judges events by the conditions' parts that one domain of inputs decides.

    Args:
        graph: of the conditions.
        compiler: of the graph's nodes.
        roots: the bit of each condition and its node, in which everything outside the domain was
            replaced by true.
        takes: whether a part is looked at; others are taken for true.
    """

    def __init__(
        self,
        graph: Graph,
        compiler: NodeCompiler,
        roots: Iterable[tuple[int, int]],
        takes: Callable[[int], bool] = lambda _: True,
    ) -> None:
        """Sort the parts by field."""
        self._compiler = compiler
        self.possible = 0  # the bits that some event can have
        needed: dict[int, int] = defaultdict(int)
        for bit, root in roots:
            if root == FALSE:
                continue
            self.possible |= bit
            node = graph.nodes[root]
            for part in node.parts if node.kind == "and" else (root,):
                if part != TRUE and takes(part):
                    needed[part] |= bit
        self.decides = bool(needed)  # False: the domain tells nothing, every event has all possible bits
        self.asked = 0  # the bits of the conditions that it can rule out
        for bits in needed.values():
            self.asked |= bits
        single: dict[FieldKey, list[_Part]] = defaultdict(list)
        loose: list[_Part] = []
        readers: dict[FieldKey, Callable[[Event], Any]] = {}
        for node, bits in needed.items():
            keys = {key: atom for atom in graph.atoms(node) for key in compiler.fields(atom)}
            part = _Part(node, bits)
            key, atom = next(iter(keys.items()))
            read = compiler.reader(key, atom) if len(keys) == 1 else None
            if read is None:
                loose.append(part)
            else:
                readers[key] = read
                single[key].append(part)
        by_reach = sorted(single.items(), key=lambda item: -sum(part.bits.bit_count() for part in item[1]))
        self._fields = [_FieldParts(readers[key], parts) for key, parts in by_reach]
        self._asked = 0
        self._set_loose(loose)

    def mask(self, event: Event) -> int:
        """Return the bits of the conditions that the event can still fulfil."""
        alive = self.possible
        self._asked += 1
        for field in self._fields:
            value = field.read(event)
            left = field.left.get(value)
            alive &= self._judge(field, value, event) if left is None else left
            if not alive:
                return 0
        if alive & self._loose_bits:
            for part in self._loose:
                if part.bits & alive and not self._holds(part, event):
                    alive &= ~part.bits
        return alive

    def _judge(self, field: _FieldParts, value: Any, event: Event) -> int:
        """Return what a new value of a field leaves, and keep it."""
        left = self.possible
        for part in field.parts:
            if not self._holds(part, event):
                left &= ~part.bits
        field.new += 1
        if field.new > _TRIAL and field.new * 2 > self._asked:  # as command lines: most values never come again
            self._fields = [one for one in self._fields if one is not field]
            self._set_loose([*self._loose, *field.parts])
        elif not _is_long(value):
            if len(field.left) >= _VALUES_KEPT:
                field.left.clear()
            field.left[value] = left
        return left

    def _set_loose(self, parts: list[_Part]) -> None:
        self._loose = parts
        self._loose_bits = 0
        for part in parts:
            self._loose_bits |= part.bits

    def _holds(self, part: _Part, event: Event) -> bool:
        function = part.function
        if function is None:
            function = part.function = self._compiler.function(part.node)
        return function(event)


def _is_long(value: Any) -> bool:
    """Tell whether a value is too long to be kept: hostile ones must not fill the memory."""
    if isinstance(value, tuple):
        items = cast("tuple[Any, ...]", value)
        return sum(len(item) if isinstance(item, str | bytes) else 8 for item in items) > _LONGEST_KEPT
    return isinstance(value, str | bytes) and len(value) > _LONGEST_KEPT
