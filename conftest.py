"""What a skipped test means: a reason that is printed, and in CI with root and an engine, a failure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests import lab

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.terminal import TerminalReporter


def skips_fail() -> bool:
    """Tell whether this machine has all that a test could ask for, so that a skip hides something."""
    if not os.environ.get("CI"):
        return False
    try:
        lab.require_lab()
    except lab.UnavailableError:
        return False
    return True


def _skipped(terminal: TerminalReporter) -> int:
    reports = terminal.getreports("skipped")
    return len(reports)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """End with a failure when tests were skipped where none should be."""
    terminal: TerminalReporter | None = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and session.exitstatus == pytest.ExitCode.OK and _skipped(terminal) and skips_fail():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    yield


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say why the run failed although no test did."""
    number = _skipped(terminalreporter)
    if number and skips_fail():
        terminalreporter.write_line(
            f"{number} skipped: this is CI, with root and container engines, where every test has to run.", red=True
        )
