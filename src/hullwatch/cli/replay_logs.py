"""Lines of containers' logs through the rules to the outputs: ``hullwatch replay FILE --source container_log``."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from hullwatch.cli.replay_documents import DocumentReplay
from hullwatch.detect.log_judge import LogJudge
from hullwatch.fields.log_event import LOG_TYPE
from hullwatch.outputs.delivery import Delivery
from hullwatch.sources.container_logs.reading import log_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.app import Deliver
    from hullwatch.config.settings import Settings
    from hullwatch.detect.engine import Match
    from hullwatch.rules.loader import RuleSet
    from hullwatch.sources.container_logs.line import LogLine


class LogReplay(DocumentReplay):
    """One replay of a file of lines."""

    kind = LOG_TYPE.name
    none = "line of a container's log (json-file, CRI, CloudWatch Logs, Azure Monitor)"

    def __init__(self, settings: Settings, rules: RuleSet, path: str = "", deliver: Deliver = Delivery) -> None:
        """Take rules of the source ``container_log``.

        Args:
            settings: of the run.
            rules: that judge.
            path: of the file, which may say whose log it is.
            deliver: makes what takes the alerts.
        """
        super().__init__(settings, deliver)
        self._path = path
        self._judge = LogJudge(rules, self.counters, every=settings.rules.match == "all")

    def _events(self, stream: BinaryIO) -> Iterator[LogLine]:
        return log_lines(stream, self._leave_out, self._path)

    def _matches(self, event: LogLine) -> Sequence[Match]:
        return self._judge.matches(event)
