"""`python -m detector bench`: what an analysis costs, by stage, and beside other runtimes, pipelines and loads."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands.console import DEVICES, load_models, plain
from detector.errors import FramewitnessError, SettingsError
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.benchmark.report import Benchmark
    from detector.registry import LoadedModel

SPEED_S = 20
_USUAL = "torch,onnxruntime,openvino", "torch,half"  # runtimes of a CPU, of a card
LENGTHS = "1, 10 and 60 minutes"


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    parser = commands.add_parser("bench", help="measure speed and memory of an analysis")
    parser.add_argument(
        "video", nargs="?", type=Path, help=f"clip to measure on (default: {SPEED_S} s of a talking face, 720p30)"
    )
    parser.add_argument("--models", help="model ids, separated by commas (default: the default set, see `models list`)")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--no-bounds", action="store_true", help="leave out every stage alone")
    parser.add_argument(
        "--max-frames",
        type=int,
        default=AnalysisSettings().max_frames,
        help="examine at most so many (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="times that what alternates is measured (default: %(default)s)"
    )
    what = parser.add_argument_group("what to measure (default: one analysis and its stages)")
    what.add_argument("--stages", action="store_true", help="one analysis and its stages, beside the others")
    what.add_argument(
        "--compare",
        metavar="RUNTIMES",
        help="the same analysis on runtimes in turn, separated by commas (torch, onnxruntime, openvino, half)",
    )
    what.add_argument(
        "--baseline",
        action="store_true",
        help="beside it the common pipeline: 32 frames, a face detector, EfficientNet-B4 at 224 px, random weights",
    )
    what.add_argument("--concurrency", type=int, metavar="N", help="one analysis, then N at once, a process each")
    what.add_argument(
        "--long",
        action="store_true",
        help=f"{LENGTHS} of 720p, each in its own process; exit status 1 where memory grows by over 10 %%",
    )
    what.add_argument(
        "--pages", action="store_true", help="the workbench in headless Chromium: time to first byte and to interactive"
    )
    what.add_argument("--all", action="store_true", help="all of these (two analyses at once)")
    parser.set_defaults(run_command=_run)


def _run(args: argparse.Namespace) -> int:
    from detector.benchmark.compare import check_runtimes
    from detector.benchmark.report import describe

    if args.all:
        args.stages = args.baseline = args.long = args.pages = True
        args.compare, args.concurrency = args.compare or _USUAL[args.device == "cuda"], args.concurrency or 2
    args.stages |= not (args.compare or args.baseline or args.concurrency or args.long or args.pages)
    if args.rounds < 1 or (args.concurrency is not None and args.concurrency < 1):
        raise SettingsError("--rounds and --concurrency take whole numbers from 1 on.")
    check_runtimes(_names(args.compare))
    with tempfile.TemporaryDirectory(prefix="framewitness-") as folder:
        done = _measure(args, Path(folder))
    print(json.dumps(asdict(done)) if args.format == "json" else describe(done))
    return int(done.long is not None and not done.long.flat)


def _names(text: str | None) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def _measure(args: argparse.Namespace, folder: Path) -> Benchmark:
    """Every part that was asked for, one after another. With `--all` a part that cannot be measured is left out with
    its reason, and the others go on; else it ends the command."""
    from detector.benchmark.report import Benchmark, conditions

    settings = AnalysisSettings(max_frames=args.max_frames)
    done = Benchmark(conditions(plain(args.video.name) if args.video else f"{SPEED_S} s of a talking face, 720p30"))
    for name, work in _parts(args, settings, folder).items():
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        try:
            done = replace(done, **{name: work()})
        except FramewitnessError as error:
            if not args.all:
                raise
            done.not_measured[name] = str(error)
    return done


def _parts(args: argparse.Namespace, settings: AnalysisSettings, folder: Path) -> dict[str, Callable[[], Any]]:
    """What fills each field of a `Benchmark`."""
    from detector.benchmark.baseline import against_baseline
    from detector.benchmark.clip import write_clip
    from detector.benchmark.compare import compare_runtimes
    from detector.benchmark.pages import measure_pages
    from detector.benchmark.processes import Task, at_once, long_clips, stored, warm_up
    from detector.benchmark.speed import bench

    if args.video is None:
        write_clip(folder / "clip.mp4", SPEED_S)
    evidence = stored(args.video or folder / "clip.mp4", folder)
    task = Task(evidence.file.path, tuple(_names(args.models)) or None, args.device, settings)

    @cache
    def models() -> tuple[LoadedModel, ...]:
        found = load_models(args.models, args.device)
        warm_up(found, settings, folder)
        return found

    parts: dict[str, Callable[[], Any]] = {}
    if args.stages:
        parts["speed"] = lambda: bench(evidence, models(), settings, bounds=not args.no_bounds)
    if args.baseline:
        parts["baseline"] = lambda: against_baseline(evidence, models(), settings, rounds=args.rounds)
    if names := _names(args.compare):
        parts["compare"] = lambda: compare_runtimes(
            evidence,
            names,
            lambda runtime: load_models(args.models, args.device, runtime=runtime),
            settings,
            rounds=args.rounds,
        )
    if args.concurrency:
        parts["concurrency"] = lambda: tuple(at_once(task, count) for count in dict.fromkeys((1, args.concurrency)))
    if args.long:
        parts["long"] = lambda: long_clips(task)
    if args.pages:
        parts["pages"] = lambda: measure_pages(rounds=args.rounds)
    return parts
