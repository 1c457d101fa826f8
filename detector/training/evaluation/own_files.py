"""A laboratory's own labelled files: a folder with `real` and `fake` in it, or a table; and what models say of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from detector.errors import SettingsError
from detector.measurement.score_table import COUNTED_ONCE, PART_COLUMNS, SCORE_COLUMNS, score_table
from detector.registry import LoadedModel, file_sha256
from detector.training.data.manifest import family_of
from detector.training.evaluation.clip_frames import LogitReader
from detector.training.evaluation.prediction_store import ClipKey, PredictionStore
from detector.training.evaluation.predictions import column_of, gather, problem_of
from detector.training.evaluation.scoring import VIDEO_SETTINGS

LABELS: Final = ("real", "fake")
_OPTIONAL: Final = ("source", "group", "family", "generator", "crop_x0", "crop_x1")
_MANY: Final = 10
_OF_PART: Final = ("level", "track", "pts_s", "logit")


class OwnFiles(NamedTuple):
    """Labelled files below `root`. `table` has a row each with the columns of `predictions.FACTS`, `family`,
    `generator`, `crop_x0` and `crop_x1`, all text, "" where nothing is said."""

    root: Path
    table: pd.DataFrame


def read_own_files(path: Path) -> OwnFiles:
    """The files of a folder with `manifest.csv`, else of its folders `real` and `fake`; or of a CSV table.

    A table has the columns `path` (or `file`; relative to its own folder) and `label` (real or fake), and perhaps
    `source` (or `repo`), `group` (the person or source clip, which counts once in intervals), `family`, `generator` (or
    `manipulation`), `crop_x0` and `crop_x1`. In folders, a folder below `real` names the source, one below `fake` the
    generator; hidden files are passed over.

    Raises SettingsError where there is neither, for a table that lacks columns or rows, labels that are none, a file
    that is there with both labels, and where none of the files is there.
    """
    if path.is_file():
        own = _from_table(path)
    elif (path / "manifest.csv").is_file():
        own = _from_table(path / "manifest.csv")
    elif path.is_dir():
        own = _from_folders(path)
    else:
        raise SettingsError(f"{path} is not there. Name a folder with real and fake in it, or a table of files.")
    if not any((own.root / file).is_file() for file in own.table["file"]):
        raise SettingsError(f"None of the {len(own.table)} files is there; paths are relative to {own.root}.")
    if twice := _labelled_twice(own):
        raise SettingsError(f"The same content is labelled real and fake: {_named(twice)}. Correct one of the labels.")
    return own


def _from_folders(root: Path) -> OwnFiles:
    rows = [(str(file.relative_to(root)), label, file) for label in LABELS for file in _files_in(root / label)]
    if not rows:
        raise SettingsError(
            f"{root} has no manifest.csv, and no files in the folders real and fake. Put genuine files into real and "
            "manipulated ones into fake, or name a table with the columns path and label."
        )
    inside = [file.relative_to(root / label).parts[:-1] for _, label, file in rows]
    table = pd.DataFrame({"file": [row[0] for row in rows], "label": [row[1] for row in rows]})
    first = pd.Series([parts[0] if parts else "" for parts in inside])
    fake = table["label"] == "fake"
    return OwnFiles(root, _completed(table.assign(source=first.where(~fake, ""), generator=first.where(fake, ""))))


def _files_in(folder: Path) -> Iterator[Path]:
    """Every file below a folder in the order of names; hidden ones, and those in hidden folders, are passed over."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _from_table(path: Path) -> OwnFiles:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SettingsError(f"{path} cannot be read as a CSV table: {error}") from None
    table.columns = table.columns.str.strip().str.lower()
    former = {"path": "file", "repo": "source", "manipulation": "generator"}
    table = table.rename(columns={old: new for old, new in former.items() if new not in table})
    if missing := [name for name in ("file", "label") if name not in table]:
        named = ", ".join("path" if name == "file" else name for name in missing)
        raise SettingsError(f"{path} lacks the columns {named}. A table of files has path and label.")
    table["label"] = table["label"].str.strip().str.lower()
    wrong = table.index[~table["label"].isin(LABELS) | (table["file"].str.strip() == "")]
    if len(wrong) or not len(table):
        lines = _named([f"line {number + 2}" for number in wrong]) if len(wrong) else "it has no rows"
        raise SettingsError(f"{path}: each row needs a path and the label real or fake; see {lines}.")
    return OwnFiles(path.parent, _completed(table))


