"""`python -m detector models`: which models there are, and whether their weights are what their cards say."""

from __future__ import annotations

import argparse
import json
from typing import Any

from detector.commands.console import complain
from detector.errors import ModelError


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    parser = commands.add_parser("models", help="list, show or verify models")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="one line a model: id, kind, parameters, title")
    listing.add_argument("--format", choices=("text", "json"), default="text")
    listing.set_defaults(run_command=_list)
    show = actions.add_parser("show", help="a model's card as JSON")
    show.add_argument("model")
    show.set_defaults(run_command=_show)
    verify = actions.add_parser("verify", help="check hash, format and keys of weights (default: all models)")
    verify.add_argument("models", nargs="*", metavar="MODEL")
    verify.set_defaults(run_command=_verify)


def _list(args: argparse.Namespace) -> int:
    from detector.registry import available_models, default_model_ids

    defaults = default_model_ids()
    for card in available_models():
        if args.format == "json":
            print(json.dumps({**card.as_json(), "default": card.model_id in defaults}, ensure_ascii=False))
        else:
            mark = "default" if card.model_id in defaults else "-"
            print(f"{card.model_id}\t{card.kind}\t{card.parameters:,}\t{mark}\t{card.title}")
    return 0


def _show(args: argparse.Namespace) -> int:
    from detector.registry import find_card

    print(json.dumps(find_card(args.model).as_json(), indent=2, ensure_ascii=False))
    return 0


def _verify(args: argparse.Namespace) -> int:
    """Every model is tried; the exit status is that of the first refused one."""
    from detector.registry import available_models, verify_model

    status = 0
    for model_id in args.models or [card.model_id for card in available_models()]:
        try:
            verify_model(model_id)
        except ModelError as error:
            complain(error)
            status = status or error.exit_status
        else:
            print(f"{model_id}\tverified")
    return status
