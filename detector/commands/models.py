"""`python -m detector models`: which models there are, and whether their weights are what their cards say."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from detector.commands.console import complain
from detector.errors import ModelError, SettingsError
from detector.measurement.results import CUES_ON_VIDEOS, PER_CUE, DataPath, Measurement, Results
from detector.measurement.wording import (
    NOT_MEASURED,
    figure_text,
    main_rows,
    number_text,
    place,
    remark,
    value_text,
    words,
)

if TYPE_CHECKING:
    from detector.explain.cam_comparison import CamComparison, CamFigure
    from detector.registry import ModelCard

_POOLS: Final = {"calibration": "calibration_videos", "train": "extended_train_videos"}


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    parser = commands.add_parser("models", help="list, show or verify models")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="one line a model: id, kind, parameters, default, title, shipped or own")
    listing.add_argument("--format", choices=("text", "json"), default="text")
    listing.set_defaults(run_command=_list)
    show = actions.add_parser("show", help="a model's card: what it is, what was measured, where it fails")
    show.add_argument("model")
    show.add_argument("--format", choices=("text", "json"), default="json")
    show.set_defaults(run_command=_show)
    table = actions.add_parser(
        "table",
        help="every model, specialist and classical baseline on the same deepfake videos, as Markdown",
        description="What the cards say of deepfake videos against genuine ones of people never seen: best first.",
    )
    table.add_argument(
        "--families",
        nargs="?",
        const="calibration",
        choices=_POOLS,
        help="instead, every model on the clips of real generators kept for calibration, or on those to train on: AUC "
        "by family and over all, and the share found at 5 %% false alarms",
    )
    table.add_argument(
        "--generators",
        nargs="?",
        const="calibration",
        choices=_POOLS,
        help="instead, the default set's deciding model and its members on each generator of those clips: AUC against "
        "all genuine clips, with * where it is worse than chance",
    )
    table.set_defaults(run_command=_table)
    cam = actions.add_parser(
        "cam",
        help="methods of class activation maps side by side on manipulated twins of genuine clips, as Markdown",
        description="Manipulate parts of genuine clips, and measure of each method's maps of frame models whether they "
        "point at what was changed and whether the score rests on what they mark.",
    )
    cam.add_argument("models", nargs="*", metavar="MODEL", help="frame models (default: all that are installed)")
    cam.add_argument(
        "--sources",
        nargs="+",
        type=Path,
        required=True,
        metavar="CLIP",
        help="genuine videos or stills, best 20 or more",
    )
    cam.add_argument("--frames", type=int, default=2, help="faces of each twin; default 2")
    cam.add_argument("--seed", type=int, default=0)
    cam.add_argument("--out", type=Path, help="write the figures here as JSON")
    cam.set_defaults(run_command=_cam)
    verify = actions.add_parser(
        "verify", help="check shipped files by their signed list, and hash, format and keys of weights"
    )
    verify.add_argument("models", nargs="*", metavar="MODEL")
    verify.set_defaults(run_command=_verify)


def _list(args: argparse.Namespace) -> int:
    from detector.registry import available_models, default_model_ids, standing

    defaults = default_model_ids()
    for card in available_models():
        found = standing(card)
        if args.format == "json":
            listed = {**card.as_json(), "default": card.model_id in defaults, "standing": found}
            print(json.dumps(listed, ensure_ascii=False))
        else:
            mark = "default" if card.model_id in defaults else "-"
            print(f"{card.model_id}\t{card.kind}\t{card.parameters:,}\t{mark}\t{card.title}\t{found}")
    return 0


def _show(args: argparse.Namespace) -> int:
    from detector.registry import find_card

    card = find_card(args.model)
    if args.format == "json":
        print(json.dumps(card.as_json(), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_card_lines(card)))
    return 0


def _table(args: argparse.Namespace) -> int:
    from detector.registry import available_models, default_model_ids

    cards = available_models()
    if args.families:
        lines = _family_lines(cards, _deciding(cards, default_model_ids()), _POOLS[args.families])
    elif args.generators:
        lines = _generator_lines(cards, _deciding(cards, default_model_ids()), _POOLS[args.generators])
    else:
        lines = _table_lines(cards)
    print("\n".join(lines))
    return 0


def _deciding(cards: Sequence[ModelCard], default: Sequence[str]) -> set[str]:
    """The models of the default set that its conclusion rests on: the ensemble, where there is one, else all."""
    from detector.analysis.kinds import kind_of

    own = [card for card in cards if card.model_id in default]
    return {card.model_id for card in own if kind_of(card).fuses} or set(default)


def _family_lines(cards: Sequence[ModelCard], default: set[str], pool: str) -> Iterator[str]:
    """A row a model, with an AUC for each family that any card has a figure of."""
    found = dict(row for card in cards for row in _of_pool(card, default, pool))
    families = sorted(
        {row.data[-1] for own, path in found.values() for row in own.under(*path, "per_family").measurements}
    )
    yield f"| model | genuine / manipulated | {' | '.join([*families, 'all'])} | found at 5 % false alarms |"
    yield "| --- | --- |" + " --- |" * (len(families) + 2)
    whole = {name: own.find(*path, "all") for name, (own, path) in found.items()}
    for name, row in sorted(whole.items(), key=lambda item: -(item[1].value or 0.0) if item[1] else 1.0):
        own, path = found[name]
        rows = [own.find(*path, "per_family", family) for family in families]
        sizes = f"{row.n_real} / {row.n_fake}" if row else NOT_MEASURED
        yield f"| {name} | {sizes} | {' | '.join(map(_figure, [*rows, row]))} | {_found(own, path)} |"


def _of_pool(card: ModelCard, default: set[str], pool: str) -> Iterator[tuple[str, tuple[Results, DataPath]]]:
    """The model by itself and each of its specialists: their results and where in them they lie."""
    yield f"`{card.model_id}`{' (default)' if card.model_id in default else ''}", (card.results, (pool,))
    for cue in dict.fromkeys(row.data[2] for row in card.results.under(pool, PER_CUE).measurements):
        yield f"`{card.model_id}` · {cue}", (card.results, (pool, PER_CUE, cue))


def _generator_lines(cards: Sequence[ModelCard], default: set[str], pool: str) -> Iterator[str]:
    """A row a generator, with the AUC of each model that decides and of those that it fuses."""
    known = {card.model_id: card for card in cards}
    members = [str(one["model_id"]) for name in sorted(default) for one in known[name].inputs.get("members", ())]
    columns = {name: known[name].results for name in dict.fromkeys([*sorted(default), *members]) if name in known}
    rows = [row for own in columns.values() for row in own.under(pool, "per_generator").measurements]
    counts = {row.data[-1]: row.n_fake for row in reversed(rows)}
    yield f"| generator | clips | {' | '.join(f'`{name}`' for name in columns)} |"
    yield "| --- | --- |" + " --- |" * len(columns)
    for generator in sorted(counts, key=str.casefold):
        found = [own.find(pool, "per_generator", generator) for own in columns.values()]
        yield f"| {generator} | {counts[generator]} | {' | '.join(map(_short_figure, found))} |"


def _short_figure(row: Measurement | None) -> str:
    if row is None or row.value is None:
        return NOT_MEASURED
    return f"{row.value:.2f}{'*' if row.worse_than_chance else ''}"


def _figure(row: Measurement | None) -> str:
    return ", ".join(filter(None, (value_text(row), remark(row)))) if row else NOT_MEASURED


def _found(results: Results, path: DataPath) -> str:
    """e.g. "0.31 (0.22 to 0.40)": the share of fakes above the threshold that 5 % of all genuine clips pass."""
    if not results.under(*path, "found"):
        return NOT_MEASURED
    found = results.table(*path, "found")
    share, low, high = (found.cell("at_5_percent_false_alarms", f"share{part}") for part in ("", "_95_low", "_95_high"))
    return f"{share:.2f} ({low:.2f} to {high:.2f})" if low is not None else f"{share:.2f}"


def _table_lines(cards: Sequence[ModelCard]) -> Iterator[str]:
    rows = dict(row for card in cards for row in _on_real_videos(card))
    yield "| model | genuine / manipulated | AUC, 95 % interval | |"
    yield "| --- | --- | --- | --- |"
    for name, row in sorted(rows.items(), key=lambda item: -(item[1].value or 0.0)):
        yield f"| {name} | {row.n_real} / {row.n_fake} | {value_text(row)} | {remark(row)} |"


def _on_real_videos(card: ModelCard) -> Iterator[tuple[str, Measurement]]:
    """The model by itself, each of its specialists, and the baselines that its card stands beside."""
    cues = dict.fromkeys(row.data[1] for row in card.results.under(CUES_ON_VIDEOS).measurements)
    found = {f"`{card.model_id}`": card.results.on_real_videos()}
    found |= {f"`{card.model_id}` · {cue}": card.results.on_real_videos(cue) for cue in cues}
    for row in card.results.under("beside_baselines").measurements:
        if row.data[-1] == "videos" and " " in row.data[1]:  # a method; a model's own row says its id
            found[row.data[1]] = row
    yield from ((name, row) for name, row in found.items() if row is not None)


def _card_lines(card: ModelCard) -> Iterator[str]:
    """The card to read: facts, limits, then every measured figure."""
    thresholds = card.thresholds
    yield card.title
    yield f"{card.model_id}: {card.kind}, {card.parameters:,} parameters, licence {card.licence}"
    yield f"weights {card.weights_file}, SHA-256 {card.weights_sha256}"
    yield (
        f"likely manipulated from logit {thresholds.likely_manipulated_logit:+.3f}, no manipulation found to "
        f"{thresholds.no_manipulation_logit:+.3f}; set on {thresholds.basis}"
    )
    if thresholds.run_logit is not None:
        yield f"a second or more of a track likely manipulated from logit {thresholds.run_logit:+.3f}"
    if thresholds.peak_logit is not None:
        yield f"moments to look at from logit {thresholds.peak_logit:+.3f}"
    if thresholds.within_track_basis:
        yield f"these set on {thresholds.within_track_basis}"
    if card.limits:
        yield from ("", "Limits", *(f"  {limit}" for limit in card.limits))
    yield from ("", "In short", *(f"  {figure_text(row, name)}" for name, row in main_rows(card.results).items()))
    yield from ("", "Measured (genuine + manipulated; 95 % intervals)")
    yield from (f"  {figure_text(row)}" for row in card.results.measurements)
    for table in card.results.tables:
        yield from ("", place(table.data))
        for name, cells in table.rows:
            said = (
                f"{words(head)} {number_text(cell)}".strip() for head, cell in zip(table.columns, cells, strict=True)
            )
            yield f"  {words(name)}: {', '.join(said)}"
    if card.results.facts:
        yield from ("", "How it was measured")
    yield from (f"  {place(fact.data)}: {number_text(fact.value)} {fact.unit}".rstrip() for fact in card.results.facts)


def _cam(args: argparse.Namespace) -> int:
    from detector.explain.cam_comparison import KnownFace, compare_cams
    from detector.registry import FrameModel, available_models, expect, load_model, loaded_class
    from detector.synthesis.twin_faces import twin_faces

    ids = args.models or [
        card.model_id for card in available_models() if issubclass(loaded_class(card.kind), FrameModel)
    ]
    if args.frames < 1:
        raise SettingsError(f"--frames: expected at least 1, found {args.frames}.")
    models = [expect(load_model(name), FrameModel) for name in ids]
    known = [
        KnownFace(one.fake.image, one.face, one.fake.mask, one.source)
        for one in twin_faces(args.sources, frames=args.frames, seed=args.seed)
    ]
    found = []
    for model in models:
        found.append(compare_cams(model, known, seed=args.seed))
        print("\n".join(_cam_lines(found[-1])), flush=True)  # minutes lie between two models
    if args.out:
        text = json.dumps([asdict(one) for one in found], indent=2, allow_nan=False)
        args.out.write_text(text + "\n", encoding="utf-8")
    return 0


def _cam_lines(found: CamComparison) -> Iterator[str]:
    """A row a method; * where the interval of its gain over Grad-CAM lies above 0."""
    yield f"`{found.model_id}`, {found.faces} faces of {found.groups} clips:"
    yield ""
    yield "| method | pointing game | IoU | ROAD | deletion test passed |"
    yield "| --- | --- | --- | --- | --- |"
    for row in found.rows:
        cells = (_cam_cell(figure) for figure in (row.pointing, row.iou, row.road, row.faithful))
        yield f"| {row.method} | {' | '.join(cells)} |"
    yield f"| chance | {found.chance_pointing:.2f} | {found.chance_iou:.2f} | 0 | 0.05 |"
    yield ""


def _cam_cell(figure: CamFigure) -> str:
    low, high = figure.interval
    least = figure.gain_interval[0]
    mark = "*" if least is not None and least > 0 else ""
    return f"{figure.mean:.2f} ({low:.2f} to {high:.2f}){mark}"


def _verify(args: argparse.Namespace) -> int:
    """Exit status 0 only if the list and every model pass; a model of one's own does."""
    from detector.registry import available_models, check_shipped_files, signed_list

    status = _tried(signed_list if args.models else check_shipped_files)
    for model_id in args.models or [card.model_id for card in available_models()]:
        status = _tried(partial(_verify_one, model_id)) or status
    return status


def _verify_one(model_id: str) -> None:
    from detector.registry import changed_files, find_card, signed_list, standing, verify_model

    verify_model(model_id)
    card = find_card(model_id)
    found = standing(card)
    if found == "changed":
        raise ModelError(
            f"{model_id} is changed: {', '.join(changed_files(card, signed_list()))} is not what was shipped with the "
            "program under this name. Restore it, or give a model of your own a name of its own."
        )
    print(f"{model_id}\tverified\t{found}")


def _tried(check: Callable[[], object]) -> int:
    """Zero, or the exit status of a refusal, which was said."""
    try:
        check()
    except ModelError as error:
        complain(error)
        return error.exit_status
    return 0
