"""Fields of files that were compared with the image of the container that runs them (``drift.*``); Falco has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import FieldType, field

if TYPE_CHECKING:
    from hullwatch.events.event import Event


def _text(event: Event, name: str) -> str | None:
    """Return a parameter of a comparison; None for other events, and for what is not known."""
    value = event.params.get(name) if event.type.layout.name == "drift" else None
    return value if isinstance(value, str) and value else None


@field("drift.kind", FieldType.CHARBUF)
def kind(event: Event) -> str | None:
    """How the file was run: program, library or script."""
    return _text(event, "kind")


@field("drift.verdict", FieldType.CHARBUF)
def verdict(event: Event) -> str | None:
    """What the comparison gave: drift (not in the image), image (its content is in the image) or unknown."""
    return _text(event, "verdict")


@field("drift.place", FieldType.CHARBUF)
def place(event: Event) -> str | None:
    """Where the file lies: upper_layer (the container's own), memory (a tmpfs) or volume (any other mount)."""
    return _text(event, "place")


@field("drift.path", FieldType.FSPATH)
def path(event: Event) -> str | None:
    """Path of the file as the process sees it; of a script as it was named, below the working directory."""
    return _text(event, "path")


@field("drift.sha256", FieldType.CHARBUF)
def sha256(event: Event) -> str | None:
    """SHA-256 of the content, 64 digits; absent when it was not read."""
    return _text(event, "sha256")


@field("drift.size", FieldType.UINT64)
def size(event: Event) -> int | None:
    """Size of the file in bytes."""
    value = event.params.get("size") if event.type.layout.name == "drift" else None
    return value if isinstance(value, int) else None


@field("drift.reason", FieldType.CHARBUF)
def reason(event: Event) -> str | None:
    """Why the verdict is unknown, or why the content was not read; absent otherwise."""
    return _text(event, "reason")
