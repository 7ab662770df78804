"""The operators that match patterns: glob, regex and pmatch, and networks.

Patterns run in RE2, whose time grows with the length of the text only, whatever the pattern.
"""

from __future__ import annotations

import functools
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Predicate = "Callable[[Any], bool]"
_SPECIAL = frozenset(b"\\.+*?()|[]{}^$")
REMEMBERED = 1024  # texts of one pattern whose verdict is kept
LONGEST_REMEMBERED = 256  # characters; so that hostile names cannot fill the memory
_MEMORY = 8 << 20  # bytes that one pattern may take; RE2 refuses larger ones


def _remembered(test: Callable[[str], bool]) -> Callable[[str], bool]:
    """Judge a text once: names and paths come again and again, and a lookup costs a tenth of a match."""
    known = functools.lru_cache(REMEMBERED)(test)
    return lambda text: known(text) if len(text) <= LONGEST_REMEMBERED else test(text)


def glob(pattern: str, *, ignore_case: bool = False) -> Callable[[str], bool]:
    """Return a test for POSIX ``fnmatch`` without flags: ``*`` and ``?`` match a slash too.

    Text is compared as bytes, as the kernel's names are.
    """
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


def path_prefix(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a test for paths that begin with one of these, by whole components, each of which may be a glob."""
    plain: set[str] = set()
    globs: list[list[Callable[[str], bool]]] = []
    for pattern in patterns:
        components = _components(pattern)
        if any(character in pattern for character in "*?["):
            globs.append([glob(component) for component in components])
        else:
            plain.add("/".join(components))
    if "" in plain:
        return lambda _: True
    beginnings = tuple(f"/{pattern}/" for pattern in plain)

    def test(path: str) -> bool:
        components = path.split("/")[1:] if path.startswith("/") and "//" not in path else _components(path)
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


def _components(path: str) -> list[str]:
    return [component for component in path.split("/") if component]


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
        elif byte == b"[" and (end := _class_end(pattern, position)):
            parts.append(_class_expression(pattern[position + 1 : end]))
            position = end
        elif byte == b"\\" and position + 1 < len(pattern):
            position += 1
            parts.append(_quote(pattern[position]))
        else:
            parts.append(_quote(pattern[position]))
        position += 1
    return b"".join(parts)


def _class_end(pattern: bytes, start: int) -> int:
    """Return where a bracket expression ends, or 0: then the bracket stands for itself."""
    position = start + 2 if pattern[start + 1 : start + 2] in {b"!", b"^"} else start + 1
    if pattern[position : position + 1] == b"]":  # a bracket that comes first is a member
        position += 1
    while position < len(pattern):
        if pattern.startswith(b"[:", position) and (stop := pattern.find(b":]", position + 2)) > 0:
            position = stop + 2
        elif pattern[position : position + 1] == b"]":
            return position
        else:
            position += 1
    return 0


def _class_expression(content: bytes) -> bytes:
    negated = content[:1] in {b"!", b"^"}
    members = content[1:] if negated else content
    parts: list[bytes] = []
    position = 0
    while position < len(members):
        if members.startswith(b"[:", position) and (stop := members.find(b":]", position + 2)) > 0:
            parts.append(members[position : stop + 2])
            position = stop + 2
        else:
            byte = members[position : position + 1]
            between = 0 < position < len(members) - 1
            parts.append(byte if byte == b"-" and between else _quote(members[position]))
            position += 1
    return b"[" + (b"^" if negated else b"") + b"".join(parts) + b"]"


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
