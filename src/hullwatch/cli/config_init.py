"""``hullwatch config init``: a configuration file to begin with."""

from __future__ import annotations

from typing import Annotated

import typer


def init(
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", help="Where to; - for standard output; none: the usual place of this user."),
    ] = None,
    force: Annotated[bool | None, typer.Option("--force", help="Replace a file that is there.")] = None,
) -> int:
    """Write a configuration file with every setting as a comment, with its default.

    \b
    Examples:
      sudo hullwatch config init              /etc/hullwatch/config.toml
      hullwatch config init - | less

    Nothing changes until a line is no comment any more.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import os
    from pathlib import Path

    from hullwatch.cli.answer import write_line, write_safe
    from hullwatch.config.paths import configuration_files
    from hullwatch.config.written import commented_file
    from hullwatch.errors import CannotError, UsageError

    text = commented_file()
    if file == "-":
        write_safe(text)
        return 0
    of_all, own = configuration_files()
    path = Path(file) if file else (of_all if os.geteuid() == 0 else own)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already; --force replaces it, - writes to standard output.") from None
    except OSError as error:
        raise CannotError(f"{path} cannot be written: {error.strerror}.") from error
    write_line(f"{path} has every setting as a comment.")
    return 0
