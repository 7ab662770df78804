"""The command line in the tests' own process: as its users have it, without the second that a start takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import typer.main

from hullwatch.cli.errors import run_safely
from hullwatch.cli.main import app

Command = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Run ``hullwatch`` with arguments; return the exit code, the lines of standard output, and standard error.

    Of the descriptors, for alerts go past Python's own standard output.
    """
    main = typer.main.get_command(app).main

    def run(*arguments: str) -> tuple[int, list[str], str]:
        code = run_safely(lambda: main([*arguments], prog_name="hullwatch", standalone_mode=False))
        said = capfd.readouterr()
        return code, said.out.splitlines(), said.err

    return run
