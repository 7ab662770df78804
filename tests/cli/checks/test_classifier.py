"""The check of the classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.cli.checks.classifier import classifier

if TYPE_CHECKING:
    import pytest


def test_without_the_library_it_warns_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.detect.native.library", lambda: None)
    found = classifier()
    assert (found.status, found.fix) == ("warn", "make build")


def test_with_the_library_all_is_well() -> None:
    assert classifier().status == "ok"
