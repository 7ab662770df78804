import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.formats.escape import escape
from hullwatch.metrics.exposition import LONGEST_VALUE, MOST_SAMPLES, OTHERS, Sample, family_text, histogram


def test_a_family_has_its_help_its_kind_and_its_samples() -> None:
    assert family_text("x_total", "counter", "What\nit is.", [Sample(3), Sample(0.5, (("a", "b"), ("c", "d")))]) == (
        '# HELP x_total What\\nit is.\n# TYPE x_total counter\nx_total 3\nx_total{a="b",c="d"} 0.5\n'
    )


def test_a_family_without_samples_is_left_out() -> None:
    assert family_text("x", "gauge", "Nothing.", []) == ""


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('a"b', r"a\"b"),
        ("a\\b", r"a\\b"),
        ("a\nb", r"a\\nb"),
        ("\x1b[31mred", r"\\x1b[31mred"),
        ("\u202eabc", r"\\u202eabc"),
        ("\udc80", r"\\udc80"),
        ('"} 1\nfake_total 7', r"\"} 1\\nfake_total 7"),
    ],
)
def test_a_hostile_label_value_stays_inside_its_quotes(text: str, written: str) -> None:
    line = family_text("x", "gauge", "X.", [Sample(1, (("rule", text),))]).splitlines()[2:]
    assert line == [f'x{{rule="{written}"}} 1']


@given(st.text())
def test_whatever_a_label_is_its_sample_is_one_line(text: str) -> None:
    lines = family_text("x", "gauge", "X.", [Sample(1, (("rule", text),))]).split("\n")
    assert len(lines) == 4
    assert lines[2].startswith('x{rule="')
    assert lines[2].endswith('"} 1')
    assert escape(lines[2]) == lines[2]
    assert lines[3] == ""


def test_long_values_are_cut_and_those_that_become_the_same_are_added() -> None:
    samples = [Sample(2, (("rule", "x" * 1000),)), Sample(3, (("rule", "x" * 1001),))]
    (line,) = family_text("x_total", "counter", "X.", samples).splitlines()[2:]
    assert line == f'x_total{{rule="{"x" * (LONGEST_VALUE - 1)}…"}} 5'


def test_there_are_only_so_many_samples_and_the_rest_is_added_up() -> None:
    samples = [Sample(number, (("rule", str(number)),)) for number in range(MOST_SAMPLES + 5)]
    lines = family_text("x_total", "counter", "X.", samples).splitlines()[2:]
    assert len(lines) == MOST_SAMPLES
    assert lines[-1] == f'x_total{{rule="{OTHERS}"}} {sum(range(6))}'


def test_a_histogram_adds_its_buckets_up() -> None:
    samples = histogram((0.1, 1.0), [2, 3, 4], 9.5)
    assert samples == [
        Sample(2, (("le", "0.1"),), "_bucket"),
        Sample(5, (("le", "1"),), "_bucket"),
        Sample(9, (("le", "+Inf"),), "_bucket"),
        Sample(9.5, (), "_sum"),
        Sample(9, (), "_count"),
    ]