def _completed(table: pd.DataFrame) -> pd.DataFrame:
    """All the columns; a file without a group is a group of its own. Everything is examined as the product does."""
    made = {name: table[name] if name in table else pd.Series("", table.index) for name in _OPTIONAL}
    known = pd.DataFrame({"file": table["file"], "label": table["label"], **made})
    fake = known["label"] == "fake"
    known["generator"] = known["generator"].where(fake, "")
    family = known["family"].where(known["family"] != "", known["generator"].map(family_of))
    known["family"] = family.where(fake, "")
    return known.assign(kind="video", manipulation=known["generator"]).reset_index(drop=True)


def _labelled_twice(own: OwnFiles) -> list[str]:
    """Files of equal content and different labels, of one cut. Only files of equal size are read."""
    there = own.table["file"].map(lambda file: (own.root / file).is_file())
    whole = own.table[there & (own.table["crop_x0"] == "")]
    sizes = whole["file"].map(lambda file: (own.root / file).stat().st_size)
    found: list[str] = []
    for _, rows in whole.groupby(sizes):
        if rows["label"].nunique() > 1:
            content = rows["file"].map(lambda file: file_sha256(own.root / file))
            found += [file for _, same in rows.groupby(content) if same["label"].nunique() > 1 for file in same["file"]]
    return found


def _named(items: Sequence[str]) -> str:
    more = f" and {len(items) - _MANY} more" if len(items) > _MANY else ""
    return ", ".join(items[:_MANY]) + more


def score_own_files(
    own: OwnFiles,
    models: Sequence[LoadedModel],
    store: Path,
    *,
    on_file: Callable[[int, int, str], None] = lambda done, total, file: None,
) -> pd.DataFrame:
    """A row a file and model with the columns of `measurement.score_table.SCORE_COLUMNS`, files in their own order.

    Logits are kept in `store` and read from there (see `predictions.gather`). A file without a logit has a reason; one
    whose content was there before has the reason that it counts once.
    """
    said = gather(models, own.table, own.root, store, on_file=on_file)
    cut = (said["crop_x0"] + "-" + said["crop_x1"]).replace("-", "")
    content = said["sha256"].fillna(said["file"])
    again = pd.DataFrame({"content": content, "cut": cut}).duplicated()
    known = said.assign(
        cut=cut,
        group=own.table["group"].where(own.table["group"] != "", content),
        face_px=said["size_px"],
        brightness=said["exposure"],
    )
    parts = []
    for model in models:
        model_id = model.card.model_id
        logit = said[column_of(model_id)].where(~again, np.nan)
        reason = said[problem_of(model_id)].fillna(said["problem"]).where(~again, COUNTED_ONCE)
        reason = reason.fillna("The model had nothing to score.").where(logit.isna(), None)
        parts.append(known.assign(model=model_id, logit=logit, reason=reason)[list(SCORE_COLUMNS)])
    return score_table(pd.concat(parts, ignore_index=True))


def score_parts(scores: pd.DataFrame, models: Sequence[LoadedModel], store: Path) -> pd.DataFrame:
    """What lies within the files of `score_own_files`, read from its `store`: the columns of
    `measurement.score_table.PART_COLUMNS`, for each file with a logit a row a track that may decide, and a row a face
    that the model scored by itself. Of an ensemble both are fused from its members'."""
    kept = PredictionStore(store)
    found: list[pd.DataFrame] = []
    for model in models:
        reader = LogitReader(kept, model, models)
        rows = scores[(scores["model"] == model.card.model_id) & scores["logit"].notna()]
        places: list[int] = []
        parts: list[tuple[str, int, float | None, float]] = []
        for place, (content, cut) in enumerate(zip(rows["sha256"], rows["cut"], strict=True)):
            x0, dash, x1 = str(cut).partition("-")
            key = ClipKey(str(content), (int(x0), int(x1)) if dash else None, VIDEO_SETTINGS.sha256)
            own = list(_parts(reader, key))
            parts += own
            places += [place] * len(own)
        facts = rows[[name for name in PART_COLUMNS if name in rows]].iloc[places].reset_index(drop=True)
        found.append(facts.assign(**dict(zip(_OF_PART, zip(*parts, strict=True), strict=True))) if parts else facts)
    return pd.concat(found, ignore_index=True).reindex(columns=list(PART_COLUMNS)).astype(PART_COLUMNS)


def _parts(reader: LogitReader, key: ClipKey) -> Iterator[tuple[str, int, float | None, float]]:
    """Level, track, seconds and logit."""
    said, times_s = reader.logits(key), reader.times_s(key)
    if said is None:
        return
    for track, logit in said.tracks.items():
        yield "track", track, None, logit
    for track, logits in said.frames.items():
        for pts_s, face in zip(times_s[track], logits, strict=True):
            if face is not None:
                yield "frame", track, pts_s, face
