"""The sources of events that rules judge, and what the rules of each are loaded with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.audit_event import SOURCE as API
from hullwatch.rules.audit_lookup import from_audit
from hullwatch.rules.log_lookup import from_log
from hullwatch.rules.terms import from_event
from hullwatch.sources.container_logs.line import SOURCE as LOGS

if TYPE_CHECKING:
    from hullwatch.rules.terms import Lookup

SYSCALL = frozenset({"syscall"})
TAKEN = frozenset({API, LOGS})
"""Those that need no sensor."""
SOURCES = SYSCALL | TAKEN
_LOOKUPS: dict[str, Lookup] = {API: from_audit, LOGS: from_log}


def lookup_for(source: str, lookup: Lookup) -> Lookup:
    """Return what the rules of a source are loaded with, where those of calls are loaded with ``lookup``.

    A lookup other than that of running events, as of events that are made of field values, serves every source.
    """
    return _LOOKUPS.get(source, lookup) if lookup is from_event else lookup
