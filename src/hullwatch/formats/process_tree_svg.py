"""A process tree as a drawing: SVG that any browser shows, without scripts or anything else."""

from __future__ import annotations

import html
import re
import textwrap
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hullwatch.formats.process_tree import ProcessTree, Shown

MOST_DRAWN = 400  # processes
LONGEST_LINE = 130  # characters
_ROW, _LINE, _INDENT, _MARGIN, _TOP = 46, 15, 30, 24, 84  # pixels
_MOST_SAID = 12  # lines below the heading
_WIDE = 7.3  # pixels of a character
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_STYLE = """
text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12px; fill: #1f2933 }
.head { font-size: 17px; font-weight: bold }
.name { font-weight: bold }
.quiet { fill: #616e7c }
.box { fill: #f5f7fa; stroke: #cbd2d9 }
.inside { fill: #e6f1fb; stroke: #7fb2e5 }
.focus { fill: #fdecea; stroke: #c81e1e; stroke-width: 2 }
.alert { fill: #c81e1e; font-weight: bold }
.branch { stroke: #9aa5b1; fill: none }
"""


class _Box(NamedTuple):
    row: Shown
    y: int
    height: int
    lines: list[str]


def tree_svg(tree: ProcessTree, heading: str, below: str) -> str:
    """Return the drawing.

    Args:
        tree: with at most ``MOST_DRAWN`` processes.
        heading: one line.
        below: sentences below it, smaller, as many lines as they take.
    """
    boxes: list[_Box] = []
    said = textwrap.wrap(below, LONGEST_LINE)[:_MOST_SAID]
    y = _TOP + _LINE * max(0, len(said) - 1)
    for row in tree.rows:
        lines = [_cut(command) for command in row.lines]
        height = _ROW - _LINE + _LINE * len(lines)
        boxes.append(_Box(row, y, height, lines))
        y += height + 10
    width = max((_x(box.row) + _width(box) + _MARGIN for box in boxes), default=0)
    width = max(width, int(_WIDE * 1.45 * len(_cut(heading))) + 2 * _MARGIN, 480)
    width = max(width, *(int(_WIDE * len(line)) + 2 * _MARGIN for line in said), 0)
    end = y + (20 if tree.left_out else 0) + _MARGIN
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{end}" viewBox="0 0 {width} {end}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{end}" fill="#ffffff"/>',
        _text(_MARGIN, 34, heading, "head"),
        *(_text(_MARGIN, 58 + _LINE * place, line, "quiet") for place, line in enumerate(said)),
        *_branches(boxes),
        *(part for box in boxes for part in _draw(box)),
    ]
    if tree.left_out:
        parts.append(_text(_MARGIN, y + 12, f"{tree.left_out:,} more processes are not shown.", "quiet"))
    return "\n".join((*parts, "</svg>", ""))


def _x(row: Shown) -> int:
    return _MARGIN + _INDENT * row.place.depth


def _width(box: _Box) -> int:
    row = box.row
    head = len(_cut(row.name)) + len(row.note) + (len(row.mark) + 5 if row.mark else 14)
    longest = max(head, *(len(line) for line in box.lines), 20)
    return int(longest * _WIDE) + 24


def _branches(boxes: list[_Box]) -> list[str]:
    """Return the lines from each process to those that it started."""
    drawn: list[str] = []
    above: list[_Box] = []  # the box of each depth on the way to this one
    for box in boxes:
        del above[box.row.place.depth :]
        if above:
            parent = above[-1]
            x, end = _x(parent.row) + 12, box.y + 16
            drawn.append(f'<path class="branch" d="M{x} {parent.y + parent.height}V{end}H{_x(box.row)}"/>')
        above.append(box)
    return drawn


def _draw(box: _Box) -> list[str]:
    row, x, width = box.row, _x(box.row), _width(box)
    parts = [
        f'<rect class="{row.kind}" x="{x}" y="{box.y}" width="{width}" height="{box.height}" rx="5"/>',
        _text(x + 10, box.y + 20, row.name, "name"),
        _text(x + 10 + int((len(_cut(row.name)) + 2) * _WIDE), box.y + 20, row.note, "quiet"),
    ]
    if row.mark:
        parts.append(_text(x + width - 8 - int(_WIDE * len(row.mark)), box.y + 20, row.mark, "alert"))
    parts += [
        _text(x + 10, box.y + 20 + _LINE * place, line, "quiet" if place > 1 else "")
        for place, line in enumerate(box.lines, 1)
    ]
    return parts


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}..."


def _text(x: int, y: int, text: str, kind: str) -> str:
    """Return a text, which may come from anybody, as an element."""
    content = html.escape(_NOT_XML.sub("\ufffd", _cut(text)))
    return f'<text x="{x}" y="{y}" class="{kind}" xml:space="preserve">{content}</text>'
