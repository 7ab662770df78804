from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hullwatch.api import place
from hullwatch.cli.checks.api import api
from hullwatch.config.service_settings import ApiSettings
from hullwatch.extras import install

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_other_instance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(place, "SYSTEM", tmp_path / "nobody")


def test_without_an_instance_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert api(ApiSettings(), str(tmp_path)) == []
    assert api(ApiSettings(), str(tmp_path / "no-such")) == []
    assert api(ApiSettings(enabled=False), str(tmp_path))[0].status == "ok"


def test_libraries_that_are_missing_are_named_with_what_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "LIBRARIES", ("litestar", "no_such_library"))
    (found,) = api(ApiSettings(), str(tmp_path))
    assert (found.status, found.fix) == ("warn", install("api"))
    assert "for want of no_such_library" in found.sentence


def test_who_may_not_ask_is_told_how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / place.SOCKET).touch()
    assert api(ApiSettings(), str(tmp_path))[0].sentence == f"Verbs are answered at {tmp_path}/{place.SOCKET}."

    def may_pass(path: Path, _: int) -> bool:
        return path == tmp_path

    monkeypatch.setattr(os, "access", may_pass)
    (found,) = api(ApiSettings(group="oncall"), str(tmp_path))
    assert found.status == "warn"
    assert found.fix.startswith("sudo usermod -aG oncall $USER")
