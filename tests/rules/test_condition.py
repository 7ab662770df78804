"""A condition and a format that are arguments: what is wrong is told with the place in them."""

from __future__ import annotations

import pytest

from hullwatch.errors import UsageError
from hullwatch.rules.condition import condition_rules


def test_a_condition_and_a_format_are_a_rule() -> None:
    (rule,) = condition_rules('proc.name = "a \\"b" and evt.type = openat', 'x "%proc.name"\n%fd.name').rules
    assert rule.event_types == {"openat"}
    assert rule.output.text == 'x "%proc.name"\n%fd.name'


@pytest.mark.parametrize(
    ("condition", "form", "sentence"),
    [
        ("proc.nam = x", "x", r'The condition is wrong at character 1 \("proc.nam = x"\): There is no field'),
        ("evt.type = open and foo.bar = 1", "x", r'character 21 \("foo.bar = 1"\): There is no field'),
        ('proc.name = "é\\"\n" and foo.bar = 1', "x", r'character 24 \("foo.bar = 1"\): There is no field'),
        ("evt.type =", "x", r"The condition is wrong at character 10 .*ends too early"),
        ("evt.type = open", "100%proc.name %proc.nam", r'The format is wrong at character 16 \("proc.nam"\)'),
        ("", "x", "The condition is wrong at character 1: 'condition' is empty"),
        ("proc.name = \udcff", "x", "are text in UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(condition: str, form: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        condition_rules(condition, form)
    assert "arguments" not in str(caught.value)
