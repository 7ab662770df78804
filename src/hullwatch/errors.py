"""Errors that a user is told about: each is a sentence and carries the exit code that goes with it."""

from __future__ import annotations


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
