"""What the engine asks about a file that a container runs, and what it is told."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["container", "program", "library", "script"]
Verdict = Literal["", "drift", "image", "unknown"]
Place = Literal["", "upper_layer", "memory", "volume"]

# Why something is not known: few, and fixed, for they are counted by their words.
CHANGED = "the file was changed or replaced since"
GONE = "nothing is left through which the file could be reached"
NO_FILE = "it is no regular file"
NO_LAYERS = "the container's root is no overlay whose layers can be read"
NO_COPY = "the image that the container's root is a copy of was not found"
NO_STORAGE = "the image's files are not looked for in the storage of zfs and the like"
REMOVED = "the file was removed since"
OUTSIDE = "it is not in the container's mounts"
TOO_LARGE = "the file is larger than drift.largest_file"
TOO_LONG = "it took longer than drift.timeout"
TOO_MANY = "the image has more files than are looked through"
UNREADABLE = "it could not be read"
NO_ANSWER = "the process that compares does not answer"
WAITED_TOO_LONG = "too many files waited to be compared"


class Question(msgspec.Struct, frozen=True, array_like=True):
    """A file that a process runs.

    Attributes:
        number: of the question; the answer has it too.
        kind: ``container`` only tells of a process of a container, whose mounts are worth knowing before it is gone.
        container: the 64 digits of its id.
        pid: of the process, on the host.
        start: of the process, ns since boot.
        path: as the process sees it.
        upper: whether the kernel says that it is in an overlay's upper layer; of scripts it says nothing.
        ino: the inode's number; 0 when it is not known, as of scripts.
        ctime: when the inode was changed, ns since the epoch; the same.
        mtime: when the content was changed; the same.
        address: where a library is mapped.
        moment: when it was started or mapped, ns since the epoch.
    """

    number: int
    kind: Kind
    container: str
    pid: int
    start: int
    path: bytes = b""
    upper: bool = False
    ino: int = 0
    ctime: int = 0
    mtime: int = 0
    address: int = 0
    moment: int = 0


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What was found; no verdict when there is nothing to say, as of a script that is in a layer of the image.

    To a question of the kind ``container`` a reason says that its mounts are not known yet.
    """

    number: int
    verdict: Verdict = ""
    place: Place = ""
    sha256: str = ""
    size: int = 0
    reason: str = ""


class Limits(msgspec.Struct, frozen=True):
    """How much work a question may be.

    Attributes:
        largest_file: bytes of a file that is read.
        seconds: for one question.
    """

    largest_file: int
    seconds: float
