"""A case record as a PDF. Nothing from outside is ever parsed as markup: the template reads it from a JSON file."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import typst

from detector.report.payload import build_payload
from detector.report.printable import FONTS_DIR
from detector.report.record import CaseRecord

_log = logging.getLogger(__name__)
_TEMPLATES = Path(__file__).resolve().parents[2] / "assets" / "report"
_STANDARDS: list[typst.PDFStandard] = ["a-2a", "ua-1"]


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS_DIR)])


def typeset(record: CaseRecord) -> bytes:
    """The report as PDF/A-2a and PDF/UA-1. Equal records give equal bytes: the only time in it is the record's, the
    only fonts are the ones shipped, and packages are looked for in an empty folder, never on a network."""
    pages = _compile(record, format="pdf", pdf_standards=_STANDARDS, timestamp=int(record.recorded_at.timestamp()))
    return pages[0]


def page_pictures(record: CaseRecord, *, ppi: float = 72.0) -> list[bytes]:
    """The same pages as PNG, one each, for a preview."""
    return _compile(record, format="png", ppi=ppi)


def _compile(record: CaseRecord, **options: Any) -> list[bytes]:
    payload = build_payload(record)
    with tempfile.TemporaryDirectory(prefix="framewitness-report-") as name:
        root = Path(name) / "root"
        shutil.copytree(_TEMPLATES, root)
        for file_name, content in payload.files.items():
            (root / file_name).write_bytes(content)
        (root / "data.json").write_text(json.dumps(payload.data, ensure_ascii=True), encoding="ascii")
        (empty := Path(name) / "packages").mkdir()
        made, warnings = typst.compile_with_warnings(
            str(root / "case.typ"),
            root=str(root),
            font_paths=_fonts(),
            ignore_system_fonts=True,
            package_path=str(empty),
            package_cache_path=str(empty),
            **options,
        )
    for warning in warnings:
        _log.warning("typesetting the report: %s", warning.message)
    return made if isinstance(made, list) else [made]
