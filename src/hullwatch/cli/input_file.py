"""Opening the files that people name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io


def open_input(file: str) -> io.BufferedReader:
    """Open a file to read its bytes.

    Raises:
        UsageError: when it cannot be opened, with the reason.
    """
    from pathlib import Path

    from hullwatch.errors import UsageError

    try:
        return Path(file).open("rb")
    except OSError as error:
        raise UsageError(f"The file {file} cannot be read: {error.strerror}.") from error
