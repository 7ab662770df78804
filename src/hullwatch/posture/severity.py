"""How bad a finding is, in four steps."""

from __future__ import annotations

from hullwatch.errors import UsageError

SEVERITIES = ("info", "low", "medium", "high", "critical")  # from the least


def worse(severity: str, steps: int = 1) -> str:
    """Return a severity so many steps up, or down for less than nothing; never beyond the ends, never down to info."""
    return SEVERITIES[max(1, min(SEVERITIES.index(severity) + steps, len(SEVERITIES) - 1))]


def at_least(severity: str, limit: str) -> bool:
    """Whether a severity is a limit or more."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(limit)


def parse_severity(written: str) -> str:
    """Return a severity that somebody wrote.

    Raises:
        UsageError: when it is none.
    """
    if written.lower() in SEVERITIES:
        return written.lower()
    raise UsageError(f'A severity is {", ".join(SEVERITIES[:0:-1])} or info, not "{written}".')
