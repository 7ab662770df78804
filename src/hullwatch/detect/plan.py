"""What the engine decides once: the rules, sorted by the kinds of calls and by what their checks depend on.

A *kind* is a set of event types, failed or not, for which the same conditions are left when everything
that the type decides is filled in. The inputs of its checks fall into domains: the process, the call's
small values, and up to two strings. Projected onto one domain (what depends on anything else is taken
for true), a condition becomes one that can be judged by that domain's value alone and is never false
where the whole is true. So a value belongs to a class, the set of conditions that it leaves possible,
and an event is dead when the classes of its values have none in common (docs/adr/0007).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.detect.argument_words import ArgumentWords
from hullwatch.detect.prefilter import Prefilter
from hullwatch.detect.process_prefilter import ProcessPrefilter
from hullwatch.detect.sample import sample_event
from hullwatch.detect.signature import MAXIMUM_LETTERS, MAXIMUM_WORDS, Signatures, Word, words_of
from hullwatch.events.table import EVENTS
from hullwatch.fields.inputs import NOTHING, PEER, PROCESS, RESULT, inputs, result_parameter
from hullwatch.rules.domain_names import asks_for_names
from hullwatch.rules.graph import FALSE, TRUE, Graph
from hullwatch.rules.node_code import NodeCompiler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.events.table import EventType, Layout
    from hullwatch.fields.inputs import Inputs
    from hullwatch.rules.compile import Compiled
    from hullwatch.rules.graph import Node
    from hullwatch.rules.loader import Rule, RuleSet

HEARD = frozenset({"dns"})
"""Types of events that change what is known of the names of addresses."""
MAXIMUM_SPLITS = 8  # conditions that one is split into
MAXIMUM_SCALARS = 6  # small values that are looked at together
STRING_SLOTS = 2
_TEXTS = frozenset({"CHARBUF", "FSPATH"})


class Entry(NamedTuple):
    """A condition that is asked: a rule's only one, or one step of its sequence."""

    rule: Rule
    step: int
    condition: Compiled


class StringDomain(NamedTuple):
    """A string of a kind's records: a parameter, or ``PEER``."""

    name: str
    prefilter: Prefilter
    signatures: Signatures | None


class Kind:
    """Calls that are judged alike.

    Attributes:
        types: the event types.
        failed: whether these are the failed calls; None for events that have no result.
        entries: the conditions that such an event can fulfil, in the order in which they are asked.
        owners: for each bit of a mask, the position of its condition in ``entries``.
        every: the bits of all conditions.
        process_shift: where the bits of this kind begin in what ``Plan.process`` gives.
        scalars: judges by the small values that ``scalar_names`` names, ``RESULT`` among them.
        strings: at most two.
    """

    def __init__(self, kind: EventType, entries: list[Entry], *, failed: bool | None) -> None:
        """Start with the types; ``_KindBuilder`` fills in the rest."""
        self.types = [kind]
        self.layout = kind.layout
        self.failed = failed
        self.entries = entries
        self.owners: list[int] = []
        self.scalar_names: tuple[str, ...] = ()
        self.strings: tuple[StringDomain, ...] = ()
        self.every = 0
        self.process_shift = 0
        self.scalars: Prefilter

    def entries_of(self, mask: int) -> list[Entry]:
        """Return the conditions that a mask leaves, in their order."""
        positions: set[int] = set()
        while mask:
            bit = mask & -mask
            positions.add(self.owners[bit.bit_length() - 1])
            mask ^= bit
        return [self.entries[position] for position in sorted(positions)]


