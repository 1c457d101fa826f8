"""`python -m detector bench`: speed on one clip, or memory on a long clip against a short one."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from detector.commands.console import DEVICES, load_models
from detector.settings import AnalysisSettings

MEMORY_TOLERANCE = 0.10
SPEED_S, SHORT_S, LONG_S = 20, 60, 600
CLIP_FPS, CLIP_SIZE = 30, (1280, 720)


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    parser = commands.add_parser("bench", help="measure speed and memory of an analysis")
    parser.add_argument(
        "video", nargs="?", type=Path, help=f"clip to measure on (default: {SPEED_S} s of 720p, 30 frames a second)"
    )
    parser.add_argument("--models", help="model ids, separated by commas (default: the default set, see `models list`)")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--no-bounds", action="store_true", help="leave out decoding alone and scoring alone")
    parser.add_argument(
        "--memory",
        action="store_true",
        help=f"instead: compare peak memory on {LONG_S} s and {SHORT_S} s of 720p, each in its own process; "
        f"exit status 1 where the long one needs over {100 * MEMORY_TOLERANCE:.0f} %% more",
    )
    parser.set_defaults(run_command=_run)


def _run(args: argparse.Namespace) -> int:
    return _memory(args) if args.memory else _speed(args)


def _speed(args: argparse.Namespace) -> int:
    from detector.analysis.bench import bench, describe
    from detector.evidence import examine, ingest

    models = load_models(args.models, args.device)
    with tempfile.TemporaryDirectory(prefix="framewitness-") as folder:
        clip = args.video
        if clip is None:
            clip = Path(folder) / "clip.mp4"
            write_clip(clip, SPEED_S)
        evidence = examine(ingest(clip, Path(folder)))
        report = bench(evidence, models, AnalysisSettings(), bounds=not args.no_bounds)
    print(json.dumps(asdict(report)) if args.format == "json" else describe(report))
    return 0


def _memory(args: argparse.Namespace) -> int:
    """A fresh process a clip, because a process's peak never falls."""
    peaks_mib = {}
    with tempfile.TemporaryDirectory(prefix="framewitness-") as folder:
        for seconds in (SHORT_S, LONG_S):
            clip = Path(folder) / f"{seconds}s.mp4"
            print(f"writing {seconds} s of 720p", file=sys.stderr, flush=True)
            write_clip(clip, seconds)
            command = [sys.executable, "-m", "detector", "bench", str(clip), "--no-bounds", "--format", "json"]
            command += ["--device", args.device, *(["--models", args.models] if args.models else [])]
            print(f"analysing {seconds} s of 720p", file=sys.stderr, flush=True)
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
            if done.returncode:
                return done.returncode
            report = json.loads(done.stdout)
            peaks_mib[seconds] = report["peak_rss_mib"]
            print(
                f"{seconds:>4} s of 720p: peak {report['peak_rss_mib']:.0f} MiB, {report['frames_examined']} frames "
                f"examined, {report['faces_scored']} faces scored, {report['total_s']:.0f} s"
            )
            clip.unlink()
    growth = peaks_mib[LONG_S] / peaks_mib[SHORT_S] - 1
    print(f"growth: {growth:+.1%} (allowed: {MEMORY_TOLERANCE:.0%})")
    return int(growth > MEMORY_TOLERANCE)


def write_clip(path: Path, seconds: float) -> None:
    """A 720p H.264 clip of `seconds` in which scikit-image's portrait of an astronaut drifts over a grey ground."""
    import av
    from skimage.data import astronaut

    width, height = CLIP_SIZE
    portrait = astronaut()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=CLIP_FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(round(seconds * CLIP_FPS)):
            image = np.full((height, width, 3), 96, np.uint8)
            left = 384 + round(300 * np.sin(index / 40))
            image[104 : 104 + 512, left : left + 512] = portrait
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
