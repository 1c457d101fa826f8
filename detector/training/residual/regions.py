"""From a clip to the regions of it that a bank keeps."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from detector.errors import EvidenceError
from detector.evidence.decoder import Decoder
from detector.evidence.pixels import Orientation, to_rgb
from detector.faces.backend import FaceBackend, default_backend
from detector.faces.search import detect_overall, detect_widened, merge
from detector.faces.types import Box
from detector.training.engine.progress import log, tracked
from detector.training.residual.bank import Bank, Piece, Planes
from detector.training.residual.config import ResidualConfig

FACE_PX: Final = 384
MARGIN: Final = 1.9  # side of the face's region in widths of the face
RUN: Final = 3  # consecutive frames of a moment
_LEAST_PX = 160
_MIN_SCORE = 0.5

Corners = tuple[int, int, int, int]


@dataclass(slots=True)
class Moment:
    """Up to `RUN` consecutive frames, the largest face of the first, and the corners of its region."""

    frames: list[Planes]
    face: Box
    corners: Corners

    def piece(self, number: int) -> Piece:
        """This moment's region, cut out."""
        x0, y0, x1, y1 = self.corners
        left, top, right, bottom = np.round(np.subtract(self.face, (x0, y0, x0, y0)), 1).tolist()
        return Piece(
            number, (left, top, right, bottom), [planes.cut(x0, y0, x1 - x0, y1 - y0) for planes in self.frames]
        )


def fill_bank(bank: Bank, rows: pd.DataFrame, data_root: Path, config: ResidualConfig) -> None:
    """Add every clip of `rows` (columns `id`, `file`, `crop_x0`, `crop_x1`) that the bank does not hold yet. A clip
    that cannot be read is left without regions, with a line that says why."""
    known = bank.regions()
    missing = rows[~rows["id"].isin(known)].sample(frac=1, random_state=7)
    if missing.empty:
        return
    with closing(default_backend()) as backend:

        def clips() -> Iterator[tuple[str, list[Piece]]]:
            for row in tracked(missing.to_dict("records"), "cutting regions of clips"):
                try:
                    moments = read_moments(data_root / row["file"], backend, config, _columns(row), row["id"])
                except (EvidenceError, OSError, ValueError) as error:
                    log.warning("%s is left out: %s", row["id"], error)
                    moments = []
                yield row["id"], [moment.piece(number) for number, moment in enumerate(moments)]

        bank.add(clips())


def _columns(row: dict[Any, Any]) -> tuple[int, int] | None:
    return (int(float(row["crop_x0"])), int(float(row["crop_x1"]))) if row["crop_x0"] else None


def read_moments(
    path: Path, backend: FaceBackend, config: ResidualConfig, columns: tuple[int, int] | None, name: str
) -> list[Moment]:
    """`config.moments` spread evenly over the first `config.longest_s` seconds of a clip, without those that show no
    face; of each frame only `columns` where they are given. Raises EvidenceError for a file without video."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    count = _frames_within(path, config.longest_s)
    starts = set(np.linspace(0, max(0, count - RUN), config.moments).astype(int).tolist())
    found: list[Moment] = []
    reformatter, last, left = VideoReformatter(), None, 0
    with Decoder(path, threaded=False) as decoder:
        for index, frame in enumerate(decoder.frames()):
            if index >= count:
                break
            if index not in starts and not left:
                continue
            planes, inside = _planes(frame, reformatter), slice(None)
            if columns is not None:
                x0, x1 = (columns[0] + 1) // 2 * 2, columns[1] // 2 * 2
                planes, inside = planes.cut(x0, 0, x1 - x0, planes.y.shape[0]), slice(x0, x1)
            if index in starts:
                face = largest_face(np.ascontiguousarray(to_rgb(frame, reformatter)[:, inside]), backend, last)
                last = face or last
                left = 0
                if face is None:
                    continue
                found.append(Moment([], face, face_corners(face, planes.y.shape, rng)))
                left = RUN
            found[-1].frames.append(planes)
            left -= 1
    return found


def largest_face(image: NDArray[np.uint8], backend: FaceBackend, last: Box | None) -> Box | None:
    """The largest face near the `last` one, or of all where none is near."""
    faces = merge(detect_overall(backend, image, _MIN_SCORE, with_squares=True)) or merge(
        detect_widened(backend, image, _MIN_SCORE)
    )
    boxes = [item.detection.bbox_xyxy_px for item in faces]
    if last is not None:
        near = [box for box in boxes if abs(box[0] + box[2] - last[0] - last[2]) < 2 * (last[2] - last[0])]
        boxes = near or boxes
    return max(boxes, key=lambda box: box[2] - box[0], default=None)


def _frames_within(path: Path, longest_s: float) -> int:
    with Decoder(path, threaded=False) as decoder:
        base = decoder.time_base
        times = [float(packet.pts * base) for packet in decoder.packets() if packet.pts is not None]
    return sum(time - min(times) <= longest_s for time in times)


def _planes(frame: Any, reformatter: VideoReformatter) -> Planes:
    """The picture as displayed, in planes; odd sizes lose their last row or column."""
    plain = frame
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        plain = reformatter.reformat(frame, format="yuv420p", threads=1)
    height, width = plain.height // 2 * 2, plain.width // 2 * 2
    y, u, v = (
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in plain.planes
    )
    view = Orientation.of(frame)
    colour = np.stack([u, v], axis=-1)[: height // 2, : width // 2]
    shown = view.apply(y[:height, :width, None])[..., 0], view.apply(colour).transpose(2, 0, 1)
    return Planes(*map(np.ascontiguousarray, shown))


def face_corners(face: Box, shape: tuple[int, ...], rng: np.random.Generator) -> Corners:
    """A square around the face with even edges, moved into the picture or cut to it; of a face larger than `FACE_PX` a
    part, elsewhere at each moment."""
    height, width = shape
    size = max(face[2] - face[0], face[3] - face[1])
    side = int(np.clip(MARGIN * size, _LEAST_PX, FACE_PX))
    slack = max(0.0, size - side) / 2
    x = (face[0] + face[2]) / 2 + rng.uniform(-slack, slack)
    y = (face[1] + face[3]) / 2 - 0.1 * min(size, side) + rng.uniform(-slack, slack)
    across, down = min(side, width) // 2 * 2, min(side, height) // 2 * 2
    x0 = int(np.clip(x - across / 2, 0, width - across)) // 2 * 2
    y0 = int(np.clip(y - down / 2, 0, height - down)) // 2 * 2
    return x0, y0, x0 + across, y0 + down
