"""The command line: results on standard output, everything else on standard error.

Exit status: 0 done, 1 any other failure, 2 wrong usage or settings, 3 evidence unreadable or unsupported, 4 model
unavailable or refused, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from detector import __version__
from detector.commands.console import complain
from detector.errors import FramewitnessError

INTERRUPTED = 130
# The module that adds a command, and the command in a few words: only the module that is asked for is imported, because
# some take seconds to.
COMMANDS = {
    "analyze": ("detector.commands.analyze", "examine files and print one JSON object a file"),
    "forensics": ("detector.commands.forensics", "content credentials, container, coding and metadata of files"),
    "models": ("detector.commands.models", "list, show or verify models"),
    "cases": ("detector.commands.cases", "list, show, verify or export cases"),
    "report": ("detector.commands.report", "write the PDF of a case, or check one"),
    "bundle": ("detector.commands.replay", "write an analysis and all it was made from as one zip"),
    "replay": ("detector.commands.replay", "run the analysis of a bundle again and compare every number"),
    "annotate": ("detector.commands.derived", "write the video with boxes, scores and a time line drawn on it"),
    "contact-sheet": ("detector.commands.derived", "write the strongest faces with their heatmaps as one picture"),
    "exchange": ("detector.commands.exchange", "write a case as HTML, CASE/UCO, CSV or Parquet"),
    "bench": ("detector.commands.bench", "measure speed and memory of an analysis"),
    "train": ("detector.commands.training", "train a model from a YAML config"),
    "average": ("detector.commands.training", "average the weights of several runs into one"),
    "leakage": ("detector.commands.training", "does a plain property of the files give their label away?"),
    "baselines": ("detector.commands.training", "measure frame models beside classical detectors on the same crops"),
    "export": ("detector.commands.measure", "turn a finished run into weights with a measured card"),
    "calibration": ("detector.commands.calibration", "turn scores with known truth into strength of evidence"),
    "evaluate": ("detector.commands.measure", "measure models on the files of a manifest"),
    "analyses": ("detector.commands.analyses", "analyse the six specialists on the labelled clips of a manifest"),
    "validate": ("detector.commands.validate", "verify the method on this installation and write a dated record"),
    "synthesize": (
        "detector.commands.synthesize",
        "make manipulated twins of a genuine video or still, with their truth",
    ),
}
FORMER_NAMES = {"peers": "baselines"}  # still run, no longer listed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (argparse itself leaves with 2 on wrong usage)."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    args = parse(arguments)
    try:
        status: int = args.run_command(args)
        sys.stdout.flush()
        return status
    except FramewitnessError as error:
        complain(error)
        return error.exit_status
    except BrokenPipeError:
        # The reader of our output has gone; without this the interpreter complains again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"error: os: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing unfinished was recorded.", file=sys.stderr)
        return INTERRUPTED


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """A command line as its command reads it, with `command` and `run_command`; leaves with 2 on wrong usage."""
    arguments = [FORMER_NAMES.get(name, name) for name in arguments[:1]] + list(arguments[1:])
    return _parser(arguments).parse_args(arguments)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="framewitness" if Path(sys.argv[0]).name == "framewitness" else "python -m detector",
        description="Framewitness: examines video and stills for face manipulation.",
        epilog="Exit status: 0 done, 2 usage, 3 evidence unreadable, 4 model unavailable or refused, 1 anything else.",
    )
    parser.add_argument("--version", action="version", version=f"framewitness {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    if arguments and arguments[0] in COMMANDS:
        module, _ = COMMANDS[arguments[0]]
        importlib.import_module(module).add_commands(commands)
    else:  # help or wrong usage
        for name, (_, summary) in COMMANDS.items():
            commands.add_parser(name, help=summary)
    return parser
