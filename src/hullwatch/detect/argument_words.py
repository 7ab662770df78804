"""The words that rules look for in arguments: programs that are started without any of them are all alike to rules.

A compiler is started with another file each time, and no rule asks for that file. What a process with such arguments
is ruled out for holds for all that differ from it in nothing but other such arguments (``native/classifier/starts.c``).

Some words matter whatever is started, others only of programs that rules name: ``id_rsa`` of ``grep``. Each word is
marked with where it matters, and for each process it is known which marks do.
"""

from __future__ import annotations

import functools
import re
import sys
from typing import TYPE_CHECKING

from hullwatch.detect.needed_text import needed_by_regex
from hullwatch.detect.prefilter import Prefilter
from hullwatch.detect.sample import sample_event
from hullwatch.enrich.container import Container
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.enrich.script import takes_scripts
from hullwatch.events.table import BY_NAME
from hullwatch.rules.graph import FALSE, TRUE
from hullwatch.rules.syntax import FieldUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hullwatch.events.event import Event
    from hullwatch.rules.graph import Graph, Node
    from hullwatch.rules.node_code import NodeCompiler
    from hullwatch.rules.syntax import Check

_OF_ANCESTORS = frozenset({"proc.pcmdline", "proc.acmdline", "proc.aargs"})
_BEHIND_A_NAME = frozenset({"proc.cmdline", "proc.exeline", "proc.pcmdline", "proc.acmdline"})
_PROBES = frozenset(f"proc.is_container_{name}" for name in ("healthcheck", "liveness_probe", "readiness_probe"))
OF_ARGUMENTS = (
    frozenset({"proc.args", "proc.cmdnargs", "proc.cmdlenargs", "proc.cmdline", "proc.exeline"})
    | _OF_ANCESTORS
    | _PROBES
)
"""Fields of the process that follow from its arguments or its ancestors'; without a probe those of probes do not."""

_TEXTS = frozenset({"proc.args", "proc.cmdline", "proc.exeline"}) | _OF_ANCESTORS
_HOLDING = frozenset(
    {"=", "!=", "in", "contains", "icontains", "startswith", "endswith"}
)  # the text holds what is written
_WILD = re.compile(r"\\.?|\[|\?|\*", re.DOTALL)
_SHORTEST = 2  # characters of a word; a shorter one is in nearly all arguments
MAXIMUM_LETTERS = 100_000  # in all words
OF_ANYONE = 1  # the mark of words that matter whatever is started
_NAMED_MARKS = 31  # the other bits of 32; where there are more sets of words, some share one


def words_of_arguments(check: Check) -> frozenset[str] | None:
    """Return lower-case words: for all arguments without them, in any case, a check has one answer.

    Whether there are arguments at all is another matter. What stands in front of them in a command line, the program's
    name, is taken for known: a text that may begin in it counts from each blank on. None when words do not decide.
    """
    if not isinstance(check.left, FieldUse) or check.left.name not in _TEXTS:
        return None
    values = check.written()
    if values is None:
        return None
    words: set[str] = set()
    for value in values:
        needed = _needed(check.operator, value)
        if needed is None:
            return None
        words |= needed
    if check.left.name in _BEHIND_A_NAME:
        words |= {rest for word in words for rest in _behind_blanks(word)}
    plain = all(word.isascii() and len(word) >= _SHORTEST for word in words)
    return frozenset(word.lower() for word in words) if plain else None


def _needed(operator: str, value: str) -> frozenset[str] | None:
    if operator in _HOLDING:
        return frozenset({value}) if value else None
    if operator == "regex":
        return needed_by_regex(value, shortest=_SHORTEST)
    if operator in {"glob", "iglob"}:
        longest = max(_WILD.split(value.partition("[")[0]), key=len)
        return frozenset({longest})
    return None


def _behind_blanks(text: str) -> list[str]:
    """Return what is left of a text behind each blank, if anything is."""
    return [text[place + 1 :] for place, one in enumerate(text[:-1]) if one == " "]


