"""Texts that a pattern needs occur in all that it matches."""

from __future__ import annotations

from typing import Any

import pytest
import re2  # pyright: ignore[reportMissingTypeStubs] - google-re2 ships none
from hypothesis import assume, given, note, reject, settings
from hypothesis import strategies as st

from hullwatch.detect.needed_text import DEEPEST, needed_by_regex

_LIBRARY: Any = re2
_pieces = st.sampled_from(
    ("ab", "abc", "a", "b", "c", ".", "[ab]", "[^a]", "[[:alpha:]]", "\\.", "\\d", "\\x61", "\\pL", "\\b", "^", "$")
)
_counts = st.sampled_from(("", "", "", "*", "+", "?", "{0}", "{2}", "{0,2}", "{1,}", "+?", "*?", "{"))
_begins = st.sampled_from(("", "", "", "?:", "?i:"))
_patterns = st.recursive(
    st.builds("{}{}".format, _pieces, _counts),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.builds("({}{}){}".format, _begins, st.lists(inner, max_size=3).map("|".join), _counts)
    ),
    max_leaves=8,
)
_texts = st.lists(st.text("abcABC. a", max_size=8), min_size=1, max_size=20)


@settings(max_examples=300)
@given(_patterns, _texts)
def test_each_text_that_matches_has_one_of_those_that_are_needed(pattern: str, texts: list[str]) -> None:
    needed = needed_by_regex(pattern, shortest=1)
    options = _LIBRARY.Options()
    options.log_errors = False
    try:
        compiled = _LIBRARY.compile(pattern, options)
    except _LIBRARY.error:
        reject()
    assume(needed is not None)
    assert needed is not None
    note(str(needed))
    for text in [*texts, pattern, pattern.replace("\\", "")]:
        if compiled.search(text):
            assert any(one in text for one in needed), text


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        ("(curl|wget) +https", {"https"}), ("stratum[12]?\\+tcp", {"stratum"}), ("a(bcd|efg)?hij", {"hij"}),
        ("(one|two)+x{2}", {"one", "two"}), ("one|two", {"one", "two"}), ("ab{0}cde", {"cde"}),
    ],
)  # fmt: skip
def test_the_longest_texts_are_taken(pattern: str, needed: set[str]) -> None:
    assert needed_by_regex(pattern, shortest=3) == needed


@pytest.mark.parametrize(
    "pattern",
    [
        "a|b",
        "abc|d",
        "(abc",
        "abc)",
        "a**",
        "abc\\",
        "[abc",
        "\\Qabc\\E",
        "(?<=abc)abc",
        "(?i)abcd",
        "\\1abc",
        "x" * 2,
        ".*",
        "",
    ],
)
def test_what_is_hard_to_say_or_short_is_not_said(pattern: str) -> None:
    assert needed_by_regex(pattern, shortest=3) is None


def test_groups_within_each_other_are_read_to_a_depth() -> None:
    assert needed_by_regex("(" * DEEPEST + "abcd" + ")" * DEEPEST) == {"abcd"}
    assert needed_by_regex("(" * 10_000 + "abcd" + ")" * 10_000) is None
