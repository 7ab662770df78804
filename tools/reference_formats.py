"""The reference page of the formats of alerts."""

from __future__ import annotations

import json
import os
import time

from hullwatch import __version__
from hullwatch.formats.mapping import TARGETS, rows, severities
from hullwatch.formats.registry import FORMATS
from hullwatch.formats.sample import sample_alert, sample_placement
from tools.reference_events import table

INTRODUCTION = """\
# Formats of alerts

How an alert can be written: by `hullwatch run -o NAME`, `hullwatch replay -o NAME` and by outputs (`format = "NAME"`).
`hullwatch formats list` and `hullwatch formats show NAME` tell the same on the command line.

"""

RULES = """\
## What holds for all

- An alert is one line in UTF-8. Names, arguments and paths come from whoever runs in the container: control
  characters, direction marks and invisible characters are written out (`\\u001b` in JSON, `\\x1b` elsewhere), and what
  is no Unicode is U+FFFD. The delimiters of CEF are escaped as its standard says; LEEF, which has no escapes, has them
  written out.
- A value of more than 16,384 characters is cut and ends with `...(cut)`; CEF has the lengths of its dictionary. `json`,
  `falco` and what is in `data` of `cloudevents` have values as long as the alert has them (65,536 characters).
- What nothing knows is left out, and a value that is not of its place's type (a pid that is no number) stands with the
  fields that have no place.
- `json` is Falco's JSON, and behind it `id`, `issue` and `incident` where the alert has them; `falco` never has those.
- An issue is what receivers call a finding: in OCSF its first alert has the activity Create, later ones Update, one of
  an issue that is closed Close; `finding_info.uid` is the issue's id and `metadata.uid` the alert's. An alert that was
  not grouped has its own id in both.
- An id is the alert's; where it has none (in a replay), digits that are the same for the same alert. What is delivered
  twice has the same id twice.
- SARIF on standard output is one document, whole when the run has ended; elsewhere it is a document for each alert.
- OCSF has no process without a pid: one whose pid the rule's output does not name stands in `evidences[].data`.

"""

_HEADS = {"ecs": "ECS", "ocsf": "OCSF, in `evidences[]`", "cef": "CEF", "leef": "LEEF", "otlp": "OTLP"}


def page() -> str:
    """Return the page."""
    kinds = [(f"`{name}`", FORMATS.get(name)) for name in FORMATS.names()]
    listed = table(
        ("name", "what it is", "Content-Type", "defined by"),
        [(name, kind.about, f"`{kind.content_type}`", kind.source) for name, kind in kinds],
    )
    return "\n".join((INTRODUCTION + listed, RULES + _severities(), _fields(), *map(_example, FORMATS.names())))


def _severities() -> str:
    heads = ("priority", "OCSF `severity_id`", "ECS `event.severity`", "CEF", "LEEF `sev`", "SARIF `level`", "OTLP")
    lines = [
        (
            name,
            f"{one.ocsf} {one.ocsf_name}",
            str(one.ecs),
            str(one.cef),
            str(one.leef),
            one.sarif,
            f"{one.otlp} {one.otlp_name}",
        )
        for name, one in severities().items()
    ]
    return "## Priorities\n\n" + table(heads, lines)


def _fields() -> str:
    said = (
        "## Fields\n\nThe first field with a value fills a place. A path in `fd.name` counts as `fs.path.name`, a "
        "connection as its four ends.\nFields that are not here stand in `unmapped` of OCSF, `hullwatch.fields` of ECS "
        "(with underscores), `hullwatch.field.*` of\nOTLP and `properties.fields` of SARIF; in CEF and LEEF the "
        "message tells them.\n\n"
    )
    heads = ("field", *(_HEADS[target] for target in TARGETS))
    lines = [
        (f"`{row.field}`", *(f"`{row.places[target]}`" if target in row.places else "" for target in TARGETS))
        for row in rows()
    ]
    return said + table(heads, lines)


def _example(name: str) -> str:
    line = _line(name).replace(f"|{__version__}|", "|VERSION|")
    shown = line
    if line.startswith("{"):
        shown = json.dumps(json.loads(line), indent=1, ensure_ascii=False)
        shown = shown.replace(f'"version": "{__version__}"', '"version": "VERSION"')
        shown = shown.replace(f'"stringValue": "{__version__}"', '"stringValue": "VERSION"')
    return f"## Example: {name}\n\n```{'json' if line.startswith('{') else ''}\n{shown}\n```\n"


def _line(name: str) -> str:
    """Return the sample in a format; times of day are UTC's, wherever this runs."""
    zone = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        return FORMATS.get(name)(sample_alert(), sample_placement()).decode()
    finally:
        del os.environ["TZ"]
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()
