"""What is wrong in a rules file, and where: one sentence each, several at a time."""

from __future__ import annotations

import difflib
import itertools
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Code = Literal[
    "LOAD_ERR_FILE_READ",
    "LOAD_ERR_YAML_PARSE",
    "LOAD_ERR_YAML_VALIDATE",
    "LOAD_ERR_COMPILE_CONDITION",
    "LOAD_ERR_COMPILE_OUTPUT",
    "LOAD_ERR_VALIDATE",
    "LOAD_UNKNOWN_SOURCE",
    "LOAD_UNKNOWN_FILTER",
    "LOAD_UNKNOWN_ITEM",
    "LOAD_UNKNOWN_KEY",
    "LOAD_UNUSED_MACRO",
    "LOAD_UNUSED_LIST",
    "LOAD_NO_EVTTYPE",
    "LOAD_DEPRECATED_ITEM",
    "LOAD_APPEND_NO_VALUES",
    "LOAD_EXCEPTION_NAME_NOT_UNIQUE",
    "LOAD_INVALID_MACRO_NAME",
    "LOAD_INVALID_LIST_NAME",
    "LOAD_COMPILE_CONDITION",
    "LOAD_UNSAFE_NA_CHECK",
    "HULLWATCH_NEVER_MATCHES",
]
"""Falco's codes; the last is our own: valid, but nothing here can make it true."""


_CANDIDATES = 2000  # that a name is compared with: each takes some microseconds
_NAME_LENGTH = 100
_LONGEST_SENTENCE = 1000  # characters


class Location(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong; ``str()`` gives ``file:line:column: sentence``."""

    sentence: str
    location: Location
    code: Code
    severity: Literal["error", "warning"] = "error"
    item: str = ""  # the rule, macro or list it stands in, such as: rule Shell in a container

    def __post_init__(self) -> None:
        """Shorten a sentence that quotes very much of the file."""
        if len(self.sentence) > _LONGEST_SENTENCE:
            half = _LONGEST_SENTENCE // 2
            shorter = f"{self.sentence[:half]} ... {self.sentence[-half:]}"
            msgspec.structs.force_setattr(self, "sentence", shorter)

    @property
    def file(self) -> str:
        """The file."""
        return self.location.file

    @property
    def line(self) -> int:
        """The line, from 1."""
        return self.location.line

    @property
    def column(self) -> int:
        """The column, from 1."""
        return self.location.column

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.sentence}"


class RulesError(UsageError):
    """Rules files that cannot be used; its text has a line for each problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems, warnings included if there are any."""
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems if problem.severity == "error"))


class ProblemError(Exception):
    """One problem on its way to the loader, which collects it; never reaches a user."""

    def __init__(self, sentence: str, location: Location, code: Code) -> None:
        """Take the parts of a problem."""
        super().__init__(sentence)
        self.sentence = sentence
        self.location = location
        self.code: Code = code

    def problem(self, item: str = "") -> Problem:
        """Return it as a problem of an item."""
        return Problem(self.sentence, self.location, self.code, item=item)


class UnknownFilterError(ProblemError):
    """A field, event type or output token that is not known; some rules are then only skipped."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean x?)`` for the nearest known name, or nothing."""
    candidates = list(itertools.islice(known, _CANDIDATES))
    near = difflib.get_close_matches(name[:_NAME_LENGTH], candidates, n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""
