"""Which rules can still match, judged by the process alone: once for all that run the same below the same.

Most checks of the process ask what it and its ancestors run, where and as whom: what they leave is remembered by the
number of the ancestry, the container and the user. The few that ask for ids, times or inodes are asked each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.detect.prefilter import Prefilter
from hullwatch.fields.inputs import is_of_ancestry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.enrich.ancestry import Ancestries
    from hullwatch.enrich.container import Container
    from hullwatch.enrich.process import Process
    from hullwatch.events.event import Event
    from hullwatch.rules.graph import Graph
    from hullwatch.rules.node_code import NodeCompiler

_KEPT = 1 << 13


class ProcessPrefilter:
    """Judges by the process; see ``Prefilter``.

    Args:
        graph: of the conditions.
        compiler: of the graph's nodes.
        roots: the bit of each condition and its node, in which everything else was replaced by true.

    Attributes:
        is_shared: whether a part of a condition is remembered for all of an ancestry, container and user.
    """

    def __init__(self, graph: Graph, compiler: NodeCompiler, roots: Iterable[tuple[int, int]]) -> None:
        """Sort the parts."""

        def is_shared(node: int) -> bool:
            return all(is_of_ancestry(field) for atom in graph.atoms(node) for field in compiler.fields(atom).values())

        roots = list(roots)
        self.is_shared = is_shared
        self.shared = Prefilter(graph, compiler, roots, takes=is_shared)
        self.own = Prefilter(graph, compiler, roots, takes=lambda node: not is_shared(node))

    @property
    def asked(self) -> int:
        """The bits of the conditions that some process rules out."""
        return self.shared.asked | self.own.asked

    def mask(self, event: Event) -> int:
        """Return the bits of the conditions that the event can still fulfil."""
        return self.shared.mask(event) & self.own.mask(event)


class ProcessMasks:
    """What a ``ProcessPrefilter`` says of processes, remembered.

    Args:
        prefilter: that is asked.
        ancestries: of the processes; always the same for a process tree, whose processes keep the numbers.

    Attributes:
        is_shared: whether what ``mask`` gave last holds for all of the same ancestry, container and user.
    """

    def __init__(self, prefilter: ProcessPrefilter, ancestries: Ancestries) -> None:
        """Start with nothing remembered."""
        self._shared, self._own = prefilter.shared, prefilter.own
        self._number = ancestries.number
        self._known: dict[tuple[int, str, int], int] = {}
        self.is_shared = False

    def mask(self, process: Process, container: Container, uid: int, make_event: Callable[[], Event]) -> int:
        """Return the bits of the conditions that an event of a process can still fulfil.

        Args:
            process: that does something.
            container: of the process.
            uid: effective user of the process.
            make_event: gives an event with these three; called when something has to be asked.
        """
        key = process.ancestry or self._number(process), container.full_id, uid
        left = self._known.get(key)
        if left is None:
            left = self._shared.mask(make_event())
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = left
        self.is_shared = not left & self._own.asked
        return left if self.is_shared else left & self._own.mask(make_event())

    def forget(self) -> None:
        """Forget everything: something else is known of a container now."""
        self._known.clear()
