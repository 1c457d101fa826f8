"""The case report as one HTML file: the same payload, wording and order as the PDF's full form.

Self-contained and inert: pictures are inside, there is no script and nothing is fetched; a Content-Security-Policy in
the file forbids both. It prints on A4, reads without a pointing device, and follows the language's direction.

Markup stands in assets/report/*.html.j2 alone: whatever a template prints is escaped, and the payload's marks of
direction and soft breaks become <bdi> and <wbr>.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from detector.report.collect import collect
from detector.report.language import END_MARK, LTR_MARK, RTL_MARK, unmarked, words_of
from detector.report.payload import build_payload
from detector.report.printable import SOFT_BREAK
from detector.report.record import CaseRecord

if TYPE_CHECKING:
    from detector.cases import CaseStore
    from detector.explain import Explainer
    from detector.registry import LoadedModel

_TEMPLATES: Final = Path(__file__).resolve().parents[2] / "assets" / "report"
_TYPES: Final = {"svg": "image/svg+xml", "jpg": "image/jpeg"}
_MARKED: Final = {
    LTR_MARK: Markup('<bdi dir="ltr">'),
    RTL_MARK: Markup('<bdi dir="rtl">'),
    SOFT_BREAK: Markup("<wbr>"),
}
_END: Final = Markup("</bdi>")
_MARKS: Final = re.compile(f"([{re.escape(''.join([*_MARKED, END_MARK]))}])")
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def render_case_html(
    store: CaseStore,
    case_id: str,
    *,
    language: str = "en",
    explainer: Explainer | None = None,
    models: Iterable[LoadedModel] | None = None,
    exhibit_ids: Sequence[str] | None = None,
    reader: str = "",
    step: Callable[[float, str], None] | None = None,
) -> bytes:
    """The report of a case as it stands, of all exhibits or of those of `exhibit_ids`, without the scores that wait for
    a blind opinion of `reader` (empty: who opened the store); the same record gives the same bytes. `step` is told the
    part done, 0 to 1, and what is being done. Raises StoreError for an unknown case or exhibit, SettingsError for an
    unknown language or no exhibit."""
    from detector.explain import Explainer

    words_of(language)
    drawn = explainer or Explainer(store.home / "heatmaps")
    record = collect(store, case_id, explainer=drawn, models=models, exhibit_ids=exhibit_ids, reader=reader, step=step)
    return case_html(record, language=language)


def case_html(record: CaseRecord, *, language: str = "en") -> bytes:
    """A case record as HTML in one of the report's languages."""
    words = words_of(language)
    payload = build_payload(record, words)
    return inert_page(
        "case.html.j2",
        d=payload.data,
        w=words.phrases,
        phrases=lambda *keys: [words(key) for key in keys],
        picture_uri=lambda name: data_uri(name, payload.files[name]),
        icon_uri=lambda label: data_uri("icon.svg", (_TEMPLATES / "icons" / f"{label}.svg").read_bytes()),
    )


def inert_page(template: str, **values: object) -> bytes:
    """A template of assets/report filled with values, the style sheet in it, and a policy that allows nothing else."""
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    page = environment().get_template(template)
    own = Markup(style)  # nosec B704
    return page.render(**values, style=own, policy=_policy(style)).encode("utf-8")


@cache
def environment() -> Environment:
    """Templates in which every value is text, and a name that the payload lacks is an error."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=marked_up,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["plain"] = plain
    return made


def marked_up(value: object) -> Markup:
    """A value as escaped text in which each mark of direction is an element; marks that do not pair are dropped. What a
    template made is markup already and stays as it is."""
    if isinstance(value, Markup):
        return value
    out: list[Markup] = []
    inside = 0
    for part in _MARKS.split(str(value)):
        if part == END_MARK:
            if inside:
                out.append(_END)
                inside -= 1
        elif part in _MARKED:
            inside += part != SOFT_BREAK
            out.append(_MARKED[part])
        else:
            out.append(escape(_shown(part)))
    return Markup("").join([*out, *[_END] * inside])


def plain(text: str) -> Markup:
    """Escaped text without the marks, for attributes and titles."""
    return escape(_shown(unmarked(text).replace(SOFT_BREAK, "")))


def _shown(text: str) -> str:
    """Text whose characters HTML allows: others, and bytes that are no text, as an escape."""
    return _FORBIDDEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def data_uri(name: str, content: bytes) -> str:
    """A picture as an address that holds it; its name says whether it is an SVG or a JPEG."""
    return f"data:{_TYPES[name.rpartition('.')[2]]};base64,{base64.b64encode(content).decode('ascii')}"


def _policy(style: str) -> str:
    """Nothing may run, load or be sent; the one style sheet is named by its hash."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
