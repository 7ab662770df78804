"""The one place where an error becomes a sentence on standard error and an exit code."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import typer

from hullwatch.errors import HullwatchError

if TYPE_CHECKING:
    from collections.abc import Callable

DONE, FINDINGS, USAGE, CANNOT = 0, 1, 2, 3
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # of what standard output goes to
INTERRUPTED = 130  # what a shell expects of a command that Ctrl-C ended before it was done


def run_safely(command: Callable[[], Any]) -> int:
    """Run a command and return its exit code; whatever it raises is told in a sentence.

    Args:
        command: returns an exit code, or None for 0.
    """
    try:
        code = command()
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else DONE
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        return INTERRUPTED
    except typer.TyperException as error:
        _say(_usage_sentence(error))
        return getattr(error, "exit_code", USAGE)
    except Exception as error:  # noqa: BLE001 - whatever it is, a user sees a sentence
        return _tell(error)
    return code if isinstance(code, int) else DONE


def _usage_sentence(error: typer.TyperException) -> str:
    """Return what was wrong with the arguments and where to look; no arguments at all get the help."""
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return f"hullwatch: {message}"
    if type(error).__name__ == "NoArgsIsHelpError":
        return message
    path = context.command_path
    ending = "" if message.endswith((".", "?", "!")) else "."
    return f'{path}: {message}{ending} See "{path} --help".'


def _tell(error: Exception) -> int:
    """Say an error, and return its exit code."""
    if os.environ.get("HULLWATCH_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    known = _known(error)
    if known is not None:
        sentence, code = known
        _say(sentence)
        return code
    kept = _keep(error)
    where = f"The details are in {kept}" if kept else "Set HULLWATCH_DEBUG=1 to see the details"
    _say(
        f"Something went wrong that Hullwatch did not expect: {type(error).__name__}: {str(error)[:300]}. "
        f"{where}; please report it with them and the output of: hullwatch doctor --output json"
    )
    return CANNOT


def _known(error: Exception) -> tuple[str, int] | None:
    """Return the sentence and exit code of an error that is meant for the user."""
    if isinstance(error, HullwatchError):
        return str(error), error.exit_code
    if isinstance(error, PermissionError):
        name = f" {error.filename}" if error.filename else ""
        return f"No permission{name and ' for'}{name}: {error.strerror}. Run it as root (sudo).", CANNOT
    if isinstance(error, OSError) and error.filename is None and error.errno in _FULL:
        from hullwatch.cli.answer import forget_stdout

        forget_stdout()
        return f"The answer cannot be written: {error.strerror}.", CANNOT
    return None


def _keep(error: Exception) -> str | None:
    """Write the traceback to a private file and return its path, or None where that is not possible."""
    import tempfile
    import traceback

    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="hullwatch-error-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as stream:
            stream.writelines(traceback.format_exception(error))
            return stream.name
    except OSError:
        return None


def _say(text: str) -> None:
    """Print lines on standard error, each escaped."""
    from hullwatch.outputs.standard_error import say

    for line in text.splitlines() or [""]:
        say(line)
