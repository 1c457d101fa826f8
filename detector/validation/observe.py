"""Everything a validation measures on this installation, before anything is judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

from detector.analysis import analysis_to_dict, analyze
from detector.analysis.comparison import Comparison, compare
from detector.analysis.environment import PACKAGES
from detector.errors import ModelError
from detector.evidence import examine, ingest
from detector.measurement.score_table import COUNTED_ONCE
from detector.registry import LoadedModel, SpecialistsModel, signed_list, standing
from detector.registry.catalogue import SHIPPED, file_sha256
from detector.settings import AnalysisSettings
from detector.training.evaluation.own_files import OwnFiles, read_own_files, score_own_files
from detector.training.evaluation.predictions import column_of, gather
from detector.validation.documents import ASSETS, SuiteSpec
from detector.validation.suite import make_suite

SAMPLES: Final = ASSETS / "samples"
LOCK: Final = ASSETS.parent / "requirements.lock"
PREDICTIONS: Final = "predictions.jsonl"
SUITE: Final = "suite"
# What equal work gives equally; what is said of the file beside it depends on the day and on a time limit.
_RESULTS: Final = ("frames_examined", "shot_starts_s", "tracks", "models", "conclusion")
_NOTHING: Final = "The model had nothing to score."
Told = Callable[[str, int, int], None]
"""Told what is being done, and how many of how many parts are done."""


class Counted(NamedTuple):
    """`right` of `checked` things are as they should be; `wrong` names the others."""

    right: int
    checked: int
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observations:
    """`repeated`: an analysis of the sample compared with a second one; `sample_logits` by file and model or model/cue.

    `scores` of the synthesised suite and of the supplied one (None where there is none), with the columns of
    `score_table.SCORE_COLUMNS`; a specialist's cues are rows of their own, their `model` "model/cue".
    """

    repeated: Comparison
    sample_logits: Mapping[str, Mapping[str, float]]
    signed_files: Counted
    models_as_shipped: Counted
    locked_versions: Counted
    synthesised: pd.DataFrame
    supplied: pd.DataFrame | None


def observe(
    models: Sequence[LoadedModel], spec: SuiteSpec, repeated: str, supplied: OwnFiles | None, out: Path, told: Told
) -> Observations:
    """Check the installation, analyse the sample `repeated` twice, and score the samples and both suites.

    What models said is kept in `out`, where an interrupted run goes on. Raises what `make_suite` raises, and
    EvidenceError for a sample that cannot be read.
    """
    told("checking the installation", 0, 1)
    signed, shipped, versions = signed_files(), models_as_shipped(models), locked_versions(LOCK)
    told("analysing one clip twice", 0, 1)
    comparison = _repeated(models, SAMPLES / repeated, out / "sample")
    kept = out / PREDICTIONS
    make_suite(spec, out / SUITE, lambda done, total: told("making the synthesised suite", done, total))
    scored = [
        _scores(files, models, kept, lambda done, total, _, what=what: told(what, done, total))  # type: ignore[misc]
        for files, what in (
            (_samples(), "examining the samples"),
            (read_own_files(out / SUITE), "examining the synthesised suite"),
            *([(supplied, "examining the supplied suite")] if supplied is not None else []),
        )
    ]
    samples = scored[0].dropna(subset="logit")
    by_file = {
        str(file): {str(name): float(logit) for name, logit in zip(rows["model"], rows["logit"], strict=True)}
        for file, rows in samples.groupby("file")
    }
    return Observations(
        comparison, by_file, signed, shipped, versions, scored[1], None if supplied is None else scored[2]
    )


def signed_files() -> Counted:
    """The shipped files of models that are what the signed list says; none checked where the list is not signed."""
    try:
        listed = signed_list()
    except ModelError as error:
        return Counted(0, 0, (str(error),))
    wrong = tuple(name for name, sha256 in listed.items() if not _is(SHIPPED / name, sha256))
    return Counted(len(listed) - len(wrong), len(listed), wrong)


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and file_sha256(path) == sha256


def models_as_shipped(models: Sequence[LoadedModel]) -> Counted:
    """The models that are run, trunks included, and stand as shipped."""
    cards = {one.card.model_id: one.card for model in models for one in (model, model.trunk) if one is not None}
    found = {name: standing(card) for name, card in cards.items()}
    wrong = tuple(f"{name}: {how}" for name, how in found.items() if how != "shipped")
    return Counted(len(found) - len(wrong), len(found), wrong)


def locked_versions(lock: Path) -> Counted:
    """The installed packages that have the version of a lock (`name==version` lines); a package whose code has a part
    in the numbers also has to be there."""
    if not lock.is_file():
        return Counted(0, 0, (f"{lock.name} is missing",))
    pairs = (line.strip().split("==", 1) for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line)
    checked, wrong = 0, []
    for name, wanted in ((pair[0], pair[1]) for pair in pairs if not pair[0].startswith("#")):
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            if name not in PACKAGES:
                continue
            found = "not installed"
        checked += 1
        if found != wanted:
            wrong.append(f"{name}: {wanted} → {found}")
    return Counted(checked - len(wrong), checked, tuple(wrong))


def _repeated(models: Sequence[LoadedModel], sample: Path, folder: Path) -> Comparison:
    evidence = examine(ingest(sample, folder))
    first, second = (analysis_to_dict(analyze(evidence, models, AnalysisSettings())) for _ in range(2))
    pair = (json.loads(json.dumps({name: one[name] for name in _RESULTS})) for one in (first, second))
    return compare(*pair, logit_tolerance=0.0)


def _samples() -> OwnFiles:
    """The bundled clips, but for the mask of one of them."""
    listed = json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))
    rows = [
        (one["file"], "real" if one["label"] == "genuine" else "fake", one["label"])
        for one in listed
        if one["label"] != "mask"
    ]
    table = pd.DataFrame(rows, columns=["file", "label", "manipulation"])
    empty = dict.fromkeys(("source", "group", "family", "generator", "crop_x0", "crop_x1"), "")
    return OwnFiles(SAMPLES, table.assign(kind="video", **empty))


def _scores(
    own: OwnFiles, models: Sequence[LoadedModel], kept: Path, on_file: Callable[[int, int, str], None]
) -> pd.DataFrame:
    """As `score_own_files`, with rows for each cue of several specialists."""
    scores = score_own_files(own, models, kept, on_file=on_file)
    said = gather(models, own.table, own.root, kept)  # read from what was kept: nothing is examined again
    parts = [scores]
    for model in models:
        for cue in model.channel_names if isinstance(model, SpecialistsModel) else ():
            rows = scores[scores["model"] == model.card.model_id]
            heard = pd.Series(said[column_of(model.card.model_id, cue)].to_numpy(float), rows.index)
            logit = heard.where(rows["reason"].fillna("") != COUNTED_ONCE)
            reason = rows["reason"].fillna(_NOTHING).where(logit.isna(), None)
            parts.append(rows.assign(model=f"{model.card.model_id}/{cue}", logit=logit, reason=reason))
    return pd.concat(parts, ignore_index=True)
