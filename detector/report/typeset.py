"""A case record as a PDF. Nothing from outside is ever parsed as markup: the template reads it from a JSON file."""

from __future__ import annotations

import io
import json
import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

import pikepdf
import typst

from detector.errors import SettingsError
from detector.report.attachments import Attachment, attachments_of
from detector.report.language import words_of
from detector.report.payload import build_payload
from detector.report.printable import FONTS_DIR
from detector.report.record import CaseRecord

Form = Literal["full", "short"]
FORMS: Final[tuple[Form, ...]] = ("full", "short")
SHORT_PAGES: Final = 2
EXHIBIT_PAGES: Final = 4
_EXHIBIT_LABEL: Final = "exhibit-"
_END: Final = "end"  # stands after the last exhibit
_log = logging.getLogger(__name__)
_TEMPLATES = Path(__file__).resolve().parents[2] / "assets" / "report"
STANDARDS: Final[list[typst.PDFStandard]] = ["a-3a", "ua-1"]
_SQUEEZES = 4  # how often the short form may leave out more until it fits


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS_DIR)])


def typeset(record: CaseRecord, *, form: str = "full", language: str = "en") -> bytes:
    """The report as PDF/A-3a and PDF/UA-1, with the analyses, the frame table and the custody log attached inside.

    Equal records give equal bytes: the only time in it is the record's, the only fonts are the ones shipped, and
    packages are looked for in an empty folder, never on a network. The short form has two pages, an exhibit of the full
    form at most four: what does not fit is in the attached files. Raises SettingsError for an unknown form or language.
    """
    words = words_of(language)
    require_form(form)
    attached = attachments_of(record, form, words)
    payload = build_payload(record, words, attached, figures=form == "full" or len(record.exhibits) == 1)
    stamp = int(record.recorded_at.timestamp())
    data = asdict(payload.data)
    for squeeze in range(_SQUEEZES):
        data["squeeze"] = squeeze
        pages = compile_pages(form, data, payload.files, attached, "pdf", pdf_standards=STANDARDS, timestamp=stamp)
        made = packed(pages[0])
        if not made.long if form == "full" else made.page_count <= SHORT_PAGES:
            return made.content
        for exhibit in data["exhibits"]:
            exhibit["squeeze"] = squeeze + 1 if exhibit["number"] in made.long else exhibit["squeeze"]
        _log.info("typesetting the report once more, tighter: %s pages", made.page_count)
    # The last squeeze leaves no part without a bound.
    raise AssertionError(f"The {form} form took {made.page_count} pages; exhibits {sorted(made.long)} are too long.")


def page_pictures(record: CaseRecord, *, form: str = "full", language: str = "en", ppi: float = 72.0) -> list[bytes]:
    """The same pages as PNG, one each, for a preview; of the short form before anything is left out."""
    words = words_of(language)
    require_form(form)
    attached = attachments_of(record, form, words)
    payload = build_payload(record, words, attached, figures=form == "full" or len(record.exhibits) == 1)
    return compile_pages(form, {**asdict(payload.data), "squeeze": 0}, payload.files, attached, "png", ppi=ppi)


def require_form(form: str) -> None:
    """Raise SettingsError for a form that the report does not have."""
    if form not in FORMS:
        raise SettingsError(f"The report has the forms {' and '.join(FORMS)}; {form!r} is neither.")


def compile_pages(
    form: str,
    data: dict[str, Any],
    files: dict[str, bytes],
    attached: Sequence[Attachment],
    output: Literal["pdf", "png"],
    **options: Any,
) -> list[bytes]:
    """A template of assets/report, `form`.typ, filled with `data` (read from data.json): one PDF, or a PNG a page.

    `files` are pictures that the template names, `attached` what it embeds; `options` are the compiler's."""
    with tempfile.TemporaryDirectory(prefix="framewitness-report-") as name:
        root = Path(name) / "root"
        shutil.copytree(_TEMPLATES, root)
        for file_name, content in {**files, **{one.name: one.content for one in attached}}.items():
            (root / file_name).write_bytes(content)
        (root / "data.json").write_text(json.dumps({**data, "form": form}, ensure_ascii=True), encoding="ascii")
        (empty := Path(name) / "packages").mkdir()
        made, warnings = typst.compile_with_warnings(
            str(root / f"{form}.typ"),
            root=str(root),
            font_paths=_fonts(),
            ignore_system_fonts=True,
            package_path=str(empty),
            package_cache_path=str(empty),
            format=output,
            **options,
        )
    for warning in warnings:
        _log.warning("typesetting the report: %s", warning.message)
    return made if isinstance(made, list) else [made]


@dataclass(frozen=True, slots=True)
class Packed:
    """A document in compressed streams: its bytes, its number of pages, and the numbers of the exhibits that take more
    than `EXHIBIT_PAGES`."""

    content: bytes
    page_count: int
    long: frozenset[str]


def packed(pdf: bytes) -> Packed:
    """The same document with its objects in compressed streams (a tagged table holds one object a cell). The file
    identifier follows from the content, so equal documents stay equal."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        count, long = len(document.pages), _long_exhibits(document)
        document.save(
            out,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            compress_streams=True,
            deterministic_id=True,
        )
    return Packed(out.getvalue(), count, long)


def _long_exhibits(document: pikepdf.Pdf) -> frozenset[str]:
    """The exhibits from whose heading it is more than `EXHIBIT_PAGES` to the next section's, by the outline."""
    pages = {page.obj.objgen: index for index, page in enumerate(document.pages)}
    named = pikepdf.NameTree(document.Root.Names.Dests) if "/Dests" in document.Root.get("/Names", {}) else {}
    starts = {}
    for name, place in named.items():
        if str(name).startswith(_EXHIBIT_LABEL):
            target = place.D if isinstance(place, pikepdf.Dictionary) else place
            starts[str(name).removeprefix(_EXHIBIT_LABEL)] = pages[target[0].objgen]
    order = sorted(starts.items(), key=lambda one: one[1])
    return frozenset(
        number for (number, start), (_, end) in pairwise(order) if end - start > EXHIBIT_PAGES and number != _END
    )
