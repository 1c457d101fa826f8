"""`python -m detector synthesize`: clips whose truth is known, to try the tool or to test it."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from detector.errors import EvidenceError
from detector.evidence import Frame
from detector.faces import FaceAnalyser
from detector.settings import AnalysisSettings
from detector.synthesis.animate import Manipulation, animate, write_clip
from detector.synthesis.types import FaceImage

FPS = 25


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "synthesize", help="animate a portrait: genuine and manipulated clips with the mask"
    )
    command.add_argument("--out", type=Path, required=True, help="folder for the clips and samples.json")
    command.add_argument("--portrait", type=Path, help="picture with one face; default: scikit-image's astronaut")
    command.add_argument("--seconds", type=float, default=6.0)
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run_command=_synthesize)


def portrait(path: Path | None) -> FaceImage:
    """A picture and its face mesh. Raises EvidenceError where it is unreadable or shows no face with a mesh."""
    if path is None:
        image = data.astronaut()
    else:
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise EvidenceError(f"{path.name}: expected a picture, found a file that does not decode as one.")
        image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)
    with FaceAnalyser(AnalysisSettings()) as analyser:
        faces = [face for face in analyser.analyse(Frame(0, 0, 0.0, 0, image)) if face.landmarks is not None]
    if not faces:
        raise EvidenceError("Expected a portrait with a face that a mesh fits, found none. Use a larger, frontal face.")
    face = max(faces, key=lambda found: found.quality.size_px)
    assert face.landmarks is not None
    return FaceImage(image, face.landmarks[:, :2].astype(np.float32))


def make_samples(
    face: FaceImage, out: Path, name: str, source: str, *, seconds: float, seed: int
) -> list[dict[str, object]]:
    """Write `<name>_genuine.mp4`, `<name>_manipulated.mp4`, `<name>_mask.mp4` and `samples.json`; returns its rows."""
    out.mkdir(parents=True, exist_ok=True)
    change = Manipulation()
    genuine = [frame.image for frame in animate(face, seconds=seconds, fps=FPS, seed=seed)]
    manipulated = list(animate(face, seconds=seconds, fps=FPS, seed=seed, manipulation=change))
    clips = {
        "genuine": genuine,
        "manipulated": [frame.image for frame in manipulated],
        "mask": [frame.mask for frame in manipulated],
    }
    rows: list[dict[str, object]] = []
    for kind, images in clips.items():
        path = out / f"{name}_{kind}.mp4"
        write_clip(path, images, FPS, crf=12 if kind == "mask" else 20)
        rows.append(
            {
                "file": path.name,
                "label": kind,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "manipulated_s": [change.start_s, seconds] if kind == "manipulated" else None,
                "source": source,
            }
        )
    (out / "samples.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return rows


def _synthesize(args: argparse.Namespace) -> int:
    name, source = ("astronaut", "NASA portrait of Eileen Collins, public domain, from scikit-image")
    if args.portrait:
        name, source = args.portrait.stem, args.portrait.name
    rows = make_samples(portrait(args.portrait), args.out, name, source, seconds=args.seconds, seed=args.seed)
    print(json.dumps(rows, indent=2))
    return 0
