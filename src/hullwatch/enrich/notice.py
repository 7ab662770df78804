"""What the stream says of Hullwatch itself and people have to know."""

from __future__ import annotations

from typing import NamedTuple


class Notice(NamedTuple):
    """An alert about Hullwatch itself, found in the stream: the same stream gives the same ones.

    Attributes:
        time: ns since the epoch, by the stream's clock.
        rule: in the place of a rule's name.
        priority: as Falco writes it (``Warning``).
        message: a sentence.
        fields: by name, for programs.
    """

    time: int
    rule: str
    priority: str
    message: str
    fields: dict[str, object]
