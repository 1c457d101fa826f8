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

from detector import __version__
from detector.commands.console import complain
from detector.errors import FramewitnessError

INTERRUPTED = 130
# Which module adds which command: only the one that is asked for is imported, because training takes seconds to.
COMMANDS = {
    "analyze": "detector.commands.analyze",
    "models": "detector.commands.models",
    "cases": "detector.commands.cases",
    "report": "detector.commands.cases",
    "bench": "detector.commands.bench",
    "train": "detector.training.cli",
    "evaluate": "detector.training.cli",
    "synthesize": "detector.synthesis.cli",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (argparse itself leaves with 2 on wrong usage)."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    args = _parser(arguments).parse_args(arguments)
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


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m detector",
        description="Framewitness: examines video and stills for face manipulation.",
        epilog="Exit status: 0 done, 2 usage, 3 evidence unreadable, 4 model unavailable or refused, 1 anything else.",
    )
    parser.add_argument("--version", action="version", version=f"framewitness {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = [COMMANDS[name] for name in arguments[:1] if name in COMMANDS] or COMMANDS.values()
    for module in dict.fromkeys(wanted):
        importlib.import_module(module).add_commands(commands)
    return parser
