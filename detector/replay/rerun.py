"""The second run: the same file, settings, models and threads, and what is different about the place it runs in."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.analysis.comparison import LOGIT_TOLERANCE, Comparison, Outcome, compare
from detector.analysis.identity import card_facts
from detector.errors import EvidenceError, ModelError, ModelNotFoundError, WeightsRefusedError
from detector.replay.opening import ReplayBundle, extract_input, open_bundle

if TYPE_CHECKING:
    from detector.analysis import Progress
    from detector.registry import LoadedModel

_NOT_RECORDED = "not recorded"
_RUNTIMES = "networks run by"


@dataclass(frozen=True, slots=True)
class Change:
    """Something about the two runs, other than a result, that is not the same."""

    name: str
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A finished replay. `surroundings` is what differs about program, machine and libraries; `cards` what the models'
    cards now say otherwise. Neither changes the outcome: they may explain it."""

    bundle: ReplayBundle
    analysis: dict[str, Any]
    comparison: Comparison
    surroundings: tuple[Change, ...]
    cards: tuple[Change, ...]

    @property
    def runtimes(self) -> Change | None:
        """What computed the networks then and now, None where it is the same: another one rounds otherwise, so that
        numbers agree within the tolerance and not in every bit."""
        return next((change for change in self.surroundings if change.name == _RUNTIMES), None)

    @property
    def outcome(self) -> Outcome:
        """Whether all is equal, within tolerance, or different."""
        return self.comparison.outcome


