"""Verbs as other users run them, who may ask the instance and read nothing of its files."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import typer.main

from hullwatch.api import remote, remote_baseline, remote_cluster
from hullwatch.cli.errors import run_safely
from hullwatch.cli.main import app
from tests.api.conftest import SERVICE, STRANGER, as_user

if TYPE_CHECKING:
    import pytest

    from tests.api.conftest import Held

LOADED = remote, remote_baseline, remote_cluster  # what they may not be able to load


def find(held: Held, monkeypatch: pytest.MonkeyPatch, cache: object) -> None:
    """Have verbs of others find an instance: what lasts, and settings, would be at a place of their own."""
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_RUN", str(held.run))
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_CACHE", str(cache))
    for name in ("STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(held.run.parent / "nowhere"))


def verb_as(uid: int, *arguments: str) -> list[Any]:
    """Run ``hullwatch`` as another user, a member of the service's group unless it is a stranger."""
    main = typer.main.get_command(app).main

    def do() -> list[Any]:
        sys.stdout, sys.stderr = said = io.StringIO(), io.StringIO()
        code = run_safely(lambda: main([*arguments], prog_name="hullwatch", standalone_mode=False))
        return [code, said[0].getvalue().splitlines(), said[1].getvalue()]

    return as_user(uid, [] if uid == STRANGER else [SERVICE], do)
