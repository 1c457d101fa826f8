"""The analyses of the specialists as they lie in a folder: what can be read of it, and what cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from detector.analysis.types import Cue
from detector.training.analyses.documents import (
    DOCUMENTS,
    FILE_OF,
    ComprehensiveAnalysis,
    DataFacts,
    ModelAnalysis,
    OverallSummary,
    Roadmap,
)
from pages.parts.shared import folders
from pages.parts.shared.folders import FolderError

VARIABLE: Final = "FRAMEWITNESS_ANALYSES"
Document = TypeVar("Document", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Analyses:
    """The files of one run; None, or absent, where a file is not there. `problems` says what could not be read."""

    folder: Path
    models: Mapping[Cue, ModelAnalysis]
    comprehensive: ComprehensiveAnalysis | None
    summary: OverallSummary | None
    roadmap: Roadmap | None
    problems: tuple[str, ...]

    @property
    def data(self) -> DataFacts:
        """The clips of the first file there is."""
        return self._data()[0]

    @property
    def lists(self) -> int:
        """How many different lists of clips the files were made from: 1 for one run."""
        return len({one.list_sha256 for one in self._data()})

    def _data(self) -> list[DataFacts]:
        whole = (self.comprehensive, self.summary, self.roadmap)
        return [one.data for one in (*self.models.values(), *whole) if one is not None]


def read(text: str) -> Analyses:
    """The analyses in the folder that `text` names. Raises FolderError where it may not be read or holds none."""
    folder = folders.open_folder(text, VARIABLE, "analyses")
    problems: list[str] = []
    models = {
        cue: one for cue, name in FILE_OF.items() if (one := _read(folder / name, ModelAnalysis, problems)) is not None
    }
    found = Analyses(
        folder,
        models,
        _read(folder / "comprehensive_model_analysis.json", ComprehensiveAnalysis, problems),
        _read(folder / "overall_analysis_summary.json", OverallSummary, problems),
        _read(folder / "training_roadmap.json", Roadmap, problems),
        tuple(problems),
    )
    if not models:
        why = f" {' '.join(problems)}" if problems else ""
        raise FolderError(
            f"No analysis of a specialist in {folder}: expected files such as {next(iter(DOCUMENTS))}, which "
            f"python -m detector analyses run --out writes.{why}"
        )
    return found


def _read(path: Path, kind: type[Document], problems: list[str]) -> Document | None:
    if not path.is_file():
        return None
    try:
        return kind.model_validate_json(folders.read_text(path, VARIABLE))
    except OSError as error:
        problems.append(f"{path.name} cannot be read: {error}.")
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        problems.append(f"{path.name} is no such file: {place}: {first['msg']}.")
    return None