def replay(
    path: Path,
    *,
    input_file: Path | None = None,
    evidence_dir: Path | None = None,
    device: str = "",
    runtime: str = "",
    logit_tolerance: float = LOGIT_TOLERANCE,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Replay:
    """Run the analysis of a bundle again and compare. `input_file` is the original where the bundle does not hold it,
    `evidence_dir` a folder of stored evidence to look for it in; `device` defaults to the kind that the analysis ran
    on, where there is one, and `runtime` to what computed its networks (`detector.runtime`), where that is installed.

    Raises BundleError for a bundle that cannot be trusted, EvidenceError where the original is missing or is another
    file, ModelError where a model is missing or has other weights, CancelledError, and what an analysis raises.
    """
    from detector.analysis import analysis_to_json, analyze
    from detector.evidence import examine, ingest
    from detector.registry import load_set

    bundle = open_bundle(path)
    _check_models(bundle)
    with tempfile.TemporaryDirectory(prefix="framewitness-replay-") as name:
        folder = Path(name)
        source = _original(bundle, input_file, evidence_dir, folder)
        stored = ingest(source, folder / "evidence", file_name=bundle.file_name)
        if stored.sha256 != bundle.sha256:
            raise EvidenceError(
                f"The file given is not the one that was analysed: its SHA-256 is {stored.sha256}, the bundle's is "
                f"{bundle.sha256}. Give the original."
            )
        ids = [model_id for model_id, _, _ in bundle.models]
        loaded = load_set(ids, device or _device(bundle), runtime=runtime or _runtime(bundle))
        models = tuple(
            _named_as_recorded(_calibrated_as_recorded(one, bundle.results), bundle.results) for one in loaded
        )
        with _threads(bundle):
            analysis = analyze(examine(stored), models, bundle.settings, on_progress=on_progress, cancelled=cancelled)
    found = json.loads(analysis_to_json(analysis))
    return Replay(
        bundle=bundle,
        analysis=found,
        comparison=compare(bundle.results, found, logit_tolerance=logit_tolerance),
        surroundings=tuple(_surroundings(bundle, found)),
        cards=tuple(_card_changes(bundle, models)),
    )


def _calibrated_as_recorded(model: LoadedModel, results: Mapping[str, Any]) -> LoadedModel:
    """The model with the calibration that it had: none in records of before, the record's own where another is in force
    now; the one in force where the record does not hold it, which the comparison then shows."""
    from detector.calibration.calibration import Calibration

    listed = (results.get("identity") or {}).get("models", ())
    facts: Mapping[str, Any] = next((one["card"] for one in listed if one["model_id"] == model.card.model_id), {})
    sha256 = facts.get("calibration")
    if sha256 is None:
        return replace(model, calibration=None)
    if results.get("calibration") is not None and (model.calibration is None or model.calibration.sha256 != sha256):
        recorded = Calibration.model_validate(results["calibration"])
        return replace(model, calibration=recorded) if recorded.sha256 == sha256 else model
    return model


def _named_as_recorded(model: LoadedModel, results: Mapping[str, Any]) -> LoadedModel:
    """The model under the name that reasons of the record call it by: its id in records of before."""
    titles = {one["model_id"]: one.get("title", "") for one in results.get("models", ())}
    return replace(model, card=replace(model.card, name=titles.get(model.card.model_id, "")))


def _check_models(bundle: ReplayBundle) -> None:
    """Before anything runs: every model must be here with the weights that made the record."""
    from detector.registry import find_card

    missing, other = [], []
    for model_id, weights_sha256, _ in bundle.models:
        try:
            found = find_card(model_id).weights_sha256
        except ModelNotFoundError:
            missing.append(f"{model_id} (weights {weights_sha256})")
            continue
        if found != weights_sha256:
            other.append(f"{model_id} has weights {found} here, {weights_sha256} in the bundle")
    if missing or other:
        said = [f"not installed: {', '.join(missing)}"] * bool(missing) + [f"other weights: {'; '.join(other)}"] * bool(
            other
        )
        error: type[ModelError] = ModelNotFoundError if missing else WeightsRefusedError
        raise error(
            f"The bundle cannot be replayed with the models here; {'; '.join(said)}. Put the folder with the bundle's "
            "models in place (FRAMEWITNESS_WEIGHTS) and replay again."
        )


def _original(bundle: ReplayBundle, given: Path | None, evidence_dir: Path | None, folder: Path) -> Path:
    from detector.evidence.store import stored_path

    if given is not None:
        return given
    if bundle.input_member is None:
        if evidence_dir and (kept := stored_path(evidence_dir, bundle.sha256)).is_file():
            return kept
        raise EvidenceError(
            f"The bundle does not hold the original (SHA-256 {bundle.sha256}, {bundle.size_bytes:,} bytes). Give it "
            "with --input."
        )
    target = folder / "original"
    extract_input(bundle, target)
    return target


def _device(bundle: ReplayBundle) -> str:
    """The kind of device that the analysis ran on, where this machine has one: other devices round differently."""
    import torch

    recorded = bundle.environment.get("devices", "")
    return "cuda" if "cuda" in recorded and torch.cuda.is_available() else "cpu" if recorded else "auto"


def _runtime(bundle: ReplayBundle) -> str:
    """What computed the networks of the analysis, torch in records of before; torch too where that is not here."""
    from detector.runtime import TORCH, installed

    names = {one.get("runtime", TORCH).split()[0] for one in (bundle.results.get("identity") or {}).get("models", ())}
    return next((name for name in sorted(names - {TORCH}) if installed(name)), TORCH)


@contextmanager
def _threads(bundle: ReplayBundle) -> Iterator[None]:
    """As many threads as the analysis had, where that is on record: sums in another order round differently."""
    import torch

    recorded, before = bundle.environment.get("torch threads", ""), torch.get_num_threads()
    if recorded.isascii() and recorded.isdigit() and int(recorded) > 0:
        torch.set_num_threads(min(int(recorded), os.cpu_count() or 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _surroundings(bundle: ReplayBundle, found: dict[str, Any]) -> Iterator[Change]:
    then, now = bundle.results.get("tool") or {}, found["tool"]
    pairs = [(f"tool {name}", then.get(name), now[name]) for name in ("name", "version", "commit")]
    recorded_code, present_code = ((side.get("identity") or {}).get("code_sha256") for side in (bundle.results, found))
    pairs.append(("tool code", recorded_code, present_code))
    pairs.append(("schema version", bundle.results.get("schema_version"), found["schema_version"]))
    recorded, present = bundle.environment, found["environment"] or {}
    pairs += [(name, recorded.get(name), present.get(name)) for name in dict.fromkeys([*recorded, *present])]
    pairs.append((_RUNTIMES, _runtimes_told(bundle.results), _runtimes_told(found)))
    for name, one, other in pairs:
        if one != other:
            yield Change(
                name, _NOT_RECORDED if one is None else str(one), _NOT_RECORDED if other is None else str(other)
            )


def _runtimes_told(results: Mapping[str, Any]) -> str:
    listed = (results.get("identity") or {}).get("models", ())
    return ", ".join(sorted({one.get("runtime", "torch") for one in listed} or {"torch"}))


def _card_changes(bundle: ReplayBundle, models: tuple[LoadedModel, ...]) -> Iterator[Change]:
    at_hand = {model.card.model_id: card_facts(model.card) for model in models}
    for model_id, _, card in bundle.models:
        if not isinstance(card, dict):
            yield Change(f"{model_id}: card", _NOT_RECORDED, "at hand")
            continue
        for name, value in at_hand[model_id].items():
            if card.get(name) != value:
                yield Change(f"{model_id}: {name}", f"{card.get(name)!r:.300}", f"{value!r:.300}")
