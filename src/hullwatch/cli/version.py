"""``hullwatch version``: what runs here."""

from __future__ import annotations

from hullwatch.cli.answer import OutputOption


def version(output: OutputOption = "text") -> int:
    """Print the versions of what runs here.

    \b
    Examples:
      hullwatch version
      hullwatch version -o json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import os
    import platform

    from hullwatch import __version__
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.checks.sensor import sensor_version

    versions = {
        "hullwatch": __version__,
        "python": platform.python_version(),
        "kernel": os.uname().release,
        "machine": os.uname().machine,
        "sensor": sensor_version() or "not found",
    }
    if wants_json(output):
        write_json(versions)
    else:
        write_rows([[name, text] for name, text in versions.items()])
    return 0
