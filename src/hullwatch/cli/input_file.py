"""Opening the files that people name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io

    from hullwatch.errors import UsageError


def open_input(file: str) -> io.BufferedReader:
    """Open a file to read its bytes.

    Raises:
        UsageError: when it cannot be opened, with the reason.
    """
    from pathlib import Path

    from hullwatch.errors import UsageError

    if not file:
        raise UsageError("The name of the file is empty.")
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise unreadable(file, error) from error


def unreadable(file: str, error: OSError) -> UsageError:
    """Return the error of a file that cannot be read, with the reason."""
    from hullwatch.errors import UsageError

    name = "Standard input" if file == "-" else f"The file {file}"
    return UsageError(f"{name} cannot be read: {error.strerror or error}.")


def need_root(what: str) -> None:
    """Refuse to go on as another user than root.

    Args:
        what: needs it, as the beginning of a sentence.

    Raises:
        CannotError: as anybody else, with what to do.
    """
    import os

    from hullwatch.errors import CannotError

    if os.geteuid() != 0:
        raise CannotError(f"{what} needs root: run it with sudo. Captures can be read without it.")
