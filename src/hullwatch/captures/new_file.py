"""A file that bears its name only when all of it is there."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hullwatch.captures.writer import WriteError
from hullwatch.errors import CannotError, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator


@contextlib.contextmanager
def new_file(name: str, *, force: bool = False) -> Generator[BinaryIO]:
    """Give a file to write, which only its owner can read; it gets its name when the block ends without an error.

    Until then it is a hidden file beside it, which is removed when the block ends with one.

    Args:
        name: that it gets.
        force: replace a file of this name.

    Raises:
        UsageError: when there is such a file, or no such directory.
        CannotError: when it cannot be written.
    """
    path = Path(name)
    check_new(path, force=force)
    try:
        descriptor, made = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise CannotError(f"The file {name} cannot be written: {error.strerror or error}.") from error
    temporary = Path(made)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as stream:
            yield stream
            os.fsync(stream.fileno())
        _give_name(temporary, path, force=force)
    except WriteError as error:
        raise CannotError(f"The file {name} cannot be written: {error.__cause__ or error}.") from error
    except OSError as error:
        raise CannotError(f"The file {name} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_new(path: Path, *, force: bool) -> None:
    """Refuse a name that a file cannot get.

    Raises:
        UsageError: when there is such a file, or no such directory.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UsageError(f"{path} is there and is no ordinary file: name another one.")
        if not force:
            raise UsageError(f"The file {path} is there already: name another one, or replace it with --force.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no directory {path.parent}: make it, or name another file.")


def _give_name(temporary: Path, path: Path, *, force: bool) -> None:
    if force:
        temporary.replace(path)
        return
    try:
        path.hardlink_to(temporary)  # unlike a rename, it never replaces what came meanwhile
    except FileExistsError:
        raise UsageError(f"The file {path} is there already: name another one, or replace it with --force.") from None
    except OSError:  # a file system without links
        temporary.rename(path)
