"""What came of responses, handed from the responder's thread to whoever watches; and labels, and captures."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from hullwatch.config.response import DEEDS
from hullwatch.enrich.given_labels import GivenLabel
from hullwatch.respond.responder import Responder, Response, aimless, is_for_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.config.response import ResponseAction
    from hullwatch.config.settings import RespondSettings, Settings
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.given_labels import GivenLabels
    from hullwatch.enrich.notice import Notice
    from hullwatch.rules.loader import Rule, RuleSet

WHO = "hullwatch"  # as against a person's name
MOST_TOLD = 4096  # captures of a dry run that are not told again


class Responses:
    """Has done what is configured about matches, and keeps what came of it until it is taken.

    Args:
        settings: of the run.
        ask: does a wish, in JSON; raises ``CannotError``.
        wake: called in the responder's thread when there is something to take.
        labels: keeps the labels that containers are given.

    Raises:
        UsageError: when a condition is wrong.
    """

    def __init__(
        self, settings: Settings, ask: Callable[[str], str], wake: Callable[[], None], labels: GivenLabels
    ) -> None:
        """Start the responder if there is something to do."""
        self._settings = settings.respond
        self._records = settings.flight_recorder.enabled
        self._wake = wake
        self._labels = labels
        self._came: deque[Response] = deque()
        self._told: set[tuple[str, str]] = set()
        self._responder = Responder(self._settings, ask, self._keep, self._label)

    def use(self, settings: RespondSettings) -> None:
        """Go by other settings from now on.

        Raises:
            UsageError: when a condition is wrong.
        """
        self._responder.use(settings)
        self._settings = settings

    def aimless(self, rules: RuleSet) -> Iterator[str]:
        """Yield a sentence for each response that is for no rule, or can do nothing."""
        for action in aimless(self._settings, rules.rules):
            yield f"Warning: the response '{action}' is for no rule that is loaded."
        if self._settings.enabled and not self._records:
            for action in self._captures():
                yield f"Warning: the response '{action}' saves nothing: flight_recorder.enabled is false."

    def consider(self, match: Match) -> None:
        """Look whether something is to be done about a match; never waits."""
        self._responder.consider(match)

    def may_capture(self, rule: Rule) -> bool:
        """Tell whether matches of a rule may have to be saved by the flight recorder."""
        return self._settings.enabled and any(is_for_rule(action, rule) for action in self._captures())

    def captures(self, match: Match) -> bool:
        """Tell whether a match is to be saved; a dry run only tells so."""
        if not self._responder.captures(match):
            return False
        if self._settings.dry_run:
            self._tell_dry_capture(match)
        return not self._settings.dry_run

    def take(self, now: Callable[[], int]) -> Iterator[Notice]:
        """Yield the alert of each response that something came of.

        Args:
            now: gives the time, ns since 1970.
        """
        while self._came:
            yield self._came.popleft().notice(now())

    def close(self) -> None:
        """Have what was wished done, and end; what came of it is to be taken still."""
        self._responder.close()

    def _captures(self) -> Iterator[ResponseAction]:
        return (action for action in self._settings.actions if action.do == "capture")

    def _tell_dry_capture(self, match: Match) -> None:
        """Say once for each rule and container what would be saved."""
        process, container = match.event.process, match.event.container.id
        about = (match.rule.name, container)
        if about in self._told:
            return
        if len(self._told) >= MOST_TOLD:
            self._told.clear()
        self._told.add(about)
        pid = 0 if process is None else process.key.pid
        words = f"would {DEEDS['capture']} (respond.dry_run is set)"
        self._came.append(Response(match.rule.name, "capture", done=True, words=words, container=container, pid=pid))

    def _keep(self, response: Response) -> None:
        self._came.append(response)
        self._wake()

    def _label(self, match: Match, action: ResponseAction) -> None:
        """Give labels; called in the responder's thread."""
        now, lasts = time.time_ns(), action.lasts()
        until = now + round(lasts * 1e9) if lasts else 0
        given = {name: GivenLabel(value, WHO, match.rule.name, now, until) for name, value in action.labels.items()}
        self._labels.give(match.event.container.full_id, given)
