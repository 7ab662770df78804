"""Secrets in the options of outputs: where they come from, and how they are kept from being shown."""

from __future__ import annotations

import base64
import os
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

from hullwatch.config.output_tables import FROM_FILE
from hullwatch.errors import CannotError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hullwatch.config.settings import Leaf

MASK = "***"
LARGEST_SECRET = 1 << 16  # bytes of a file
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,127})\}")
_SHORTEST = 3  # characters of a text that is looked for: shorter ones are everywhere
_SHORTEST_PART = 8  # of a part of a URL's path

Secrets = dict[str, str]
"""The values by where they come from: ``${NAME}`` or the path of a file."""


def read_secrets(
    where: str, table: Mapping[str, object], leaves: Mapping[str, Leaf], environment: Mapping[str, str] | None = None
) -> Secrets:
    """Read the secrets that an output's options name, before the right to read them is given up.

    Args:
        where: what the options are called in messages (``outputs.siem``).
        table: the options as they are written.
        leaves: of the options' type.
        environment: of the process when None.

    Raises:
        UsageError: there is no such variable.
        CannotError: a file cannot be read.
    """
    variables = os.environ if environment is None else environment
    found: Secrets = {}
    for key, value in table.items():
        if _is_file(key, leaves):
            found[str(value)] = _read(f"{where}.{key}", str(value))
        elif key in leaves and "secret" in leaves[key].marks:
            for name in (name for text in _texts(value) for name in _VARIABLE.findall(text)):
                if name not in variables:
                    raise UsageError(f"{where}.{key}: there is no variable {name} in the environment.")
                found[f"${{{name}}}"] = variables[name]
    return found


def with_secrets(table: Mapping[str, object], leaves: Mapping[str, Leaf], secrets: Secrets) -> dict[str, object]:
    """Return an output's options with the secrets in their places."""
    whole: dict[str, object] = {}
    for key, value in table.items():
        if _is_file(key, leaves):
            whole[key.removesuffix(FROM_FILE)] = secrets[str(value)]
        elif key in leaves and "secret" in leaves[key].marks:
            whole[key] = _map_texts(value, lambda text: _VARIABLE.sub(lambda match: secrets[match[0]], text))
        else:
            whole[key] = value
    return whole


def shown(table: Mapping[str, object], leaves: Mapping[str, Leaf]) -> dict[str, object]:
    """Return an output's options as people may see them: variables and files by name, everything else hidden."""
    safe: dict[str, object] = {}
    for key, value in table.items():
        mark = leaves[key].marks.get("secret") if key in leaves else None
        if mark == "url":
            safe[key] = _map_texts(value, shown_url)
        elif mark is not None:
            safe[key] = _map_texts(value, lambda text: text if _VARIABLE.fullmatch(text) or not text else MASK)
        else:
            safe[key] = value
    return safe


def shown_url(url: str) -> str:
    """Return a URL without what may be a secret in it: user, password, path, query."""
    if not url or _VARIABLE.fullmatch(url):
        return url
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return MASK
    if not parts.scheme or not parts.hostname or "$" in parts.netloc:
        return MASK
    user = f"{MASK}@" if "@" in parts.netloc else ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    rest = f"/{MASK}" if parts.path.strip("/") or parts.query or parts.fragment else parts.path
    return f"{parts.scheme}://{user}{host}{port}{rest}"


class Hidden:
    """Replaces the secrets of an output in what is said about it."""

    def __init__(self, table: Mapping[str, object], leaves: Mapping[str, Leaf], secrets: Secrets) -> None:
        """Take them from the options with the secrets in their places, and from where they came."""
        texts = set(secrets.values())
        for key, value in table.items():
            mark = leaves[key].marks.get("secret") if key in leaves else None
            if mark == "url":
                texts.update(part for text in _texts(value) for part in _parts_of_url(text))
            elif mark is not None:
                for text in _texts(value):
                    texts.update((text, *(word for word in text.split() if len(word) >= _SHORTEST_PART)))
        forms = {form for text in texts if len(text) >= _SHORTEST for form in _forms(text)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without them."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


def _forms(text: str) -> Iterable[str]:
    """Return how a secret may be written in an answer: as it is, escaped, or encoded."""
    yield text
    yield quote(text)
    yield quote(text, safe="")
    yield base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()
    yield repr(text)[1:-1]


def _parts_of_url(url: str) -> Iterable[str]:
    yield url
    try:
        parts = urlsplit(url)
        if parts.password is not None:
            yield parts.password
            yield f"{parts.username}:{parts.password}"
            yield parts.netloc.rpartition("@")[0]
    except ValueError:
        return
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    if len(rest) >= _SHORTEST_PART:
        yield rest
    for part in re.split(r"[/?&=]", rest):
        if len(part) >= _SHORTEST_PART:
            yield part


def _is_file(key: str, leaves: Mapping[str, Leaf]) -> bool:
    name = key.removesuffix(FROM_FILE)
    return name != key and name in leaves and "secret" in leaves[name].marks and "of_secret" in leaves[key].marks


def _read(where: str, path: str) -> str:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - it is one call, and follows links: secrets are mounted so
            data = stream.read(LARGEST_SECRET + 1)
    except OSError as error:
        raise CannotError(f"{where}: the file {path} cannot be read: {error.strerror}.") from error
    if len(data) > LARGEST_SECRET:
        raise CannotError(f"{where}: the file {path} has more than {LARGEST_SECRET} bytes; a secret is shorter.")
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise CannotError(f"{where}: the file {path} is not UTF-8 text.") from error


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in cast("list[object]", value):
            yield from _texts(item)


def _map_texts(value: object, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _map_texts(item, change) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return tuple(_map_texts(item, change) for item in cast("list[object]", value))
    return value
