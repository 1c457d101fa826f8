"""`python -m detector bundle` and `replay`: an analysis to take away, and the same analysis again."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands.console import DEVICES, add_home, open_store, plain
from detector.commands.find_record import add_record, records_and_files
from detector.commands.interrupts import Interrupts
from detector.commands.meter import Meter
from detector.errors import EvidenceError, FramewitnessError, ModelError, SettingsError
from detector.settings import RUNTIMES

if TYPE_CHECKING:
    from detector.replay import Difference, Group, Replay

_EXAMPLES = 3
_WORDS = {"equal": "Equal", "within_tolerance": "Equal within tolerance", "different": "Different"}


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    bundle = commands.add_parser(
        "bundle",
        help="write an analysis and all it was made from as one zip",
        description="Write one saved analysis with its settings, its models' names and weights' SHA-256 and the "
        "environment as a zip that `replay` runs again, here or elsewhere.",
    )
    add_record(bundle, "FILE.zip")
    bundle.add_argument("--with-input", action="store_true", help="put the original into the bundle")
    add_home(bundle)
    bundle.set_defaults(run_command=_bundle)
    again = commands.add_parser(
        "replay",
        help="run the analysis of a bundle again and compare every number",
        description="Run the analysis of a bundle again with the same file, settings, models and threads, and compare "
        "every number. Exit status: 0 equal or within tolerance, 1 different, 2 the bundle cannot be trusted, 3 the "
        "original is missing or is another file, 4 a model is missing or has other weights.",
    )
    again.add_argument("bundle", type=Path, metavar="BUNDLE")
    again.add_argument("--input", type=Path, metavar="FILE", help="the original, where neither bundle nor store has it")
    again.add_argument("--format", choices=("text", "json"), default="text")
    again.add_argument("--all", action="store_true", help="list every difference, not only a few of each kind")
    again.add_argument(
        "--tolerance", type=float, metavar="LOGIT", help="how far logits may lie apart, absolute (default: 0.001)"
    )
    again.add_argument("--device", choices=DEVICES, default="", help="default: the kind the analysis ran on")
    again.add_argument(
        "--runtime", choices=RUNTIMES, default="", help="what computes the networks (default: what the analysis used)"
    )
    again.add_argument("--quiet", action="store_true", help="no progress on standard error")
    add_home(again)
    again.set_defaults(run_command=_replay)


def _bundle(args: argparse.Namespace) -> int:
    from detector.replay import write_replay_bundle
    from detector.report.exchange import log_export

    with open_store(args.home, args.author) as store:
        form = "replay-with-input" if args.with_input else "replay"
        for record, out in records_and_files(store, args, ".zip"):
            sha256 = write_replay_bundle(store, record.record_id, out, include_input=args.with_input)
            log_export(store, record.case_id, form, out.name, sha256, record_id=record.record_id)
            print(out)
    return 0


def _replay(args: argparse.Namespace) -> int:
    from detector.cases import default_home
    from detector.replay import LOGIT_TOLERANCE, replay

    tolerance = LOGIT_TOLERANCE if args.tolerance is None else args.tolerance
    if not 0 <= tolerance < float("inf"):
        raise SettingsError(f"--tolerance must be a finite number of at least 0, not {tolerance!r}.")
    try:
        with (
            Interrupts() as interrupts,
            interrupts.deferred(),
            Meter(plain(args.bundle.name), args.quiet) as meter,
        ):
            outcome = replay(
                args.bundle,
                input_file=args.input,
                evidence_dir=(args.home or default_home()) / "evidence",
                device=args.device,
                runtime=args.runtime,
                logit_tolerance=tolerance,
                on_progress=meter.show,
                cancelled=interrupts.asked,
            )
    except FramewitnessError as error:
        if args.format == "json":
            why = (
                "input" if isinstance(error, EvidenceError) else "model" if isinstance(error, ModelError) else "bundle"
            )
            print(
                json.dumps({"outcome": "not_replayed", "because": why, "code": error.code, "explanation": str(error)})
            )
        raise
    if args.format == "json":
        print(json.dumps(_as_json(outcome, everything=args.all), ensure_ascii=True))
    else:
        _print_text(outcome, everything=args.all)
    return 1 if outcome.outcome == "different" else 0


def _as_json(outcome: Replay, *, everything: bool) -> dict[str, Any]:
    comparison, bundle = outcome.comparison, outcome.bundle
    return {
        "outcome": outcome.outcome,
        "statement": _statement(outcome),
        "compared": comparison.compared,
        "tolerance": {"logit": comparison.logit_tolerance, "score": comparison.logit_tolerance / 4, "other": _OTHER},
        "input": {"file_name": bundle.file_name, "sha256": bundle.sha256, "size_bytes": bundle.size_bytes},
        "settings_sha256": bundle.settings.sha256,
        "models": [{"model_id": model_id, "weights_sha256": weights} for model_id, weights, _ in bundle.models],
        "analysis_id": {
            "recorded": bundle.results.get("analysis_id"),
            "replayed": outcome.analysis["analysis_id"],
        },
        "runtimes": None if outcome.runtimes is None else asdict(outcome.runtimes),
        "surroundings": [asdict(change) for change in outcome.surroundings],
        "cards": [asdict(change) for change in outcome.cards],
        "not_compared": list(comparison.one_sided),
        "differences": [_group_as_json(group, everything) for group in comparison.groups],
    }


_OTHER = "0.001, absolute up to 1 and relative above"


def _group_as_json(group: Group, everything: bool) -> dict[str, Any]:
    shown = group.differences if everything else _examples(group)
    return {
        "path": group.path,
        "beyond_tolerance": group.beyond,
        "within_tolerance": group.within,
        "largest": group.largest,
        "allowed": group.allowed,
        "values": [asdict(difference) for difference in shown],
        "not_listed": len(group.differences) - len(shown),
    }


def _examples(group: Group) -> list[Difference]:
    """The worst difference of a group, then its first few."""
    return [group.worst, *(one for one in group.differences if one is not group.worst)][:_EXAMPLES]


def _statement(outcome: Replay) -> str:
    return f"{_comparison_told(outcome)}{_runtimes_told(outcome)}"


def _runtimes_told(outcome: Replay) -> str:
    if (change := outcome.runtimes) is None:
        return ""
    return (
        f" The networks were run by {change.recorded} then and by {change.replayed} now, which round differently: "
        "numbers are held to the tolerance, not to equality."
    )


def _comparison_told(outcome: Replay) -> str:
    comparison = outcome.comparison
    counted = f"{comparison.compared:,} values compared"
    if outcome.outcome == "equal":
        return f"{counted}: every one is the same."
    beyond = sum(group.beyond for group in comparison.groups)
    within = sum(group.within for group in comparison.groups)
    allowed = f"logits {comparison.logit_tolerance:g}, scores {comparison.logit_tolerance / 4:g}, other {_OTHER}"
    if outcome.outcome == "within_tolerance":
        return f"{counted}: {within:,} differ, none beyond the tolerance ({allowed})."
    parts: dict[str, int] = {}
    for group in comparison.groups:
        part = group.path.partition(".")[0].partition("[")[0]
        parts[part] = parts.get(part, 0) + group.beyond
    where = ", ".join(f"{part} {count:,}" for part, count in parts.items() if count)
    return f"{counted}: {beyond:,} differ beyond the tolerance ({allowed}), {within:,} within it. Beyond it: {where}."


def _print_text(outcome: Replay, *, everything: bool) -> None:
    bundle = outcome.bundle
    print(f"{_WORDS[outcome.outcome]}: {_statement(outcome)}")
    print(f"  file {plain(bundle.file_name)}, SHA-256 {bundle.sha256}")
    for model_id, weights, _ in bundle.models:
        print(f"  model {plain(model_id)}, weights {weights}: the same here")
    for group in outcome.comparison.groups:
        largest = "" if group.largest is None else f", largest distance {group.largest:.3g}"
        verdict = f"{group.beyond:,} beyond tolerance" if group.beyond else f"{group.within:,} within tolerance"
        print(f"  {plain(group.path)}: {verdict}{largest}")
        # What is tolerated needs no examples: the largest distance says it.
        shown = group.differences if everything else _examples(group) if group.beyond else ()
        for difference in shown:
            print(f"    {plain(_line(difference))}")
        if shown and len(shown) < len(group.differences):
            print(f"    … and {len(group.differences) - len(shown):,} more (--all lists them)")
    for name in outcome.comparison.one_sided:
        print(f"  not compared, the schemas differ: {plain(name)}")
    for title, changes in (("surroundings", outcome.surroundings), ("model card", outcome.cards)):
        for change in changes:
            print(f"  {title} differ: {plain(f'{change.name}: {change.recorded} then, {change.replayed} now')}")
    if outcome.outcome != "equal" and not outcome.surroundings and not outcome.cards:
        print("  Nothing on record about program, machine or libraries differs.", file=sys.stdout)


def _line(difference: Difference) -> str:
    if difference.absent_from is not None:
        side = "the recorded analysis" if difference.absent_from == "recorded" else "the replay"
        found = difference.replayed if difference.absent_from == "recorded" else difference.recorded
        return f"{difference.path}: absent from {side}; the other has {found!r:.200}"
    return f"{difference.path}: {difference.recorded!r:.200} then, {difference.replayed!r:.200} now"
