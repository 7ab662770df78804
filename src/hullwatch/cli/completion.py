"""What a shell offers where a verb wants a name or a condition; it has no place for errors, so there are none."""

from __future__ import annotations

import os
import re

_BASH = "complete_bash"  # what typer's script for bash asks for
_FIELD = re.compile(r"[a-z0-9_.\[\]]*$")
_SPECIAL = re.compile(r"([^\w@%+=:,./-])")


def shell_words(words: list[str]) -> list[str]:
    """Return words as the shell can take them: bash breaks those with spaces that stand in no quotes."""
    line = os.environ.get("COMP_WORDS", "")
    quoted = line.count('"') % 2 or line.count("'") % 2
    if os.environ.get("_HULLWATCH_COMPLETE") != _BASH or quoted:
        return words
    return [_SPECIAL.sub(r"\\\1", word) for word in words]


def complete_condition(incomplete: str) -> list[str]:
    """Complete the field that a condition ends with."""
    from hullwatch.fields.catalogue import answered

    begun = _FIELD.search(incomplete)
    beginning = begun[0] if begun is not None else ""
    if not beginning:
        return []
    before = incomplete[: len(incomplete) - len(beginning)]
    return shell_words([before + name for name in sorted(answered()) if name.startswith(beginning)])


def complete_format(incomplete: str) -> list[str]:
    """Complete the name of a format."""
    from hullwatch.formats.registry import FORMATS

    return [name for name in FORMATS.names() if name.startswith(incomplete)]


def complete_output(incomplete: str) -> list[str]:
    """Complete the name of an output of the configuration."""
    from hullwatch.cli.settings import load_settings
    from hullwatch.errors import HullwatchError

    try:
        names = load_settings({}, None).settings.outputs
    except (HullwatchError, OSError):
        return []
    return shell_words([name for name in names if name.startswith(incomplete) and name.isprintable()])
