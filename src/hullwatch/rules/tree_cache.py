"""Parsed rules files and conditions, remembered while the process lives and, where wanted, in a file between runs.

What is remembered are trees in MessagePack: names, values and places, checked when they are read, and compiled
like those that a rules file gives; there is no code in them. The file is named after the hash of the rules files
and of everything that makes trees of them. It is used only when it is in a directory that nobody else can write.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from hullwatch.config.paths import private_directory
from hullwatch.errors import CannotError
from hullwatch.rules.problem import RulesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_REMEMBERED = 32 << 20  # bytes in memory
LARGEST_FILE = 32 << 20  # bytes of a cache file
MOST_FILES = 16  # cache files in a directory; the oldest go
SUFFIX = ".trees"
_MAKERS = ("grammar.lark", "grammar.py", "syntax.py", "document.py", "tree_cache.py")  # a change of them changes trees

Result = TypeVar("Result")


class Memory:
    """Encoded trees by what they were made of; forgets all when they are too many."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: dict[str, bytes] = {}
        self._size = 0
        self.used: dict[str, bytes] = {}
        """Those that were asked for or kept since it was last emptied."""
        self.missing = 0
        """How many were asked for and not there, since it was last set to 0."""

    def get(self, key: str) -> bytes | None:
        """Return the tree of a text; None when it is not remembered."""
        found = self._entries.get(key)
        if found is None:
            self.missing += 1
        else:
            self.used[key] = found
        return found

    def keep(self, key: str, tree: bytes) -> None:
        """Remember a tree."""
        self._size += len(key) + len(tree)
        if self._size > MOST_REMEMBERED:
            self.forget()
            return
        self._entries[key] = self.used[key] = tree

    def forget(self) -> None:
        """Forget all."""
        self._entries.clear()
        self.used.clear()
        self._size = 0


MEMORY = Memory()


def cached(directory: Path | None, texts: Iterable[bytes], load: Callable[[], Result]) -> tuple[Result, str]:
    """Load rules with the trees that an earlier run has left, and leave those of this one.

    Args:
        directory: of cache files; it is made. None to do without.
        texts: the rules files.
        load: loads them.

    Returns:
        What ``load`` returned, and why a cache file was ignored (a sentence, empty if none was).

    Raises:
        RulesError: as ``load`` does, never because of what is in a cache file.
    """
    if directory is None:
        return load(), ""
    path = directory / f"{_key(texts)}{SUFFIX}"
    found, reason = _read(path)
    MEMORY.used.clear()
    MEMORY.missing = 0
    for key, tree in found.items():
        MEMORY.keep(key, tree)
    try:
        result = load()
    except Exception as error:  # the file may be wrong, whoever wrote it: what rules files say counts
        if not found:
            raise
        MEMORY.forget()
        result = load()
        if not isinstance(error, RulesError):
            reason = f"The cache of rules {path} is ignored: it has what no rules file can say."
    if MEMORY.missing and not reason:
        reason = _write(path, MEMORY.used)
    return result, reason


@functools.cache
def _version() -> bytes:
    """Return a hash of what makes trees."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _MAKERS)).digest()


def _key(texts: Iterable[bytes]) -> str:
    whole = hashlib.sha256(_version())
    for text in texts:
        whole.update(hashlib.sha256(text).digest())
    return whole.hexdigest()


def _read(path: Path) -> tuple[dict[str, bytes], str]:
    """Return the trees of a file and, when it cannot be trusted or understood, why."""
    ignored = f"The cache of rules {path} is ignored: "
    try:
        directory = path.parent.lstat()
        if directory.st_uid != os.geteuid() or not stat.S_ISDIR(directory.st_mode) or directory.st_mode & 0o022:
            return {}, f"{ignored}others can write its directory."
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"{ignored}{error.strerror}."
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode) or status.st_mode & 0o022:
            return {}, f"{ignored}it is not a file that only its owner can write."
        if status.st_size > LARGEST_FILE:
            return {}, f"{ignored}it has more than {LARGEST_FILE >> 20} MiB."
        try:
            return msgspec.msgpack.decode(stream.read(LARGEST_FILE + 1), type=dict[str, bytes]), ""
        except (msgspec.DecodeError, OSError, RecursionError, UnicodeDecodeError):
            return {}, f"{ignored}it is broken."


def _write(path: Path, trees: dict[str, bytes]) -> str:
    """Write a cache file in the place of the one that is there, and delete the oldest; return what was in the way."""
    data = msgspec.msgpack.encode(trees)
    if len(data) > LARGEST_FILE:
        return ""
    try:
        folder = private_directory(path.parent)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".new", delete=False) as stream:
            temporary = Path(stream.name)
            try:
                stream.write(data)
                stream.flush()
                temporary.replace(path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
        _delete_oldest(folder)
    except CannotError:
        return ""  # no place for it here: nothing is lost but time
    except OSError as error:
        return f"The cache of rules {path} cannot be written: {error.strerror}."
    return ""


def _delete_oldest(folder: Path) -> None:
    with contextlib.suppress(OSError):
        files = sorted(
            (one for one in folder.iterdir() if one.suffix in {SUFFIX, ".new"}), key=lambda one: one.lstat().st_mtime_ns
        )
        for one in files[:-MOST_FILES]:
            one.unlink()
