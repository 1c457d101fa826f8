"""A block diagram as SVG: boxes in rows from top to bottom, arrows between them.

The browser shows it as a picture, so it carries its own colours, for a light page or a dark one.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from detector.analysis.kinds.diagram import Block, Diagram, Role
from pages.parts.shared.markup import escaped

_PAD, _LINE_PX, _TITLE_PX, _GAP_PX, _GROUP_PX = 9, 14, 16, 26, 8
_CHAR_PX, _TITLE_CHAR_PX = 5.75, 6.6
_FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class _Colours:
    text: str
    faint: str
    line: str
    fill: dict[Role, str]
    edge: dict[Role, str]


_LIGHT = _Colours(
    "#1A242E", "#5B6873", "#8A97A3",
    {"input": "#FFFFFF", "part": "#F4F6F8", "head": "#E8F1F8", "output": "#FFFFFF"},
    {"input": "#AAB4BD", "part": "#C3CBD2", "head": "#0072B2", "output": "#0072B2"},
)  # fmt: skip
_DARK = _Colours(
    "#DDE3E9", "#93A0AC", "#76838F",
    {"input": "#11161B", "part": "#1A2128", "head": "#16293A", "output": "#11161B"},
    {"input": "#4A5661", "part": "#3B4650", "head": "#3A9BDC", "output": "#3A9BDC"},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Placed:
    block: Block
    x: float
    y: float
    width: float
    height: float
    title: tuple[str, ...]
    details: tuple[str, ...]


def svg(diagram: Diagram, *, dark: bool = False, width_px: int = 460) -> str:
    """The diagram as one SVG document, `width_px` wide and as tall as it needs."""
    colours = _DARK if dark else _LIGHT
    placed, height = _place(diagram, width_px)
    parts = [_arrows(diagram, placed, colours)]
    parts += [_box(item, colours) for key, item in placed.items() if key != "group"]
    if diagram.group:
        around = placed["group"]
        parts.insert(
            0,
            f'<rect x="{around.x:.1f}" y="{around.y:.1f}" width="{around.width:.1f}" height="{around.height:.1f}" '
            f'rx="6" fill="none" stroke="{colours.edge["input"]}" stroke-dasharray="4 3"/>',
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width_px}" height="{height:.0f}" '
        f'viewBox="0 0 {width_px} {height:.0f}" font-family="{_FONT}">{"".join(parts)}</svg>'
    )


def _place(diagram: Diagram, width_px: int) -> tuple[dict[str, _Placed], float]:
    rows: dict[int, list[Block]] = defaultdict(list)
    for block in diagram.blocks:
        rows[block.row].append(block)
    placed: dict[str, _Placed] = {}
    top = 1.0 + (_GROUP_PX if diagram.group else 0)
    for row in sorted(rows):
        texts = {block.key: _wrapped(block, width_px) for block in rows[row]}
        height = max(
            2 * _PAD + _TITLE_PX * len(title) + _LINE_PX * len(details) - 2 for title, details in texts.values()
        )
        for block in rows[row]:
            x, right = 1 + block.left * (width_px - 2), 1 + block.right * (width_px - 2)
            placed[block.key] = _Placed(block, x, top, right - x, height, *texts[block.key])
        inside = {block.key for block in rows[row]} & set(diagram.group)
        follows = {block.key for block in rows.get(row + 1, [])} & set(diagram.group)
        top += height + (_GROUP_PX if inside and follows else _GAP_PX + (_GROUP_PX if inside else 0))
    if diagram.group:
        placed["group"] = _around([placed[key] for key in diagram.group], width_px)
    return placed, top - _GAP_PX + 1


def _around(items: Sequence[_Placed], width_px: int) -> _Placed:
    top = min(item.y for item in items) - _GROUP_PX
    bottom = max(item.y + item.height for item in items) + _GROUP_PX
    return _Placed(Block("group", "", (), 0), 1, top, width_px - 2, bottom - top, (), ())


def _wrapped(block: Block, width_px: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    room = (block.right - block.left) * width_px - 2 * _PAD
    title = textwrap.wrap(block.title, max(6, int(room / _TITLE_CHAR_PX)))
    details = [line for text in block.details for line in textwrap.wrap(text, max(8, int(room / _CHAR_PX)))]
    return tuple(title), tuple(details)


def _box(item: _Placed, colours: _Colours) -> str:
    role = item.block.role
    dash = ' stroke-dasharray="4 3"' if role == "input" else ""
    stroke = 1.5 if role in ("head", "output") else 1
    lines = [
        f'<rect x="{item.x:.1f}" y="{item.y:.1f}" width="{item.width:.1f}" height="{item.height:.1f}" rx="4" '
        f'fill="{colours.fill[role]}" stroke="{colours.edge[role]}" stroke-width="{stroke}"{dash}/>'
    ]
    middle = item.x + item.width / 2
    used = _TITLE_PX * len(item.title) + _LINE_PX * len(item.details)
    y = item.y + (item.height - used) / 2 + 12
    for text in item.title:
        lines.append(_text(middle, y, text, colours.text, 12.5, 600))
        y += _TITLE_PX
    for text in item.details:
        lines.append(_text(middle, y - 1, text, colours.faint, 11, 400))
        y += _LINE_PX
    return "".join(lines)


def _text(x: float, y: float, text: str, colour: str, size: float, weight: int) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="middle">{escaped(text)}</text>'
    )


def _arrows(diagram: Diagram, placed: dict[str, _Placed], colours: _Colours) -> str:
    """Each arrow leaves a box at its lower edge and enters the next at its upper one; several share the edge."""
    leaving: dict[str, list[str]] = defaultdict(list)
    entering: dict[str, list[str]] = defaultdict(list)
    for source, target in diagram.arrows:
        leaving[source].append(target)
        entering[target].append(source)
    drawn = []
    for source, target in diagram.arrows:
        start, end = placed[source], placed[target]
        x0 = _slot(start, leaving[source], target, placed)
        x1 = _slot(end, entering[target], source, placed)
        straight = _shared(start, end, leaving[source], entering[target])
        if straight is not None:
            x0 = x1 = straight
        y0, y1 = start.y + start.height, end.y - 1
        bend = (y1 - y0) / 2
        drawn.append(
            f'<path d="M{x0:.1f},{y0:.1f} C{x0:.1f},{y0 + bend:.1f} {x1:.1f},{y1 - bend:.1f} {x1:.1f},{y1 - 5:.1f}" '
            f'fill="none" stroke="{colours.line}" stroke-width="1.3"/>'
            f'<path d="M{x1 - 3.5:.1f},{y1 - 6:.1f} L{x1 + 3.5:.1f},{y1 - 6:.1f} L{x1:.1f},{y1:.1f} Z" '
            f'fill="{colours.line}"/>'
        )
    return "".join(drawn)


def _slot(item: _Placed, others: Sequence[str], other: str, placed: dict[str, _Placed]) -> float:
    """The place on a box's edge of the arrow to (or from) `other`: at the other's centre, or as near to that as the box
    allows."""
    centre = item.x + item.width / 2
    far = placed[other]
    if len(others) == 1:
        return centre
    wanted = far.x + far.width / 2
    if far.width > item.width and far.x <= centre <= far.x + far.width:
        return centre
    margin = min(18.0, item.width / 4)
    return min(max(wanted, item.x + margin), item.x + item.width - margin)


def _shared(start: _Placed, end: _Placed, leaving: Sequence[str], entering: Sequence[str]) -> float | None:
    """One x for a vertical arrow, where a narrower box stands wholly beneath (or above) a wider one."""
    if start.x >= end.x and start.x + start.width <= end.x + end.width and len(leaving) == 1:
        return start.x + start.width / 2
    if end.x >= start.x and end.x + end.width <= start.x + start.width and len(entering) == 1:
        return end.x + end.width / 2
    return None
