"""When a certificate runs out, so that nobody is surprised by it; and whether authorities say what their keys are for.

Source: RFC 5280, sections 4.1 (Certificate, Validity, UTCTime and GeneralizedTime) and 4.2.1 (key identifiers, key
usage, basic constraints), and X.690 for DER.
"""

from __future__ import annotations

import datetime as dt
import ssl

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_BOOLEAN, _EXTENSIONS = 0x01, 0xA3
_SUBJECT_KEY, _KEY_USAGE, _BASIC, _AUTHORITY_KEY = (b"\x55\x1d" + bytes([number]) for number in (14, 15, 19, 35))
_KEY_CERT_SIGN = 0x04  # of the first byte of a key's usage
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


def are_proper(pem: bytes) -> bool:
    """Tell whether every certificate of a file is of an authority as RFC 5280 wants it, so that strict checks take it.

    That is: a critical basic constraint that it is one, a key usage with keyCertSign, the identifier of its key, and
    that of its issuer's key where it has another one.
    """
    parts = pem[:_LONGEST].split(_BEGIN)[1:]
    try:
        ders = [ssl.PEM_cert_to_DER_cert((_BEGIN + part.partition(_END)[0] + _END).decode("ascii")) for part in parts]
        return bool(ders) and all(map(_is_proper, ders))
    except (ValueError, IndexError):
        return False


def _is_proper(der: bytes) -> bool:
    fields = _signed(der)
    issuer, subject = fields[2][1], fields[4][1]
    found: dict[bytes, tuple[bool, bytes]] = {}
    for tag, content in fields:
        if tag == _EXTENSIONS:
            for _, extension in _elements(_element(content, 0)[1]):
                parts = _elements(extension)
                critical = len(parts) > 2 and parts[1][0] == _BOOLEAN and parts[1][1] != b"\0"
                found[parts[0][1]] = critical, parts[-1][1]
    critical, basic = found.get(_BASIC, (False, b""))
    usage = _element(found[_KEY_USAGE][1], 0)[1] if _KEY_USAGE in found else b""
    is_authority = critical and _elements(_element(basic, 0)[1])[:1] == [(_BOOLEAN, b"\xff")]
    signs = len(usage) > 1 and bool(usage[1] & _KEY_CERT_SIGN)  # before it stands how many bits are not used
    return is_authority and signs and _SUBJECT_KEY in found and (issuer == subject or _AUTHORITY_KEY in found)


def _signed(der: bytes) -> list[tuple[int, bytes]]:
    """Return the fields of what is signed, from the serial number on."""
    fields = _elements(_element(_element(der, 0)[1], 0)[1])
    return fields[1:] if fields[0][0] == _VERSION else fields


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each element, one behind the other."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        tag, content, at = _element(data, at)
        found.append((tag, content))
    return found


def _not_after(der: bytes) -> float:
    tag, validity = _signed(der)[_BEFORE_VALIDITY]
    if tag != _SEQUENCE:
        raise ValueError("there is no validity where it belongs")
    tag, written = _elements(validity)[1]
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
