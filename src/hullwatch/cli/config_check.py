"""``hullwatch config check``: all that is wrong with the settings."""

from __future__ import annotations

from typing import Annotated

import typer

from hullwatch.cli.answer import OutputOption


def check(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Configuration file; none: all that a run would read.")
    ] = None,
    output: OutputOption = "text",
) -> int:
    """Check the configuration, and tell every problem with its line.

    \b
    Examples:
      hullwatch config check
      hullwatch config check new.toml -o json

    Without a file, it looks at the usual files and at the variables of the environment, as "run" does.
    Exit code 2 when something is wrong; what is only ignored changes nothing.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.policy_checks import all_problems

    as_json = wants_json(output)
    found = all_problems(file)
    for one in found:
        severity = "warning" if one.warning else "error"
        if as_json:
            write_json({"severity": severity, "file": one.file, "line": one.line, "message": one.sentence})
        else:
            write_line(f"{severity}: {one.sentence}")
    errors = sum(not one.warning for one in found)
    if not as_json:
        write_line(f"{errors} problem{'s' * (errors != 1)}." if errors else "The configuration is valid.")
    return 2 if errors else 0
