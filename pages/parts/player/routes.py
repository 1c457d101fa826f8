"""What the player fetches beside the stream of the file itself: times, exact frames, and a record's readings.

All addresses begin with that of the evidence (`media.address`) and open by the same token, to the same browser, with
the same headers; what belongs to no stored file, exhibit or record is 404. Files are decoded in a child process with
limits, as everywhere.
"""

from __future__ import annotations

import gzip
import re
from functools import lru_cache

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from detector.cases import Exhibit
from detector.errors import FramewitnessError, StoreError
from detector.evidence import Evidence
from pages.parts.examine import frame_images
from pages.parts.models import model_choice
from pages.parts.player import payload
from pages.parts.shared import media, services
from pages.parts.shared.readings import Readings

WIDEST_PX = 1920  # a wider frame is scaled down for the screen, unless it is asked for in full
_WHOLE = re.compile(r"-?\d{1,18}")
_BOX = re.compile(r"-?\d+(?:\.\d+)?(?:,-?\d+(?:\.\d+)?){3}")
_PICTURES = 256  # a frame for the screen is about 100 kB, a face of the filmstrip 3


def times(request: Request) -> Response:
    """The PTS of every displayed frame, as `payload.times_json`."""
    exhibit = _exhibit(request)
    if exhibit is None:
        return media.refusal()
    try:
        return _zipped(_times(exhibit.evidence))
    except (FramewitnessError, OSError) as error:
        return _unreadable(error)


def frame(request: Request) -> Response:
    """JPEG of exactly the frame at the PTS; scaled to `width` px where that is less than its own, and cut to the
    `box` x0,y0,x1,y1 in the decoded frame's pixels before. 422 with the reason where it does not decode."""
    exhibit = _exhibit(request)
    pts, asked = request.path_params["pts"], request.query_params
    width, box = asked.get("width", str(WIDEST_PX)), asked.get("box", "")
    if exhibit is None or not _WHOLE.fullmatch(pts) or not width.isdecimal() or (box and not _BOX.fullmatch(box)):
        return media.refusal()
    edges = [float(edge) for edge in box.split(",")] if box else []
    try:
        body = _picture(exhibit.evidence, int(pts), int(width), tuple(edges))
    except (FramewitnessError, OSError) as error:
        return _unreadable(error)
    return Response(body, media_type="image/jpeg", headers=media.HEADERS)


def readings(request: Request) -> Response:
    """A record of the exhibit, as `payload.readings_json`; 404 for whom its scores are held back from."""
    exhibit, record_id, who = _exhibit(request), request.path_params["record_id"], media.reader(request)
    if exhibit is None or not who:
        return media.refusal()
    store = services.current().store
    try:
        if store.record(record_id).exhibit_id != exhibit.exhibit_id:
            return media.refusal()
        if store.statements.scores_withheld(exhibit.exhibit_id, who):
            return media.refusal()
        return _zipped(_readings(str(services.current().home), record_id))
    except StoreError:
        return media.refusal()


_ONE = "/evidence/{token}/{sha256}/{exhibit_id}"
ROUTES = [
    Route("/evidence/{token}/{sha256}", media.serve),
    Route(f"{_ONE}/times", times),
    Route(f"{_ONE}/frame/{{pts}}", frame),
    Route(f"{_ONE}/readings/{{record_id}}", readings),
]


def _exhibit(request: Request) -> Exhibit | None:
    """The exhibit that the address names, if its token opens the file of it."""
    if not media.opens(request):
        return None
    try:
        exhibit = services.current().store.exhibit(request.path_params["exhibit_id"])
    except StoreError:
        return None
    return exhibit if exhibit.sha256 == request.path_params["sha256"] else None


@lru_cache(maxsize=8)
def _times(evidence: Evidence) -> bytes:
    return gzip.compress(payload.times_json(frame_images.every_moment(evidence.file.sha256, evidence)), 5)


@lru_cache(maxsize=_PICTURES)
def _picture(evidence: Evidence, pts: int, width_px: int, box: tuple[float, ...]) -> bytes:
    image = frame_images.exact_frame(evidence.file.sha256, pts, evidence).image
    picture = Image.fromarray(image)
    if box:
        inside = (min(max(0, edge), limit) for edge, limit in zip(box, 2 * picture.size, strict=True))
        left, top, right, bottom = (round(edge) for edge in inside)
        picture = picture.crop((left, top, max(left + 1, right), max(top + 1, bottom)))
    if 0 < width_px < picture.width:
        height_px = max(1, round(picture.height * width_px / picture.width))
        picture = picture.resize((width_px, height_px), Image.Resampling.LANCZOS)
    return frame_images.jpeg(np.asarray(picture))


@lru_cache(maxsize=8)
def _readings(home: str, record_id: str) -> bytes:
    """Records never change. The home is part of the key alone."""
    analysis = services.current().store.analysis(record_id)
    return gzip.compress(payload.readings_json(Readings.of(analysis), model_choice.decisions(analysis)), 5)


def _zipped(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={**media.HEADERS, "Content-Encoding": "gzip"})


def _unreadable(error: Exception) -> Response:
    return PlainTextResponse(str(error), status_code=422, headers=media.HEADERS)
