"""Writes the tables of ``captures/scap`` from the facts of the .scap format: ``python -m tools.scap_table FILE.json``.

The file has the event table of a version of the capture library as JSON: events, names of flags, variants, and how
events of older versions become those of today.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = ROOT / "src" / "hullwatch" / "captures" / "scap" / "tables"

_ABOUT = {
    "events.tsv": "# number, name, category, marks, index of the descriptor's parameter, parameters: "
    "name:type:format:names:directory's parameter",
    "names.tsv": "# set, kind, names with their numbers",
    "conversions.tsv": "# number, parameters found, what is done, number of the new event, its values",
}


def tables(facts: dict[str, Any]) -> dict[str, str]:
    """Return the text of each table by its file's name."""
    rows = {"events.tsv": _events(facts), "names.tsv": _names(facts), "conversions.tsv": _conversions(facts)}
    return {
        name: "".join(f"{line}\n" for line in (_ABOUT[name], *("\t".join(row) for row in found)))
        for name, found in rows.items()
    }


def _events(facts: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in facts["events"]:
        if "unused" not in row["flags"]:
            parameters = " ".join(map(_parameter, row["params"]))
            descriptor = str(row.get("fd_param", ""))
            yield str(row["number"]), row["name"], row["category"], ",".join(row["flags"]), descriptor, parameters


def _parameter(one: dict[str, Any]) -> str:
    names = one.get("flags", one.get("variants", ""))
    parts = (one["name"], one["type"], one.get("format", ""), names, str(one.get("dirfd_param", "")))
    return ":".join(parts).rstrip(":")


def _names(facts: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, found in facts["flags"].items():
        yield name, found["kind"], " ".join(f"{key}={value}" for key, value in found["values"].items())
    for name, types in facts["variants"].items():
        yield name, "variant", " ".join(f"{kind}={number}" for number, kind in enumerate(types))


def _conversions(facts: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in facts["conversions"]:
        fill = " ".join(row.get("fill", ()))
        yield str(row["number"]), str(row["nparams"]), row["action"], str(row.get("to_number", "")), fill


if __name__ == "__main__":
    for file, text in tables(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).items():
        (TABLES / file).write_text(text, encoding="utf-8")
