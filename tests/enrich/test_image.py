from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.enrich.image import ImageReference, split

SHA = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("nginx", ("nginx", "", "")),
        ("nginx:1.25", ("nginx", "1.25", "")),
        ("library/nginx", ("library/nginx", "", "")),
        (f"nginx@{SHA}", ("nginx", "", SHA)),
        (f"nginx:1.25@{SHA}", ("nginx", "1.25", SHA)),
        ("127.0.0.1:5000/bb:1", ("127.0.0.1:5000/bb", "1", "")),
        ("localhost:5000/bb", ("localhost:5000/bb", "", "")),
        (f"registry.example.com:443/a/b/c:v1@{SHA}", ("registry.example.com:443/a/b/c", "v1", SHA)),
        ("[2001:db8::1]:5000/a:b", ("[2001:db8::1]:5000/a", "b", "")),
        ("Registry.Example.COM/a", ("Registry.Example.COM/a", "", "")),
        ("a__b/c-----d/e.f_g:T_a.g-1", ("a__b/c-----d/e.f_g", "T_a.g-1", "")),
        ("a:" + "t" * 128, ("a", "t" * 128, "")),
        ("host:80", ("host", "80", "")),
        ("a" * 255, ("a" * 255, "", "")),
        ("a" * 63, ("a" * 63, "", "")),
        ("a@sha512+b64u:" + "F" * 32, ("a", "", "sha512+b64u:" + "F" * 32)),
    ],
)
def test_a_reference_is_split_as_docker_does(reference: str, parts: tuple[str, str, str]) -> None:
    assert split(reference) == ImageReference(*parts)


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "UPPER",
        "a/UPPER",
        "a//b",
        "/a",
        "a/",
        "a:",
        "a@",
        "a@sha256:1234",
        "a:-tag",
        "a:.tag",
        "a:" + "t" * 129,
        "a___b",
        "a..b",
        "-a/b",
        "a-",
        "a b",
        "a\n",
        "é",
        "https://host/a",
        "host:port/a",
        "0123456789abcdef" * 4,
        SHA,
        "a" * 256,
        "a/" * 200 + "a",
        f"a:1@{SHA}@{SHA}",
    ],
)
def test_what_docker_takes_for_no_name_is_none(reference: str) -> None:
    assert split(reference) is None


@pytest.mark.parametrize("piece", ["a", "a-", "a.", "a_", "a/", "1.1", "a:", "a@", "-", "[:", "a__"])
def test_the_longest_hostile_references_take_no_time(piece: str) -> None:
    began = time.perf_counter()
    assert split(piece * (1020 // len(piece)) + "!") is None
    assert split(piece * 1_000_000) is None
    assert time.perf_counter() - began < 0.1


HOST = r"([a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?\.[a-z]{2,5}(:[0-9]{1,5})?/)?"


@given(
    st.from_regex(HOST + r"[a-z0-9]{1,9}([._-][a-z0-9]{1,9}){0,3}", fullmatch=True),
    st.from_regex(r"|[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    st.sampled_from(["", SHA]),
)
def test_the_parts_of_a_reference_that_was_put_together_come_back(repository: str, tag: str, digest: str) -> None:
    written = repository + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    assert split(written) == ImageReference(repository, tag, digest)


@given(st.text(max_size=200))
def test_any_text_is_split_without_loss_or_none(text: str) -> None:
    parts = split(text)
    if parts is not None:
        assert text == parts.repository + (parts.tag and f":{parts.tag}") + (parts.digest and f"@{parts.digest}")
