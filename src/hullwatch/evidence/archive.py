"""Writing a bundle: a new directory, or a .tar.gz whose bytes depend on what is in it alone."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hullwatch.captures.new_file import new_file
from hullwatch.errors import CannotError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMS = "SHA256SUMS"
ARCHIVES = (".tar.gz", ".tgz")


def write_bundle(files: Mapping[str, bytes], out: str, folder: str, time: int, *, force: bool = False) -> None:
    """Write files and ``SHA256SUMS``, in the order of their names.

    Args:
        files: by name; the names are our own.
        out: path of the archive, or of the directory, which is new.
        folder: that the archive has.
        time: of all files, seconds since the epoch.
        force: replace an archive of this name.

    Raises:
        UsageError: when it is there already, or its directory is not.
        CannotError: when it cannot be written.
    """
    whole = {**files, SUMS: sums(files)}
    if out.endswith(ARCHIVES):
        with new_file(out, force=force) as stream:
            _write_archive(stream, whole, folder, time)
    else:
        _write_directory(Path(out), whole, time)


def sums(files: Mapping[str, bytes]) -> bytes:
    """Return what ``sha256sum -c`` takes."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())).encode()


def _write_archive(stream: BinaryIO, files: Mapping[str, bytes], folder: str, time: int) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        above = tarfile.TarInfo(folder)
        above.type, above.mode, above.mtime = tarfile.DIRTYPE, 0o755, time
        archive.addfile(above)
        for name, data in sorted(files.items()):
            about = tarfile.TarInfo(f"{folder}/{name}")
            about.size, about.mode, about.mtime = len(data), 0o644, time
            archive.addfile(about, io.BytesIO(data))


def _write_directory(out: Path, files: Mapping[str, bytes], time: int) -> None:
    try:
        out.mkdir(mode=0o700)
    except FileExistsError:
        raise UsageError(
            f"{out} is there already: name a directory that is not, or a file that ends with .tar.gz."
        ) from None
    except FileNotFoundError:
        raise UsageError(f"There is no directory {out.parent}: make it, or name another place.") from None
    except OSError as error:
        raise CannotError(f"The directory {out} cannot be made: {error.strerror}.") from error
    try:
        for name, data in sorted(files.items()):
            path = out / name
            path.write_bytes(data)
            path.chmod(0o600)
            os.utime(path, (time, time))
    except OSError as error:
        raise CannotError(f"The directory {out} cannot be written: {error.strerror}.") from error
