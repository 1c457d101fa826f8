"""`python -m detector synthesize`: genuine clips and manipulated twins whose truth is known, to validate the tool."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from detector.errors import SettingsError
from detector.synthesis.catalogue import KINDS, USUAL_KINDS, Request, changes_something, lacking, make, spliced
from detector.synthesis.reconstruction import load_reconstruction_networks
from detector.synthesis.sources import read_source
from detector.synthesis.twin_files import TwinWriter, write_manifest


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    command = subparsers.add_parser(
        "synthesize", help="make manipulated twins of a genuine video or still, with masks, intervals and a manifest"
    )
    command.add_argument("sources", nargs="*", type=Path, help="genuine videos or stills; default: a NASA portrait")
    command.add_argument("--out", type=Path, required=True, help="folder for the clips, masks and manifest.csv")
    command.add_argument(
        "--kinds",
        default=",".join(USUAL_KINDS),
        help="manipulations by name, separated by commas, or all; those that a source cannot give are left out and "
        f"named. Known: {', '.join(KINDS)}",
    )
    command.add_argument("--donor", type=Path, help="footage of another person, for swaps and foreign sound")
    command.add_argument("--networks", type=Path, help="folder of a training run's networks that paint faces")
    command.add_argument("--strength", type=float, default=1.0, help="0 to 1; default 1")
    command.add_argument("--seconds", type=float, default=6.0, help="length of the clips; default 6")
    command.add_argument(
        "--interval", type=float, nargs=2, metavar=("START", "END"), help="manipulate from START to END seconds only"
    )
    command.add_argument("--jpeg", type=int, help="JPEG quality of a first compression of every frame")
    command.add_argument("--crf", type=int, default=20, help="H.264 rate factor of all clips, 0 to 51; default 20")
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run_command=_synthesize)


def _synthesize(args: argparse.Namespace) -> int:
    kinds = list(KINDS) if args.kinds == "all" else [kind.strip() for kind in args.kinds.split(",")]
    _check(args, kinds)
    donor = read_source(args.donor, seconds=args.seconds, seed=args.seed) if args.donor else None
    networks: list[nn.Module] = load_reconstruction_networks(args.networks) if args.networks else []
    args.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for path in args.sources or [None]:
        source = read_source(path, seconds=args.seconds, seed=args.seed)
        request = Request(source, args.strength, args.seed, donor, networks)
        writer = TwinWriter(args.out, source, seed=args.seed, crf=args.crf, jpeg_quality=args.jpeg)
        for kind in kinds:
            if why := lacking(kind, request):
                print(f"{source.name}: no {kind}: {why}", file=sys.stderr)
                continue
            interval = tuple(args.interval) if args.interval else (0.0, source.clip.duration_s)
            twins = spliced(make(kind, request), interval)
            if changes_something(twins):
                writer.write(kind, twins)
            else:
                print(f"{source.name}: no {kind}: it would change next to nothing here", file=sys.stderr)
        rows += writer.rows
    if not any(row["label"] == "fake" for row in rows):
        raise SettingsError("Nothing could be made: see the reasons above.")
    write_manifest(args.out, rows)
    print(json.dumps(rows, indent=2))
    return 0


def _check(args: argparse.Namespace, kinds: Sequence[str]) -> None:
    problems = [f"unknown manipulation {kind!r}" for kind in kinds if kind not in KINDS]
    if not 0 < args.strength <= 1:
        problems.append(f"--strength: expected above 0, up to 1, found {args.strength}")
    if not 0.5 <= args.seconds <= 120:
        problems.append(f"--seconds: expected 0.5 to 120, found {args.seconds}")
    if not 0 <= args.crf <= 51:
        problems.append(f"--crf: expected 0 to 51, found {args.crf}")
    if args.jpeg is not None and not 1 <= args.jpeg <= 100:
        problems.append(f"--jpeg: expected 1 to 100, found {args.jpeg}")
    if args.interval and not 0 <= args.interval[0] < args.interval[1] <= args.seconds:
        problems.append(f"--interval: expected START < END within the clip, found {args.interval}")
    stems = [path.stem for path in args.sources]
    problems += [f"two sources are called {stem!r}" for stem in sorted({s for s in stems if stems.count(s) > 1})]
    if problems:
        raise SettingsError("; ".join(problems) + ".")
