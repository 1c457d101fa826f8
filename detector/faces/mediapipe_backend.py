"""MediaPipe's full-range BlazeFace and its face mesh, of 468 points or refined of 478, behind `FaceBackend`.

BlazeFace: Bazarevsky et al. 2019, https://arxiv.org/abs/1907.05047. Face mesh: Kartynnik et al. 2019,
https://arxiv.org/abs/1907.06724; refined by Grishchenko et al. 2020, https://arxiv.org/abs/2006.10962. The mesh
network runs on the region we choose instead of through MediaPipe's own face mesh solution, which would look for the
face a second time with a detector that misses small ones, and would carry tracking state from one frame to the next.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.faces.backend import RawDetection, RawMesh

# Candidates below this never leave the graph; callers apply their own, higher threshold.
_FLOOR_SCORE = 0.25
_FLOOR_PRESENCE = 0.01
_MESH_POINTS, _REFINED_POINTS = 468, 478
_MESH_GRAPH = """
input_stream: "image"
input_stream: "roi"
input_side_packet: "with_attention"
output_stream: "landmarks"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""
_DETECTOR_GRAPH = "mediapipe/modules/face_detection/face_detection_full_range_cpu.binarypb"
_DETECTOR_NODE = "facedetectionfullrange__facedetection__TensorsToDetectionsCalculator"
_PRESENCE_STREAM = "facelandmarkcpu__face_presence_score"
_THRESHOLD_NODE = "facelandmarkcpu__ThresholdingCalculator"
_CHATTER = re.compile(
    rb"XNNPACK delegate|before absl::InitializeLog|inference_feedback_manager|landmark_projection_calculator"
    rb"|^[WI]\d{4} .*gl_context"
)
_quiet_lock = threading.Lock()


class MediaPipeBackend:
    """See `FaceBackend`. One instance belongs to one thread; `close` frees both graphs. `refined` is the mesh with the
    irises."""

    detector_input_px = 192
    mesh_input_px = 192

    def __init__(self, *, refined: bool = False) -> None:
        os.environ.setdefault("GLOG_minloglevel", "2")
        with _without_chatter():
            # On a stack of its own: MediaPipe keeps the error of a sound library that it does not find, and with it
            # whatever the functions hold that were running when it was imported.
            with ThreadPoolExecutor(1) as importer:
                importer.submit(import_module, "mediapipe").result()
            from mediapipe.framework.formats.rect_pb2 import NormalizedRect

            self._whole = NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0, rotation=0.0)
            self._detector: Any = _build_detector()
            self._mesher: Any = _build_mesher(refined=refined)
            self._points = _REFINED_POINTS if refined else _MESH_POINTS
            # The networks say their piece at the first run, so that run happens in here.
            blank = np.zeros((self.mesh_input_px, self.mesh_input_px, 3), np.uint8)
            self.detect(blank)
            self.mesh(blank)

    def detect(self, image: NDArray[np.uint8]) -> tuple[RawDetection, ...]:
        """Faces in an (H, W, 3) uint8 RGB picture, boxes in its pixels."""
        height, width = image.shape[:2]
        size = np.array([width, height], np.float32)
        found = []
        for detection in self._detector.process(np.ascontiguousarray(image)).detections or ():
            box = detection.location_data.relative_bounding_box
            points = [(point.x, point.y) for point in detection.location_data.relative_keypoints]
            found.append(
                RawDetection(
                    bbox_xyxy_px=(
                        box.xmin * width,
                        box.ymin * height,
                        (box.xmin + box.width) * width,
                        (box.ymin + box.height) * height,
                    ),
                    score=float(np.clip(detection.score[0], 0.0, 1.0)),
                    keypoints_px=np.asarray(points, np.float32) * size,
                )
            )
        return tuple(sorted(found, key=lambda item: (-item.score, item.bbox_xyxy_px)))

    def mesh(self, crop: NDArray[np.uint8]) -> RawMesh | None:
        """The mesh of the face that fills a square (S, S, 3) uint8 RGB crop; None where there is none."""
        side = crop.shape[0]
        result = self._mesher.process({"image": np.ascontiguousarray(crop), "roi": self._whole})
        landmarks, presence = result.landmarks, getattr(result, _PRESENCE_STREAM)
        if landmarks is None or presence is None:
            return None
        points = np.array([(point.x, point.y, point.z) for point in landmarks.landmark], np.float32) * side
        if points.shape != (self._points, 3) or not np.isfinite(points).all():
            return None
        return RawMesh(points=points, presence=float(presence))

    def close(self) -> None:
        """Free the networks; safe to call twice."""
        if self._detector is not None:
            self._detector.close()
            self._mesher.close()
            self._detector = self._mesher = None


def _build_detector() -> Any:
    """MediaPipe's face detection solution with its score floor lowered; its own option for that has no effect on the
    full-range model, whose graph keeps 0.6."""
    from mediapipe.python.solution_base import SolutionBase

    return SolutionBase(
        binary_graph_path=_DETECTOR_GRAPH,
        outputs=["detections"],
        calculator_params={f"{_DETECTOR_NODE}.min_score_thresh": _FLOOR_SCORE},
    )


def _build_mesher(*, refined: bool) -> Any:
    """The mesh graph, opened up so that the presence score comes out beside the landmarks."""
    from mediapipe.framework.calculator_pb2 import CalculatorGraphConfig
    from mediapipe.python._framework_bindings import validated_graph_config
    from mediapipe.python.solution_base import PacketDataType, SolutionBase

    validated = validated_graph_config.ValidatedGraphConfig()
    validated.initialize(graph_config=_MESH_GRAPH)
    graph = CalculatorGraphConfig()
    graph.ParseFromString(validated.binary_config)
    graph.output_stream.append(_PRESENCE_STREAM)
    return SolutionBase(
        graph_config=graph,
        side_inputs={"with_attention": refined},
        outputs=["landmarks", _PRESENCE_STREAM],
        calculator_params={f"{_THRESHOLD_NODE}.threshold": _FLOOR_PRESENCE},
        stream_type_hints={_PRESENCE_STREAM: PacketDataType.FLOAT},
    )


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep start-up remarks of MediaPipe's C++ side out of stderr; anything else written meanwhile is passed on.

    They are written to file descriptor 2 before any log level applies, so the descriptor itself is set aside.
    """
    with _quiet_lock, tempfile.TemporaryFile() as aside:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            aside.seek(0)
            passed_on = b"".join(line for line in aside if not _CHATTER.search(line))
            if passed_on:
                os.write(2, passed_on)
