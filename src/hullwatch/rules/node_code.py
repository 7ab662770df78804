"""Nodes of the graph to Python functions, made when they are first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.rules.check_code import CheckCompiler
from hullwatch.rules.graph import TRUE, field_uses
from hullwatch.rules.terms import from_event, resolve_field, split_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.events.event import Event
    from hullwatch.fields.field import Field
    from hullwatch.rules.graph import Graph
    from hullwatch.rules.terms import Lookup

_INLINE_HEIGHT = 20  # of an expression: Python's parser stops at 200 parentheses

FieldKey = tuple[str, str | None]
"""A field's name and its argument."""


class NodeCompiler:
    """Makes the functions of a graph's nodes."""

    def __init__(self, graph: Graph, lookup: Lookup = from_event) -> None:
        """Start with none made."""
        self._graph = graph
        self._checks = CheckCompiler(lookup)
        self._namespace = self._checks.constants.namespace
        self._codes: dict[int, str] = {}  # of atoms
        self._functions: dict[int, Callable[[Event], bool]] = {}
        self._readers: dict[FieldKey, Callable[[Event], Any] | None] = {}
        self._fields: dict[int, dict[FieldKey, Field]] = {}  # of atoms

    def fields(self, atom: int) -> dict[FieldKey, Field]:
        """Return the fields that a check uses, by name and argument."""
        found = self._fields.get(atom)
        if found is None:
            found = self._fields[atom] = {}
            for use in field_uses(self._graph.checks[atom]):
                entry, argument = split_name(use.name)
                if entry is not None:
                    found[entry.name, argument if use.argument is None else use.argument] = entry
        return found

    def reader(self, key: FieldKey, atom: int) -> Callable[[Event], Any] | None:
        """Return the function that reads a field that a check uses; None if it is always absent."""
        if key not in self._readers:
            checks = self._graph.checks[atom]
            use = next(one for one in field_uses(checks) if self._key(one.name, one.argument) == key)
            code = resolve_field(use, self._checks.constants, "LOAD_ERR_COMPILE_CONDITION").code
            name = code.removesuffix("(e)")  # the field's own function is enough where it takes nothing else
            function = self._namespace.get(name)
            self._readers[key] = None if code == "None" else function or self._evaluate(f"lambda e: {code}")
        return self._readers[key]

    @staticmethod
    def _key(name: str, argument: str | None) -> FieldKey:
        entry, dotted = split_name(name)
        return ("" if entry is None else entry.name), (dotted if argument is None else argument)

    def function(self, root: int) -> Callable[[Event], bool]:
        """Return the function that tells whether an event fulfils a node."""
        function = self._functions.get(root)
        if function is None:
            function = self._functions[root] = self._evaluate(f"lambda e: {self._code(root)}")
        return function

    def _evaluate(self, code: str) -> Any:
        return eval(compile(code, "<checks>", "eval"), self._namespace)  # noqa: S307 - made here, values only as repr

    def _code(self, root: int) -> str:
        codes: dict[int, tuple[str, int]] = {}
        for number in self._graph.below(root):
            node = self._graph.nodes[number]
            if node.kind == "constant":
                codes[number] = (str(number == TRUE), 1)
            elif node.kind == "literal":
                code = self._check(node.atom)
                codes[number] = (code if node.positive else f"(not {code})", 5)
            else:
                parts = [codes[part] for part in node.parts]
                code = f"({f' {node.kind} '.join(part for part, _ in parts)})"
                height = 1 + max(height for _, height in parts)
                codes[number] = (code, height) if height <= _INLINE_HEIGHT else (self._own_function(number, code), 1)
        return codes[root][0]

    def _own_function(self, number: int, code: str) -> str:
        self._namespace[f"n{number}"] = self._evaluate(f"lambda e: {code}")
        return f"n{number}(e)"

    def _check(self, atom: int) -> str:
        code = self._codes.get(atom)
        if code is None:
            code = self._codes[atom] = self._checks.code(self._graph.checks[atom])
        return code
