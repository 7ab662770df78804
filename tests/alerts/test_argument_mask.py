"""Secrets in arguments and variables, item by item: what alerts hide is hidden, and what has none stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.alerts.argument_mask import ArgumentMask, differences
from hullwatch.alerts.mask import Masker, valid_text

MASK = ArgumentMask(Masker())
WORDS = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12)


@pytest.mark.parametrize(
    ("items", "shown"),
    [
        (["app", "--password=hunter2", "-v"], ["app", "--password=***", "-v"]),
        (["app", "--password", "hunter2", "-v"], ["app", "--password", "***", "-v"]),
        (["app", "--password=two words", "x"], ["app", "--password=***", "x"]),
        (["app", "--token", "two words", "x"], ["app", "--token", "***", "x"]),
        (["mysql", "-psecret", "db"], ["mysql", "-p***", "db"]),
        (["curl", "-u", "bob:pw", "http://x"], ["curl", "-u", "bob:***", "http://x"]),
        (["docker", "login", "-u", "bob", "-p", "pw", "host"], ["docker", "login", "-u", "bob", "-p", "***", "host"]),
        (["sh", "-c", "TOKEN=x cmd; ls"], ["sh", "-c", "TOKEN=*** cmd; ls"]),
        (["psql", "postgres://bob:pw@host/db"], ["psql", "postgres://bob:***@host/db"]),
        (["a\tb", "--secret", "x"], ["a b", "--secret", "***"]),
        (["app", "--password-file", "/run/x"], ["app", "--password-file", "/run/x"]),
        ([], []),
        ([""], [""]),
    ],
)
def test_arguments_show_that_there_was_a_secret_and_not_which(items: list[str], shown: list[str]) -> None:
    found = MASK.arguments(items)
    assert [item.replace("\t", " ") for item in found] == shown


def test_an_option_means_a_password_to_one_program_only() -> None:
    assert MASK.arguments(["client", "-psecret"], "mysql") == ["client", "-p***"]
    assert MASK.arguments(["client", "-psecret"], "client") == ["client", "-psecret"]


def test_a_secret_over_several_arguments_is_hidden_whole() -> None:
    key = ["-----BEGIN RSA PRIVATE KEY-----", "MIIEdata", "more", "-----END RSA PRIVATE KEY-----"]
    found = MASK.arguments(["app", *key])
    assert "MIIEdata" not in " ".join(found)
    assert differences(["app", *key], found) >= 1


def test_a_variable_that_is_a_secret_by_its_name_is_hidden_to_its_end() -> None:
    given_variables = ["PASSWORD=two words", "HOME=/root", "URL=http://a:b@c/", "NOT_A=\udcff", "TOKEN_FILE=/x"]
    assert MASK.variables(given_variables) == [
        "PASSWORD=***", "HOME=/root", "URL=http://a:***@c/", "NOT_A=\udcff", "TOKEN_FILE=/x",
    ]  # fmt: skip


def test_labels_are_values_with_names() -> None:
    labels = {"db.password": "x y", "app": "web", "link": "http://a:b@c"}
    assert MASK.values(labels) == {"db.password": "***", "app": "web", "link": "http://a:***@c"}


def test_bytes_that_are_no_unicode_stay_where_there_is_no_secret() -> None:
    assert MASK.arguments(["cat", "\udcff\udcfe", "--password=x"]) == ["cat", "\udcff\udcfe", "--password=***"]


@given(st.lists(WORDS | st.sampled_from(["--password", "--token=x", "-u", "a:b", "mysql", "-px", "SECRET=y z"])))
def test_nothing_that_alerts_would_hide_is_left(items: list[str]) -> None:
    found = MASK.arguments(items)
    line = valid_text(" ".join(found).replace("\t", " "))
    assert MASK._masker.text(line) == line
