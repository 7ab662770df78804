"""The captures that a verb works on: files that are named, and those in directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIXES = (".hwcap", ".scap")


def find_captures(names: Iterable[str]) -> list[str]:
    """Return the files; a directory stands for all captures below it, in the order of their paths.

    Raises:
        UsageError: when a name leads nowhere, or a directory has none.
    """
    from pathlib import Path

    from hullwatch.errors import UsageError

    found: list[str] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            below = sorted(str(one) for one in path.rglob("*") if one.name.endswith(SUFFIXES) and one.is_file())
            if not below:
                raise UsageError(f"There is no capture (*{', *'.join(SUFFIXES)}) below the directory {name}.")
            found += below
        elif path.exists():
            found.append(name)
        else:
            raise UsageError(f"There is no file or directory {name}.")
    return list(dict.fromkeys(found))
