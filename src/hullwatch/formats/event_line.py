"""An event as a line, by the format of an output: its secrets hidden, for people or for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.alerts.mask import Masker
from hullwatch.formats.escape import escape, escape_json

if TYPE_CHECKING:
    from hullwatch.config.settings import MaskSettings
    from hullwatch.detect.engine import Match


class EventLines:
    """Writes events as the format of their rule says.

    Args:
        mask: which secrets are hidden.
    """

    def __init__(self, mask: MaskSettings) -> None:
        """Take what is secret."""
        self._masker = Masker(mask.patterns, builtin=mask.builtin)

    def parts(self, match: Match) -> tuple[str, dict[str, Any]]:
        """Return an event as text that is not escaped yet, and the fields that the format names."""
        program = match.event.program
        return self._masker.alert(*match.rule.output.render(match.event), program.comm if program is not None else "")

    def text(self, match: Match) -> str:
        """Return an event as one line for people."""
        return escape(self.parts(match)[0])

    def json(self, match: Match) -> str:
        """Return the fields of an event as one line of JSON."""
        return escape_json(msgspec.json.encode(self.parts(match)[1]).decode())
