import pytest

from hullwatch.fields.catalogue import catalogue
from hullwatch.formats.mapping import nested, place, rows, severities, severity
from hullwatch.rules.priority import Priority


def test_every_row_is_of_a_field_that_rules_know() -> None:
    for row in rows():
        assert row.field in catalogue(), row.field


def test_every_priority_has_a_severity_in_each_format_and_none_is_milder_than_the_next() -> None:
    assert list(severities()) == [str(one) for one in Priority]
    for column in ("ocsf", "ecs", "cef", "leef", "otlp"):
        numbers = [getattr(one, column) for one in severities().values()]
        assert numbers == sorted(numbers, reverse=True), column
    assert severity("strange") == severity("Warning")


def test_no_place_is_within_another() -> None:
    for target in ("ecs", "ocsf"):
        places = {row.places[target] for row in rows() if target in row.places}
        assert not [(one, other) for one in places for other in places if other.startswith(f"{one}.")]


def test_the_first_field_with_a_value_fills_a_place_and_the_other_is_left() -> None:
    placed, left = place({"fs.path.name": "/b", "drift.path": "/a"}, "ecs")
    assert placed == {"file.path": "/a"}
    assert left == {"fs.path.name": "/b"}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("proc.pid", 7, 7),
        ("proc.pid", "7", 7),
        ("proc.pid", "seven", None),
        ("proc.pid", True, None),
        ("proc.pid", 1 << 70, None),
        ("proc.pid", "٣", None),
        ("fd.sport", 65536, None),
        ("fd.sport", "443", 443),
        ("fd.sip", "2001:DB8::1", "2001:db8::1"),
        ("fd.sip", "203.0.113.900", None),
        ("fd.sip", "fe80::1%eth0", None),
        ("container.privileged", "true", True),
        ("container.privileged", "maybe", None),
        ("container.image.tag", ["a", 2], ["a", "2"]),
        ("proc.name", 5, "5"),
    ],
)
def test_a_value_that_is_not_of_its_places_type_is_left(field: str, value: object, expected: object) -> None:
    placed, left = place({field: value}, "ecs")
    assert list(placed.values()) == ([] if expected is None else [expected])
    assert left == ({field: value} if expected is None else {})


def test_places_with_dots_are_objects_within_objects() -> None:
    assert nested({"a.b": 1, "a.c.d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
