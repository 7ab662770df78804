"""The engine's side: which matches something is to be done about, and a thread that asks for it."""

from __future__ import annotations

import fnmatch
import queue
import threading
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.config.values import at_least
from hullwatch.enrich.notice import Notice
from hullwatch.errors import CannotError
from hullwatch.respond.responding import Wish
from hullwatch.rules.condition import condition_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.config.response import ResponseAction
    from hullwatch.config.settings import RespondSettings
    from hullwatch.detect.engine import Match
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import Rule

MOST_WAITING = 64  # wishes; more are told as not done
_END_WAIT = 5.0  # seconds
_LABEL_AGAIN = (
    60_000_000_000  # ns until labels that are not there (they have ended, or were taken back) are given again
)


class Response(NamedTuple):
    """What came of a wish.

    Attributes:
        rule: that matched.
        do: what was to be done.
        done: whether it was.
        words: what was done, or why not.
        container: id of 12 digits, or ``host``.
        pid: of the process that the alert is about.
    """

    rule: str
    do: str
    done: bool
    words: str
    container: str
    pid: int

    def notice(self, now: int) -> Notice:
        """Return the alert that says it."""
        said = f"{self.words}, for rule {self.rule}" if self.done else f"{self.do} was not done: {self.words}"
        fields: dict[str, object] = {
            "response.do": self.do,
            "response.rule": self.rule,
            "container.id": self.container,
            "proc.pid": self.pid,
        }
        name, priority = ("Response", "Notice") if self.done else ("Response not done", "Warning")
        return Notice(now, name, priority, f"{said[:1].upper()}{said[1:]}.", fields)


def _keep_no_labels(match: Match, action: ResponseAction) -> None:
    del match, action


class Responder:
    """Looks at matches, and has done what is configured.

    Args:
        settings: of the run.
        ask: does a wish, in JSON; raises ``CannotError``.
        tell: called with each response, in the responder's thread.
        label: gives the container of a match the labels of an action; raises ``CannotError``.

    Raises:
        UsageError: when a condition is wrong.
    """

    def __init__(
        self,
        settings: RespondSettings,
        ask: Callable[[str], str],
        tell: Callable[[Response], None],
        label: Callable[[Match, ResponseAction], None] = _keep_no_labels,
    ) -> None:
        """Compile the conditions, and start the thread if there is something to do."""
        self._ask = ask
        self._tell = tell
        self._label_with = label
        self._label: Callable[[Match, ResponseAction], None] | None = None
        self._actions: list[tuple[ResponseAction, Callable[[Event], bool]]] = []
        self._wishes: queue.Queue[tuple[Match, Wish, ResponseAction] | None] = queue.Queue(MOST_WAITING)
        self._asked: set[tuple[str, str, int, int]] = set()
        self._thread = threading.Thread(target=self._work, name="responder", daemon=True)
        self.use(settings)

    def use(self, settings: RespondSettings) -> None:
        """Go by other settings from now on.

        Raises:
            UsageError: when a condition is wrong.
        """
        self._actions = [(action, _condition(action)) for action in settings.actions] if settings.enabled else []
        self._label = None if settings.dry_run else self._label_with
        if self._actions and not self._thread.is_alive():
            self._thread.start()

    def consider(self, match: Match) -> None:
        """Look whether something is to be done about a match; never waits."""
        for action, holds in self._actions:
            if _is_for(action, match) and holds(match.event):
                self._wish(match, action)

    def captures(self, match: Match) -> bool:
        """Tell whether a match is to be saved by the flight recorder."""
        return any(
            action.do == "capture" and _is_for(action, match) and holds(match.event) for action, holds in self._actions
        )

    def _wish(self, match: Match, action: ResponseAction) -> None:
        process, container = match.event.process, match.event.container
        if process is None or action.do == "capture":  # the flight recorder does that: see Responses.captures
            return
        about = (action.do, "", process.key.pid, process.key.start)
        if action.do == "label":
            if action.labels.items() <= container.given_labels.items():
                return
            about = (f"{action}: {action.labels}", container.full_id, 0, match.event.time // _LABEL_AGAIN)
        if about in self._asked:  # one deed is enough, however many rules match what the process does
            return
        if len(self._asked) >= 4096:
            self._asked.clear()
        self._asked.add(about)
        names = (container.name, container.image, process.program.comm)
        wish = Wish(action.do, process.key.pid, process.key.start, tuple(name for name in names if name), container.id)
        try:
            self._wishes.put_nowait((match, wish, action))
        except queue.Full:
            self._tell(_response(match, wish, done=False, words=f"{MOST_WAITING} others wait already"))

    def _work(self) -> None:
        while (one := self._wishes.get()) is not None:
            match, wish, action = one
            try:
                words = self._ask(msgspec.json.encode(wish).decode())
                if action.do == "label":
                    words += f" ({', '.join(f'{name}={value}' for name, value in action.labels.items())})"
                    if self._label is not None:
                        self._label(match, action)
                self._tell(_response(match, wish, done=True, words=words))
            except CannotError as error:
                self._tell(_response(match, wish, done=False, words=str(error)))

    def close(self) -> None:
        """Have what was wished done, and end."""
        if self._thread.is_alive():
            self._wishes.put(None)
            self._thread.join(_END_WAIT)


def aimless(settings: RespondSettings, rules: Iterable[Rule]) -> list[ResponseAction]:
    """Return the actions that are for no rule: probably a name is misspelt."""
    names = [rule.name for rule in rules]
    return [action for action in settings.actions if not fnmatch.filter(names, action.rule)] if settings.enabled else []


def _is_for(action: ResponseAction, match: Match) -> bool:
    return is_for_rule(action, match.rule)


def is_for_rule(action: ResponseAction, rule: Rule) -> bool:
    """Tell whether an action may be for matches of a rule."""
    return fnmatch.fnmatchcase(rule.name, action.rule) and at_least(str(rule.priority), action.priority)


def _condition(action: ResponseAction) -> Callable[[Event], bool]:
    if not action.condition:
        return lambda _: True
    return condition_rules(action.condition).rules[0].conditions[0].matches


def _response(match: Match, wish: Wish, *, done: bool, words: str) -> Response:
    return Response(match.rule.name, wish.do, done, words, match.event.container.id, wish.pid)
