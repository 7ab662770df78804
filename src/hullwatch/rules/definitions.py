"""The items of rules files, collected over all files: the last definition of a name wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.rules.document import Mapping, Scalar, Sequence, read_documents
from hullwatch.rules.problem import Problem, ProblemError, did_you_mean
from hullwatch.rules.resolve import ListDefinition, MacroDefinition
from hullwatch.rules.rule_item import (
    REPLACEABLE,
    RULE_KEYS,
    RuleDefinition,
    append_to_rule,
    check_rule,
    new_rule,
    replace_in_rule,
)
from hullwatch.rules.scalars import condition_text, item_error, nonempty, read_boolean, scalar_list
from hullwatch.rules.stateful import STATEFUL_KEYS
from hullwatch.rules.version import check_engine_version, check_plugin_versions

if TYPE_CHECKING:
    from hullwatch.rules.document import Node
    from hullwatch.rules.problem import Code, Location

_KINDS = ("required_engine_version", "required_plugin_versions", "list", "macro", "rule")
_LIST_KEYS = frozenset({"list", "items", "append", "override"})
_MACRO_KEYS = frozenset({"macro", "condition", "append", "override"})
MAXIMUM_ERRORS = 100  # more do not help anybody, and to find the nearest names takes time
MAXIMUM_WARNINGS = 1000


class Definitions(msgspec.Struct):
    """Everything that the files define."""

    lists: dict[str, ListDefinition] = {}
    macros: dict[str, MacroDefinition] = {}
    rules: dict[str, RuleDefinition] = {}
    problems: list[Problem] = []
    order: int = 0
    errors: int = 0
    warnings: int = 0

    @property
    def has_enough(self) -> bool:
        """Whether so many errors were found that it is no use to go on."""
        return self.errors >= MAXIMUM_ERRORS

    def fail(self, problem: Problem) -> None:
        """Add an error."""
        self.errors += 1
        self.problems.append(problem)

    def add_file(self, name: str, content: bytes) -> None:
        """Read one more file; what is wrong with it is added to the problems."""
        try:
            roots = read_documents(name, content)
        except ProblemError as error:
            self.fail(error.problem())
            return
        for root in roots:
            if not isinstance(root, Sequence):
                sentence = "A rules file is a list of items: begin each with '- rule:', '- macro:' or '- list:'."
                self.fail(Problem(sentence, root.location(), "LOAD_ERR_YAML_VALIDATE"))
                continue
            for item in root.items:
                if self.has_enough:
                    return
                self._add_item(item)

    def _add_item(self, item: Node) -> None:
        if not isinstance(item, Mapping):
            sentence = "An item is a map that begins with 'rule:', 'macro:' or 'list:'."
            self.fail(Problem(sentence, item.location(), "LOAD_ERR_YAML_VALIDATE"))
            return
        kind = next((kind for kind in _KINDS if item.key(kind) is not None), None)
        if kind is None:
            if self.warnings >= MAXIMUM_WARNINGS:
                return
            first = item.entries[0][0].text if item.entries else ""
            sentence = f"An item that begins with {first!r} is not known{did_you_mean(first, _KINDS)}: it is ignored."
            self.warn(sentence, item.location(), "LOAD_UNKNOWN_ITEM")
            return
        named = item.get(kind)
        label = f"{kind} {named.text}" if isinstance(named, Scalar) else kind
        self.order += 1
        try:
            if kind == "list":
                self._add_list(item, label)
            elif kind == "macro":
                self._add_macro(item, label)
            elif kind == "rule":
                self._add_rule(item, label)
            elif kind == "required_engine_version":
                check_engine_version(item)
            else:
                check_plugin_versions(item)
        except ProblemError as error:
            self.fail(error.problem(label))

    def warn(self, sentence: str, location: Location, code: Code, item: str = "") -> None:
        """Add a warning; when there are very many, the last one says so."""
        self.warnings += 1
        if self.warnings < MAXIMUM_WARNINGS:
            self.problems.append(Problem(sentence, location, code, "warning", item))
        elif self.warnings == MAXIMUM_WARNINGS:
            self.problems.append(Problem("There are more warnings, which are left out.", location, code, "warning"))

    def _warn_keys(self, item: Mapping, known: frozenset[str], label: str) -> None:
        seen: set[str] = set()
        if self.warnings >= MAXIMUM_WARNINGS:
            return
        for key, _ in item.entries:
            if key.text not in known:
                sentence = f"The key {key.text!r} is not known{did_you_mean(key.text, known)}: it is ignored."
                self.warn(sentence, key.location(), "LOAD_UNKNOWN_KEY", label)
            elif key.text in seen:
                sentence = f"The key {key.text!r} is given twice: the last one counts."
                self.warn(sentence, key.location(), "LOAD_UNKNOWN_KEY", label)
            seen.add(key.text)

    def _mode(self, item: Mapping, keys: frozenset[str], label: str) -> dict[str, str]:
        """Return what an item does with an earlier one: {key: append or replace}, empty for a definition."""
        override = item.get("override")
        appended = item.get("append")
        if override is None:
            if appended is None or not read_boolean(appended, "append"):
                return {}
            sentence = "'append: true' is deprecated: write 'override: {condition: append}' or the like."
            self.warn(sentence, appended.location(), "LOAD_DEPRECATED_ITEM", label)
            appendable = keys & {"condition", "exceptions", "items"}
            return {key.text: "append" for key, _ in item.entries if key.text in appendable}
        if appended is not None:
            raise item_error("'append' and 'override' cannot stand in one item: leave 'append' out.", appended)
        return self._override(item, override, keys)

    @staticmethod
    def _override(item: Mapping, override: Node, keys: frozenset[str]) -> dict[str, str]:
        if not isinstance(override, Mapping):
            raise item_error("'override' is a map of keys to 'append' or 'replace'.", override)
        modes: dict[str, str] = {}
        for key, value in override.entries:
            if key.text not in keys:
                raise item_error(f"The key {key.text!r} cannot be overridden{did_you_mean(key.text, keys)}.", key)
            if not isinstance(value, Scalar) or value.text not in {"append", "replace"}:
                raise item_error(f"{key.text!r} in 'override' is 'append' or 'replace'.", value)
            if item.key(key.text) is None:
                raise item_error(f"'override' names {key.text!r}, which the item does not have.", key)
            modes[key.text] = value.text
        for key, _ in item.entries:
            if key.text in keys and key.text not in modes:
                raise item_error(f"The key {key.text!r} needs an entry in 'override'.", key)
        return modes

    def _add_list(self, item: Mapping, label: str) -> None:
        self._warn_keys(item, _LIST_KEYS, label)
        name = nonempty(item, "list")
        if any(character in "()\"'=, \t\n" for character in name.text):
            sentence = f"The list {name.text!r} can never be referred to: use letters, digits and _ in its name."
            self.warn(sentence, name.location(), "LOAD_INVALID_LIST_NAME", label)
        items = scalar_list(item, "items", "the list")
        modes = self._mode(item, frozenset({"items"}), label)
        earlier = self.lists.get(name.text)
        if not modes:
            self.lists[name.text] = ListDefinition(name.text, items, name.location())
        elif earlier is None:
            raise _nothing_earlier("list", name)
        elif modes["items"] == "append":
            earlier.items = earlier.items + items
        else:
            earlier.items = items

    def _add_macro(self, item: Mapping, label: str) -> None:
        self._warn_keys(item, _MACRO_KEYS, label)
        name = nonempty(item, "macro")
        if not (name.text.isascii() and name.text.replace("_", "a").isalnum() and name.text[0].isalpha()):
            sentence = f"The macro {name.text!r} can never be referred to: use letters, digits and _ in its name."
            self.warn(sentence, name.location(), "LOAD_INVALID_MACRO_NAME", label)
        condition = nonempty(item, "condition")
        modes = self._mode(item, frozenset({"condition"}), label)
        earlier = self.macros.get(name.text)
        if earlier is None:
            if modes:
                raise _nothing_earlier("macro", name)
            text = condition_text(condition)
            self.macros[name.text] = MacroDefinition(name.text, text, name.location(), self.order, self.order)
            return
        append = modes.get("condition") == "append"
        earlier.condition = earlier.condition.append(condition) if append else condition_text(condition)
        earlier.last = self.order
        if not modes:
            earlier.location = name.location()

    def _add_rule(self, item: Mapping, label: str) -> None:
        self._warn_keys(item, RULE_KEYS, label)
        name = nonempty(item, "rule")
        modes = self._mode(item, REPLACEABLE, label)
        earlier = self.rules.get(name.text)
        keys = {key.text for key, _ in item.entries}
        if item.get("append") is not None and (state := sorted(keys & STATEFUL_KEYS)):
            sentence = f"'append' cannot change {state[0]!r}: write 'override: {{{state[0]}: replace}}'."
            raise item_error(sentence, item.key(state[0]) or name)
        if keys == {"rule", "enabled"}:
            if earlier is None:
                raise _nothing_earlier("rule", name)
            sentence = "'enabled' alone is deprecated: write 'override: {enabled: replace}' beside it."
            self.warn(sentence, name.location(), "LOAD_DEPRECATED_ITEM", label)
            modes = {"enabled": "replace"}
        if not modes:
            if item.get("append") is not None and "condition" not in keys and "exceptions" not in keys:
                raise item_error("'append' needs a condition or exceptions to append.", name)
            definition = new_rule(item, name, self.warn)
            if earlier is not None and earlier.source != definition.source:
                sentence = f"The rule {name.text!r} has the source {earlier.source!r} where it was first defined."
                raise item_error(sentence, name)
            self.rules[name.text] = definition  # a redefined rule keeps its place in the order
            return
        if earlier is None:
            raise _nothing_earlier("rule", name)
        for key in sorted(modes, key=lambda key: (modes[key] != "append", key)):
            change = append_to_rule if modes[key] == "append" else replace_in_rule
            change(earlier, item, key, self.warn)
        check_rule(earlier, item)


def _nothing_earlier(kind: str, name: Scalar) -> ProblemError:
    sentence = f"There is no {kind} {name.text!r} before this one that it could change."
    return ProblemError(sentence, name.location(), "LOAD_ERR_VALIDATE")
