"""The contact sheet: the strongest faces of an analysis on one picture, each with its heatmap. Derived, and
labelled so."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from textwrap import wrap

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from detector.analysis.types import Analysis
from detector.evidence.types import Evidence
from detector.report.printable import SOFT_BREAK, shortened
from detector.report.record import StrongFrame
from detector.report.strongest import Illustrator, strongest_frames
from detector.report.video_canvas import LABEL, font

USUAL_FACES, MOST_FACES = 12, 60
_SIDE_PX, _GAP_PX, _HEAD_PX, _TEXT_PX, _COLUMNS = 200, 16, 84, 62, 3
_PAPER, _INK, _MUTED, _LABEL_PAPER = (255, 255, 255), (16, 20, 24), (91, 101, 112), (94, 22, 22)


def contact_sheet(
    evidence: Evidence,
    analysis: Analysis,
    illustrator: Illustrator,
    *,
    count: int = USUAL_FACES,
    step: Callable[[float, str], None] | None = None,
) -> bytes:
    """PNG of the `count` strongest faces (fewer where there are fewer), highest score first: the crop, the heatmap
    beside it where `illustrator` can make one (else the reason), time, frame and score below. Equal input gives equal
    bytes. A file without a scored face gives a sheet that says so. `step` is told the part done, 0 to 1, and what is
    being drawn."""
    chosen = strongest_frames(analysis, count=count)
    frames = []
    for frame in chosen:
        if step is not None:
            step((frame.number - 1) / len(chosen), f"Drawing face {frame.number} of {len(chosen)}.")
        frames.append(illustrator.illustrate(evidence, analysis, frame, original_problem=None))
    columns = min(_COLUMNS, max(1, len(frames)))
    rows = -(-len(frames) // columns)
    tile = (2 * _SIDE_PX + 4, _SIDE_PX + _TEXT_PX)
    width = max(680, _GAP_PX + columns * (tile[0] + _GAP_PX))
    sheet = Image.new("RGB", (width, _HEAD_PX + _GAP_PX + max(1, rows) * (tile[1] + _GAP_PX)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_head(draw, width, evidence, analysis, frames)
    if not frames:
        draw.text((_GAP_PX, _HEAD_PX + 2 * _GAP_PX), "No face was scored.", font=font(15), fill=_INK, anchor="lm")
    for index, frame in enumerate(frames):
        row, column = divmod(index, columns)
        place = (_GAP_PX + column * (tile[0] + _GAP_PX), _HEAD_PX + _GAP_PX + row * (tile[1] + _GAP_PX))
        _draw_tile(sheet, draw, place, frame)
    return _png(sheet, evidence, analysis)


def _draw_head(
    draw: ImageDraw.ImageDraw, width: int, evidence: Evidence, analysis: Analysis, frames: Sequence[StrongFrame]
) -> None:
    draw.rectangle((0, 0, width, 54), fill=_LABEL_PAPER)
    draw.text((_GAP_PX, 16), LABEL, font=font(19, bold=True), fill=_PAPER, anchor="lm")
    draw.text((width - _GAP_PX, 16), f"analysis {analysis.analysis_id}", font=font(11), fill=_PAPER, anchor="rm")
    about = f"drawn from the file with SHA-256 {evidence.file.sha256}"
    draw.text((_GAP_PX, 40), about, font=font(11), fill=_PAPER, anchor="lm")
    scales = sorted({(frame.model_id, frame.heat_scale) for frame in frames if frame.heat_scale is not None})
    told = "Model scores, not calibrated probabilities. " if not analysis.conclusion.calibrated else ""
    if scales:
        drawn = ", ".join(
            f"{shortened(model, 30).replace(SOFT_BREAK, '')} (0 to {scale:.2g})" for model, scale in scales
        )
        told += f"Heatmap: Grad-CAM of {drawn}; what moved the score, not what was altered."
    for index, line in enumerate(wrap(told, max(40, width // 7))[:2]):
        draw.text((_GAP_PX, 65 + 15 * index), line, font=font(11), fill=_MUTED, anchor="lm")


def _draw_tile(sheet: Image.Image, draw: ImageDraw.ImageDraw, place: tuple[int, int], frame: StrongFrame) -> None:
    left, top = place
    for offset, picture in ((0, frame.crop_jpeg), (_SIDE_PX + 4, frame.overlay_jpeg)):
        square = (left + offset, top, left + offset + _SIDE_PX - 1, top + _SIDE_PX - 1)
        draw.rectangle(square, outline=_MUTED)
        if picture is not None:
            with Image.open(io.BytesIO(picture)) as opened:
                sheet.paste(_fitted(opened), (left + offset, top))
    if frame.missing:
        reason = " ".join(shortened(sentence, 200).replace(SOFT_BREAK, "") for sentence in frame.missing)
        x = left + (_SIDE_PX + 4 if frame.crop_jpeg is not None else 0)
        for index, line in enumerate(wrap(reason, 30)[:8]):
            draw.text((x + 8, top + 16 + 15 * index), line, font=font(11), fill=_MUTED, anchor="lm")
    under = top + _SIDE_PX
    flags = ", ".join(flag.replace("_", " ") for flag in frame.flags)
    lines = [
        (f"{frame.number}. score {frame.score:.3f}", font(15, bold=True), _INK),
        (f"{frame.pts_s:.3f} s · frame {frame.frame_index} · PTS {frame.pts} · track {frame.track_id}", font(12), _INK),
        (f"quality weight {frame.weight:.2f}{f' · {flags}' if flags else ''}", font(11), _MUTED),
    ]
    for index, (words, face, colour) in enumerate(lines):
        draw.text((left, under + 12 + 18 * index), words, font=face, fill=colour, anchor="lm")


def _fitted(picture: Image.Image) -> Image.Image:
    return picture.convert("RGB").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.LANCZOS)


def _png(sheet: Image.Image, evidence: Evidence, analysis: Analysis) -> bytes:
    told = PngInfo()
    told.add_itxt("Title", f"{LABEL}: contact sheet")
    told.add_itxt(
        "Comment", f"{LABEL}. From the file with SHA-256 {evidence.file.sha256} by analysis {analysis.analysis_id}."
    )
    out = io.BytesIO()
    sheet.save(out, "PNG", pnginfo=told, optimize=True)
    return out.getvalue()
