"""The recurring parts of the HTML report: facts, tables, pictures, notices, a conclusion."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from detector.report.html_elements import Content, Markup, element, plain

_ICONS: Final = Path(__file__).resolve().parents[2] / "assets" / "report" / "icons"
_TYPES: Final = {".svg": "image/svg+xml", ".jpg": "image/jpeg", ".png": "image/png"}


def facts(rows: Iterable[Sequence[Content]]) -> Markup:
    """Names and values as a description list; nothing where there are none."""
    pairs = [element("div", element("dt", name), element("dd", value)) for name, value in rows]
    return element("dl", pairs) if pairs else Markup("")


def table(
    heads: Sequence[Content], rows: Iterable[Sequence[Content]], *, caption: str, numeric: Sequence[int] = ()
) -> Markup:
    """A table whose columns are named; the first cell of a row names the row. It scrolls where it is too wide."""
    marks = dict.fromkeys(numeric, "num")
    head = [element("th", cell, scope="col", class_=marks.get(index)) for index, cell in enumerate(heads)]
    body = []
    for row in rows:
        first, *others = row
        cells = [element("th", first, scope="row", class_=marks.get(0))]
        cells += [element("td", cell, class_=marks.get(index)) for index, cell in enumerate(others, start=1)]
        body.append(element("tr", cells))
    inner = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", head)),
        element("tbody", body),
    )
    return element("div", inner, class_="wide", role="region", aria_label=caption, tabindex="0")


def picture(files: Mapping[str, bytes], name: str, alt: str, *, class_: str | None = None) -> Markup:
    """A picture of the payload inside the page. An SVG as a picture can neither run nor load anything."""
    return element("img", src=data_uri(name, files[name]), alt=plain(alt), class_=class_)


def icon(label: str) -> Markup:
    """The sign of a conclusion, beside its word."""
    name = f"{label}.svg"
    return element("img", src=data_uri(name, (_ICONS / name).read_bytes()), alt="", class_="icon")


def data_uri(name: str, content: bytes) -> str:
    return f"data:{_TYPES[Path(name).suffix]};base64,{base64.b64encode(content).decode('ascii')}"


def notice(*content: Content) -> Markup:
    """A sentence that must not be overlooked."""
    return element("p", *content, class_="notice")


def small(*content: Content) -> Markup:
    """A remark."""
    return element("p", *content, class_="small")


def bullets(lines: Iterable[Content]) -> Markup:
    """A list; nothing where there are no lines."""
    items = [element("li", line) for line in lines]
    return element("ul", items) if items else Markup("")


def lines(text: Iterable[str]) -> Markup:
    """Free text, line by line."""
    return element("p", [[line, element("br")] for line in text], class_="free")


def conclusion_card(found: Mapping[str, Any], *heading: Content) -> Markup:
    """A conclusion with its sign, word, meaning, score and reasons."""
    reasons = [
        [element("b", one["head"]), " ", element("bdi", one["text"])] if one["head"] else one["text"]
        for one in found["reasons"]
    ]
    return element(
        "div",
        element("div", *heading, class_="small") if heading else "",
        element(
            "div",
            icon(found["label"]),
            element("div", element("p", found["word"], class_="word"), element("p", found["meaning"])),
            element("div", element("p", found["score"], class_="score"), small(found["score_kind"])),
            class_="verdict",
        ),
        [element("p", sentence) for sentence in found["extra"]],
        bullets(reasons),
        class_=f"card {found['label'].replace('_', '-')}",
    )
