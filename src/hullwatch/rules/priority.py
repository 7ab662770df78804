"""How much a rule's alert matters."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """Falco's priorities; a smaller number matters more, as in syslog."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFORMATIONAL = 6
    DEBUG = 7

    def __str__(self) -> str:
        """Return the name as Falco prints it: ``Informational``."""
        return self.name.capitalize()

    def reaches(self, threshold: Priority) -> bool:
        """Tell whether it matters as much as the threshold, or more."""
        return self <= threshold

    @classmethod
    def parse(cls, text: str) -> Priority:
        """Return the priority of a name, in any case; ``info`` is Informational.

        Raises:
            ValueError: when there is none of that name.
        """
        name = "INFORMATIONAL" if text.upper() == "INFO" else text.upper()
        if name not in cls.__members__:
            raise ValueError(f"There is no priority {text!r}: use one of {', '.join(str(one) for one in cls)}")
        return cls[name]
