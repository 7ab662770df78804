"""Alerts as bytes: what the engine hands over and what the store keeps.

The bytes of an alert are msgpack, without what differs in each (id and time), which travels and is kept beside them.
In the store they are compressed with a dictionary of alerts that came before: one alert alone is too short to be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import msgspec
import zstandard
from msgspec.structs import force_setattr

from hullwatch.alerts.alert import Alert, Reused
from hullwatch.alerts.mask import CUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LONGEST = 96 << 10  # bytes of an alert; what is longer has its texts cut
SHORTENED = (4096, 512, 64)  # characters of each text, tried in turn
MOST_PARTS = 64  # of a list or an object in an alert that is cut
DICTIONARY = 48 << 10  # bytes of a dictionary
ENOUGH = 64  # alerts to make one of
LEVEL = 3
_LARGEST = 1 << 20  # bytes that a stored alert may become
_UNCLEAN = re.compile("[\0\ud800-\udfff]")


def pack(alert: Alert) -> tuple[bytes, bool]:
    """Return an alert's bytes without its id and time, and whether something in it was cut."""
    data = _encoded(alert)
    if len(data) <= LONGEST:
        return data, False
    for longest in SHORTENED:
        document = msgspec.msgpack.decode(data)
        data = msgspec.msgpack.encode(_shortened(document, longest))
        if len(data) <= LONGEST:
            break
    else:
        data = _encoded(msgspec.structs.replace(alert, message=CUT, output_fields={}, evidence=(), labels={}))
    return data, True


def unpack(data: bytes, id_: str, time: int) -> Alert:
    """Return an alert of its bytes.

    Raises:
        msgspec.MsgspecError: when they are none.
    """
    alert = _DECODER.decode(data)
    force_setattr(alert, "id", id_)
    force_setattr(alert, "time", time)
    return alert


def _encoded(alert: Alert) -> bytes:
    try:
        return _ENCODER.encode(alert)
    except UnicodeEncodeError:  # half of a surrogate pair: a name that is no UTF-8
        return _ENCODER.encode(clean(msgspec.to_builtins(alert, builtin_types=(bytes,), enc_hook=_other)))


def _other(value: object) -> object:
    if isinstance(value, Reused):
        return None
    return clean(str(value))


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_other)
_DECODER = msgspec.msgpack.Decoder(Alert)


def clean(value: Any) -> Any:
    """Return a value whose texts can be stored: halves of surrogate pairs and NUL become U+FFFD."""
    if isinstance(value, str):
        return _UNCLEAN.sub("\ufffd", value)
    if isinstance(value, dict):
        items = cast("Mapping[Any, Any]", value)
        return {clean(key): clean(item) for key, item in items.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in cast("Sequence[Any]", value)]
    return value


def _shortened(value: Any, longest: int) -> Any:
    """Return a value whose texts have at most so many characters, and its parts ``MOST_PARTS``."""
    if isinstance(value, str):
        return value if len(value) <= longest else value[:longest] + CUT
    if isinstance(value, bytes):
        return value[:longest]
    if isinstance(value, dict):
        items = list(cast("Mapping[Any, Any]", value).items())[:MOST_PARTS]
        return {_shortened(key, longest): _shortened(item, longest) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [_shortened(item, longest) for item in cast("Sequence[Any]", value)[:MOST_PARTS]]
    return value


class Packer:
    """Compresses what is stored; the first byte tells with which dictionary, 0 for none."""

    def __init__(self, dictionaries: Mapping[int, bytes]) -> None:
        """Take the dictionaries that the store has; the last one compresses."""
        made = {number: zstandard.ZstdCompressionDict(data, dict_type=1) for number, data in dictionaries.items()}
        self.number = max(made, default=0)
        self._expanders = {number: zstandard.ZstdDecompressor(dict_data=one) for number, one in made.items()}
        self._expanders[0] = zstandard.ZstdDecompressor()
        self._head = bytes([self.number])
        if self.number:
            made[self.number].precompute_compress(level=LEVEL)  # pyright: ignore[reportUnknownMemberType]
            self._compressor = zstandard.ZstdCompressor(dict_data=made[self.number], level=LEVEL)
        else:
            self._compressor = zstandard.ZstdCompressor(level=1)

    def compress(self, data: bytes) -> bytes:
        """Return what is stored of some bytes."""
        return self._head + self._compressor.compress(data)

    def expand(self, data: bytes) -> bytes:
        """Return the bytes again.

        Raises:
            ValueError: when they were not compressed here.
        """
        expander = self._expanders.get(data[0] if data else -1)
        if expander is None:
            raise ValueError("it was compressed with a dictionary that is not there")
        try:
            return expander.decompress(memoryview(data)[1:], max_output_size=_LARGEST)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from None


def dictionary_of(bodies: Iterable[bytes]) -> bytes | None:
    """Return a dictionary made of alerts, each of which is other than those before; None when they are too few."""
    different = list(dict.fromkeys(bodies))
    if len(different) < ENOUGH:
        return None
    every = max(1, sum(map(len, different)) // DICTIONARY + 1)
    return b"".join(different[::every])[-DICTIONARY:]
