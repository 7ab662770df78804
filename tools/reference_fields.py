"""The reference page of the fields that rules can name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.catalogue import catalogue
from tools.reference_events import table

if TYPE_CHECKING:
    from hullwatch.fields.field import Field

INTRODUCTION = """\
# Fields

Every field that a rule's condition or output can name, as in Falco 0.44. A field without a meaning is known, so that
rules that name it load, but has no value yet: a check of it is false, and it prints as `<NA>`. `[x]` stands for an
argument: `proc.aname[2]`, `container.label[app]`.

"""


NOTES = {
    "fs": """\
These are the paths of calls that were given a name, and of those that opened a file. Where the kernel opened the file
the path is its own. All others are made absolute and plain as text, with symbolic links not followed; what that means
and what cannot be known is under [Paths](events.md#paths).

""",
}


def _written(field: Field) -> str:
    optional = {"none": "", "optional": "[x] or none", "required": "[x]"}.get(field.argument, "")
    if not optional:
        return f"`{field.name}`"
    return f"`{field.name}.x`" if field.syntax == "dot" else f"`{field.name}{optional.split(' ')[0]}`"


def _section(name: str, fields: list[Field]) -> str:
    rows = [(_written(field), field.type.value, field.help or "") for field in fields]
    answered = sum(field.function is not None for field in fields)
    return (
        f"## {name}\n\n{answered} of {len(fields)} have a value.\n\n"
        + NOTES.get(name, "")
        + table(("field", "type", "meaning"), rows)
        + "\n"
    )


def page() -> str:
    """Return the page."""
    classes: dict[str, list[Field]] = {}
    for field in catalogue().values():
        classes.setdefault(field.name.partition(".")[0], []).append(field)
    return INTRODUCTION + "".join(_section(name, fields) for name, fields in classes.items())
