"""How an engine can fail to answer; each message is a sentence."""

from __future__ import annotations


class EngineError(Exception):
    """An engine did not answer as it should; the message is a sentence."""


class UnreachableError(EngineError):
    """Nobody answers, or the connection ended."""


class SlowError(EngineError):
    """The answer did not come in time."""


class NotKnownError(EngineError):
    """The engine does not know what it was asked for."""


class NotSupportedError(EngineError):
    """The engine does not have what it was asked for."""
