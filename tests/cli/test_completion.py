"""What shells offer, asked as their scripts ask."""

from __future__ import annotations

from typing import Any

import pytest
import typer.main
from typer._completion_classes import BashComplete

from hullwatch.cli.main import app


def offered(monkeypatch: pytest.MonkeyPatch, line: str, word: int) -> list[str]:
    """Return what bash is offered for a word of a line, counted from 0."""
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(word))
    monkeypatch.setenv("_HULLWATCH_COMPLETE", "complete_bash")
    command: Any = typer.main.get_command(app)
    return BashComplete(command, {}, "hullwatch", "_HULLWATCH_COMPLETE").complete().splitlines()


@pytest.mark.parametrize(
    ("line", "word", "among"),
    [
        ("hullwatch inc", 1, "incidents"),
        ("hullwatch k8s rb", 2, "rbac"),
        ("hullwatch alerts proc.na", 2, "proc.name"),
        ("hullwatch alerts 'proc.name = cat and fd.na", 2, "proc.name = cat and fd.name"),
        ("hullwatch alerts --rule Setuid", 3, "Setuid\\ bit\\ set"),
        ('hullwatch alerts --rule "Setuid b', 3, "Setuid bit set"),
        ("hullwatch formats show ce", 3, "cef"),
        ("hullwatch outputs test si", 3, "siem"),
    ],
)
def test_names_and_fields_are_offered_so_that_the_shell_can_take_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, line: str, word: int, among: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[outputs.siem]\ntype = "file"\npath = "/tmp/alerts"\n')
    monkeypatch.setenv("HULLWATCH_CONFIG", str(file))
    assert among in offered(monkeypatch, line, word)


def test_what_cannot_be_known_offers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HULLWATCH_CONFIG", "/nowhere.toml")
    assert offered(monkeypatch, "hullwatch outputs test ", 3) == []
    assert offered(monkeypatch, "hullwatch alerts 'proc.name = ", 2) == []
