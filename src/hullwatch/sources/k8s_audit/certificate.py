"""When a certificate runs out: the one thing that is read of it, so that nobody is surprised by it.

Source: RFC 5280, section 4.1 (Certificate, Validity, UTCTime and GeneralizedTime), and X.690 for DER.
"""

from __future__ import annotations

import datetime as dt
import ssl

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_BEFORE_VALIDITY = 3  # serial number, algorithm, issuer
_LONGEST = 1 << 20  # bytes


def end_of(pem: bytes) -> float | None:
    """Return when the first certificate of a file runs out, seconds since the epoch; None when that cannot be read."""
    begin = pem[:_LONGEST].find(_BEGIN)
    end = pem[:_LONGEST].find(_END, begin)
    if begin < 0 or end < 0:
        return None
    try:
        der = ssl.PEM_cert_to_DER_cert(pem[begin : end + len(_END)].decode("ascii"))
        return _not_after(der)
    except (ValueError, IndexError):
        return None


def _not_after(der: bytes) -> float:
    _, certificate, _ = _element(der, 0)
    _, signed, _ = _element(certificate, 0)
    tag, _, after = _element(signed, 0)
    if tag != _VERSION:
        after = 0
    for _ in range(_BEFORE_VALIDITY):
        _, _, after = _element(signed, after)
    tag, validity, _ = _element(signed, after)
    if tag != _SEQUENCE:
        raise ValueError("there is no validity where it belongs")
    _, _, after = _element(validity, 0)
    tag, written, _ = _element(validity, after)
    text = written.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 50 to 99 are of the last century
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("the end of validity is no time")
    return dt.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC).timestamp()


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Return tag and content of the element at a place, and the place behind it."""
    tag, length = data[at], data[at + 1]
    at += 2
    if length >= 0x80:  # the length is in so many bytes
        size = length & 0x7F
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > len(data):
        raise ValueError("an element is longer than what it is in")
    return tag, data[at : at + length], at + length
