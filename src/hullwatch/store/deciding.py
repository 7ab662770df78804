"""What people decide: kept with who, when and why, and taken into account at once."""

from __future__ import annotations

import contextlib
import difflib
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.alerts.deciding import apply
from hullwatch.errors import UsageError
from hullwatch.store import reading
from hullwatch.store.remembering import change_issue, write_decision, write_incidents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.alerts.incident import Incident
    from hullwatch.alerts.issue import Decision, Issue
    from hullwatch.store.database import Database

LOGIN = Path("/proc/self/loginuid")
NOT_SET = 0xFFFFFFFF  # nobody logged in
_SHOWN = 5


def decide(database: Database, decision: Decision) -> Decision:
    """Keep a decision, and change the issue or incident that it is about; return it with its number.

    Raises:
        StoreError: when it cannot be written.
        UsageError: when its target is not there, or in no state for it.
    """
    with database.transaction():
        made = write_decision(database, decision)
        target = decision.target
        if not target or decision.verb == "undo":
            return made
        issue = reading.issue(database, target)
        if issue is not None:
            _check_state(issue, "issues", decision.verb)
            apply(issue, decision)
            change_issue(database, issue)
            return made
        incident = reading.incident(database, target)
        if incident is None:
            raise UsageError(f"There is no issue or incident {target}.")
        _check_state(incident, "incidents", decision.verb)
        apply(incident, decision)
        write_incidents(database, [incident])
        return made


def _check_state(one: Issue | Incident, kind: str, verb: str) -> None:
    """Refuse what would say something else than it does: to acknowledge what is closed would open it."""
    if verb == "ack" and one.state == "closed":
        raise UsageError(f"{one.id} is closed: 'hullwatch {kind} reopen {one.id}' opens it again.")
    if verb == "reopen" and one.state == "open":
        raise UsageError(f"{one.id} is open already.")


def find(database: Database, table: str, written: str) -> str:
    """Return the id that somebody means, by its beginning too.

    Args:
        database: to look in.
        table: ``issues`` or ``incidents``.
        written: what they wrote.

    Raises:
        UsageError: when there is none, or several, with those.
        StoreError: when the store cannot be read.
    """
    kind = table.removesuffix("s")
    found = reading.ids(database, table, written, _SHOWN + 1) if written else []
    if written in found or len(found) == 1:
        return written if written in found else found[0]
    if found:
        more = " and more" if len(found) > _SHOWN else ""
        raise UsageError(f'"{written[:80]}" is the beginning of several {table}: {", ".join(found[:_SHOWN])}{more}.')
    other = "incidents" if kind == "issue" else "issues"
    if written and written in reading.ids(database, other, written, 1):
        raise UsageError(f'"{written[:80]}" is one of the {other}: hullwatch {other} show {written[:80]}')
    near = difflib.get_close_matches(written[:80], reading.ids(database, table), n=3, cutoff=0.5)
    advice = f"the nearest are {', '.join(near)}" if near else f"'hullwatch {table}' lists them"
    raise UsageError(f'There is no {kind} "{written[:80]}": {advice}.')


def who(environment: Mapping[str, str] = os.environ) -> str:
    """Return who runs this, as the system knows them: who logged in, before who they have become since.

    The login is the kernel's (``/proc/self/loginuid``); where nobody logged in, it is whom sudo names.
    """
    uid = os.getuid()
    login = NOT_SET
    with contextlib.suppress(OSError, ValueError):
        login = int(LOGIN.read_text(encoding="ascii"))
    if login == NOT_SET and uid == 0:
        told = environment.get("SUDO_UID", "")
        login = int(told) if told.isascii() and told.isdigit() and len(told) <= 10 else NOT_SET
    return account(uid, login)


def account(uid: int, login: int = NOT_SET) -> str:
    """Return a user for people, with the one who logged in before they became it."""
    if login in {NOT_SET, uid}:
        return _account(uid)
    return f"{_account(login)} as {_name(uid)}"


def _account(uid: int) -> str:
    return f"{_name(uid)} ({uid})"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"uid {uid}"
