"""Small pictures by which an exhibit is told from others in lists; derived from the evidence, never evidence.

Made once, in the process that reads files under limits, and kept in the home's `derived` folder under the SHA-256 of
the file. Where a person may be told what models said, it is the frame of the highest-scoring face, as reports rank
them; else a frame a tenth into the presentation, which says nothing of scores.
"""

from __future__ import annotations

import base64
import io
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detector.cases import Exhibit
from detector.errors import FramewitnessError
from detector.evidence import Evidence, frame_at, frame_times
from detector.report.strongest import strongest_frames
from pages.parts.shared import services, withholding

SIZE_PX = (176, 132)
_QUALITY = 80
# Files are spread over 256 folders by the first byte of the SHA-256: some 25,000 pictures of a few kilobytes at most.
_MOST_A_FOLDER = 100
_MOST_PROBLEMS = 1_000
# A file that was put back is tried again after a while.
_TRIED_AGAIN_S = 600.0
_problems: dict[Path, tuple[float, str]] = {}


def data_uri(exhibit: Exhibit) -> str | None:
    """The picture of an exhibit as a `data:` address of a JPEG of at most 176 x 132 px; None where no frame of it can
    be read (`problem` says why). Decodes a frame the first time, which takes a fraction of a second. Raises StoreError
    for an exhibit that the store does not hold."""
    store = services.current().store
    records = [] if withholding.is_withheld(exhibit.exhibit_id) else store.analyses(None, exhibit.exhibit_id)
    return picture(exhibit, records[-1].record_id if records else None)


def picture(exhibit: Exhibit, record_id: str | None) -> str | None:
    """As `data_uri`, where the caller knows the analysis whose strongest frame may be shown; None: a frame that says
    nothing of scores."""
    return kept(exhibit.sha256, record_id) or _made(exhibit, record_id)


def kept(sha256: str, record_id: str | None) -> str | None:
    """The picture if it was made before; nothing is decoded."""
    try:
        content = _path(sha256, record_id).read_bytes()
    except OSError:
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def problem(exhibit: Exhibit) -> str:
    """Why no picture could be made of the file within the last ten minutes; empty where it was not tried or could
    be."""
    tried_s, said = _problems.get(exhibit.evidence.file.path, (0.0, ""))
    return said if time.monotonic() - tried_s < _TRIED_AGAIN_S else ""


def _made(exhibit: Exhibit, record_id: str | None) -> str | None:
    if problem(exhibit):
        return None
    try:
        content = _jpeg(frame_at(exhibit.evidence, _moment(exhibit.evidence, record_id)).image)
    except (FramewitnessError, OSError) as error:
        if len(_problems) >= _MOST_PROBLEMS:
            _problems.clear()
        _problems[exhibit.evidence.file.path] = (time.monotonic(), str(error))
        return None
    with suppress(OSError):  # a full disk: it is made again the next time
        _keep(_path(exhibit.sha256, record_id), content)
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def _moment(evidence: Evidence, record_id: str | None) -> int:
    """The PTS of the frame to show. Raises EvidenceError where the file has none."""
    if record_id is not None:
        with suppress(FramewitnessError):  # an analysis that cannot be read is told where it is opened
            for strongest in strongest_frames(services.current().store.analysis(record_id), count=1):
                return strongest.pts
    times = frame_times(evidence)
    return times[len(times) // 10] if times else 0


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    shown = Image.fromarray(image)
    shown.thumbnail(SIZE_PX, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    shown.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()


def _path(sha256: str, record_id: str | None) -> Path:
    name = f"{sha256}-{record_id}.jpg" if record_id else f"{sha256}.jpg"
    return services.current().home / "derived" / "thumbnails" / sha256[:2] / name


def _keep(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{uuid.uuid4().hex}.unfinished")
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    others = sorted(path.parent.glob("*.jpg"), key=lambda one: one.stat().st_mtime)
    for oldest in others[:-_MOST_A_FOLDER]:
        oldest.unlink(missing_ok=True)