class Plan:
    """The kinds of a rule set; ``kinds[type name][failed]`` is None for types that no rule asks for.

    Where no condition is left a kind has no entries: its events are nothing to rules, but they can be the first
    sign of a container. ``process`` judges by the process for all kinds at once, for their conditions ask for the
    same few fields; a kind's bits begin at its ``process_shift``. ``heard`` are the types that change what is known of
    the names of addresses, and so have to come whether a condition can match them or not.
    """

    def __init__(self, rules: RuleSet) -> None:
        """Sort the rules of every event type."""
        self.heard = HEARD if asks_for_names(rules) else frozenset[str]()
        self.graph = Graph()
        self.compiler = NodeCompiler(self.graph)
        self._roots: dict[int, int] = {}  # of conditions, by identity
        self.kinds: dict[str, tuple[Kind | None, Kind | None]] = {}
        self.all: list[Kind] = []
        self._by_process: list[tuple[int, int]] = []
        known: dict[tuple[object, ...], Kind] = {}
        for kind in EVENTS:
            if kind.is_event:
                entries = entries_for(rules, kind.name)
                both = [self._kind(kind, entries, known, failed=failed) for failed in _outcomes(kind.layout)]
                self.kinds[kind.name] = (both[0], both[-1])
        self.process = ProcessPrefilter(self.graph, self.compiler, self._by_process)

    @cached_property
    def arguments(self) -> ArgumentWords:
        """What is known of the arguments of processes."""
        return ArgumentWords(self.graph, self.compiler, self._by_process, self.process.is_shared)

    def _kind(
        self, kind: EventType, entries: list[Entry], known: dict[tuple[object, ...], Kind], *, failed: bool | None
    ) -> Kind | None:
        inputs_of = _AtomInputs(self, kind, failed=bool(failed))
        filled: dict[int, int] = {}
        roots = [self.graph.replace(self._root(entry), inputs_of.constant, filled) for entry in entries]
        left = [(entry, root) for entry, root in zip(entries, roots, strict=True) if root != FALSE]
        if not entries:
            return None
        key = (kind.layout.name, failed, *((id(entry.condition), root) for entry, root in left))
        made = known.get(key)
        if made is None:
            made = known[key] = Kind(kind, [entry for entry, _ in left], failed=failed)
            builder = _KindBuilder(self, made, inputs_of)
            builder.build([root for _, root in left])
            made.process_shift = sum(len(one.owners) for one in self.all)
            self._by_process += [(bit << made.process_shift, root) for bit, root in builder.by_process]
            self.all.append(made)
        else:
            made.types.append(kind)
        return made

    def _root(self, entry: Entry) -> int:
        root = self._roots.get(id(entry.condition))
        if root is None:
            root = self._roots[id(entry.condition)] = self.graph.add(entry.condition.tree)
        return root


def entries_for(rules: RuleSet, name: str) -> list[Entry]:
    """Return the conditions to ask about an event type, in their order: of rules with state the later steps first."""
    entries = [Entry(rule, 0, rule.conditions[0]) for rule in rules.for_type(name)]
    for rule in rules.stateful:
        for step, condition in reversed(list(enumerate(rule.conditions))):
            if condition.event_types is None or name in condition.event_types:
                entries.append(Entry(rule, step, condition))
    return entries


def _outcomes(layout: Layout) -> tuple[bool | None, ...]:
    return (None,) if result_parameter(layout) is None else (False, True)


class _AtomInputs:
    """What the checks depend on, for one type of calls that failed or did not."""

    def __init__(self, plan: Plan, kind: EventType, *, failed: bool) -> None:
        self._plan = plan
        self._kind = kind
        self._failed = failed
        self._inputs: dict[int, Inputs] = {}
        self._sample = sample_event(kind, failed=failed)

    def of(self, atom: int) -> Inputs:
        """Return the inputs of a check: those of all its fields."""
        if atom not in self._inputs:
            found: Inputs = NOTHING
            for (_, argument), field in self._plan.compiler.fields(atom).items():
                more = inputs(field, argument, self._kind, failed=self._failed)
                found = None if found is None or more is None else found | more
            self._inputs[atom] = found
        return self._inputs[atom]

    def are_all(self, atom: int, wanted: str) -> bool:
        """Tell whether every field of a check depends on one input and nothing else."""
        fields = self._plan.compiler.fields(atom).items()
        return all(
            inputs(field, argument, self._kind, failed=self._failed) == frozenset({wanted})
            for (_, argument), field in fields
        )

    def constant(self, node: Node) -> int | None:
        """Return what a literal is for every event of this type; None if that depends on the event."""
        if self.of(node.atom) != NOTHING:
            return None
        literal = self._plan.graph.literal(node.atom, positive=node.positive)
        return TRUE if self._plan.compiler.function(literal)(self._sample) else FALSE


