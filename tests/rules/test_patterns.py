"""Globs, paths and networks, against what they are meant to be."""

from __future__ import annotations

import ipaddress
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.rules.patterns import glob, network, path_prefix, regex


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("a*", "a/b/c", True),
        ("a?c", "a/c", True),
        ("[]a]", "]", True),
        ("[!]a]", "b", True),
        ("[a-c]", "b", True),
        ("[a-]", "-", True),
        ("[[:digit:]]x", "7x", True),
        ("[^a]", "b", True),
        ("[", "[", True),
        ("[ab", "[ab", True),
        ("[\\]]", "]", True),
        ("[\\a-c]", "b", True),
        ("[z-a]", "m", False),
        ("[!z-a]", "m", True),
        ("[z-ax]", "x", True),
        ("[[:foo:]x]", "x", False),
        ("[[:alpha:]-]", "-", True),
        ("[[.a.]]", "a", True),
        ("[[=a=]-c]", "b", True),
        ("a\\", "a\\", False),
        ("\\*", "*", True),
        ("\\*", "x", False),
        ("a.c", "abc", False),
        ("{a,b}", "a", False),
        ("a(b|c)", "a(b|c)", True),
        ("x", "xy", False),
        ("a\nb*", "a\nb\nc", True),
    ],
)
def test_a_glob_is_fnmatch_without_flags(pattern: str, text: str, expected: object) -> None:
    assert glob(pattern)(text) is expected


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_glob_answers(pattern: str, text: str) -> None:
    assert glob(pattern)(text) in (True, False)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_text_with_every_character_quoted_matches_itself_only(text: str) -> None:
    quoted = "".join(f"\\{character}" for character in text)
    assert glob(quoted)(text)
    assert not glob(quoted)(text + "x")


def test_patterns_that_hang_other_engines_answer_at_once() -> None:
    start = time.monotonic()
    assert not glob("*a" * 30 + "b")("a" * 5000)
    assert not regex("(a+)+b")("a" * 5000)
    assert time.monotonic() - start < 5


@given(st.ip_addresses(), st.integers(1, 32), st.ip_addresses())
def test_networks_agree_with_the_standard_library(
    base: ipaddress.IPv4Address | ipaddress.IPv6Address,
    length: int,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    expected = ipaddress.ip_network(f"{base}/{length}", strict=False)
    assert network(f"{base}/{length}")(base.packed)
    assert network(f"{base}/{length}")(address.packed) is (address in expected)


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/x", "::/0", "::1/129", "/8", ""])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a network"):
        network(text)


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        (["/lib"], "/lib", True),
        (["/lib"], "/lib/x", True),
        (["/lib"], "/lib64", False),
        (["/lib/"], "/lib/x", True),
        (["lib"], "/lib/x", True),
        (["/lib/*/libc.so.6"], "/lib/x86/libc.so.6", True),
        (["/l?b"], "/lib/a", True),
        (["/*/b"], "/a/x/b", False),
        (["/"], "/x", True),
        (["/e*/*"], "/etc/", False),
        (["/e*/*"], "/etc/x/", True),
        (["/*"], "/", False),
        (["/etc"], "/etc/", True),
        (["/a", "/b"], "/b/c", True),
        ([], "/a", False),
    ],
)
def test_path_prefixes_go_by_whole_components(patterns: list[str], path: str, expected: object) -> None:
    assert path_prefix(patterns)(path) is expected
