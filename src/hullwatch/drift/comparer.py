"""Is a file that a container runs a file of its image? By content: size first, then hash."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.drift import question as words
from hullwatch.drift.containers import Containers, OutsideError
from hullwatch.drift.content import Hashes, Recent, TooLongError, state_of
from hullwatch.drift.finding import Finder, NotFoundError
from hullwatch.drift.image_files import ImageFiles
from hullwatch.drift.opening import NoRegularFileError, open_below, regular
from hullwatch.drift.question import Answer, Question, Verdict

if TYPE_CHECKING:
    from hullwatch.drift.containers import KnownContainer
    from hullwatch.drift.content import State
    from hullwatch.drift.finding import FoundFile
    from hullwatch.drift.question import Limits, Place

VERDICTS_KEPT = 8192


class _Compared(NamedTuple):
    verdict: Verdict
    sha256: str
    reason: str


class Comparer:
    """Answers questions, one after the other.

    Args:
        limits: of the work for one question.
    """

    def __init__(self, limits: Limits) -> None:
        """Start with nothing known."""
        self._limits = limits
        self._containers = Containers()
        self._finder = Finder(self._containers)
        self.hashes = Hashes()
        self.image = ImageFiles()
        self._compared: Recent[tuple[State, object], _Compared] = Recent(VERDICTS_KEPT)

    def answer(self, question: Question) -> Answer:
        """Return what can be found out; what cannot is said with its reason."""
        deadline = time.monotonic() + self._limits.seconds
        number = question.number
        try:
            if question.kind == "container":
                with self._containers.process(question):
                    known = self._containers.find(question.container).root is not None
                    return Answer(number, reason="" if known else words.GONE)
            with self._finder.find(question) as found:
                return self._judge(question, found, deadline)
        except OutsideError:
            verdict: Verdict = "" if question.kind == "container" else "unknown"
            return Answer(number, verdict, reason=words.OUTSIDE)
        except NotFoundError as error:
            return Answer(number, "unknown", "upper_layer" if question.upper else "", reason=str(error))
        except NoRegularFileError:
            return Answer(number, "unknown", reason=words.NO_FILE)
        except TooLongError:
            return Answer(number, "unknown", reason=words.TOO_LONG)
        except OSError:
            return Answer(number, "unknown", reason=words.UNREADABLE)

    def _judge(self, question: Question, found: FoundFile, deadline: float) -> Answer:
        container = self._containers.find(question.container)
        place = found.place
        if place is None:  # of a script, in a layer of the image
            return Answer(question.number)
        if place == "":
            reason = words.OUTSIDE if found.mount is None else container.reason
            return Answer(question.number, "unknown", reason=reason, size=found.state.size)
        key = found.state, container.layers if place == "upper_layer" else place
        compared = self._compared.get(key)
        if compared is None:
            compared = self._compare(container, found, place, deadline)
            if state_of(os.fstat(found.descriptor)) != found.state:  # while it was read
                return Answer(question.number, "unknown", place, reason=words.CHANGED)
            self._compared.put(key, compared)
        verdict, sha256, reason = compared
        if found.doubtful and verdict == "image":  # it may have had another content, and was given this one since
            return Answer(question.number, "unknown", place, reason=words.CHANGED)
        return Answer(question.number, verdict, place, sha256, found.state.size, reason)

    def _compare(self, container: KnownContainer, found: FoundFile, place: Place, deadline: float) -> _Compared:
        is_too_large = found.state.size > self._limits.largest_file
        if place != "upper_layer":  # the image has nothing there, whatever it is
            sha256 = "" if is_too_large else self.hashes.of(found.descriptor, found.state, deadline)
            return _Compared("drift", sha256, words.TOO_LARGE if is_too_large else "")
        if container.layers is None:
            return _Compared("unknown", "", container.reason)
        lowers = container.layers.lowers
        if is_too_large:
            # Without another file of its size there is nothing that it could be equal to.
            if any(True for _ in self.image.of_size(lowers, found.state.size, deadline)):
                return _Compared("unknown", "", words.TOO_LARGE)
            return _Compared(self._verdict_without(lowers, deadline), "", words.TOO_LARGE)
        sha256 = self.hashes.of(found.descriptor, found.state, deadline)
        if self._is_same_below(lowers, found, sha256, deadline) or self._is_elsewhere(
            lowers, found.state.size, sha256, deadline
        ):
            return _Compared("image", sha256, "")
        verdict = self._verdict_without(lowers, deadline)
        return _Compared(verdict, sha256, words.TOO_MANY if verdict == "unknown" else "")

    def _verdict_without(self, lowers: tuple[bytes, ...], deadline: float) -> Verdict:
        """Return the verdict on a file that is not among those that were looked through."""
        return "drift" if self.image.is_complete(lowers, deadline) else "unknown"

    def _is_same_below(self, lowers: tuple[bytes, ...], found: FoundFile, sha256: str, deadline: float) -> bool:
        """Tell whether a layer has the content at the same path: a file that was only touched, or written again."""
        return found.inner is not None and any(
            self._has(lower, found.inner, found.state.size, sha256, deadline) for lower in lowers
        )

    def _is_elsewhere(self, lowers: tuple[bytes, ...], size: int, sha256: str, deadline: float) -> bool:
        """Tell whether any file of the image has the content: a copy, or another name."""
        return any(
            self._has(lower, path, size, sha256, deadline) for lower, path in self.image.of_size(lowers, size, deadline)
        )

    def _has(self, lower: bytes, path: bytes, size: int, sha256: str, deadline: float) -> bool:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, NoRegularFileError):
            directory = os.open(lower, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                descriptor = open_below(directory, path)
            finally:
                os.close(directory)
            try:
                state = state_of(regular(descriptor))
                return state.size == size and self.hashes.of(descriptor, state, deadline) == sha256
            finally:
                os.close(descriptor)
        return False
