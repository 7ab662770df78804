"""Rows for people, on terminals of several widths."""

from __future__ import annotations

import pytest

from hullwatch.cli import answer

ROWS = (("ID", "WHERE", "WHAT"), ("n1", "web", "Shell in a container and another step in shop/web"))


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        (None, ["ID  WHERE  WHAT", "n1  web    Shell in a container and another step in shop/web"]),
        (80, ["ID  WHERE  WHAT", "n1  web    Shell in a container and another step in shop/web"]),
        (45, ["ID  WHERE  WHAT", "n1  web    Shell in a container and another", "           step in shop/web"]),
        (36, ["ID  WHERE  WHAT", "n1  web", "    Shell in a container and another", "    step in shop/web"]),
        (9, ["ID  WHERE  WHAT", "n1  web    Shell in a container and another step in shop/web"]),
    ],
)
def test_a_long_last_column_is_broken_in_its_place_or_stands_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], room: int | None, lines: list[str]
) -> None:
    monkeypatch.setattr(answer, "columns", lambda: room)
    answer.write_rows(ROWS)
    assert capsys.readouterr().out.splitlines() == lines


def test_a_sentence_is_broken_at_words_and_whole_where_there_is_no_terminal_or_no_room() -> None:
    said = "This kernel runs the full tier of kernel programs."
    assert answer.broken(said, 21, None) == [said]
    assert answer.broken(said, 21, 80) == [said]
    assert answer.broken(said, 21, 60) == ["This kernel runs the full tier of", "kernel programs."]
    assert answer.broken(said, 21, 40) == [said]
