"""Each criterion of acceptance against what was observed. Nothing passes that was not checked.

A figure of the synthesised suite is held to what was measured when the program was shipped: it fails beyond the
interval of that. A figure of a supplied suite is held to the model's card and calibration: it fails where its own
interval lies wholly on the wrong side of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from detector.measurement.metrics import interval_by_group, rank_auc, share_interval
from detector.measurement.results import CUES_ON_VIDEOS, LEAST_FOR_AUC, PER_CUE, Measurement
from detector.measurement.score_set import SetFigures, measure_scores
from detector.registry import LoadedModel, SpecialistsModel
from detector.validation.documents import (
    PARTS,
    Criteria,
    Criterion,
    Expected,
    ExpectedFigure,
    Figure,
    InvertedRow,
    Measure,
    PartName,
    PartVerdict,
    Reason,
    Result,
    SuiteSpec,
    Verdict,
)
from detector.validation.observe import Counted, Observations

_HIGHER_IS_WORSE = ("false_alarm_rate", "miss_rate")
_MOST_NAMED = 12


def judge(criteria: Criteria, seen: Observations, models: Sequence[LoadedModel]) -> tuple[Criterion, ...]:
    """Every criterion with its verdict, part by part; those of a supplied suite where there is one."""
    found = [*_reproducibility(criteria, seen), *_installation(seen), *_synthesised(criteria, seen, models)]
    if seen.supplied is not None:
        found += _supplied(criteria, seen.supplied, models)
    return tuple(found)


def part_verdicts(criteria: Iterable[Criterion], *, supplied: bool) -> tuple[PartVerdict, ...]:
    """A part fails with any of its criteria. It passes where something was checked and nothing was left unchecked; but
    for the supplied suite, some of whose figures may rest on too few files."""
    rows = list(criteria)
    found = []
    for part in PARTS:
        if part == "supplied_suite" and not supplied:
            continue
        own = [row.verdict for row in rows if row.part == part]
        passed, failed, unchecked = (own.count(verdict) for verdict in ("pass", "fail", "not_checked"))
        whole = passed > 0 and (not unchecked or part == "supplied_suite")
        verdict: Verdict = "fail" if failed else "pass" if whole else "not_checked"
        found.append(PartVerdict(part=part, verdict=verdict, passed=passed, failed=failed, not_checked=unchecked))
    return tuple(found)


def result_of(parts: Iterable[PartVerdict]) -> Result:
    """`fail` with any part, `pass` where each passes, else `incomplete`."""
    verdicts = {part.verdict for part in parts}
    return "fail" if "fail" in verdicts else "pass" if verdicts == {"pass"} else "incomplete"


def inverted_rows(
    scores: pd.DataFrame, models: Sequence[LoadedModel], *, resamples: int = 500
) -> tuple[InvertedRow, ...]:
    """Where manipulated files of a suite are ranked below genuine ones and chance does not explain it: whole
    models, their sources, generators, families and conditions."""
    names = {model.card.model_id: (model.card.weights_sha256, model.card.thresholds) for model in models}
    figures: SetFigures = measure_scores(scores, names, program="", settings_sha256="", resamples=resamples)
    found = []
    for model in figures.models:
        if model.inverted and model.metrics is not None:
            interval = (model.intervals or {}).get("roc_auc")
            auc = Figure(
                value=model.metrics.roc_auc, interval=interval, n_real=model.metrics.n_real, n_fake=model.metrics.n_fake
            )
            found.append(InvertedRow(model=model.model, dimension="", name="", auc=auc))
        for row in model.slices:
            if row.inverted:
                sizes = {"n_real": row.false_positives.rows, "n_fake": row.true_positives.rows}
                auc = Figure(value=row.auc, interval=row.interval, **sizes)
                found.append(InvertedRow(model=model.model, dimension=row.dimension, name=row.name, auc=auc))
    return tuple(found)


def expected_of(
    spec: SuiteSpec, seen: Observations, models: Sequence[LoadedModel], *, repeated: str, measured_on: str
) -> Expected:
    """What was observed, as what is to be expected: for a new version of the criteria. A figure whose interval ends
    where none can be worse is left out, since nothing would be checked by it."""
    subjects = seen.synthesised["model"].unique()
    scored = seen.synthesised.dropna(subset="logit")["model"].value_counts()
    figures = (
        ExpectedFigure(subject=subject, measure=measure, figure=figure)
        for subject in subjects
        for measure, figure in _suite_figures(spec, seen.synthesised, subject, models)
        if _can_be_missed(measure, figure)
    )
    files = seen.synthesised.drop_duplicates("file")
    return Expected(
        measured_on=measured_on,
        repeated=repeated,
        sample_logits={file: dict(row) for file, row in seen.sample_logits.items()},
        figures=tuple(figures),
        clips=len(files),
        clips_scored={name: int(scored[name]) for name in subjects if name in scored},
        files=dict(zip(files["file"], files["sha256"], strict=True)),
    )


def _can_be_missed(measure: Measure, figure: Figure) -> bool:
    if figure.interval is None:
        return False
    return figure.interval[1] < 1 if measure in _HIGHER_IS_WORSE else figure.interval[0] > 0


def _reproducibility(criteria: Criteria, seen: Observations) -> Iterator[Criterion]:
    part: PartName = "reproducibility"
    differing = sum(group.beyond + group.within for group in seen.repeated.groups)
    yield Criterion(
        part=part,
        measure="repeated_analysis",
        subject=criteria.expected.repeated,
        expected=Figure(value=0),
        found=Figure(value=differing, of=seen.repeated.compared),
        verdict=_verdict(differing == 0, checked=seen.repeated.compared > 0),
        reason=None if seen.repeated.compared else "nothing_measured",
        detail=tuple(group.path for group in seen.repeated.groups[:_MOST_NAMED]),
    )
    limit = criteria.tolerance_logit
    for file, wanted in criteria.expected.sample_logits.items():
        own = seen.sample_logits.get(file, {})
        # A score that is gone, and one that was not there, differ as much as any.
        apart = {
            name: abs(own[name] - wanted[name]) if name in own and name in wanted else float("inf")
            for name in {**wanted, **own}
        }
        there = [distance for distance in apart.values() if np.isfinite(distance)]
        yield Criterion(
            part=part,
            measure="sample_scores",
            subject=file,
            expected=Figure(value=limit, of=len(wanted)),
            found=Figure(value=max(there, default=None), of=len(there)),
            verdict=_verdict(all(distance <= limit for distance in apart.values()), checked=bool(wanted)),
            reason=None if wanted else "nothing_measured",
            detail=tuple(name for name, distance in apart.items() if not distance <= limit)[:_MOST_NAMED],
        )


def _installation(seen: Observations) -> Iterator[Criterion]:
    rows: tuple[tuple[Measure, str, Counted], ...] = (
        ("signed_files", "SHA256SUMS", seen.signed_files),
        ("models_as_shipped", "", seen.models_as_shipped),
        ("locked_versions", "requirements.lock", seen.locked_versions),
    )
    for measure, subject, counted in rows:
        yield Criterion(
            part="installation",
            measure=measure,
            subject=subject,
            expected=Figure(value=counted.checked),
            found=Figure(value=counted.right, of=counted.checked),
            verdict=_verdict(not counted.wrong, checked=counted.checked > 0),
            reason=None if counted.checked else "not_found",
            detail=counted.wrong[:_MOST_NAMED],
        )


def _synthesised(criteria: Criteria, seen: Observations, models: Sequence[LoadedModel]) -> Iterator[Criterion]:
    part: PartName = "synthesised_suite"
    scored = seen.synthesised.dropna(subset="logit")["model"].value_counts()
    wanted = criteria.expected.clips_scored
    short = tuple(
        f"{name}: {scored.get(name, 0)} / {count}" for name, count in wanted.items() if scored.get(name, 0) < count
    )
    yield Criterion(
        part=part,
        measure="clips_scored",
        subject="",
        expected=Figure(value=sum(wanted.values()), of=criteria.expected.clips),
        found=Figure(value=sum(int(scored.get(name, 0)) for name in wanted), of=seen.synthesised["file"].nunique()),
        verdict=_verdict(not short, checked=bool(wanted)),
        reason=None if wanted else "nothing_measured",
        detail=short[:_MOST_NAMED],
    )
    figures = {
        (subject, measure): figure
        for subject in seen.synthesised["model"].unique()
        for measure, figure in _suite_figures(criteria.suite, seen.synthesised, subject, models)
    }
    for row in criteria.expected.figures:
        found = figures.get((row.subject, row.measure), Figure())
        good, why = _not_worse_than_shipped(row.measure, row.figure, found)
        yield Criterion(
            part=part,
            measure=row.measure,
            subject=row.subject,
            expected=row.figure,
            found=found,
            verdict=_verdict(good, checked=why is None),
            reason=why,
        )


def _suite_figures(
    spec: SuiteSpec, scores: pd.DataFrame, subject: str, models: Sequence[LoadedModel]
) -> Iterator[tuple[Measure, Figure]]:
    """AUC of a model or a cue on the manipulations it is measured on; of a model with thresholds that decides by itself
    also what it finds and what it calls wrongly."""
    rows = scores[scores["model"] == subject]
    kinds = spec.kinds_of.get(subject)
    if kinds is not None:
        rows = rows[(rows["label"] == "real") | rows["generator"].isin(kinds)]
    yield "auc", auc_figure(rows)
    card = next((model.card for model in models if model.card.model_id == subject), None)
    if card is not None and card.kind == "ensemble":
        threshold = card.thresholds.likely_manipulated_logit
        yield "detection_rate", _share(rows, "fake", rows["logit"] >= threshold)
        yield "false_alarm_rate", _share(rows, "real", rows["logit"] >= threshold)


def auc_figure(rows: pd.DataFrame) -> Figure:
    """ROC-AUC of the rows that have a logit, its 95 % interval by bootstrap over groups, that of Clopper & Pearson at 0
    and 1; none with fewer than three of either label."""
    rows = rows.dropna(subset="logit")
    fake, logit, groups = _arrays(rows)
    n_real, n_fake = int((~fake).sum()), int(fake.sum())
    if min(n_real, n_fake) < LEAST_FOR_AUC:
        return Figure(n_real=n_real, n_fake=n_fake)
    labels = fake.astype(int)
    found = interval_by_group(groups, lambda drawn: rank_auc(labels[drawn], logit[drawn]))
    low, high = found
    value = round(rank_auc(labels, logit), 4)
    interval = None if low is None or high is None or len(np.unique(groups)) < 2 else (low, high)
    if interval is not None and value in (0, 1):
        # Where one label lies wholly above the other a bootstrap would claim to be sure.
        scarcer = fake if n_fake < n_real else ~fake
        interval = share_interval(np.full(int(scarcer.sum()), value == 1), groups[scarcer])
    return Figure(value=value, interval=interval, n_real=n_real, n_fake=n_fake)


def _share(rows: pd.DataFrame, label: str, hits: pd.Series) -> Figure:
    own = rows["logit"].notna() & (rows["label"] == label)
    n = int(own.sum())
    sizes = Figure(n_real=n) if label == "real" else Figure(n_fake=n)
    if not n:
        return sizes
    hit, groups = hits[own].to_numpy(bool), rows.loc[own, "group"].to_numpy(str)
    return sizes.model_copy(update={"value": round(float(hit.mean()), 4), "interval": share_interval(hit, groups)})


def _arrays(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (rows["label"] == "fake").to_numpy(bool), rows["logit"].to_numpy(float), rows["group"].to_numpy(str)


def _not_worse_than_shipped(measure: Measure, wanted: Figure, found: Figure) -> tuple[bool, Reason | None]:
    if found.value is None:
        return False, "nothing_measured"
    if wanted.interval is None:
        return False, "no_interval"
    low, high = wanted.interval
    return (found.value <= high if measure in _HIGHER_IS_WORSE else found.value >= low), None


def _supplied(criteria: Criteria, scores: pd.DataFrame, models: Sequence[LoadedModel]) -> Iterator[Criterion]:
    for model in models:
        card = model.card
        rows = scores[scores["model"] == card.model_id]
        figure = auc_figure(rows)
        measured = [*_card_figures(model, None)]
        yield from (_beside(criteria, card.model_id, "auc", *known, figure) for known in measured)
        if not measured:
            yield _beside(criteria, card.model_id, "auc", "", Figure(), figure)
        for cue in model.channel_names if isinstance(model, SpecialistsModel) else ():
            subject = f"{card.model_id}/{cue}"
            own = auc_figure(scores[scores["model"] == subject])
            yield from (_beside(criteria, subject, "auc", *known, own) for known in _card_figures(model, cue))
        yield from _errors(criteria, model, rows)


def _card_figures(model: LoadedModel, cue: str | None) -> Iterator[tuple[str, Figure]]:
    """What the card says of real deepfakes, with the data it was measured on: those kept for calibration, and those of
    the validation against genuine videos of people that the model never saw, else against all."""
    results = model.card.results
    if cue is None:
        on_videos: Measurement | None = results.on_real_videos()
        if on_videos is None or on_videos.value is None:
            on_videos = results.find("videos", "all")
        found = [results.find("calibration_videos", "all"), on_videos]
    else:
        found = [results.find("calibration_videos", PER_CUE, cue, "all"), results.find(CUES_ON_VIDEOS, cue, "videos")]
    for one in found:
        if one is not None and one.value is not None:
            figure = Figure(value=one.value, interval=one.interval, n_real=one.n_real, n_fake=one.n_fake)
            yield " · ".join(one.data), figure


def _errors(criteria: Criteria, model: LoadedModel, rows: pd.DataFrame) -> Iterator[Criterion]:
    """Error rates at the thresholds that the model's calibration holds for."""
    calibration = model.calibration
    known = None if calibration is None else calibration.error_row("all", "all")
    if calibration is None or known is None:
        return
    nothing_found, called = calibration.thresholds
    pairs: tuple[tuple[Measure, int, int, tuple[float, float] | None, Figure], ...] = (
        (
            "false_alarm_rate",
            known.false_alarms,
            known.n_real,
            known.false_alarm_interval,
            _share(rows, "real", rows["logit"] >= called),
        ),
        (
            "miss_rate",
            known.misses,
            known.n_fake,
            known.miss_interval,
            _share(rows, "fake", rows["logit"] <= nothing_found),
        ),
    )
    for measure, wrong, n, interval, found in pairs:
        sizes = {"n_real": n} if measure == "false_alarm_rate" else {"n_fake": n}
        wanted = Figure(value=wrong / n if n else None, interval=interval, **sizes)
        yield _beside(criteria, model.card.model_id, measure, calibration.set_name, wanted, found)


def _beside(
    criteria: Criteria, subject: str, measure: Measure, source: str, wanted: Figure, found: Figure
) -> Criterion:
    why: Reason | None = None
    good = False
    sizes = [n for n in (found.n_real, found.n_fake) if n is not None]
    if wanted.value is None:
        why = "no_figure"
    elif min(sizes, default=0) < criteria.least_per_label:
        why = "too_few"
    elif wanted.interval is None or found.interval is None:
        why = "no_interval"
    elif measure in _HIGHER_IS_WORSE:
        good = found.interval[0] <= wanted.interval[1]
    else:
        good = found.interval[1] >= wanted.interval[0]
    return Criterion(
        part="supplied_suite",
        measure=measure,
        subject=subject,
        source=source,
        expected=wanted,
        found=found,
        verdict=_verdict(good, checked=why is None),
        reason=why,
    )


def _verdict(good: bool, *, checked: bool) -> Verdict:
    return "not_checked" if not checked else "pass" if good else "fail"
