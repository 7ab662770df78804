"""Hiding secrets in command lines and environment-like text, before anything sees the alert.

The patterns are data (``secrets.toml``) and run on RE2, whose time is linear in the text, whatever an
attacker writes into a command line. Where google-re2 is missing the built-in patterns, whose repeats are
bounded, run on Python's engine, and patterns of the user are refused.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hullwatch.errors import CannotError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

PATTERN_FILE = Path(__file__).with_name("secrets.toml")
MASK = "***"
LONGEST_TEXT = 1 << 16  # characters; what is behind is cut, for it could not be looked at
CUT = "...(cut)"
MOST_PATTERNS = 256
LONGEST_PATTERN = 4096  # characters
_REMEMBERED = 1024  # texts; the same command lines come again and again
_REMEMBERED_TOGETHER = 1024  # alerts whose texts, all together, have no secret
_LONGEST_REMEMBERED = 4096  # characters
# Bytes for RE2 and a pattern: the first of these that it fits into. What is left of them fills up with what texts bring
# about, for good, so the union of all patterns has not more than it needs to be quick.
_MEMORIES = (1 << 20, 4 << 20, 16 << 20, 64 << 20)
_UNION_MEMORIES = _MEMORIES[1:]
_LINES_MEMORIES = (4 << 20, 8 << 20)  # of a look at the lines of all alerts, without which one at each text does
_ALONE = re.compile(r"\\[Az]|\(\?[a-zA-Z]*-")  # what in a pattern tells the end of a text from the end of a line
_SURROGATES = re.compile("[\ud800-\udfff]")
_GROUP_NAME = re.compile(r"\(\?P<\w+>")
_VARIABLE = re.compile(r"proc\.a?env\[(.*[^0-9\]].*)\]")  # a field that is the value of one variable
_KEY_WORDS = re.compile(r"[^a-z0-9]+")


class _Pattern(msgspec.Struct, frozen=True):
    """One compiled pattern; group numbers are 0 where the pattern has no such group."""

    regex: Any
    secret: int
    key: int


def valid_text(text: str) -> str:
    """Replace what is not Unicode (bytes of the kernel that are no UTF-8) by U+FFFD."""
    return _SURROGATES.sub("\ufffd", text)


class Masker:
    """Replaces secrets by ``***``."""

    def __init__(self, patterns: Iterable[str] = (), *, builtin: bool = True) -> None:
        """Compile the patterns.

        Args:
            patterns: regular expressions of the user (RE2); a group named ``secret`` limits what is hidden.
            builtin: use the built-in ones as well.

        Raises:
            UsageError: a pattern cannot be compiled; names it.
            CannotError: there are patterns, but google-re2 is missing.
        """
        compile_pattern, linear = _engine()
        own = list(patterns)
        if own and not linear:
            raise CannotError("Patterns of secrets need google-re2; install it: pip install google-re2")
        if len(own) > MOST_PATTERNS:
            raise UsageError(f"There are {len(own)} patterns of secrets; at most {MOST_PATTERNS} are possible.")
        data = tomllib.loads(PATTERN_FILE.read_text(encoding="utf-8")) if builtin else {}
        self._harmless = frozenset(cast("list[str]", data.get("harmless", [])))
        built = [cast("str", row["regex"]) for row in data.get("pattern", [])]
        self._patterns = [_compile(compile_pattern, text) for text in built]
        self._patterns += [_compile(compile_pattern, text, number) for number, text in enumerate(own, 1)]
        self._programs: dict[str, _Pattern] = {}
        named: list[str] = []
        for row in data.get("program", []):
            pattern = _compile(compile_pattern, row["regex"])
            self._programs.update(dict.fromkeys(row["names"], pattern))
            named += row["names"]
        self._named = _compile(compile_pattern, rf"\b(?P<key>{'|'.join(map(re.escape, named))})\s") if named else None
        self._any = self._union(_engine(_UNION_MEMORIES)[0], [*built, *own]) if linear else compile_pattern("")
        self._together = self._look_at_lines([*built, *own, *([self._named.regex.pattern] if self._named else [])])
        self._remember_lines = functools.lru_cache(maxsize=_REMEMBERED_TOGETHER)(self.has_no_secret)
        self._remember = functools.lru_cache(maxsize=_REMEMBERED)(self._mask)

    @staticmethod
    def _union(compile_pattern: Callable[[str], Any], texts: list[str], flags: str = "") -> Any | None:
        """One pattern for all: most texts have no secret, and one look tells."""
        if not texts:
            return None
        return compile_pattern(flags + "|".join(f"(?:{_GROUP_NAME.sub('(?:', text)})" for text in texts))

    def _look_at_lines(self, texts: list[str]) -> Callable[[bytes], object] | None:
        """Return what finds a match of any pattern in the lines of a text; None where that cannot be told."""
        compile_pattern, linear = _engine(_LINES_MEMORIES)
        if not linear or any(map(_ALONE.search, texts)):
            return None
        try:
            union = self._union(compile_pattern, texts, "(?m)")
        except Exception:  # noqa: BLE001 - RE2's errors have no base; so many patterns do not fit into the memory
            return None
        return union.search if union is not None else lambda _: None

    def alert(self, message: str, fields: dict[str, object], program: str = "") -> tuple[str, dict[str, object]]:
        """Return an alert's message and output fields, each as ``text`` and ``value`` return it.

        Most alerts have no secret, and one look at all their texts tells.
        """
        lines = self.lines(message, fields, program)
        if lines is not None:
            look = self._remember_lines if len(lines) <= _LONGEST_REMEMBERED else self.has_no_secret
            if look(lines):
                return message, fields
        masked = {name: self.value(value, program) for name, value in fields.items()}
        for name, value in fields.items():
            if isinstance(value, str) and value and self._is_secret_variable(name, value):
                masked[name] = MASK
                message = message.replace(value, MASK)
        return self.text(message, program), masked

    def _is_secret_variable(self, name: str, value: str) -> bool:
        """Tell whether a field is the value of a variable of the environment that is a secret by its name."""
        variable = _VARIABLE.fullmatch(name)
        if variable is None:
            return False
        written = f"{variable[1]}={value}"
        return self.text(written) != valid_text(written)

    def lines(self, message: str, fields: dict[str, object], program: str = "") -> str | None:
        """Return an alert's texts as lines that ``has_no_secret`` can judge; None where it takes more to tell."""
        if self._together is None or program in self._programs:
            return None
        texts = [message]
        for name, value in fields.items():
            if value.__class__ is str:
                texts.append(value)  # pyright: ignore[reportArgumentType] - it is a text
                if (variable := _VARIABLE.fullmatch(name)) is not None:
                    texts.append(f"{variable[1]}={value}")
            elif value is not None and not isinstance(value, (int, float)):
                return None
        lines = "\n".join(texts)
        return lines if len(lines) <= LONGEST_TEXT else None

    def has_no_secret(self, lines: str) -> bool:
        r"""Tell whether surely no line has a secret, and all is Unicode.

        A pattern that is found in a line when it stands alone is found in it among others too: a newline is
        to ``\b`` what the end of the text is, and ``(?m)`` makes it so for ``^`` and ``$``.
        """
        if self._together is None or not (lines.isascii() or _SURROGATES.search(lines) is None):
            return False
        return self._together(lines.encode()) is None

    def text(self, text: str, program: str = "") -> str:
        """Return the text with its secrets hidden, as valid Unicode.

        Args:
            text: a command line, a message, a value.
            program: the name of the process that it belongs to; some options mean a password to one
                program only.
        """
        if len(text) > LONGEST_TEXT:
            text = text[:LONGEST_TEXT] + CUT
        mask = self._remember if len(text) <= _LONGEST_REMEMBERED else self._mask
        return mask(text, program if program in self._programs else "")

    def value(self, value: object, program: str = "") -> object:
        """Return a value of an output field with its secrets hidden; numbers and the like stay as they are.

        A list is looked at as a command line too: what follows ``--password`` is hidden.
        """
        if isinstance(value, str):
            return self.text(value, program)
        if isinstance(value, bytes):
            return self.text(value.decode("utf-8", "replace"), program)
        if isinstance(value, (list, tuple)):
            return self._items(cast("list[object]", value), program)
        return value

    def _items(self, items: Iterable[object], program: str) -> list[object]:
        masked: list[object] = []
        before = ""
        for item in items:
            result = self.value(item, program)
            if isinstance(item, str) and isinstance(result, str):
                # The two joined are what the command line was: does the first make the second a secret?
                if before.startswith("-") and result == valid_text(item):
                    joined = self.text(f"{before} {item}", program)
                    if not joined.endswith(result):
                        result = MASK
                before = item
            else:
                before = ""
            masked.append(result)
        return masked

    def _mask(self, text: str, program: str) -> str:
        text = valid_text(text)
        if self._any is not None and self._any.search(text) is not None:
            for pattern in self._patterns:
                text = self._apply(pattern, text)
        if program:
            return self._apply(self._programs[program], text)
        if self._named is not None:
            return self._after_names(self._named, text)
        return text

    def _after_names(self, named: _Pattern, text: str) -> str:
        """Hide what the programs that a text names take for a password, each from its name to the next."""
        found = [(match.end(named.key), match.group(named.key)) for match in named.regex.finditer(text)]
        if not found:
            return text
        ends = [*(place for place, _ in found[1:]), len(text)]
        pieces = [text[: found[0][0]]]
        for (place, name), end in zip(found, ends, strict=True):
            pieces.append(self._apply(self._programs[name], text[place:end]))
        return "".join(pieces)

    def _apply(self, pattern: _Pattern, text: str) -> str:
        pieces: list[str] = []
        done = 0
        for match in pattern.regex.finditer(text):
            begin, end = match.span(pattern.secret)
            if begin < done or begin == end or self._is_harmless(pattern, match):
                continue
            pieces += (text[done:begin], MASK)
            done = end
        if not done:
            return text
        return "".join((*pieces, text[done:]))

    def _is_harmless(self, pattern: _Pattern, match: Any) -> bool:
        if match.group(pattern.secret) == MASK:
            return True
        if not pattern.key:
            return False
        return _KEY_WORDS.split(match.group(pattern.key).lower())[-1] in self._harmless


