"""``make test`` runs every test once, in two parts, and fails when one of them does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools import suite

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize(
    ("statuses", "status", "said"),
    [
        ((0, 0), 0, "all passed"),
        ((1, 0), 1, "failed in the part that runs beside each other"),
        ((0, 2), 2, "failed in the part that runs one by one"),
        ((1, 2), 1, "beside each other and in the one that runs one by one"),
    ],
)
def test_both_parts_run_and_the_first_failure_counts(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    statuses: tuple[int, ...],
    status: int,
    said: str,
) -> None:
    asked: list[Sequence[str]] = []

    def run(options: Sequence[str]) -> int:
        asked.append(options)
        return statuses[len(asked) - 1]

    monkeypatch.setattr(suite, "run_pytest", run)
    assert suite.main([]) == status
    assert said in capsys.readouterr().out.splitlines()[-1]
    first, second = (options[options.index("-m") + 1] for options in asked)
    assert first == f"not ({second})", "no test is in both parts, and none is in neither"


def test_what_was_compiled_is_kept_even_where_the_machine_says_otherwise() -> None:
    given = {"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/bin"}
    assert suite.environment(given) == {"PATH": "/bin"}
