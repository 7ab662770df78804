"""What is wrong or doubtful in rules files, for ``hullwatch rules validate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.rules.loader import find_problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.rules.loader import RulesFile
    from hullwatch.rules.problem import Problem


def validate(files: Sequence[RulesFile]) -> list[Problem]:
    """Return every error and warning, in the order of files and lines; an empty list means all is well."""
    return find_problems(files)
