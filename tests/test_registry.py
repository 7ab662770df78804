"""The registry: decorators, loading, and what it says of unknown names."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from hullwatch.registry import Registry, UnknownNameError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folders_modules_are_imported_once_and_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "plugins_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("from hullwatch.registry import Registry\nALL = Registry('things', __name__)\n")
    (folder / "one.py").write_text("from plugins_of_a_test import ALL\n@ALL.register('one')\ndef one(): return 1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    registry: Registry[object] = importlib.import_module("plugins_of_a_test").ALL
    try:
        assert registry.names() == ["one"]
        registry.load()
        assert callable(registry.get("one"))
    finally:
        for name in [name for name in sys.modules if name.startswith("plugins_of_a_test")]:
            del sys.modules[name]


def test_an_unknown_name_is_answered_with_the_nearest_known_one() -> None:
    registry: Registry[int] = Registry("numbers", "hullwatch.fields")
    registry.register("seven")(7)
    with pytest.raises(UnknownNameError, match=r"'sevn' is not one of the numbers; did you mean 'seven'\?"):
        registry.get("sevn")
    with pytest.raises(UnknownNameError, match="known are: seven"):
        registry.get("xxxxxxxx")


def test_two_objects_of_one_name_are_an_error() -> None:
    registry: Registry[int] = Registry("numbers", "hullwatch.fields")
    registry.register("seven")(7)
    with pytest.raises(ValueError, match="two numbers are called 'seven'"):
        registry.register("seven")(8)
