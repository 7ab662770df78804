"""People: chat, mail, telephones and on-call services, about 150 of them, through the library Apprise."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote

import msgspec

from hullwatch.config.values import at_least
from hullwatch.errors import CannotError, UsageError
from hullwatch.extras import install
from hullwatch.formats.escape import escape
from hullwatch.formats.notification import notification
from hullwatch.outputs.output import Output, OutputOptions, Secret, UnreachableError, described, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.outputs.output import Context, Message

MOST_SERVICES = 32
MOST_REMEMBERED = 1000  # messages that some services have and others do not
LONGEST_REASON = 300  # characters
_SHORTEST = 4  # characters of a part of a URL that is hidden


class NotifyOptions(OutputOptions, kw_only=True, frozen=True, tag="notify"):
    """What can be set for people."""

    urls: Annotated[
        tuple[Secret, ...],
        msgspec.Meta(extra={"secret": "values"}, min_length=1, max_length=MOST_SERVICES),
        described(
            "Of the services, as Apprise writes them: slack://..., mailtos://..., pagerduty://..., msteams://..."
        ),
    ]
    when: Annotated[
        Literal["alert", "issue", "incident"],
        described("incident: when one opens and when something new happens in it; issue; alert: each, which is much."),
    ] = "incident"
    priority: Annotated[str, msgspec.Meta(extra={"priority": True}), described("The least severe priority.")] = "Notice"


@output(NotifyOptions)
class Notify(Output):
    """People, through Apprise: Slack, Teams, PagerDuty, mail and about 150 other services."""

    def __init__(self, options: NotifyOptions, context: Context) -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: a URL that the library does not know; says which by its number, for it is a secret.
            CannotError: the library is missing.
        """
        try:
            self._library: Any = importlib.import_module("apprise")
        except ImportError as error:
            raise CannotError(
                f"outputs.{context.name}: messages to people need apprise; install it: {install('notify')}"
            ) from error
        self._library.logger.propagate = False  # what it logs has addresses in it
        self._library.logger.addHandler(logging.NullHandler())
        # Nothing of the library's own: no plugins from the disk, nothing kept there, one request after another.
        asset = self._library.AppriseAsset(
            app_id="Hullwatch",
            app_desc="Hullwatch",
            app_url="",
            image_url_mask="",
            image_url_logo="",
            plugin_paths=[],
            storage_mode=self._library.PersistentStoreMode.MEMORY,
            async_mode=False,
            secure_logging=True,
        )
        self._services: list[Any] = []
        self._names: list[str] = []
        for number, url in enumerate(options.urls, 1):
            service = self._library.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
            if service is None:
                raise UsageError(
                    f"outputs.{context.name}: urls: number {number} is none that Apprise knows; "
                    f"'apprise --dry-run URL' says more."
                )
            one = self._library.Apprise(asset=asset)  # one alone says whether that one was told
            one.add(service)
            self._services.append(one)
            self._names.append(f"{escape(str(service.service_name))} (number {number})")
        self._hidden = sorted({part for url in options.urls for part in _parts(url)}, key=len, reverse=True)
        self._sentence = ""
        self._told: dict[str, set[int]] = {}  # by a message's id: who has it already

    def send(self, batch: Sequence[Message]) -> None:
        """Tell every service each message; one that has it is not told again when another fails."""
        for number, message in enumerate(batch):
            told = self._told.setdefault(message.id, set())
            failed = [each for each in range(len(self._services)) if each not in told and not self._tell(each, message)]
            if failed:
                while len(self._told) > MOST_REMEMBERED:
                    del self._told[next(iter(self._told))]
                raise UnreachableError(self._sentence, delivered=number)
            del self._told[message.id]
        self.answer = f"told {', '.join(self._names)}"

    def preview(self, message: Message) -> bytes:
        """Return the message without the addresses."""
        title, text = notification(message.alert, message.placement, about_incident=message.kind == "incident")
        return f"To: {', '.join(self._names)}\nTitle: {title}\n\n{text}\n".encode()

    def _tell(self, number: int, message: Message) -> bool:
        title, text = notification(message.alert, message.placement, about_incident=message.kind == "incident")
        try:
            told = self._services[number].notify(
                body=text,
                title=title,
                notify_type=self._type(message),
                body_format=self._library.NotifyFormat.TEXT,  # it is escaped for what shows HTML or Markdown
            )
            reason = _reason(told)
        except Exception as error:  # noqa: BLE001 - whatever one of so many services provokes
            told, reason = False, f"{type(error).__name__}: {error}"
        if told:
            self._told[message.id].add(number)
            return True
        self._sentence = f"{self._names[number]} was not told: {escape(self._hide(reason)[:LONGEST_REASON])}"
        return False

    def _type(self, message: Message) -> Any:
        incident = message.placement.incident if message.placement is not None else None
        priority = incident.priority if message.kind == "incident" and incident is not None else message.alert.priority
        kinds = self._library.NotifyType
        if at_least(priority, "Error"):
            return kinds.FAILURE
        return kinds.WARNING if at_least(priority, "Warning") else kinds.INFO

    def _hide(self, text: str) -> str:
        for part in self._hidden:
            text = text.replace(part, "***")
        return text


def _reason(told: Any) -> str:
    """Return what the library logged last about a failure; its older versions return nothing but False."""
    logs = getattr(told, "logs", None)
    said = [str(one.message) for one in logs() if one.level in {"WARNING", "ERROR", "CRITICAL"}] if logs else []
    return said[-1] if said else "it says no more"


def _parts(url: str) -> set[str]:
    """Return the parts of a URL that may be secret: for these services that is every one behind the scheme."""
    rest = url.partition("://")[2]
    for separator in "/?&=@:,":
        rest = rest.replace(separator, " ")
    parts = {*rest.split(), *(unquote(part) for part in rest.split())}
    return {url, *(part for part in parts if len(part) >= _SHORTEST)}
