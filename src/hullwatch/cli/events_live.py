"""``hullwatch events live``: print events while they happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import typer

from hullwatch.cli.events import NO_LIMIT, EventPrinter
from hullwatch.cli.input_file import need_root
from hullwatch.config.events_settings import EventsSettings
from hullwatch.config.settings import RulesSettings, StoreSettings
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.standard_error import say
from hullwatch.rules.condition import condition_rules, rules_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.config.settings import Settings
    from hullwatch.counters import Counters
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.notice import Notice


def live(settings: Settings, condition: str, form: str, limit: int = NO_LIMIT) -> int:
    """Print the events of this host that a condition holds for, until Ctrl-C; return the exit code.

    Raises:
        UsageError: when the condition or the format is wrong.
        CannotError: when this host cannot be watched.
    """
    condition_rules(condition, form)  # what is wrong with it is known before anything is started
    need_root("Seeing what happens on this host")
    settings = msgspec.structs.replace(
        settings, rules=RulesSettings(), store=StoreSettings(enabled=False), events=EventsSettings()
    )
    rules = rules_file(condition, form)
    from hullwatch.supervisor import run as supervise

    def deliver(settings: Settings, counters: Counters) -> Delivery:
        return _LiveEvents(settings, counters, limit)

    try:
        return supervise(settings, [(rules.name, rules.text)], deliver)
    except KeyboardInterrupt:
        return 0  # as in ``hullwatch run``


class _LiveEvents(Delivery):
    """Prints matches as lines on standard output, and what is said of Hullwatch itself on standard error."""

    does = "Printing what happens on this host"

    def __init__(self, settings: Settings, counters: Counters, limit: int) -> None:
        super().__init__(settings, counters)
        self._printer = EventPrinter(settings, limit)
        self._nobody_reads = False

    @property
    def told(self) -> str:
        """How many events were printed."""
        return f"{self._printer.printed:,} printed"

    @property
    def gone(self) -> bool:
        """Whether nobody reads any more, or all that was asked for is printed."""
        return self._nobody_reads or self._printer.gone

    def matches(self, matches: Iterable[Match]) -> None:
        """Print events."""
        if self.gone:
            return
        try:
            self._printer.matches(matches)
        except typer.Exit:  # its reader has gone
            self._nobody_reads = True

    def notice(self, notice: Notice) -> None:
        """Say what there is to say of Hullwatch itself."""
        say(f"{notice.rule}: {notice.message}")
