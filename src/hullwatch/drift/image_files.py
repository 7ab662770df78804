"""Which files of an image have a given size: one walk through each layer, which images share."""

from __future__ import annotations

import contextlib
import os
import stat
from array import array
from typing import TYPE_CHECKING

from hullwatch.drift.content import Recent, check
from hullwatch.drift.opening import open_below

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LAYERS_KEPT = 512
FILES_KEPT = 300_000  # of all layers together
LAYER_FILES_MAXIMUM = 500_000  # more are not looked through, which is said

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Layer:
    """The files of a layer, in about 50 bytes each. A walk that was too long for one question goes on with the next."""

    def __init__(self) -> None:
        """Start at the root of the layer."""
        self.complete = True
        self._pending = [b"."]
        self._folders: list[bytes] = []
        self._sizes = array("Q")  # of each file, and beside it the folder, and where the name ends
        self._folder_of = array("I")
        self._ends = array("I")
        self._names = bytearray()

    @property
    def files(self) -> int:
        """How many files are known."""
        return len(self._sizes)

    def of_size(self, size: int) -> Iterator[bytes]:
        """Yield the paths of the files with a size, as far as they are known."""
        place = -1
        with contextlib.suppress(ValueError):
            while True:
                place = self._sizes.index(size, place + 1)
                begin = self._ends[place - 1] if place else 0
                yield self._folders[self._folder_of[place]] + b"/" + self._names[begin : self._ends[place]]

    def walk(self, directory: int, deadline: float) -> None:
        """Look through the layer, or what is left of it.

        Args:
            directory: the layer's root.
            deadline: on the monotonic clock.

        Raises:
            TooLongError: when that takes too long.
        """
        while self._pending:
            check(deadline)
            folder = self._pending.pop()
            try:
                descriptor = open_below(directory, folder, _DIRECTORY)
            except OSError:  # a path that is too long, for one
                self.complete = False
                continue
            try:
                self._take(folder, descriptor)
            finally:
                os.close(descriptor)
            if self.files > LAYER_FILES_MAXIMUM:
                self._pending.clear()
                self.complete = False

    def _take(self, folder: bytes, descriptor: int) -> None:
        self._folders.append(folder)
        with os.scandir(descriptor) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    self._pending.append(folder + b"/" + name)
                    continue
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    self._sizes.append(found.st_size)
                    self._folder_of.append(len(self._folders) - 1)
                    self._names += name
                    self._ends.append(len(self._names))


class ImageFiles:
    """Knows the sizes of the files of layers. Layers do not change, so each is walked through once."""

    def __init__(self) -> None:
        """Start with no layer known."""
        self._layers: Recent[tuple[bytes, int, int], Layer] = Recent(LAYERS_KEPT)
        self._files = 0
        self.walks = 0  # for tests

    def of_size(self, lowers: Sequence[bytes], size: int, deadline: float) -> Iterator[tuple[bytes, bytes]]:
        """Yield the layer and the path in it of all files with a size.

        Raises:
            OSError: when a layer cannot be read.
            TooLongError: when that takes too long.
        """
        for lower in lowers:
            for path in self._layer(lower, deadline).of_size(size):
                yield lower, path

    def is_complete(self, lowers: Sequence[bytes], deadline: float) -> bool:
        """Tell whether all files of the layers are known."""
        return all(self._layer(lower, deadline).complete for lower in lowers)

    def _layer(self, lower: bytes, deadline: float) -> Layer:
        directory = os.open(lower, _DIRECTORY)
        try:
            found = os.fstat(directory)
            key = lower, found.st_dev, found.st_ino
            layer = self._layers.get(key)
            if layer is None:
                self.walks += 1
                layer = self._new(key)
            before = layer.files
            try:
                layer.walk(directory, deadline)
            finally:
                self._files += layer.files - before
        finally:
            os.close(directory)
        return layer

    def _new(self, key: tuple[bytes, int, int]) -> Layer:
        layer = Layer()
        if self._files > FILES_KEPT:
            self._layers, self._files = Recent(LAYERS_KEPT), 0
        let_go = self._layers.put(key, layer)
        self._files -= 0 if let_go is None else let_go.files
        return layer
