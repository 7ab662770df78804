"""New strings: which of the texts that conditions name occur in one, found in a single pass.

Every check of a path is put as words to be found in it, with marks for where it begins and ends; two
strings with the same words found get the same verdict from every check, so the verdict of a string that
was never seen is mostly known. Word search is Aho and Corasick's (Efficient String Matching, 1975).
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.detect.needed_text import needed_by_regex
from hullwatch.rules.syntax import FieldUse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.rules.syntax import Check

# Marks around the string and, behind it, around its directory. Strings that contain one have no signature.
BEGIN, END, DIRECTORY, DIRECTORY_END = "\x01", "\x02", "\x03", "\x04"
_MARKS = frozenset(BEGIN + END + DIRECTORY + DIRECTORY_END)
_WHOLE = frozenset({"fd.name", "fd.nameraw", "evt.arg", "evt.rawarg", "fs.path.nameraw"}) | frozenset(
    {"fs.path.name", "fs.path.source", "fs.path.target"}
)
_MEMBERS = frozenset({"=", "!=", "in", "intersects"})
_SHORTEST_NEEDED = 4  # characters, marks included: shorter texts are in too many paths
# A bracket of a glob. What is between two is a text of its own, whether or not they are brackets to the matcher.
_BRACKETS = re.compile(r"\[[!^]?\]?(?:\[:[a-z]*:\]|[^\]])*\]")
MAXIMUM_WORDS = 20_000
MAXIMUM_LETTERS = 200_000


class Word(NamedTuple):
    """A text to be found; one that does not decide only says that the string has to be looked at by itself."""

    text: str
    decides: bool = True


def words_of(check: Check) -> list[Word] | None:
    """Return the words whose occurrence in a plain path decides a check; None when words do not.

    Args:
        check: of a field that depends on one path alone.
    """
    if not isinstance(check.left, FieldUse):
        return None
    values = check.written()
    if values is None:
        return None
    if not all(value.isascii() and _MARKS.isdisjoint(value) for value in values):
        return None  # within a character of several bytes, text and bytes differ
    words: list[Word] = []
    for value in values:
        found = _words(check.left.name, check.operator, value)
        if found is None:
            return None
        words += found
    return words


def _words(field: str, operator: str, value: str) -> list[Word] | None:
    if field in _WHOLE:
        if operator == "pmatch":
            return _path_prefix(value)
        if operator in {"glob", "regex"}:
            needed = _needed_by_glob(value) if operator == "glob" else needed_by_regex(value, shortest=_SHORTEST_NEEDED)
            return [Word(text, decides=False) for text in sorted(needed)] if needed is not None else None
        text = {
            **dict.fromkeys(_MEMBERS, f"{BEGIN}{value}{END}"),
            "startswith": f"{BEGIN}{value}",
            "endswith": f"{value}{END}",
            "contains": value or BEGIN,
        }.get(operator)
        return None if text is None else [Word(text)]
    if operator not in _MEMBERS:
        return _part_of_file_name(operator, value) if field == "fd.filename" else None
    if field == "fd.filename":
        return [Word(f"/{value}{END}"), Word(f"{BEGIN}{value}{END}")]
    if field == "fd.directory":
        return [Word(f"{DIRECTORY}{value}{DIRECTORY_END}")]
    return None


def _part_of_file_name(operator: str, value: str) -> list[Word] | None:
    """Return the words for a text in a path's last component: only its end is told from all other places."""
    if not value or "/" in value:
        return None
    if operator == "endswith":
        return [Word(f"{value}{END}")]
    needed = {"startswith": f"/{value}", "contains": value}.get(operator, "")
    return [Word(needed, decides=False)] if len(needed) >= _SHORTEST_NEEDED else None


def _path_prefix(pattern: str) -> list[Word] | None:
    components = [component for component in pattern.split("/") if component]
    if any(character in pattern for character in "*?["):
        plain = list(itertools.takewhile(lambda one: not any(character in one for character in "*?[\\"), components))
        return [Word(f"{BEGIN}/{'/'.join(plain)}/", decides=False)] if plain else None
    joined = "/".join(components)
    return [Word(f"{BEGIN}/{joined}{END}"), Word(f"{BEGIN}/{joined}/")] if joined else [Word(BEGIN)]


def _needed_by_glob(pattern: str) -> frozenset[str] | None:
    """Return a text without which nothing matches a pattern, in few paths; None if there is none worth a search."""
    plain = _BRACKETS.sub("?", re.sub(r"\\.?", "*", pattern, flags=re.DOTALL))
    before, bracket, _ = plain.partition("[")
    runs = re.split(r"[*?]", before)
    if not bracket:
        runs[-1] = f"{runs[-1]}{END}"
    # Where a path begins says little: below /usr/lib lies a third of a host's files.
    return _longest(runs[1:]) or _longest([f"{BEGIN}{runs[0]}"])


def _longest(runs: list[str]) -> frozenset[str] | None:
    best = max(runs, key=len, default="")
    return frozenset({best}) if len(best) >= _SHORTEST_NEEDED else None


def is_plain(path: str) -> bool:
    """Tell whether every slash of a path begins a component, as in all paths that the kernel makes."""
    return path.startswith("/") and "//" not in path and (len(path) == 1 or not path.endswith("/"))


def marked(path: str) -> str:
    """Return the text in which the words are sought: the path, and its directory as ``fd.directory`` has it."""
    return f"{BEGIN}{path}{END}{DIRECTORY}{path.rpartition('/')[0] or '/'}{DIRECTORY_END}"


class Signatures:
    """Finds the words of some checks in paths."""

    def __init__(self, words: Iterable[Word]) -> None:
        """Build the automaton; the words are numbered in this order, the boundary before the directory first.

        ``words`` are the texts, ``undecided`` the numbers of those that do not decide.
        """
        import ahocorasick

        library: Any = ahocorasick
        decides = {END + DIRECTORY: True}
        for word in words:
            decides[word.text] = decides.get(word.text, True) and word.decides
        self.words = list(decides)
        self.undecided = frozenset(number for number, one in enumerate(decides.values()) if not one)
        automaton: Any = library.Automaton()
        for number, word in enumerate(self.words):
            automaton.add_word(word, number)
        automaton.make_automaton()
        self._iter = automaton.iter

    def find(self, path: str) -> tuple[int, ...] | None:
        """Return what two paths have in common that no check can tell apart; None when it cannot be said."""
        if not is_plain(path) or not _MARKS.isdisjoint(path):
            return None
        found = dict.fromkeys([number for _, number in self._iter(marked(path))])
        return tuple(found) if self.undecided.isdisjoint(found) else None
