import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.config.values import (
    PRIORITIES,
    at_least,
    format_duration,
    nearest,
    parse_duration,
    parse_label,
    parse_labels,
    parse_priority,
    without_password,
)
from hullwatch.errors import UsageError
from hullwatch.rules.priority import Priority


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("500ms", 0.5), ("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), ("1d", 86400), ("1m1s1ms", 61.001)],
)
def test_a_duration_is_read_with_its_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "s", "-1s", "1 s", "10s ", "1e3s", "0s", "٣s", "inf", "99999d", "1s" * 100, "10x", "1h30"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"1h30m|ten years"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=10**11))
def test_a_written_duration_is_read_back_the_same(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@given(st.text(max_size=100))
def test_any_text_is_a_duration_or_a_usage_error(text: str) -> None:
    try:
        assert parse_duration(text) > 0
    except UsageError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


def test_a_label_may_have_equals_signs_in_its_value() -> None:
    assert parse_label("team=a=b") == ("team", "a=b")


@pytest.mark.parametrize("text", ["team", "=x", "a b=x", "-a=x", "a\x1b=x", "ключ=x", "a" * 64 + "=x"])
def test_a_label_without_a_sound_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="label"):
        parse_label(text)


@pytest.mark.parametrize("value", ["\x1b[2J", "a\nb", "\u202e", "x" * 257])
def test_a_label_value_that_is_not_printable_or_too_long_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="printable"):
        parse_label(f"team={value}")


def test_a_label_key_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match='"a" is given twice'):
        parse_labels(["a=1", "a=2"])


def test_too_many_labels_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 64"):
        parse_labels(f"a{number}=1" for number in range(65))


@pytest.mark.parametrize(
    ("text", "name"), [("warning", "Warning"), ("INFO", "Informational"), ("Informational", "Informational")]
)
def test_a_priority_is_read_in_any_case(text: str, name: str) -> None:
    assert parse_priority(text) == name


def test_an_unknown_priority_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r'"warnin" is not a priority \(did you mean "warning"\?\)'):
        parse_priority("warnin")


def test_the_priorities_of_settings_are_those_of_rules() -> None:
    assert [str(priority) for priority in Priority] == list(PRIORITIES)


def test_the_most_severe_priority_is_at_least_any_other() -> None:
    assert all(at_least("Emergency", name) for name in PRIORITIES)
    assert at_least("Error", "Warning")
    assert not at_least("Notice", "Warning")


def test_nothing_is_near_a_name_that_is_like_none() -> None:
    assert not nearest("zzz", ["output", "rules"])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("postgresql://eve@db/alerts", "postgresql://eve@db/alerts"),
        ("postgresql://eve:open:se@same@db:5/alerts?x=1", "postgresql://eve:***@db:5/alerts?x=1"),
        (
            "postgresql://db/a?password=p&sslpassword=q&passfile=/f&x=1",
            "postgresql://db/a?password=***&sslpassword=***&passfile=***&x=1",
        ),
        ("postgresql://:p@/a", "postgresql://:***@/a"),
    ],
)
def test_a_password_in_a_url_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
