"""What came of responses, handed from the responder's thread to whoever watches."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hullwatch.respond.responder import Responder, Response, aimless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.config.settings import RespondSettings
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.notice import Notice
    from hullwatch.rules.loader import RuleSet


class Responses:
    """Has done what is configured about matches, and keeps what came of it until it is taken.

    Args:
        settings: of the responses.
        ask: does a wish, in JSON; raises ``CannotError``.
        wake: called in the responder's thread when there is something to take.

    Raises:
        UsageError: when a condition is wrong.
    """

    def __init__(self, settings: RespondSettings, ask: Callable[[str], str], wake: Callable[[], None]) -> None:
        """Start the responder if there is something to do."""
        self._settings = settings
        self._wake = wake
        self._came: deque[Response] = deque()
        self._responder = Responder(settings, ask, self._keep)

    def aimless(self, rules: RuleSet) -> Iterator[str]:
        """Yield a sentence for each response that is for no rule."""
        for action in aimless(self._settings, rules.rules):
            yield f"Warning: the response '{action}' is for no rule that is loaded."

    def consider(self, match: Match) -> None:
        """Look whether something is to be done about a match; never waits."""
        self._responder.consider(match)

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

    def _keep(self, response: Response) -> None:
        self._came.append(response)
        self._wake()
