"""`python -m detector analyses`: what each specialist is worth on labelled clips, and what to do about it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.measurement.wording import NOT_MEASURED

if TYPE_CHECKING:
    from detector.training.analyses.documents import Figure

_CUES = ("bg", "cm", "av", "rr", "ll", "tm")


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    analyses = commands.add_parser(
        "analyses",
        help="analyse the six specialists on the labelled clips of a manifest",
        description="Examine every labelled video that the models were not fitted to, and write a detailed analysis of "
        "each specialist; `run` also compares all six and writes a summary and a training roadmap.",
    )
    analyses.add_argument("which", choices=("run", *_CUES), help="run: all nine files; else one specialist's")
    analyses.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the files it names")
    analyses.add_argument("--out", type=Path, required=True, help="folder for the JSON files")
    analyses.add_argument(
        "--use",
        choices=("all", "validation", "train", "calibration"),
        default="validation",
        help="as in evaluate: the folder's own manifest (default), rows of its extended pool, or all",
    )
    analyses.add_argument(
        "--kept", type=Path, help="keep what was examined here, and go on from it (default: clips.jsonl in --out)"
    )
    analyses.add_argument("--specialists", default="specialists-lite0", metavar="MODEL", help="for BG, CM, RR and LL")
    analyses.add_argument("--audiovisual", default="audiovisual-avff", metavar="MODEL", help="for AV")
    analyses.add_argument("--temporal", default="transformer-lite0", metavar="MODEL", help="for TM")
    analyses.add_argument("--device", default="auto")
    analyses.set_defaults(run_command=_analyses)


def _analyses(args: argparse.Namespace) -> int:
    from detector.training.analyses.documents import FILE_OF, ModelAnalysis
    from detector.training.analyses.run import CUES, Request, write_analyses
    from detector.training.engine.device import training_device
    from detector.training.engine.progress import Progress, shown

    cues = CUES if args.which == "run" else tuple(cue for cue in CUES if cue.lower() == args.which)
    named = {cue: {"AV": args.audiovisual, "TM": args.temporal}.get(cue, args.specialists) for cue in CUES}
    request = Request(args.data, args.out, cues, named, args.use, args.kept, training_device(args.device))
    with shown():
        written = write_analyses(request, on_file=Progress("examining clips"))
    read = {path.name: path for path in written}
    for cue in cues:
        one = ModelAnalysis.model_validate(json.loads(read[FILE_OF[cue]].read_text(encoding="utf-8")))
        figures = (one.accuracy.overall, one.accuracy.real, one.accuracy.fake)
        shares = "  ".join(
            f"{name} {_share(value)}" for name, value in zip(("all", "real", "fake"), figures, strict=True)
        )
        print(f"{cue}  {one.priority.level or NOT_MEASURED:6}  {shares}  {'; '.join(one.priority.reasons)}")
    for path in written:
        print(path)
    if problems := one.data.clips.problems:
        print(
            f"{len(problems)} of {one.data.clips.examined} clips could not be examined; the files say why.",
            file=sys.stderr,
        )
    return 0


def _share(figure: Figure) -> str:
    return f"{NOT_MEASURED:>6}" if figure.value is None else f"{figure.value:6.1%}"
