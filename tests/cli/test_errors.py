import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from hullwatch.cli.errors import run_safely
from hullwatch.errors import CannotError, UsageError


def raising(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("Wrong file."), 2), (CannotError("No kernel."), 3)],
)
def test_an_error_for_the_user_is_its_sentence_and_its_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_safely(raising(error)) == code
    assert capsys.readouterr().err == f"{error}\n"


def test_several_problems_are_a_line_each_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    run_safely(raising(UsageError("a.yaml:1:2: one\x1b[2J\nb.yaml:3:4: two")))
    assert capsys.readouterr().err == "a.yaml:1:2: one\\x1b[2J\nb.yaml:3:4: two\n"


def test_a_missing_permission_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_safely(raising(PermissionError(errno.EPERM, "Operation not permitted", "/sys/x"))) == 3
    assert "No permission for /sys/x: Operation not permitted. Run it as root" in capsys.readouterr().err


def test_what_nobody_expected_is_a_sentence_and_its_details_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("HULLWATCH_DEBUG", raising=False)
    assert run_safely(raising(ZeroDivisionError("division by zero"))) == 3
    said = capsys.readouterr().err
    (kept,) = tmp_path.iterdir()
    assert said.count("\n") == 1
    assert "did not expect: ZeroDivisionError: division by zero." in said
    assert str(kept) in said
    assert "Traceback" not in said
    assert "Traceback" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_where_the_details_cannot_be_kept_it_says_how_to_see_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/nothing")
    run_safely(raising(ZeroDivisionError()))
    assert "Set HULLWATCH_DEBUG=1 to see the details" in capsys.readouterr().err


def test_a_traceback_is_shown_to_who_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HULLWATCH_DEBUG", "1")
    run_safely(raising(CannotError("No kernel.")))
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (lambda: 1, 1),
        (lambda: None, 0),
        (raising(KeyboardInterrupt()), 130),
        (raising(SystemExit(2)), 2),
        (raising(SystemExit(None)), 0),
    ],
)
def test_an_exit_code_is_passed_on(
    command: Callable[[], int | None], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_safely(command) == code
    assert capsys.readouterr().err == ""