class _KindBuilder:
    """Finds the domains of a kind and projects its conditions onto them."""

    def __init__(self, plan: Plan, kind: Kind, inputs_of: _AtomInputs) -> None:
        self._graph = plan.graph
        self._compiler = plan.compiler
        self._kind = kind
        self._inputs_of = inputs_of
        self._domains: dict[int, str | None] = {}  # of atoms
        self._below: dict[int, frozenset[str | None]] = {}  # the domains below a node
        self.by_process: list[tuple[int, int]] = []

    def build(self, roots: Sequence[int]) -> None:
        kind = self._kind
        atoms = frozenset[int]().union(*(self._graph.atoms(root) for root in roots))
        names = self._string_names(atoms)
        kind.scalar_names = self._scalar_names(atoms)
        self._domains = {atom: self._domain(atom, names) for atom in atoms}
        bits: list[tuple[int, int]] = []
        for position, root in enumerate(roots):
            for part in self._split(root):
                bits.append((1 << len(kind.owners), part))
                kind.owners.append(position)
        kind.every = (1 << len(kind.owners)) - 1
        self.by_process = self._project(PROCESS, bits)
        kind.scalars = self._prefilter("scalars", bits)
        kind.strings = tuple(StringDomain(name, self._prefilter(name, bits), self._signatures(name)) for name in names)

    def _scalar_names(self, atoms: frozenset[int]) -> tuple[str, ...]:
        """Return the small values that checks look at alone, as many as fit."""
        used: set[str] = set()
        for atom in atoms:
            used |= (self._inputs_of.of(atom) or NOTHING) & {RESULT, *self._kind.layout.scalars}
        return tuple(name for name in (RESULT, *self._kind.layout.scalars) if name in used)[:MAXIMUM_SCALARS]

    def _string_names(self, atoms: frozenset[int]) -> tuple[str, ...]:
        used = frozenset[str]().union(*(self._inputs_of.of(atom) or NOTHING for atom in atoms))
        types = {parameter.name: parameter.type for parameter in self._kind.layout.parameters}
        names = [name for name in self._kind.layout.variables if name in used and types[name] in _TEXTS]
        return tuple([PEER] * (PEER in used) + names)[:STRING_SLOTS]

    def _domain(self, atom: int, strings: tuple[str, ...]) -> str | None:
        """Return the domain that decides a check; None if there is none."""
        found = self._inputs_of.of(atom)
        if found is None:
            return None
        if found == frozenset({PROCESS}):
            # What a type decides cannot stand beside it: a process is judged for all types at once.
            return PROCESS if self._inputs_of.are_all(atom, PROCESS) else None
        if found <= set(self._kind.scalar_names):
            return "scalars"
        for name in strings:
            if found == frozenset({name}) and (name == PEER or words_of(self._graph.checks[atom]) is not None):
                return name
        return None

    def _prefilter(self, domain: str, bits: list[tuple[int, int]]) -> Prefilter:
        return Prefilter(self._graph, self._compiler, self._project(domain, bits))

    def _project(self, domain: str, bits: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the conditions with everything outside of a domain taken for true."""
        known: dict[int, int] = {}

        def literal(node: Node) -> int | None:
            return None if self._domains[node.atom] == domain else TRUE

        return [(bit, self._graph.replace(root, literal, known)) for bit, root in bits]

    def _signatures(self, name: str) -> Signatures | None:
        if name == PEER:
            return None
        words: list[Word] = []
        for atom in sorted(atom for atom, domain in self._domains.items() if domain == name):
            words += words_of(self._graph.checks[atom]) or ()
        too_many = len(words) > MAXIMUM_WORDS or sum(len(word.text) for word in words) > MAXIMUM_LETTERS
        return None if too_many or not words else Signatures(words)

    def _split(self, root: int) -> list[int]:
        """Split a condition at an "or" whose parts depend on different domains.

        Projected as a whole such an "or" would be true for nearly every value; its parts are not.
        """
        pending, done = [root], list[int]()
        while pending:
            one = pending.pop()
            node = self._graph.nodes[one]
            parts = node.parts if node.kind == "and" else (one,)
            for part in parts:
                arms = self._arms(part)
                if len(arms) > 1 and len(arms) + len(pending) + len(done) <= MAXIMUM_SPLITS:
                    others = [other for other in parts if other != part]
                    pending += [self._graph.all_of([*others, arm]) for arm in arms]
                    break
            else:
                done.append(one)
        return [one for one in done if one != FALSE] or [FALSE]

    def _arms(self, number: int) -> list[int]:
        """Return the parts of an "or", those of equal domains together."""
        node = self._graph.nodes[number]
        if node.kind != "or":
            return []
        groups: dict[frozenset[str | None], list[int]] = {}
        for part in node.parts:
            groups.setdefault(self._domains_below(part), []).append(part)
        return [self._graph.any_of(group) for group in groups.values()]

    def _domains_below(self, root: int) -> frozenset[str | None]:
        found = self._below.get(root)
        if found is None:
            found = self._below[root] = frozenset(self._domains[atom] for atom in self._graph.atoms(root))
        return found
