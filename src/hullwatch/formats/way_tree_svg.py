"""Ways to a goal as a drawing: SVG that any browser shows, without scripts or anything else."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING

from hullwatch.formats.escape import escape

if TYPE_CHECKING:
    from hullwatch.formats.way_tree import Row

LONGEST_LINE = 130  # characters
_HEIGHT, _GAP, _INDENT, _MARGIN, _TOP = 42, 10, 36, 24, 84  # pixels
_WIDE = 7.3  # pixels of a character
_NOT_XML = re.compile("[\ufffe\uffff]")  # of what is left when text is escaped
_MARKS = 2  # on a letter; more of them reach over other lines

_STYLE = """
text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12px; fill: #1f2933 }
.head { font-size: 17px; font-weight: bold }
.name { font-weight: bold }
.quiet { fill: #616e7c }
.goal { fill: #fdecea; stroke: #c81e1e; stroke-width: 2 }
.step { fill: #f5f7fa; stroke: #cbd2d9 }
.start { fill: #fff4e0; stroke: #d9822b; stroke-width: 2 }
.branch { stroke: #9aa5b1; fill: none }
"""


def ways_svg(trees: list[list[Row]], heading: str, below: str) -> str:
    """Return the drawing.

    Args:
        trees: one for each goal, as ``way_tree`` returns them.
        heading: one line.
        below: a smaller one below it.
    """
    parts: list[str] = []
    y = _TOP
    width = int(_WIDE * 1.45 * _cells(_cut(heading))) + 2 * _MARGIN
    width = max(width, int(_WIDE * _cells(_cut(below))) + 2 * _MARGIN, 480)
    for tree in trees:
        above: list[tuple[int, int]] = []  # left and lower edge of the box of each depth on the way to this one
        for row in tree:
            x, wide = _MARGIN + _INDENT * row.depth, _width(row)
            del above[row.depth :]
            if above:
                left, lower = above[-1]
                parts.append(f'<path class="branch" d="M{left + 14} {lower}V{y + _HEIGHT // 2}H{x}"/>')
            parts += _box(row, x, y, wide)
            above.append((x, y + _HEIGHT))
            width = max(width, x + wide + _MARGIN)
            y += _HEIGHT + _GAP
        y += 2 * _GAP
    end = y + _MARGIN
    head = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{end}" viewBox="0 0 {width} {end}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{end}" fill="#ffffff"/>',
        _text(_MARGIN, 34, heading, "head"),
        _text(_MARGIN, 58, below, "quiet"),
    ]
    return "\n".join((*head, *parts, "</svg>", ""))


def _width(row: Row) -> int:
    return int(max(_cells(_cut(row.place)), _cells(_cut(row.why)), 16) * _WIDE) + 24


def _cells(text: str) -> int:
    """Return how many letters of usual width a text is wide."""
    return sum(map(_cell, text)) if not text.isascii() else len(text)


def _cell(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _box(row: Row, x: int, y: int, wide: int) -> list[str]:
    if row.more:
        return [_text(x + 4, y + 26, f"{row.more:,} more", "quiet")]
    kind = "goal" if not row.depth else "start" if row.start else "step"
    parts = [f'<rect class="{kind}" x="{x}" y="{y}" width="{wide}" height="{_HEIGHT}" rx="5"/>']
    parts.append(_text(x + 10, y + (18 if row.why else 26), row.place, "name"))
    if row.why:
        parts.append(_text(x + 10, y + 34, row.why, "quiet"))
    return parts


def _cut(text: str) -> str:
    """Return a text on one line, in which nothing turns or hides other text, and no more of it than has room."""
    text = escape(text)
    if text.isascii():
        return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}..."
    kept: list[str] = []
    cells = marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        one = f"\\u{ord(letter):04x}" if marks > _MARKS else letter
        cells += _cells(one)
        if cells > LONGEST_LINE:
            return f"{''.join(kept)}..."
        kept.append(one)
    return "".join(kept)


def _text(x: int, y: int, text: str, kind: str) -> str:
    """Return a text, which may come from anybody, as an element."""
    content = html.escape(_NOT_XML.sub("\ufffd", _cut(text)))
    return f'<text x="{x}" y="{y}" class="{kind}" xml:space="preserve">{content}</text>'
