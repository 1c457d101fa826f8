"""One validation from its beginning to its record, in a folder where one that was interrupted goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from detector.analysis.environment import environment, library_versions
from detector.analysis.identity import code_sha256, tool
from detector.errors import SettingsError
from detector.registry import LoadedModel, default_model_ids, load_set, standing
from detector.registry.catalogue import file_sha256
from detector.training.evaluation.own_files import read_own_files
from detector.training.evaluation.scoring import VIDEO_SETTINGS
from detector.validation.documents import (
    CRITERIA,
    Criteria,
    FileFact,
    ModelFact,
    PartName,
    SuiteFacts,
    ValidationRecord,
)
from detector.validation.files import (
    PROGRESS,
    RECORD,
    REPORT,
    REQUEST,
    SCORES,
    Progress,
    Request,
    Written,
    sha256_of,
    write_whole,
)
from detector.validation.judge import expected_of, inverted_rows, judge, part_verdicts, result_of
from detector.validation.observe import Observations, observe
from detector.validation.pdf import validation_pdf


def validate(
    out: Path,
    *,
    supplied: Path | None = None,
    examiner: str = "",
    language: str = "en",
    device: str = "auto",
    criteria_path: Path = CRITERIA,
    told: Callable[[str, int, int], None] = lambda doing, done, total: None,
) -> Written:
    """Verify the default set of models on this installation, and write `validation.json`, `validation.pdf` and
    `scores.parquet` into `out`; what models said is kept there beside the clips that were made.

    An interrupted validation goes on where it stopped and comes to the same figures. Raises SettingsError where `out`
    holds a finished record or was begun with something else, another state of the program for instance, for a supplied
    suite that is none, and what `load_set` and an analysis raise.
    """
    criteria = Criteria.read(criteria_path)
    criteria_sha256 = file_sha256(criteria_path)
    own = None if supplied is None else read_own_files(supplied)  # a suite that is none begins nothing
    supplied_path = "" if supplied is None else str(supplied.resolve())
    request = _begin(
        out,
        Request(
            supplied=supplied_path,
            examiner=examiner,
            language=language,
            begun_at=_now(),
            criteria_sha256=criteria_sha256,
            code_sha256=code_sha256(),
            libraries=library_versions(),
        ),
    )
    tell = _telling(out, told)
    tell("loading the models", 0, 1)
    models = load_set(default_model_ids(), device)
    seen = observe(models, criteria.suite, criteria.expected.repeated, own, out, tell)
    tell("writing the record", 0, 1)
    write_whole(out / SCORES, _scores(seen))
    rows = judge(criteria, seen, models)
    parts = part_verdicts(rows, supplied=supplied is not None)
    record = ValidationRecord(
        result=result_of(parts),
        examiner=request.examiner,
        begun_at=request.begun_at,
        finished_at=_now(),
        program=f"{tool().name} {tool().version}",
        commit=tool().commit,
        code_sha256=code_sha256(),
        environment=environment(model.device.type for model in models),
        settings_sha256=VIDEO_SETTINGS.sha256,
        criteria_version=criteria.version,
        criteria_sha256=criteria_sha256,
        parts=parts,
        criteria=rows,
        inverted=() if seen.supplied is None else inverted_rows(seen.supplied, models),
        models=tuple(_model_fact(model) for model in _with_trunks(models)),
        suites=tuple(_suites(seen, criteria, supplied_path)),
        scores_sha256=file_sha256(out / SCORES),
    )
    content = record.as_json()
    report = validation_pdf(record, content, measured_on=criteria.expected.measured_on, language=request.language)
    write_whole(out / REPORT, report)
    write_whole(out / RECORD, content)  # last: where it is, the others are
    (out / PROGRESS).unlink(missing_ok=True)
    return Written(record, out, sha256_of(content), sha256_of(report))


def measure_expected(out: Path, path: Path, *, device: str, told: Callable[[str, int, int], None]) -> Criteria:
    """Measure anew what is expected, with the program as it is, and write it into the criteria at `path` as their next
    version: for whoever ships other models."""
    criteria = Criteria.read(path)
    out.mkdir(parents=True, exist_ok=True)
    models = load_set(default_model_ids(), device)
    repeated = criteria.expected.repeated
    seen = observe(models, criteria.suite, repeated, None, out, told)
    found = environment(model.device.type for model in models)
    measured_on = f"{tool().name} {tool().version}, {_now():%Y-%m-%d}, " + ", ".join(
        f"{name} {found[name]}" for name in ("python", "processor", "devices", "torch", "av") if name in found
    )
    expected = expected_of(criteria.suite, seen, models, repeated=repeated, measured_on=measured_on)
    newer = criteria.model_copy(update={"version": criteria.version + 1, "expected": expected})
    write_whole(path, newer.model_dump_json(indent=1, exclude_none=True).encode() + b"\n")
    return newer


def _begin(out: Path, asked: Request) -> Request:
    """The request of the folder, which an interrupted validation goes on with."""
    if (out / RECORD).exists():
        raise SettingsError(f"{out} holds a finished validation. Name another folder; records are never replaced.")
    if out.exists() and not out.is_dir():
        raise SettingsError(f"{out} is a file; expected a folder.")
    begun = Request.read(out)
    if begun is None:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / REQUEST, asked.model_dump_json(indent=1).encode() + b"\n")
        return asked
    # What was kept was made by the program as it was then.
    for name, what in (
        ("supplied", "another suite"),
        ("criteria_sha256", "other criteria of acceptance"),
        ("code_sha256", "another state of the program"),
        ("libraries", "other versions of libraries"),
    ):
        if getattr(begun, name) != getattr(asked, name):
            raise SettingsError(f"The validation in {out} was begun with {what}. Begin a new one, in another folder.")
    return begun.model_copy(update={"examiner": asked.examiner or begun.examiner, "language": asked.language})


def _telling(out: Path, told: Callable[[str, int, int], None]) -> Callable[[str, int, int], None]:
    def tell(doing: str, done: int, total: int) -> None:
        write_whole(out / PROGRESS, Progress(doing=doing, done=done, total=total).model_dump_json().encode())
        told(doing, done, total)

    return tell


def _scores(seen: Observations) -> bytes:
    """Both suites in one table, told apart by the column `suite`."""
    parts = [seen.synthesised.assign(suite="synthesised")]
    if seen.supplied is not None:
        parts.append(seen.supplied.assign(suite="supplied"))
    content: bytes = pd.concat(parts, ignore_index=True).to_parquet(index=False)
    return content


def _with_trunks(models: Sequence[LoadedModel]) -> list[LoadedModel]:
    found = {one.card.model_id: one for model in models for one in (model, model.trunk) if one is not None}
    return [found[name] for name in sorted(found)]


def _model_fact(model: LoadedModel) -> ModelFact:
    calibration = model.calibration
    return ModelFact(
        model_id=model.card.model_id,
        weights_sha256=model.card.weights_sha256,
        standing=standing(model.card),
        calibration_sha256=None if calibration is None else calibration.sha256,
        calibration_set=None if calibration is None else calibration.set_name,
    )


def _suites(seen: Observations, criteria: Criteria, supplied: str) -> list[SuiteFacts]:
    known = criteria.expected.files
    made = _suite_facts("synthesised_suite", "", seen.synthesised)
    same = sum(known.get(one.file) == one.sha256 for one in made.files)
    found = [made.model_copy(update={"identical_to_shipped": same})]
    if seen.supplied is not None:
        found.append(_suite_facts("supplied_suite", supplied, seen.supplied))
    return found


def _suite_facts(part: PartName, location: str, scores: pd.DataFrame) -> SuiteFacts:
    without = scores[scores["logit"].isna()].groupby("file")["reason"].agg(lambda reasons: reasons.iloc[0])
    nothing = scores.groupby("file")["logit"].count() == 0
    files = tuple(
        FileFact(
            file=str(row.file),
            label="fake" if row.label == "fake" else "real",
            sha256=None if pd.isna(row.sha256) else str(row.sha256),
            problem=str(without[row.file]) if nothing[row.file] else None,
        )
        for row in scores.drop_duplicates("file").itertuples()
    )
    labels = [one.label for one in files]
    listed = json.dumps([[one.sha256, one.label] for one in files])
    return SuiteFacts(
        part=part,
        location=location,
        n_real=labels.count("real"),
        n_fake=labels.count("fake"),
        list_sha256=sha256_of(listed.encode()),
        files=files,
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
