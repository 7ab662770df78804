"""``make test``: every test, in two parts.

The first part's tests need only the processor and files, so several run beside each other. The second part's tests
watch this machine's kernel, start containers or measure time and memory: each would disturb the others, so one runs
after the other. With arguments it is plain pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ONE_BY_ONE = "kernel or engine or alone"  # markers, see pyproject.toml
PARTS = (
    ("beside each other", ("--numprocesses", "logical", "--dist", "loadfile", "-m", f"not ({ONE_BY_ONE})")),
    ("one by one", ("-m", ONE_BY_ONE)),
)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return what the tests' processes have in their environment: what is given, but they keep what they compiled.

    Many machines that build in containers say that Python shall not. Then each of the hundreds of processes that the
    tests start would compile all of Hullwatch for itself, which takes three times as long as the rest of its start,
    and each worker would rewrite the assertions of all tests anew.
    """
    return {name: value for name, value in given.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run_pytest(arguments: Sequence[str]) -> int:
    """Run pytest with some arguments; return its exit status."""
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(os.environ), check=False).returncode


def main(arguments: Sequence[str]) -> int:
    """Run the tests; return the first exit status that is not 0, though both parts run."""
    if arguments:
        return run_pytest(arguments)
    began = time.monotonic()
    statuses: list[int] = []
    for name, options in PARTS:
        print(f"tests that run {name}:", flush=True)
        statuses.append(run_pytest(options))
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    failed = [name for (name, _), status in zip(PARTS, statuses, strict=True) if status]
    said = f"failed in the part that runs {' and in the one that runs '.join(failed)}" if failed else "all passed"
    print(f"the whole suite: {said}, {minutes} min {seconds} s")
    return next((status for status in statuses if status), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
