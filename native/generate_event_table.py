"""Write ``event_table.h``: the event table for the BPF programs and the sensor.

Usage: ``generate_event_table.py TABLE.toml EVENT_TABLE.h``. Needs only the standard library (Python 3.11),
because it runs while the project is built.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

C_TYPES = {
    (8, True): "__s64",
    (8, False): "__u64",
    (4, True): "__s32",
    (4, False): "__u32",
    (2, False): "__u16",
    (1, False): "__u8",
}
HEADER_TYPES = {"u64": "__u64", "u32": "__u32", "u16": "__u16"}

PREAMBLE = """\
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Generated from src/hullwatch/events/tables by native/generate_event_table.py: change the table, not this. */
#pragma once
"""


def constants(table: dict[str, Any]) -> list[str]:
    """Return the flag values and the event numbers and indexes as enumerations."""
    lines: list[str] = []
    prefixes = {
        "file_flags": "FILE_",
        "execve_flags": "",
        "socket_families": "SOCKET_",  # not the names of <sys/socket.h>, which are macros
        "shutdown_how": "SOCKET_",
        "record_flags": "RECORD_",
        "drop_reasons": "DROP_",
    }
    for group, values in table["flags"].items():
        lines.append(f"enum {group} {{")
        prefix = prefixes.get(group, f"{group.removesuffix('s').upper()}_")
        lines += [f"\t{prefix}{name} = {value}{'u' if value >> 31 else ''}," for name, value in values.items()]
        lines += ["};", ""]
    rows = [(name, number) for row in table["events"] for name, number in row["numbers"].items()]
    lines.append("enum event_number {")
    lines += [f"\tEVENT_{name.upper()} = {number}," for name, number in rows]
    lines += ["};", "", "/* Position in the table: what the counters are kept by. */", "enum event_index {"]
    lines += [f"\tINDEX_{name.upper()} = {index}," for index, (name, _) in enumerate(rows)]
    lines += [f"\tINDEX_UNKNOWN = {len(rows)}, /* not known which event it would have been */"]
    lines += [f"\tINDEX_COUNT = {len(rows) + 1},", "};", ""]
    lines += [f"#define DROP_REASON_COUNT {max(table['flags']['drop_reasons'].values()) + 1}"]
    lines += [f"#define EVENT_TABLE_VERSION {table['version']}", ""]
    return lines


def structures(table: dict[str, Any], header_fields: tuple[tuple[str, str], ...]) -> list[str]:
    """Return the record header and one structure for each layout."""
    lines = ["struct record_header {"]
    lines += [f"\t{HEADER_TYPES[width]} {name};" for name, width in header_fields]
    lines += ["};", ""]
    types = table["types"]
    for layout in table["layouts"]:
        scalars = sorted(
            (p for p in layout["parameters"] if types[p["type"]]["size"]), key=lambda p: -types[p["type"]]["size"]
        )
        variables = [p for p in layout["parameters"] if not types[p["type"]]["size"]]
        lines.append(f"struct record_{layout['name']} {{")
        lines.append("\tstruct record_header header;")
        for parameter in scalars:
            kind = types[parameter["type"]]
            comment = f" /* {parameter['doc']} */" if parameter.get("doc") else ""
            lines.append(f"\t{C_TYPES[kind['size'], kind.get('signed', False)]} {parameter['name']};{comment}")
        lines += [f"\t__u16 {parameter['name']}_length;" for parameter in variables]
        lines += ["} __attribute__((aligned(8)));", ""]
    return lines


def rows(table: dict[str, Any]) -> list[str]:
    """Return the table that the sensor walks: number, name, whether it carries state."""
    lines = [
        "#ifdef EVENT_TABLE_ROWS",
        "struct event_row {",
        "\t__u16 number;",
        "\t_Bool state;",
        "\tconst char *name;",
    ]
    lines += ["};", "static const struct event_row event_rows[INDEX_COUNT] = {"]
    for row in table["events"]:
        state = "1" if row.get("state") else "0"
        lines += [f'\t{{{number}, {state}, "{name}"}},' for name, number in row["numbers"].items()]
    lines += ['\t{0, 0, "unknown"},', "};", "#endif"]
    return lines


def header_fields(tables: Path) -> tuple[tuple[str, str], ...]:
    """Return the fields of the record header from ``table.py``, which stands beside the table.

    They are read from its source so that nothing has to be installed to build.
    """
    source = tables.with_name("table.py").read_text(encoding="utf-8")
    start = source.index("HEADER_FIELDS = (") + len("HEADER_FIELDS = ")
    return ast.literal_eval(source[start : source.index("\n)\n", start) + 2])


def merge(tables: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return one table of several, as ``merge`` in ``table.py``."""
    merged: dict[str, Any] = {"flags": {}, "layouts": [], "events": [], "types": {}}
    for table in tables:
        merged["version"] = table.get("version", merged.get("version"))
        for part in ("types", "flags"):
            merged[part].update(table.get(part, {}))
        for part in ("layouts", "events"):
            merged[part] += table.get(part, [])
    return merged


def main(arguments: list[str]) -> int:
    """Write the header."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    tables, target = map(Path, arguments)
    table = merge(tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(tables.glob("*.toml")))
    lines = constants(table) + structures(table, header_fields(tables)) + rows(table)
    target.write_text(PREAMBLE + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
