"""The advice on how to install what is missing."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from hullwatch import extras

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    extras.install.cache_clear()
    yield
    extras.install.cache_clear()


class _Distribution:
    def __init__(self, url: str, *, editable: bool) -> None:
        self._text = json.dumps({"url": url, "dir_info": {"editable": editable}})

    def read_text(self, _: str) -> str:
        return self._text


def _installed(monkeypatch: pytest.MonkeyPatch, found: _Distribution) -> None:
    def distribution(_: str) -> _Distribution:
        return found

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)


def test_a_clone_is_told_its_own_pip_and_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clone = tmp_path / "a clone"
    clone.mkdir()
    (clone / "pyproject.toml").touch()
    found = _Distribution(clone.as_uri(), editable=True)
    _installed(monkeypatch, found)
    monkeypatch.setattr(sys, "prefix", f"{clone}/.venv")
    assert extras.install("api") == f"'{clone}/.venv/bin/pip' install -e '{clone}[api]'"
    extras.install.cache_clear()
    shutil.rmtree(clone)
    assert extras.install("api") == f"'{clone}/.venv/bin/pip' install 'hullwatch[api]'"


def test_an_installation_is_told_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _Distribution("file:///tmp/hullwatch", editable=False)
    _installed(monkeypatch, found)
    monkeypatch.setattr(sys, "prefix", "/opt/hullwatch/lib")
    assert extras.install("events") == "/opt/hullwatch/lib/bin/pip install 'hullwatch[events]'"
    extras.install.cache_clear()
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert extras.install("events") == "pip install 'hullwatch[events]'"
