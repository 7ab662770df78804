"""What a run judges by, its rules files and settings, and reading both again when somebody asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.channel import SETTINGS_FILE
from hullwatch.config.reload import change
from hullwatch.config.rules_files import FilesWatch, FixedRules, read_all, read_pack
from hullwatch.errors import CannotError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from hullwatch.config.settings import Settings

LONGEST_REASON = 2000  # characters in an answer to the engine


Texts = list[tuple[str, bytes]]
"""Rules files as they were read: names and bytes."""


def read_rules(settings: Settings, *, again: bool = False) -> Texts:
    """Return the rules files that the settings name, or the built-in ones; ``again``: they were read before.

    Raises:
        UsageError: when one cannot be read.
    """
    return read_all(settings.rules.files, again=again) if settings.rules.files else read_pack()


class Sources:
    """Rules files and settings, those in force and those that were offered to the engine and not taken yet.

    Attributes:
        settings: in force.
        files: the rules in force, read but not parsed.

    Args:
        settings: of the run.
        files: the rules; None for the files that the settings name, or the built-in ones.
        again: reads the settings again; None where they stay as they are.
        check: reads and checks what settings name, before they are offered; returns it as a file.
    """

    def __init__(
        self,
        settings: Settings,
        files: Texts | None,
        again: Callable[[], Settings] | None = None,
        check: Callable[[Settings], BinaryIO] | None = None,
    ) -> None:
        """Read the rules files.

        Raises:
            UsageError: when one cannot be read.
        """
        self.settings = settings
        # It looks before they are read, so that no change in between is missed.
        self._watch = FilesWatch(settings.rules.files) if files is None else FixedRules()
        self.files = read_rules(settings) if files is None else files
        self._again = again
        self._check = check
        self._asked = False
        self._offered = settings, self.files, self._watch
        self._policies: BinaryIO | None = None  # that come with what is offered

    def ask(self) -> None:
        """Have everything read again when the engine looks the next time; may be called by a signal handler."""
        self._watch.ask()
        self._asked = self._again is not None

    def changed(self) -> list[tuple[str, bytes]] | None:
        """Return what has changed, for the engine; None for nothing.

        It comes again until ``taken`` or ``refused``.

        Raises:
            CannotError: when it cannot be read; the text is for the engine.
        """
        if not self._watch.changed():
            return None
        settings, watch = self.settings, self._watch
        first: list[tuple[str, bytes]] = []
        try:
            if self._asked and self._again is not None:
                found = change(self.settings, self._again())
                settings = found.settings
                if found.taken or found.waiting:
                    first = [(SETTINGS_FILE, msgspec.json.encode(found))]
                if self._check is not None:
                    self._forget()
                    self._policies = self._check(settings)
                if settings.rules.files != self.settings.rules.files:
                    watch = FilesWatch(settings.rules.files)
            self._offered = settings, read_rules(settings, again=True), watch
        except UsageError as error:
            raise CannotError(str(error)[:LONGEST_REASON]) from error
        return [*first, *self._offered[1]]

    def taken(self) -> None:
        """Know that the engine judges by what was offered last."""
        self.settings, self.files, self._watch = self._offered
        self.settle()

    def take_policies(self) -> BinaryIO | None:
        """Return what came with what was taken last, once; None when nobody had asked for settings."""
        policies, self._policies = self._policies, None
        return policies

    def _forget(self) -> None:
        if self._policies is not None:
            self._policies.close()
            self._policies = None

    def refused(self) -> None:
        """Know that it has a mistake: what was in force stays, until something changes again."""
        self._forget()
        self._offered = self.settings, self.files, self._watch
        self.settle()

    def settle(self) -> None:
        """Offer nothing again that was offered."""
        self._watch.settle()
        self._asked = False
