"""Where the files of a container and of its image lie, for storage that is no overlay of the kernel's.

What is recognised, each by its own directories:

| storage | the container's root | the image |
|---|---|---|
| fuse-overlayfs (podman) | put together of ``overlay/ID/diff`` and what ``overlay/ID/lower`` lists | the latter |
| vfs of podman, Buildah | ``vfs/dir/ID`` | ``vfs/dir/PARENT``, as ``vfs-layers/layers.json`` says |
| vfs of Docker | ``vfs/dir/ID`` | ``vfs/dir/ID-init``: the image and what Docker adds |
| btrfs of either | ``btrfs/subvolumes/ID`` | as with vfs: ``btrfs-layers/layers.json``, or ``ID-init`` beside it |
| native of containerd | ``snapshots/NUMBER`` | ``snapshots/PARENT``, as ``metadata.db`` says |
| btrfs of containerd | ``active/NUMBER`` | the same |

Sources: the layout that each writes, and the storage libraries' documentation. A directory counts only when the kernel
says that it is the container's root.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hullwatch.drift import question as words
from hullwatch.drift.mounts import LOWERS_MAXIMUM, MOUNTINFO_MAXIMUM, Layers, layers_of, parse
from hullwatch.drift.opening import NoRegularFileError, parent_of, read_file, regular
from hullwatch.sources import bolt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.drift.mounts import Mount

LIST_MAXIMUM = 64 << 20  # bytes of layers.json
PARENTS_MAXIMUM = 16  # processes above that are looked at
_COPY = re.compile(rb"(?P<beside>(?P<base>/.*)/(?:(?P<vfs>vfs)/dir|btrfs/subvolumes)/)(?P<id>[0-9a-f]{64})")
_SNAPSHOT = re.compile(rb"(?P<base>/.*)/(?:snapshots|active)/(?P<id>[0-9]{1,19})")
_FOREIGN = frozenset({b"btrfs", b"zfs"})
_OPAQUE = ("user.overlay.opaque", "user.fuseoverlayfs.opaque", "trusted.overlay.opaque")
_SNAPSHOTS = (b"v1", b"snapshots")
_MERGED = b"/merged"
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class _Layer(msgspec.Struct):
    id: str
    parent: str = ""


def find_layers(root: Mount, process: int, host: Sequence[Mount]) -> tuple[Layers | None, str]:
    """Return what a container's root is made of, or why that cannot be told.

    Args:
        root: the mount of its root directory.
        process: a descriptor of the directory in /proc of a process in it.
        host: the mounts of the host.
    """
    if root.is_overlay:
        return layers_of(root, host), words.NO_LAYERS
    with contextlib.suppress(OSError, ValueError):  # of msgspec's and bbolt's errors too
        if root.kind == b"fuse.fuse-overlayfs":
            return _of_fuse(root, process, host), words.NO_LAYERS
        for directory in _on_host(root, process, host):
            found = _of_copy(directory)
            if found is not None:
                return found, ""
    return None, words.NO_STORAGE if root.kind in _FOREIGN else words.NO_COPY


def _of_fuse(root: Mount, process: int, host: Sequence[Mount]) -> Layers | None:
    """Return the layers of a root that a program puts together: they lie beside the place where it is mounted.

    A rootless one is mounted in a mount namespace of its user's, where the process lives that watches the container.
    """
    for mounts in (host, *_mounts_above(process)):
        for mount in mounts:
            if mount.device == root.device and mount.point.endswith(_MERGED):
                return _beside(mount.point.removesuffix(_MERGED))
    return None


def _mounts_above(process: int) -> Iterator[list[Mount]]:
    """Yield the mounts of the processes above."""
    pid = parent_of(process)
    for _ in range(PARENTS_MAXIMUM):
        if pid <= 1:
            return
        directory = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield parse(read_file(directory, "mountinfo", MOUNTINFO_MAXIMUM))
            pid = parent_of(directory)
        finally:
            os.close(directory)


def _beside(layer: bytes) -> Layers | None:
    """Return the layers of containers/storage's overlay driver, of which ``lower`` has the names from the top down."""
    base = layer.rpartition(b"/")[0]
    names = [name for name in _read(layer + b"/lower", 1 << 20).strip().split(b":") if name]
    lowers = [name if name.startswith(b"/") else base + b"/" + name for name in names]
    found = Layers(layer + b"/diff", tuple(lowers), "fuse")
    if not lowers or len(lowers) > LOWERS_MAXIMUM or not all(map(_is_directory, (found.upper, *lowers))):
        return None
    return found


