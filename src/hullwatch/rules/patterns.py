"""The operators that match patterns: glob, regex and pmatch, and networks.

Patterns run in RE2, whose time grows with the length of the text only, whatever the pattern.
"""

from __future__ import annotations

import functools
import re
import socket
import string
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Predicate = "Callable[[Any], bool]"
_SPECIAL = frozenset(b"\\.+*?()|[]{}^$")
REMEMBERED = 64  # texts of one pattern whose verdict is kept: most are judged once for all rules, not here
LONGEST_REMEMBERED = 256  # characters; so that hostile names cannot fill the memory
LONGEST_GLOB = 1 << 16  # characters; larger ones take seconds to compile
_LOWER = {ord(letter): letter.lower() for letter in string.ascii_uppercase}
_UPPER = {ord(letter): letter.upper() for letter in string.ascii_lowercase}
_CLASS = re.compile(rb"\[:([a-z]*):\]")
_CLASSES = frozenset(b"alnum alpha blank cntrl digit graph lower print punct space upper xdigit".split())
_EQUIVALENT = re.compile(rb"\[([.=])([\x00-\x7f])\1\]")
_NEVER = rb"[^\x00-\xff]"
_MEMORY = 8 << 20  # bytes that one pattern may take; RE2 refuses larger ones


def _remembered(test: Callable[[str], bool]) -> Callable[[str], bool]:
    """Judge a text once: names and paths come again and again, and a lookup costs a tenth of a match."""
    known = functools.lru_cache(REMEMBERED)(test)
    return lambda text: known(text) if len(text) <= LONGEST_REMEMBERED else test(text)


def glob(pattern: str, *, ignore_case: bool = False) -> Callable[[str], bool]:
    """Return a test for POSIX ``fnmatch`` without flags: ``*`` and ``?`` match a slash too.

    Text is compared as bytes, as the kernel's names are.

    Raises:
        ValueError: for a pattern that is too long; no path is so long.
    """
    if len(pattern) > LONGEST_GLOB:
        raise ValueError(f"the pattern has more than {LONGEST_GLOB} characters")
    expression = _compile(_glob_expression(_bytes(pattern)), latin=True, ignore_case=ignore_case)
    return _remembered(lambda text: expression.fullmatch(_bytes(text)) is not None)


def regex(pattern: str) -> Callable[[str], bool]:
    """Return a test for a regular expression in RE2's POSIX syntax that must match the whole text.

    Raises:
        ValueError: when the pattern is not valid; the message says why.
    """
    expression = _compile(_bytes(pattern), posix=True)
    return _remembered(lambda text: expression.fullmatch(_bytes(text)) is not None)


def needs_no_regex(pattern: str) -> bool:
    """Tell whether a plain comparison would do the same."""
    return not _SPECIAL & set(_bytes(pattern))


def _component(pattern: str) -> Callable[[str], bool]:
    """Return a test for one component of a path; most of them need no pattern."""
    return glob(pattern) if any(character in pattern for character in "*?[\\") else pattern.__eq__


