"""What rules can ask about how far an event is to be trusted."""

from __future__ import annotations

import pytest

from hullwatch.events.table import FLAGS
from tests.rules.conftest import make_event, rule_of

FLAG = FLAGS["record_flags"]


@pytest.mark.parametrize(
    ("flags", "condition"),
    [
        (0, "not evt.notes exists"),
        (FLAG["TRUNCATED"], "evt.notes = truncated"),
        (FLAG["USER_MEMORY"] | FLAG["IO_URING"], "evt.notes contains io_uring and evt.notes contains user_memory"),
        (FLAG["UNREACHABLE"], "evt.notes = unreachable"),
    ],
)
def test_a_condition_about_the_sensors_notes_is_true(flags: int, condition: str) -> None:
    event = make_event()
    event.flags = flags
    assert rule_of(f"evt.type = openat and {condition}").matches(event)
