"""What servers are databases, caches and vaults: data in ``packs/data_stores.toml``, and in files of an operator."""

from __future__ import annotations

import fnmatch
import functools
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

SHIPPED = Path(__file__).parent.parent / "packs" / "data_stores.toml"
LARGEST = 1 << 20  # bytes of a file


class DataStore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a kind of server is known by.

    Attributes:
        name: how people call it.
        kind: what it holds.
        ports: that it has unless somebody changes them.
        words: names of servers.
        endings: of domain names.
        images: patterns of the last part of an image's repository.
    """

    name: str
    kind: Literal["database", "cache", "vault"] = "database"
    ports: tuple[int, ...] = ()
    words: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    besides: tuple[str, ...] = ()
    stores: tuple[DataStore, ...] = ()


class Recognised(NamedTuple):
    """A database, cache or vault, and what it is known by: ``image``, ``name`` or ``port``."""

    store: DataStore
    by: str


class DataStores:
    """Recognises them. Of files that were read later, what they say comes first.

    Args:
        files: what they say.
    """

    def __init__(self, files: Iterable[_File]) -> None:
        """Sort what is known by what it is known by."""
        self._ports: dict[int, DataStore] = {}
        self._words: dict[str, DataStore] = {}
        self._endings: list[tuple[str, DataStore]] = []
        self._images: list[tuple[str, DataStore]] = []
        self._besides: set[str] = set()
        for one in files:
            self._besides |= {word.lower() for word in one.besides}
            for store in one.stores:
                self._ports |= dict.fromkeys(store.ports, store)
                self._words |= {word.lower(): store for word in store.words}
                self._endings = [(ending.lower(), store) for ending in store.endings] + self._endings
                self._images = [(image.lower(), store) for image in store.images] + self._images

    def recognise(self, port: int, names: Iterable[str] = (), images: Iterable[str] = ()) -> Recognised | None:
        """Return what a server is; None for another one. What really runs tells most, a port least.

        Args:
            port: that it is reached at.
            names: of its address: domain names, its Service, its pod.
            images: of its containers.
        """
        for image in images:
            found = self._by_image(image)
            if found is not None:
                return Recognised(found, "image")
        for name in names:
            found = self._by_name(name)
            if found is not None:
                return Recognised(found, "name")
        found = self._ports.get(port)
        return None if found is None else Recognised(found, "port")

    def _by_image(self, image: str) -> DataStore | None:
        last = image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
        if not self._besides.isdisjoint(last.replace("_", "-").split("-")):
            return None
        return next((store for pattern, store in self._images if fnmatch.fnmatchcase(last, pattern)), None)

    def _by_name(self, name: str) -> DataStore | None:
        name = name.lower().rstrip(".")
        for ending, store in self._endings:
            if name.endswith(ending):
                return store
        first = name.partition(".")[0]
        parts = first.split("-")
        if not self._besides.isdisjoint(parts):
            return None
        return self._words.get(first) or self._words.get(parts[0]) or self._words.get(parts[0].rstrip("0123456789"))


@functools.cache
def data_stores(files: tuple[str, ...] = ()) -> DataStores:
    """Return what recognises them, by what is shipped and by more files.

    Raises:
        UsageError: when a file cannot be read or says something else.
    """
    return DataStores([_read(SHIPPED), *(_read(Path(one).expanduser()) for one in files)])


def _read(path: Path) -> _File:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise UsageError(f"{path} is larger than {LARGEST >> 20} MiB, and so is no list of data stores.")
        return msgspec.convert(tomllib.loads(data.decode()), _File)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path} is no list of data stores: {error}. Its form is that of {SHIPPED}.") from error