def path_prefix(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a test for paths that begin with one of these, by whole components, each of which may be a glob."""
    plain: set[str] = set()
    globs: list[list[Callable[[str], bool]]] = []
    for pattern in patterns:
        components = _components(pattern)
        if any(character in pattern for character in "*?["):
            globs.append([_component(component) for component in components])
        else:
            plain.add("/".join(components))
    if "" in plain:
        return lambda _: True
    beginnings = tuple(f"/{pattern}/" for pattern in plain)

    def test(path: str) -> bool:
        components = path.split("/")[1:] if _is_plain(path) else _components(path)
        if f"/{'/'.join(components)}/".startswith(beginnings):
            return True
        return bool(globs) and any(
            len(wanted) <= len(components)
            and all(one(component) for one, component in zip(wanted, components, strict=False))
            for wanted in globs
        )

    return _remembered(test)


def network(text: str) -> Callable[[bytes], bool]:
    """Return a test for packed addresses that lie in a network such as ``10.0.0.0/8``.

    Raises:
        ValueError: when it is not one.
    """
    address, slash, length_text = text.partition("/")
    packed = packed_address(address) if slash and length_text.isdecimal() else None
    if packed is None or not 0 <= int(length_text) <= len(packed) * 8 or (":" in address and int(length_text) == 0):
        raise ValueError(f"{text!r} is not a network: write one such as 10.0.0.0/8")
    shift = len(packed) * 8 - int(length_text)
    wanted = int.from_bytes(packed, "big") >> shift
    size = len(packed)
    return lambda value: len(value) == size and int.from_bytes(value, "big") >> shift == wanted


def packed_address(text: str) -> bytes | None:
    """Return an address as 4 or 16 bytes; None when it is not one."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None


def _is_plain(path: str) -> bool:
    """Tell whether every slash of a path begins a component."""
    return path.startswith("/") and "//" not in path and not path.endswith("/")


def _components(path: str) -> list[str]:
    return [component for component in path.split("/") if component]


def lower(text: str) -> str:
    """Return text with its ASCII letters in lower case, as Falco folds: no other letter is touched."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def upper(text: str) -> str:
    """Return text with its ASCII letters in upper case."""
    return text.upper() if text.isascii() else text.translate(_UPPER)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _glob_expression(pattern: bytes) -> bytes:
    parts: list[bytes] = []
    position = 0
    while position < len(pattern):
        byte = pattern[position : position + 1]
        if byte == b"*":
            parts.append(b".*")
        elif byte == b"?":
            parts.append(b".")
        elif byte == b"[" and (found := _bracket(pattern, position)):
            position, expression = found
            parts.append(expression)
        elif byte == b"\\":
            position += 1
            parts.append(_quote(pattern[position]) if position < len(pattern) else _NEVER)
        else:
            parts.append(_quote(pattern[position]))
        position += 1
    return b"".join(parts)


def _bracket(pattern: bytes, start: int) -> tuple[int, bytes] | None:
    """Return where a bracket expression ends, and what it is for RE2; None if it does not: then it stands for itself.

    As in glibc's ``fnmatch``: a backslash quotes inside too, a range that runs backwards is empty, and with a class
    that does not exist nothing matches.
    """
    position = start + 1
    negated = pattern[position : position + 1] in {b"!", b"^"}
    position += negated
    first, parts, valid = position, list[bytes](), True
    while position < len(pattern):
        if pattern[position] == ord("]") and position > first:  # one that comes first is a member
            if not parts or not valid:
                return position, b"." if negated and valid else _NEVER
            return position, b"[" + b"^" * negated + b"".join(parts) + b"]"
        if named := _CLASS.match(pattern, position):
            valid = valid and named.group(1) in _CLASSES
            parts.append(named.group())
            position = named.end()
            continue
        low, position = _member(pattern, position)
        high = low
        if pattern[position : position + 1] == b"-" and pattern[position + 1 : position + 2] not in {b"", b"]"}:
            high, position = _member(pattern, position + 1)
        if low <= high:
            parts.append(_quote(low) + b"-" + _quote(high))
    return None


def _member(pattern: bytes, position: int) -> tuple[int, int]:
    """Return the byte that stands at a place within brackets, and where the next one stands."""
    if pattern[position] == ord("\\") and position + 1 < len(pattern):
        return pattern[position + 1], position + 2
    if equivalent := _EQUIVALENT.match(pattern, position):
        return equivalent.group(2)[0], equivalent.end()
    return pattern[position], position + 1


def _quote(byte: int) -> bytes:
    """Return a byte as itself for RE2, in an expression and within brackets."""
    return bytes([byte]) if chr(byte).isalnum() and byte < 0x80 else b"\\x%02x" % byte


def _compile(pattern: bytes, *, posix: bool = False, latin: bool = False, ignore_case: bool = False) -> Any:
    import re2  # pyright: ignore[reportMissingTypeStubs] - google-re2 ships none

    library: Any = re2
    options = library.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.posix_syntax = posix
    options.case_sensitive = not ignore_case
    options.dot_nl = latin
    if latin:
        options.encoding = library.Options.Encoding.LATIN1
    try:
        return library.compile(pattern, options)
    except library.error as error:
        reason = error.args[0] if error.args else b""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(text) from None