def is_hidden(upper: bytes, path: bytes) -> bool:
    """Tell whether a layer hides what lies at a path below it, in one of the ways of overlays without the kernel.

    A device 0:0 or a file ``.wh.NAME`` stands for what was removed; a directory with ``.wh..wh..opq``, or with an
    attribute that says so, was made anew.
    """
    place = upper
    for name in path.strip(b"/").split(b"/"):
        if _exists(place + b"/.wh." + name) or _exists(place + b"/.wh..wh..opq") or _is_opaque(place):
            return True
        place += b"/" + name
        try:
            found = os.lstat(place)
        except OSError:
            return False
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
            return True
    return False


def _exists(path: bytes) -> bool:
    return os.path.lexists(path)


def _is_opaque(directory: bytes) -> bool:
    for name in _OPAQUE:
        with contextlib.suppress(OSError):
            if os.getxattr(directory, name, follow_symlinks=False) == b"y":
                return True
    return False


def _on_host(root: Mount, process: int, host: Sequence[Mount]) -> Iterator[bytes]:
    """Yield the paths by which the host has the very directory that is the container's root."""
    directory = os.open("root", _DIRECTORY, dir_fd=process)
    try:
        wanted = os.fstat(directory)
    finally:
        os.close(directory)
    for mount in host:
        above = mount.root.rstrip(b"/")
        if mount.device == root.device and (root.root + b"/").startswith(above + b"/"):
            path = mount.point.rstrip(b"/") + root.root[len(above) :]
            with contextlib.suppress(OSError):
                found = os.lstat(path)
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    yield path


def _of_copy(directory: bytes) -> Layers | None:
    """Return the image of a container's root that is a copy of it."""
    image = None
    if copy := _COPY.fullmatch(directory):
        listed = copy["base"] + (b"/vfs-layers" if copy["vfs"] else b"/btrfs-layers") + b"/layers.json"
        parent = _parent_of_layer(listed, copy["id"].decode())
        image = copy["beside"] + parent if parent else directory + b"-init"
    elif snapshot := _SNAPSHOT.fullmatch(directory):
        image = _parent_of_snapshot(snapshot["base"], int(snapshot["id"]))
    return Layers(directory, (image,), "copy") if image is not None and _is_directory(image) else None


def _parent_of_layer(listed: bytes, layer: str) -> bytes | None:
    """Return the name of the directory that a layer was copied from, as Podman's list of layers says."""
    with contextlib.suppress(FileNotFoundError):  # as with Docker
        for one in msgspec.json.decode(_read(listed, LIST_MAXIMUM), type=list[_Layer]):
            if one.id == layer and re.fullmatch("[0-9a-f]{64}", one.parent):
                return one.parent.encode()
    return None


def _parent_of_snapshot(base: bytes, number: int) -> bytes | None:
    descriptor = os.open(base + b"/metadata.db", _READ)
    try:
        regular(descriptor)
        parent = bolt.read(descriptor, lambda tables: _parent_snapshot(tables, number))
    finally:
        os.close(descriptor)
    return None if parent is None else b"%s/snapshots/%d" % (base, parent)


def _parent_snapshot(tables: bolt.Bucket, number: int) -> int | None:
    """Return the number of the snapshot that another one was made from, as containerd's snapshotters keep it."""
    snapshots: bolt.Bucket | None = tables
    for name in _SNAPSHOTS:
        snapshots = snapshots.bucket(name) if snapshots is not None else None
    for _, snapshot in snapshots.buckets() if snapshots is not None else ():
        if _number(snapshot.get(b"id")) == number:
            above = snapshots.bucket(snapshot.get(b"parent") or b"") if snapshots is not None else None
            return _number(above.get(b"id")) if above is not None else None
    return None


def _number(value: bytes | None) -> int | None:
    """Return a number in as many groups of seven bits as it takes, the lowest first."""
    if value is None:
        return None
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(value[:10]))


def _read(path: bytes, maximum: int) -> bytes:
    """Return what a regular file has.

    Raises:
        OSError: when it is none, or too long.
    """
    descriptor = os.open(path, _READ)
    with os.fdopen(descriptor, "rb") as stream:
        if regular(stream.fileno()).st_size > maximum:
            raise NoRegularFileError
        return stream.read(maximum)


def _is_directory(path: bytes) -> bool:
    return Path(os.fsdecode(path)).is_dir()
