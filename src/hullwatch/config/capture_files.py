"""The files of a recording: where they are, that they are new, and that there are not more than were asked for."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from hullwatch.config.settings import RecordSettings


class CaptureFiles:
    """Makes the files; the supervisor does, for the engine may write nowhere.

    Args:
        settings: of the recording.
    """

    def __init__(self, settings: RecordSettings) -> None:
        """Make no file yet."""
        self._settings = settings
        self._made: list[Path] = []

    def path(self, number: int) -> Path:
        """Return the file with a number: ``a.hwcap``, ``a.1.hwcap``, ``a.2.hwcap``."""
        first = Path(self._settings.file)
        return first if number == 0 else first.with_name(f"{first.stem}.{number}{first.suffix}")

    def open(self, number: int) -> BinaryIO:
        """Make the file with this number, which must not be there, and remove the oldest when there are too many.

        Raises:
            CannotError: when none was asked for, or it cannot be made.
        """
        if not self._settings.file:
            raise CannotError("No recording was asked for.")
        path = self.path(max(number, len(self._made)))
        try:
            descriptor = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
        except FileExistsError:
            raise CannotError(
                f"The file {path} is there already: name another one for the recording, or remove it."
            ) from None
        except OSError as error:
            raise CannotError(f"The capture {path} cannot be written: {error.strerror}.") from error
        self._made.append(path)
        if len(self._made) > self._settings.rotate_files:
            with contextlib.suppress(OSError):  # it may have been moved away
                self._made[-1 - self._settings.rotate_files].unlink()
        return os.fdopen(descriptor, "wb", buffering=0)
