"""Rules files that change while they judge: looked for, loaded beside the work, handed over when they are good."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import msgspec

from hullwatch.channel import SETTINGS_FILE, RulesUnreadableError
from hullwatch.config.reload import SettingsChange
from hullwatch.errors import CannotError
from hullwatch.rules.loader import SYSCALL, RulesFile, load
from hullwatch.rules.priority import Priority
from hullwatch.rules.problem import RulesError
from hullwatch.rules.terms import from_event
from hullwatch.rules.tree_cache import cached

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hullwatch.channel import Supervisor
    from hullwatch.config.settings import RulesSettings
    from hullwatch.rules.loader import RuleSet
    from hullwatch.rules.terms import Lookup

INTERVAL = 1.0  # seconds between looks
SHOWN_PROBLEMS = 5  # mistakes in rules files that an alert has in its message
LONGEST_PROBLEM = 4000  # characters of it

Prepared = TypeVar("Prepared")


class Reload(NamedTuple, Generic[Prepared]):
    """What came of rules files that changed: the rules or, when they cannot be used, why (a line for each mistake)."""

    rules: RuleSet | None
    problem: str = ""
    prepared: Prepared | None = None  # what whoever judges by the rules needs of them
    change: SettingsChange | None = None  # what came of settings that were changed with them


def cache_of(state: Path) -> Path:
    """Return the directory of parsed rules files below that of what lasts."""
    return state / "cache"


def load_rules(
    files: Sequence[RulesFile],
    settings: RulesSettings,
    cache: Path | None = None,
    lookup: Lookup = from_event,
    sources: frozenset[str] = SYSCALL,
) -> RuleSet:
    """Return the rules of the files, with those on that the settings want.

    Args:
        files: the last definition of a name wins.
        settings: of the rules.
        cache: directory of what earlier runs have parsed; None to do without.
        lookup: gives the function of each field.
        sources: of the rules that are wanted.

    Raises:
        RulesError: with a sentence for each mistake, with file, line and column.
    """

    def work() -> RuleSet:
        return load(files, Priority.parse(settings.priority), lookup, settings.selection, sources)

    rules, ignored = cached(cache, [file.text for file in files], work)
    if ignored:
        rules.selection = rules.selection._replace(remarks=(*rules.selection.remarks, ignored))
    return rules


class Reloader(Generic[Prepared]):
    """Asks for changed rules files and loads them, in a thread of its own: meanwhile events are judged."""

    def __init__(
        self,
        supervisor: Supervisor,
        settings: RulesSettings,
        tell: Callable[[Reload[Prepared]], None],
        prepare: Callable[[RuleSet, SettingsChange | None], Prepared],
        cache: Path | None = None,
    ) -> None:
        """Do nothing yet.

        Args:
            supervisor: that may read the files.
            settings: of the rules.
            tell: is called in the thread, with each result.
            prepare: is called in the thread too; makes of rules, and of settings that came with them, what takes time.
            cache: directory of what was parsed before.
        """
        self._supervisor = supervisor
        self._settings = settings
        self._tell = tell
        self._prepare = prepare
        self._cache = cache
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rules", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; does not wait for the thread."""
        self._ending.set()

    def _run(self) -> None:
        while not self._ending.wait(INTERVAL):
            with contextlib.suppress(CannotError, OSError):  # busy or gone; whoever reads the lifeline knows
                self.look()

    def look(self) -> None:
        """Ask once, load what has changed, and tell what came of it.

        Raises:
            CannotError: when the supervisor does not answer.
        """
        try:
            files = self._supervisor.changed_rules()
        except RulesUnreadableError as error:
            self._refuse(str(error))
            return
        if files is None:
            return
        change: SettingsChange | None = None
        try:
            if files and files[0][0] == SETTINGS_FILE:
                change = msgspec.json.decode(files.pop(0)[1], type=SettingsChange)
            settings = self._settings if change is None else change.settings.rules
            rules = load_rules([RulesFile(*file) for file in files], settings, self._cache)
            prepared = self._prepare(rules, change)
        except RulesError as error:
            self._refuse(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a file provokes: the rules of before go on
            self._refuse(f"The rules cannot be loaded ({type(error).__name__}).")
        else:
            self._settings = settings
            self._supervisor.rules_taken()
            self._tell(Reload(rules, prepared=prepared, change=change))

    def _refuse(self, problem: str) -> None:
        self._supervisor.rules_refused()
        self._tell(Reload(None, problem))


def rules_change(before: RuleSet, after: RuleSet) -> str:
    """Return in words how many rules there are and how many are new or gone."""
    old, new = ({rule.name for rule in rules.rules} for rules in (before, after))
    number = "1 rule judges" if len(new) == 1 else f"{len(new)} rules judge"
    return f"{number} now, {len(new - old)} new, {len(old - new)} gone"


def first_lines(text: str) -> str:
    """Return the first lines of a text as one."""
    lines = text.splitlines()
    more = f" ... and {len(lines) - SHOWN_PROBLEMS} more" if len(lines) > SHOWN_PROBLEMS else ""
    return (" ".join(lines[:SHOWN_PROBLEMS]) + more)[:LONGEST_PROBLEM]
