"""The reference page of the outputs that alerts can be delivered to, and of what can be set for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.config.values import format_duration
from hullwatch.formats.registry import FORMATS
from hullwatch.outputs.configured import options_of
from hullwatch.outputs.output import OUTPUTS, FormattedOptions
from hullwatch.outputs.template import FILTERS, VALUES
from tools.reference_events import table

if TYPE_CHECKING:
    from hullwatch.config.settings import Leaf

INTRODUCTION = """\
# Outputs

`[outputs.NAME]` in the configuration file makes an output, with one of these types; [Outputs](../outputs.md) tells how
they work. A value marked with **s** is a secret: it may have `${VARIABLE}` in it, or come from a file by `..._file`.

"""

HEADS = ("key", "value", "default", "meaning")


def _kind(leaf: Leaf) -> str:
    if leaf.duration:
        return "duration"
    if leaf.choices:
        return " | ".join(leaf.choices) if len(leaf.choices) < 6 else "a name"
    text = str(leaf.type)
    for words, name in (("tuple", "list of texts"), ("dict", "table"), ("bool", "true, false"), ("int", "number")):
        if words in text:
            return name
    return "path" if "path" in leaf.marks else "text"


def _default(leaf: Leaf) -> str:
    value = leaf.default
    if value is msgspec.NODEFAULT:
        return "(needed)"
    if value in (None, "", (), {}):
        return ""
    if leaf.duration:
        return format_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, str) else ", ".join(map(str, value))


def _rows(leaves: dict[str, Leaf]) -> list[tuple[str, ...]]:
    return [
        (f"`{name}`" + " **s**" * ("secret" in leaf.marks), _kind(leaf), _default(leaf), leaf.help)
        for name, leaf in leaves.items()
        if "of_secret" not in leaf.marks
    ]


def page() -> str:
    """Return the page's text."""
    shared = options_of("NAME", OUTPUTS.names()[0])
    for name in OUTPUTS.names():
        shared = {key: leaf for key, leaf in shared.items() if key in options_of("NAME", name)}
    parts = [INTRODUCTION, "## Every output\n\n", table(HEADS, _rows(shared))]
    for name in OUTPUTS.names():
        kind = OUTPUTS.get(name)
        own = {key: leaf for key, leaf in options_of("NAME", name).items() if key not in shared}
        parts += [f"\n## {name}\n\n{kind.doc}\n\n", table(HEADS, _rows(own))]
    parts += ["\n## Formats\n\n", _formats(), "\n## Templates\n\n", _templates()]
    return "".join(parts)


def _formats() -> str:
    formatted = [name for name in OUTPUTS.names() if issubclass(OUTPUTS.get(name).options, FormattedOptions)]
    known = [(f"`{name}`", FORMATS.get(name).about, FORMATS.get(name).content_type) for name in FORMATS.names()]
    return f"For {', '.join(formatted)}.\n\n" + table(("format", "what it is", "content type"), known)


def _templates() -> str:
    return (
        f"Values: {', '.join(f'`{name}`' for name in VALUES)}, `fields.NAME`, `labels.NAME`.\n\n"
        f"Filters: {', '.join(f'`{name}`' for name in FILTERS)}; `upper`, `lower` and `cut:NUMBER` can stand before "
        "one.\n"
    )
