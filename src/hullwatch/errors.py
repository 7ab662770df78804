"""Errors that a user is told about: each is a sentence and carries the exit code that goes with it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class HullwatchError(Exception):
    """Something that ends a command; its text is shown to the user as it is.

    The text says what happened, where, and what to do about it. Values from outside are escaped when
    they are printed, not here.
    """

    exit_code = 3


class UsageError(HullwatchError):
    """The user asked for something that is not possible: a wrong flag, file or value (exit code 2)."""

    exit_code = 2


class CannotError(HullwatchError):
    """It could not be done here: a permission, a kernel feature or a program is missing (exit code 3)."""

    exit_code = 3


class Mistakes:
    """What is wrong with what somebody wrote, gathered so that all of it is told at once."""

    def __init__(self) -> None:
        """Start with nothing wrong."""
        self._sentences: list[str] = []

    def add(self, error: UsageError) -> None:
        """Take one more."""
        self._sentences.append(str(error))

    @contextlib.contextmanager
    def gathered(self) -> Generator[None]:
        """Take what is raised, and go on behind it."""
        try:
            yield
        except UsageError as error:
            self.add(error)

    def tell(self) -> None:
        """Raise what was taken, a line each, if anything was.

        Raises:
            UsageError: with all sentences.
        """
        if self._sentences:
            raise UsageError("\n".join(dict.fromkeys(self._sentences)))