class ArgumentWords:
    """Knows of which processes the arguments matter by their words alone.

    Args:
        graph: of the conditions.
        compiler: of its nodes.
        roots: the bit of each condition and its node, in which everything but the process was replaced by true.
        takes: whether a part of a condition is remembered for all of an ancestry.

    Attributes:
        marks: of words in lower case, where each matters; empty when arguments have to be the same.
    """

    def __init__(
        self, graph: Graph, compiler: NodeCompiler, roots: Iterable[tuple[int, int]], takes: Callable[[int], bool]
    ) -> None:
        """Find the words of all conditions, and which of them a program of any name can have left."""
        reader = _Reader(graph, compiler, takes)
        roots = [(bit, root) for bit, root in roots if reader.asks(root)]
        self._at_most, self._at_least = (  # what can be left, and what is left in any case
            Prefilter(graph, compiler, reader.with_arguments(roots, taken_for), takes) for taken_for in (TRUE, FALSE)
        )
        self._undecided = 0
        self._named: dict[int, int] = {}  # the conditions of each mark but that of anyone
        self.marks: dict[str, int] = {}
        of_ancestors = reader.words_of_ancestors()
        if of_ancestors is not None:
            self._mark(of_ancestors, OF_ANYONE)
            self._mark_all(roots, reader)
        if sum(map(len, self.marks)) > MAXIMUM_LETTERS:
            self.marks.clear()

    def _mark_all(self, roots: Iterable[tuple[int, int]], reader: _Reader) -> None:
        anyone = self._left_of_anyone()
        numbers: dict[frozenset[str], int] = {}
        for bit, root in roots:
            needed = reader.deciding(root)
            if needed is None:
                self._undecided |= bit
            elif bit & anyone:
                self._mark(needed, OF_ANYONE)
            else:
                mark = OF_ANYONE << 1 + numbers.setdefault(needed, len(numbers)) % _NAMED_MARKS
                self._mark(needed, mark)
                self._named[mark] = self._named.get(mark, 0) | bit

    def _mark(self, words: Iterable[str], mark: int) -> None:
        for word in words:
            self.marks[word] = self.marks.get(word, 0) | mark

    def _left_of_anyone(self) -> int:
        """Return those that arguments decide, of a process whose name no rule knows, on the host or in a container."""
        event = sample_event(BY_NAME["openat"], failed=False)
        left = 0
        for container in (event.container, Container(id="0" * 12, full_id="0" * 64, name="?", image="?")):
            program = Program("?", "?", ("?",), "/?", "/?", "/?")
            event.process = Process(ProcessKey(2, 2), None, program, container.full_id)
            event.container = container
            left |= self._open(event)
        return left

    def _open(self, event: Event) -> int:
        """Return the conditions of which the arguments decide whether they are left."""
        return self._at_most.mask(event) & ~self._at_least.mask(event)

    def decide(self, process: Process, container: Container, make_event: Callable[[], Event]) -> int:
        """Return marks: what is left of a process is left of all with other arguments without words of these marks.

        0 when that is not so: then arguments have to be the same.
        """
        program = process.program
        if not self.marks or container.healthcheck or container.liveness_probe or container.readiness_probe:
            return 0
        if container.full_id and takes_scripts(program.exepath, program.exe, program.filename):
            return 0  # the arguments say which file is compared with the image
        open_ones = self._open(make_event())
        if open_ones & self._undecided:
            return 0
        return sum((mark for mark, bits in self._named.items() if open_ones & bits), OF_ANYONE)


_ASKED = OF_ARGUMENTS - _PROBES


class _Reader:
    """Reads conditions for the words that decide them."""

    def __init__(self, graph: Graph, compiler: NodeCompiler, takes: Callable[[int], bool]) -> None:
        self._graph = graph
        self._takes = takes
        self._fields: list[set[str]] = []
        for atom in range(len(graph.checks)):
            self._fields.append({field.name for field in compiler.fields(atom).values()} & _ASKED)

    def with_arguments(self, roots: Sequence[tuple[int, int]], taken_for: int) -> list[tuple[int, int]]:
        """Return conditions in which every check of arguments, also a negated one, is taken for true or for false."""
        known: dict[int, int] = {}

        def literal(node: Node) -> int | None:
            return taken_for if self._fields[node.atom] else None

        return [(bit, self._graph.replace(root, literal, known)) for bit, root in roots]

    def asks(self, root: int) -> bool:
        """Tell whether a condition asks for arguments."""
        return any(self._fields[atom] for atom in self._graph.atoms(root))

    def words_of_ancestors(self) -> frozenset[str] | None:
        """Return the words of all checks of ancestors' arguments; None when there is one that words do not decide.

        They hold for each process below such an ancestor, whatever its own arguments are.
        """
        found: set[str] = set()
        for atom, fields in enumerate(self._fields):
            if not fields.isdisjoint(_OF_ANCESTORS):
                words = words_of_arguments(self._graph.checks[atom])
                if words is None:
                    return None
                found |= words
        return frozenset(found)

    def deciding(self, number: int) -> frozenset[str] | None:
        """Return words without which a condition follows from all but the arguments; None when there are none."""
        node = self._graph.nodes[number]
        if node.kind == "literal":
            return words_of_arguments(self._graph.checks[node.atom]) if self._fields[node.atom] else frozenset()
        parts = [self.deciding(part) for part in node.parts]
        together = None if None in parts else frozenset[str]().union(*(part for part in parts if part))
        return _better(together, self._refuting(number)) if node.kind == "and" else together

    def _refuting(self, number: int) -> frozenset[str] | None:
        """Return words without which a condition is false; None when there are none."""
        node = self._graph.nodes[number]
        if node.kind == "literal":
            known = self._fields[node.atom] and node.positive and self._takes(number)
            return words_of_arguments(self._graph.checks[node.atom]) if known else None
        parts = [self._refuting(part) for part in node.parts]
        if node.kind == "and":
            return functools.reduce(_better, parts, None)
        return None if None in parts or not parts else frozenset[str]().union(*(part for part in parts if part))


def _better(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Return the words that are in fewer arguments, which are the longer ones."""
    if one is None or other is None:
        return one or other if one is None else one
    return max(one, other, key=lambda words: min(map(len, words), default=sys.maxsize))
