"""A frame as one of the whole-frame filters shows it, to take away: derived, and labelled so."""

from __future__ import annotations

import hashlib
import io
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from detector.cases import CaseStore, Exhibit
from detector.evidence import Frame
from detector.evidence.picture_filters import FILTERS, Filtered, Value, apply_filter
from detector.report.exchange import require_original
from detector.report.video_canvas import LABEL, font

_LEAST_WIDTH_PX, _MARGIN_PX, _LABEL_PX, _LINE_PX = 640, 8, 24, 15
_PAPER, _INK = (94, 22, 22), (255, 255, 255)


def issue_filtered_frame(
    store: CaseStore,
    exhibit: Exhibit,
    frame: Frame,
    name: str,
    values: tuple[Value, ...],
    *,
    file_name: str,
    actor: str = "",
) -> bytes:
    """PNG of the frame through the filter of this name, and an event in the case's log that `actor` took it away as
    `file_name`, with filter, options, PTS and the PNG's SHA-256. The picture stands lossless and at its own size below
    a band that labels it. It holds nothing of what models said, and is no view of scores.

    Raises SettingsError and EvidenceError as `apply_filter`, StoreError where the stored file is not the one on record.
    """
    require_original(exhibit.evidence.file.path, exhibit.sha256)
    filtered = apply_filter(frame.image, name, values)
    setting = FILTERS[name].setting_text(values)
    content = _png(filtered, exhibit.sha256, frame, FILTERS[name].title, setting)
    told = {
        "exhibit_id": exhibit.exhibit_id,
        "file_name": file_name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "pts": frame.pts,
        "filter": name,
        "options": setting,
    }
    store.log(exhibit.case_id, "picture_exported", told, actor=actor)
    return content


def _png(filtered: Filtered, sha256: str, frame: Frame, title: str, setting: str) -> bytes:
    about = f"{title}: {setting}. Frame at {frame.pts_s:.3f} s, PTS {frame.pts}, of the file with SHA-256 {sha256}."
    told = PngInfo()
    told.add_itxt("Title", f"{LABEL}: {title}")
    told.add_itxt("Comment", f"{LABEL}. {about} {filtered.reading}".strip())
    out = io.BytesIO()
    _labelled(filtered.picture, [about, filtered.reading]).save(out, "PNG", pnginfo=told)
    return out.getvalue()


def _labelled(picture: NDArray[np.uint8], sentences: list[str]) -> Image.Image:
    """The picture below a band with the label and these sentences."""
    height_px, width_px = picture.shape[:2]
    wide_px = max(_LEAST_WIDTH_PX, width_px)
    lines = [line for sentence in sentences for line in wrap(sentence, wide_px // 7)]
    band_px = _LABEL_PX + _LINE_PX * len(lines) + _MARGIN_PX
    sheet = Image.new("RGB", (wide_px, band_px + height_px), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN_PX, _LABEL_PX // 2), LABEL, font=font(16, bold=True), fill=_INK, anchor="lm")
    for index, line in enumerate(lines):
        place = (_MARGIN_PX, _LABEL_PX + _LINE_PX * index + _LINE_PX // 2)
        draw.text(place, line, font=font(11), fill=_INK, anchor="lm")
    sheet.paste(Image.fromarray(picture), (0, band_px))
    return sheet
