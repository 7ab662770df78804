"""Ways to all rights as a drawing."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hullwatch.formats.way_tree import way_tree
from hullwatch.formats.way_tree_svg import ways_svg
from hullwatch.posture.paths import ADMIN
from tests.posture.made import granted, rule
from tests.posture.test_paths import paths


def test_a_drawing_escapes_names_and_has_a_box_for_each_place() -> None:
    bad = '<script>alert("x")</script>\x1b[2J'
    found = paths(granted(bad, rule("*", "*", "*")))
    ways = found.ways(ADMIN)
    drawing = ways_svg([way_tree(ADMIN, ways, found.starts(ways))], "Ways & more", "below")
    assert "<script>" not in drawing
    assert "\x1b" not in drawing
    assert "&lt;script&gt;" in drawing
    assert drawing.count("<rect") == 3  # the ground, the goal, the user
    assert "Ways &amp; more" in drawing
    ET.fromstring(drawing.split("\n", 1)[1])  # it is XML


def test_names_that_turn_text_stand_on_each_other_or_are_wide_stay_in_their_boxes() -> None:
    names = ("ab\u202egnp", "e" + "\u0301" * 40, "\u65e5" * 200)
    found = paths(*(granted(name, rule("*", "*", "*")) for name in names))
    ways = found.ways(ADMIN)
    drawing = ways_svg([way_tree(ADMIN, ways, found.starts(ways))], "Ways", "below")
    assert "\u202e" not in drawing
    assert "ab\\u202egnp" in drawing
    assert "\u0301" * 3 not in drawing
    shapes = list(ET.fromstring(drawing.split("\n", 1)[1]).iter())
    japanese = next(one.text for one in shapes if one.text and "\u65e5" in one.text)
    assert japanese.endswith("...")
    widths = [int(one.attrib["width"]) for one in shapes if one.attrib.get("class") == "start"]
    assert max(widths) >= 7.3 * 2 * japanese.count("\u65e5")