def _engine(memories: Sequence[int] = _MEMORIES) -> tuple[Callable[[str], Any], bool]:
    """Return how to compile a pattern that uses some bytes at most, and whether its time is linear.

    Args:
        memories: bytes; where a pattern does not fit into some of them, it gets the next.
    """
    try:
        module: Any = importlib.import_module("re2")
    except ImportError:
        return functools.partial(re.compile, flags=re.ASCII), False

    def compile_with(memory: int, text: str) -> Any:
        options = module.Options()
        options.log_errors = False  # RE2 would write them to stderr itself
        options.max_mem = memory
        return module.compile(text, options)

    def compile_within(text: str) -> Any:
        for memory in memories[:-1]:
            with contextlib.suppress(module.error):
                return compile_with(memory, text)
        return compile_with(memories[-1], text)

    return compile_within, True


def _compile(compile_pattern: Callable[[str], Any], text: str, number: int | None = None) -> _Pattern:
    """Compile a pattern; ``number`` is its place in the user's list, None for a built-in one."""
    if len(text) > LONGEST_PATTERN:
        raise UsageError(f"Pattern {number} of secrets is longer than {LONGEST_PATTERN} characters.")
    try:
        regex = compile_pattern(text)
    except Exception as error:  # RE2's and Python's errors have no base in common
        reason = error.args[0] if error.args else error
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise UsageError(f'Pattern {number} of secrets, "{text[:80]}", cannot be used: {reason}.') from error
    groups: dict[str, int] = dict(regex.groupindex)
    return _Pattern(regex=regex, secret=groups.get("secret", 0), key=groups.get("key", 0))
