"""Events as field values: a file of JSON objects, one a line, plain or compressed with gzip.

A line is ``{"proc.name": "cat", "proc.pid": 30, ...}``, or has such an object as ``fields`` beside whatever
else is known of the event. It comes from outside: lines are limited, and one that is wrong is given as
the sentence that says so.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import msgspec

from hullwatch.errors import UsageError
from hullwatch.sources.long_lines import skip_line
from hullwatch.sources.unpacking import GZIP_MAGIC, GzipStream, TooMuchError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_LINE = 1 << 20  # bytes

Plain = str | int | float | bool
FieldValues = dict[str, Plain | list[Plain] | None]


class Line(NamedTuple):
    """A line of the input.

    Attributes:
        number: from 1.
        values: what the fields are, by name; empty when the line is wrong.
        mistake: what is wrong with it; empty when nothing is.
    """

    number: int
    values: FieldValues
    mistake: str = ""


# Any of the two forms; msgspec has no union of objects whose keys are data.
_DECODER = msgspec.json.Decoder(dict[str, Plain | list[Plain] | FieldValues | None])


def read_lines(stream: BinaryIO, name: str) -> Iterator[Line]:
    """Yield the lines of a stream, empty ones left out.

    Args:
        stream: plain or compressed; which, its first bytes tell.
        name: of the file, for the sentences.

    Raises:
        UsageError: when the data cannot be read, or the compressed data is damaged; every line before that
            was given.
    """
    buffered = io.BufferedReader(cast("io.RawIOBase", stream))
    number = 0
    try:
        packed = buffered.peek(2).startswith(GZIP_MAGIC)
        source: io.BufferedIOBase = io.BufferedReader(GzipStream(buffered)) if packed else buffered
        while data := source.readline(LONGEST_LINE + 1):
            number += 1
            if len(data) > LONGEST_LINE and not data.endswith(b"\n"):
                skip_line(source, number, name)
                yield Line(number, {}, f"it has more than {LONGEST_LINE >> 20} MiB")
            elif not data.isspace():
                yield _decode(data, number)
    except TooMuchError as error:
        sentence = f"The file {name} was judged up to line {number}: {error}."
        raise UsageError(sentence) from error
    except (EOFError, zlib.error) as error:
        sentence = f"The compressed data of {name} is damaged behind line {number}: what follows was not judged."
        raise UsageError(sentence) from error
    except OSError as error:
        reason = error.strerror or "its data cannot be read"
        raise UsageError(f"The file {name} cannot be read behind line {number}: {reason}.") from error
    finally:
        buffered.detach()  # the stream is its owner's to close


def _decode(data: bytes, number: int) -> Line:
    try:
        document = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Line(number, {}, f"it is no JSON object of field values ({error})")
    inner = document.get("fields")
    if isinstance(inner, dict):
        return Line(number, inner)
    for key, value in document.items():
        if isinstance(value, dict):
            return Line(number, {}, f"the value of {key!r} is an object, and a field has a value or a list of values")
    return Line(number, cast("FieldValues", document))
